//===- Sampler.cpp - Choose the next token --------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Sampler.h"

#include "runtime/Philox.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

using namespace ssmrt;

namespace {

/// A token that may be chosen, with its probability up to a common factor.
struct Candidate {
  int32_t index;
  float logit;
  double weight;
};

/// The index of the largest logit, the lowest such index, -1 if all are NaN.
int32_t argmax(const float *logits, int64_t vocab) {
  int64_t best = -1;
  for (int64_t i = 0; i < vocab; ++i)
    if (!std::isnan(logits[i]) && (best < 0 || logits[i] > logits[best]))
      best = i;
  return static_cast<int32_t>(best);
}

/// The `k`-th largest number among `logits`; NaNs do not count.
float kthLargest(const float *logits, int64_t vocab, int64_t k) {
  std::vector<float> numbers;
  numbers.reserve(vocab);
  std::copy_if(logits, logits + vocab, std::back_inserter(numbers),
               [](float logit) { return !std::isnan(logit); });
  if (k >= static_cast<int64_t>(numbers.size()))
    return -INFINITY;
  std::nth_element(numbers.begin(), numbers.begin() + (k - 1), numbers.end(),
                   std::greater<float>());
  return numbers[k - 1];
}

/// exp((logit - largest) / temperature), with the limits for infinities.
double relativeWeight(float logit, float largest, double temperature) {
  if (logit == largest)
    return 1;
  if (std::isinf(logit) || std::isinf(largest))
    return 0;
  return std::exp((static_cast<double>(logit) - largest) / temperature);
}

/// Reduces `candidates` to the fewest most probable ones that hold `topP` of
/// the weight. Bisects with partial sorts, which takes linear time, and keeps
/// the order.
void keepTopP(std::vector<Candidate> &candidates, double topP) {
  double total = 0;
  for (const Candidate &candidate : candidates)
    total += candidate.weight;
  auto moreProbable = [](const Candidate &a, const Candidate &b) {
    return a.logit > b.logit || (a.logit == b.logit && a.index < b.index);
  };
  // The first `tooFew` are the most probable and hold `kept`, not enough; the
  // first `enough` hold enough.
  std::vector<Candidate> ordered = candidates;
  auto begin = ordered.begin();
  size_t tooFew = 0, enough = ordered.size();
  double kept = 0;
  while (enough - tooFew > 1) {
    size_t middle = tooFew + (enough - tooFew) / 2;
    std::nth_element(begin + tooFew, begin + middle, begin + enough,
                     moreProbable);
    double weight = 0;
    for (size_t i = tooFew; i < middle; ++i)
      weight += ordered[i].weight;
    if (kept + weight >= topP * total) {
      enough = middle;
      continue;
    }
    kept += weight;
    tooFew = middle;
  }
  const Candidate &last = ordered[tooFew];
  candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                  [&](const Candidate &candidate) {
                                    return moreProbable(last, candidate);
                                  }),
                   candidates.end());
}

} // namespace

int32_t ssmrt::sample(const float *logits, int64_t vocab,
                      const SamplingParams &params, uint64_t sequence,
                      uint64_t position) {
  int32_t best = argmax(logits, vocab);
  if (best < 0 || !(params.temperature > 0))
    return best;

  float threshold =
      params.topK > 0 ? kthLargest(logits, vocab, params.topK) : -INFINITY;
  std::vector<Candidate> candidates;
  candidates.reserve(params.topK > 0 ? std::min<int64_t>(params.topK, vocab)
                                     : vocab);
  for (int64_t i = 0; i < vocab; ++i) {
    if (!(logits[i] >= threshold))
      continue;
    double weight = relativeWeight(logits[i], logits[best], params.temperature);
    if (weight > 0)
      candidates.push_back({static_cast<int32_t>(i), logits[i], weight});
  }
  if (params.topP < 1)
    keepTopP(candidates, params.topP);

  double total = 0;
  for (const Candidate &candidate : candidates)
    total += candidate.weight;
  double target = philoxUniform(params.seed, sequence, position) * total;
  double cumulative = 0;
  for (const Candidate &candidate : candidates) {
    cumulative += candidate.weight;
    if (target < cumulative)
      return candidate.index;
  }
  return candidates.back().index; // target was rounded up to the total
}
