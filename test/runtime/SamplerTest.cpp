//===- SamplerTest.cpp - Sampling against exact probabilities -------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Sampler.h"
#include "runtime/Philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

using namespace ssmrt;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr int kDraws = 20000;

int32_t greedy(const std::vector<float> &logits) {
  return sample(logits.data(), logits.size(), {}, 0, 0);
}

/// Uneven logits of both signs with a few equal ones.
std::vector<float> makeLogits(int vocab) {
  std::vector<float> logits(vocab);
  for (int i = 0; i < vocab; ++i)
    logits[i] = 2.5f * std::sin(1.7f * i) + (i % 5 == 0 ? 0.5f : 0);
  logits[3] = logits[11];
  return logits;
}

/// The distribution by definition: full sort, ties at the end of top-k kept,
/// ties of top-p in index order.
std::vector<double> exactProbabilities(const std::vector<float> &logits,
                                       const SamplingParams &params) {
  std::vector<double> weights(logits.size());
  for (size_t i = 0; i < logits.size(); ++i)
    weights[i] = std::exp(logits[i] / static_cast<double>(params.temperature));
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  size_t size = order.size();
  if (params.topK > 0 && params.topK < static_cast<int>(size)) {
    float last = logits[order[params.topK - 1]];
    while (logits[order[size - 1]] < last)
      --size;
  }
  double total = 0;
  for (size_t i = 0; i < size; ++i)
    total += weights[order[i]];
  double kept = 0;
  size_t count = 0;
  while (count < size && (count == 0 || params.topP >= 1 ||
                          kept < static_cast<double>(params.topP) * total))
    kept += weights[order[count++]];
  std::vector<double> probabilities(logits.size());
  for (size_t i = 0; i < count; ++i)
    probabilities[order[i]] = weights[order[i]] / kept;
  return probabilities;
}

/// Draws kDraws tokens and compares their counts with the exact distribution.
/// The bound is the 1 - 1e-4 quantile of chi-square (Wilson and Hilferty).
void expectDistribution(const SamplingParams &params) {
  std::vector<float> logits = makeLogits(37);
  std::vector<double> probabilities = exactProbabilities(logits, params);
  std::vector<int> counts(logits.size());
  for (int draw = 0; draw < kDraws; ++draw)
    ++counts.at(sample(logits.data(), logits.size(), params,
                       /*sequence=*/draw % 7, /*position=*/draw / 7));
  double chiSquare = 0;
  int degrees = -1;
  for (size_t i = 0; i < logits.size(); ++i) {
    double expected = probabilities[i] * kDraws;
    if (expected == 0) {
      EXPECT_EQ(counts[i], 0) << "token " << i << " was filtered out";
      continue;
    }
    ++degrees;
    chiSquare += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  if (degrees == 0)
    return;
  double scale = 2.0 / (9 * degrees);
  double bound = degrees * std::pow(1 - scale + 3.719 * std::sqrt(scale), 3);
  EXPECT_LT(chiSquare, bound) << degrees << " degrees of freedom";
}

// Known answers of Random123 1.14 (kat_vectors, philox4x32 10).
TEST(Philox, known_answers) {
  using Block = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                       {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, uniform_uses_every_bit_of_its_arguments) {
  double base = philoxUniform(1, 2, 3);
  EXPECT_NE(base, philoxUniform(1 + (1ull << 40), 2, 3));
  EXPECT_NE(base, philoxUniform(1, 2 + (1ull << 40), 3));
  EXPECT_NE(base, philoxUniform(1, 2, 3 + (1ull << 40)));
  EXPECT_NE(philoxUniform(0, 1, 2), philoxUniform(0, 2, 1));
}

TEST(Greedy, largest_logit_wins) { EXPECT_EQ(greedy({1, 3, 2}), 1); }
TEST(Greedy, lowest_index_wins_ties) { EXPECT_EQ(greedy({1, 3, 3}), 1); }
TEST(Greedy, nan_never_wins) { EXPECT_EQ(greedy({kNan, -kInf, kNan}), 1); }
TEST(Greedy, all_nan_gives_no_token) { EXPECT_EQ(greedy({kNan, kNan}), -1); }
TEST(Greedy, empty_vocabulary_gives_no_token) { EXPECT_EQ(greedy({}), -1); }

TEST(Greedy, bad_temperature_is_greedy) {
  std::vector<float> logits = {1, 1.1f, 1};
  for (float temperature : {0.0f, -1.0f, kNan})
    for (int position = 0; position < 20; ++position)
      EXPECT_EQ(sample(logits.data(), 3, {temperature}, 0, position), 1);
}

TEST(Sampling, plain) { expectDistribution({1, 0, 1, 1}); }
TEST(Sampling, hot) { expectDistribution({1.7f, 0, 1, 2}); }
TEST(Sampling, cold) { expectDistribution({0.4f, 0, 1, 3}); }
TEST(Sampling, top_k) { expectDistribution({1, 7, 1, 4}); }
TEST(Sampling, top_k_one) { expectDistribution({1, 1, 1, 5}); }
TEST(Sampling, top_k_beyond_vocabulary) { expectDistribution({1, 99, 1, 6}); }
TEST(Sampling, top_p) { expectDistribution({1, 0, 0.8f, 7}); }
TEST(Sampling, top_p_zero_keeps_one) { expectDistribution({1, 0, 0, 8}); }
TEST(Sampling, top_k_then_top_p) { expectDistribution({1.3f, 9, 0.7f, 9}); }

TEST(Sampling, top_k_keeps_ties) {
  std::vector<float> logits = {2, 1, 2, 2, 0};
  std::vector<int> counts(5);
  for (int position = 0; position < 300; ++position)
    ++counts.at(sample(logits.data(), 5, {1, 2}, 0, position));
  EXPECT_GT(counts[0], 0);
  EXPECT_GT(counts[2], 0);
  EXPECT_GT(counts[3], 0);
  EXPECT_EQ(counts[1] + counts[4], 0);
}

TEST(Sampling, top_p_keeps_lower_index_of_ties) {
  std::vector<float> logits = {0, 0, 0, 0};
  for (int position = 0; position < 100; ++position)
    EXPECT_LT(sample(logits.data(), 4, {1, 0, 0.5f}, 0, position), 2);
}

TEST(Sampling, filters_that_keep_all_change_no_draw) {
  std::vector<float> logits = makeLogits(64);
  for (int position = 0; position < 200; ++position)
    EXPECT_EQ(sample(logits.data(), 64, {1, 0, 1, 11}, 5, position),
              sample(logits.data(), 64, {1, 64, 1, 11}, 5, position));
}

TEST(Sampling, depends_on_seed_sequence_and_position_only) {
  std::vector<float> logits = makeLogits(64);
  auto draw = [&](uint64_t seed, uint64_t sequence) {
    std::vector<int32_t> tokens;
    for (uint64_t position = 0; position < 50; ++position)
      tokens.push_back(
          sample(logits.data(), 64, {1, 0, 1, seed}, sequence, position));
    return tokens;
  };
  EXPECT_EQ(draw(1, 2), draw(1, 2));
  EXPECT_NE(draw(1, 2), draw(2, 2));
  EXPECT_NE(draw(1, 2), draw(1, 3));
}

TEST(Sampling, nan_and_minus_infinity_are_never_drawn) {
  std::vector<float> logits = {kNan, 0, -kInf, 0, kNan};
  for (SamplingParams params :
       {SamplingParams{1}, SamplingParams{1, 4}, SamplingParams{1, 0, 0.9f}})
    for (int position = 0; position < 200; ++position) {
      int32_t token = sample(logits.data(), 5, params, 0, position);
      EXPECT_TRUE(token == 1 || token == 3) << token;
    }
}

TEST(Sampling, infinite_logits_share_all_probability) {
  std::vector<float> logits = {5, kInf, 1, kInf};
  for (int position = 0; position < 50; ++position)
    EXPECT_EQ(sample(logits.data(), 4, {1}, 0, position) % 2, 1);
}

TEST(Sampling, extreme_temperatures) {
  std::vector<float> logits = {0, 1, -kInf, 2};
  for (int position = 0; position < 50; ++position) {
    EXPECT_EQ(sample(logits.data(), 4, {1e-45f}, 0, position), 3);
    EXPECT_NE(sample(logits.data(), 4, {kInf}, 0, position), 2);
  }
}

} // namespace
