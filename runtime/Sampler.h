//===- Sampler.h - Choose the next token ----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cstdint>

namespace ssmrt {

/// How to choose a token. The filters apply in the order of the fields.
struct SamplingParams {
  /// 0 (or anything not above 0) chooses the largest logit.
  float temperature = 0;
  /// Keep the logits that are at least the `topK`-th largest; 0 keeps all. As
  /// in Hugging Face transformers, ties with the last one are kept too.
  int topK = 0;
  /// Keep the smallest set of most probable tokens whose probabilities, after
  /// top-k, sum to at least `topP`; at least one. 1 keeps all. Of equally
  /// probable tokens the lower index is kept first.
  float topP = 1;
  uint64_t seed = 0;
};

/// Chooses a token from `logits[0, vocab)`. The result depends on nothing but
/// the arguments: the one random number is Philox(seed; sequence, position),
/// and the kept tokens are laid out in index order. The lowest index wins ties
/// of the greedy choice; a NaN is never chosen. Returns -1 if no logit is a
/// number. Any thread may call it.
int32_t sample(const float *logits, int64_t vocab, const SamplingParams &params,
               uint64_t sequence, uint64_t position);

} // namespace ssmrt
