//===- Generation.h - Generate tokens -------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Sampler.h"
#include "runtime/Session.h"
#include "runtime/Status.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ssmrt {

struct GenerationOptions {
  /// Tokens to generate for each sequence.
  int64_t count = 0;
  SamplingParams sampling;
  /// Go on after an end token of the model.
  bool ignoreEnd = false;
  /// The callback never refuses a token: a GPU may then be ahead of it.
  bool neverStops = false;
  /// Logits to compute for the prompt; at least the last ones if tokens are
  /// generated.
  LogitsMode promptLogits = LogitsMode::Last;
};

/// Called for each generated token; false ends the sequence.
using TokenCallback = std::function<bool(int64_t sequence, int32_t token)>;

struct GenerationResult {
  /// Generated tokens of each sequence, an end token included. The last one was
  /// not consumed by the model.
  std::vector<std::vector<int32_t>> tokens;
  double prefillMs = 0;
  /// From the start to the first token.
  double firstTokenMs = 0;
  double decodeMs = 0;
  int64_t prefillTokens = 0;
  /// Tokens that came from steps.
  int64_t decodedTokens = 0;

  /// The token that each sequence shall consume next, -1 if none was generated.
  std::vector<int32_t> nextTokens() const;
};

/// Lets sequence i of the session consume prompts[i], none of which may be
/// empty, and generates. A prompt of one token that continues a state counts as
/// a step, so that generation can be cut anywhere.
Expected<GenerationResult>
generate(Session &session, const std::vector<std::vector<int32_t>> &prompts,
         const GenerationOptions &options, const TokenCallback &callback);

} // namespace ssmrt
