//===- Generation.cpp - Generate tokens -----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Generation.h"
#include "runtime/Guarded.h"

#include <algorithm>
#include <chrono>

namespace ssmrt {

namespace {

using Clock = std::chrono::steady_clock;

double millisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start)
      .count();
}

class Generator {
public:
  Generator(Session &session, const GenerationOptions &options,
            const TokenCallback &callback)
      : session(session), options(options), callback(callback) {}

  Expected<GenerationResult>
  run(const std::vector<std::vector<int32_t>> &prompts) {
    const auto start = Clock::now();
    result.tokens.resize(prompts.size());
    if (Status status = consume(prompts); !status)
      return status;
    result.prefillMs = millisecondsSince(start);
    if (options.count <= 0)
      return std::move(result);
    for (size_t i = 0; i < prompts.size(); ++i)
      active.push_back(static_cast<int64_t>(i));
    if (Status status = sampleAll(); !status)
      return status;
    result.firstTokenMs = millisecondsSince(start);
    const auto decodeStart = Clock::now();
    while (!active.empty()) {
      if (Status status = stepAll(); !status)
        return status;
      result.decodedTokens += static_cast<int64_t>(active.size());
      if (Status status = sampleAll(); !status)
        return status;
    }
    result.decodeMs = millisecondsSince(decodeStart);
    return std::move(result);
  }

private:
  Status consume(const std::vector<std::vector<int32_t>> &prompts) {
    std::vector<SequenceTokens> input;
    bool isStep = true;
    for (size_t i = 0; i < prompts.size(); ++i) {
      const int64_t sequence = static_cast<int64_t>(i);
      input.push_back({sequence, prompts[i]});
      result.prefillTokens += static_cast<int64_t>(prompts[i].size());
      isStep &= prompts[i].size() == 1 && session.position(sequence) > 0;
    }
    const LogitsMode mode =
        options.count > 0 && options.promptLogits == LogitsMode::None
            ? LogitsMode::Last
            : options.promptLogits;
    return isStep ? session.step(input, mode) : session.prefill(input, mode);
  }

  Status stepAll() {
    std::vector<SequenceTokens> input;
    for (int64_t sequence : active)
      input.push_back({sequence, {&result.tokens[sequence].back(), 1}});
    return session.step(input, LogitsMode::Last);
  }

  /// Draws a token for each active sequence and drops those that end.
  Status sampleAll() {
    const Plan &plan = session.model().plan();
    std::vector<int64_t> remaining;
    for (int64_t sequence : active) {
      const int32_t token =
          sample(session.lastLogits(sequence), plan.vocab, options.sampling,
                 sequence, session.position(sequence));
      if (token < 0)
        return error("sequence " + std::to_string(sequence) +
                     ": no logit is a number");
      std::vector<int32_t> &tokens = result.tokens[sequence];
      tokens.push_back(token);
      const bool wantsMore = !callback || callback(sequence, token);
      const bool isEnd = !options.ignoreEnd &&
                         std::find(plan.endTokens.begin(), plan.endTokens.end(),
                                   token) != plan.endTokens.end();
      if (wantsMore && !isEnd &&
          static_cast<int64_t>(tokens.size()) < options.count)
        remaining.push_back(sequence);
    }
    active = std::move(remaining);
    return {};
  }

  Session &session;
  const GenerationOptions &options;
  const TokenCallback &callback;
  GenerationResult result;
  std::vector<int64_t> active;
};

} // namespace

std::vector<int32_t> GenerationResult::nextTokens() const {
  std::vector<int32_t> next;
  for (const std::vector<int32_t> &sequence : tokens)
    next.push_back(sequence.empty() ? -1 : sequence.back());
  return next;
}

Expected<GenerationResult>
generate(Session &session, const std::vector<std::vector<int32_t>> &prompts,
         const GenerationOptions &options, const TokenCallback &callback) {
  return guarded([&]() -> Expected<GenerationResult> {
    return Generator(session, options, callback).run(prompts);
  });
}

} // namespace ssmrt
