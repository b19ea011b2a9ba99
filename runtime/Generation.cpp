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
    const bool isGreedy =
        !(options.sampling.temperature > 0) && session.choosesTokens();
    while (!active.empty())
      if (Status status = isGreedy ? decodeGreedily() : decodeOnce(); !status)
        return status;
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

  /// A step of all active sequences, and a draw from the logits.
  Status decodeOnce() {
    std::vector<SequenceTokens> input;
    for (int64_t sequence : active)
      input.push_back({sequence, {&result.tokens[sequence].back(), 1}});
    if (Status status = session.step(input, LogitsMode::Last); !status)
      return status;
    result.decodedTokens += static_cast<int64_t>(active.size());
    return sampleAll();
  }

  /// Steps whose tokens the device chooses, until a sequence ends.
  Status decodeGreedily() {
    GreedySteps steps;
    steps.ignoreEnd = options.ignoreEnd;
    steps.canRunAhead = options.neverStops || !callback;
    steps.sequences = active;
    for (int64_t sequence : active)
      steps.tokens.push_back(result.tokens[sequence].back());
    // All active sequences have as many tokens.
    steps.count = options.count -
                  static_cast<int64_t>(result.tokens[active.front()].size());
    Status noNumber;
    std::vector<int64_t> ended;
    Status status =
        session.stepGreedy(steps, [&](int64_t sequence, int32_t token) {
          ++result.decodedTokens;
          Expected<bool> goesOn = take(sequence, token);
          if (!goesOn)
            noNumber = goesOn.status();
          if (!goesOn || !*goesOn)
            ended.push_back(sequence);
          return goesOn && *goesOn;
        });
    if (!status)
      return status;
    active.erase(std::remove_if(active.begin(), active.end(),
                                [&](int64_t sequence) {
                                  return std::find(ended.begin(), ended.end(),
                                                   sequence) != ended.end();
                                }),
                 active.end());
    return noNumber;
  }

  /// Keeps a token; whether the sequence goes on.
  Expected<bool> take(int64_t sequence, int32_t token) {
    if (token < 0)
      return error("sequence " + std::to_string(sequence) +
                   ": no logit is a number");
    const std::vector<int32_t> &ends = session.model().plan().endTokens;
    std::vector<int32_t> &tokens = result.tokens[sequence];
    tokens.push_back(token);
    const bool wantsMore = !callback || callback(sequence, token);
    const bool isEnd = !options.ignoreEnd &&
                       std::find(ends.begin(), ends.end(), token) != ends.end();
    return wantsMore && !isEnd &&
           static_cast<int64_t>(tokens.size()) < options.count;
  }

  /// Draws a token for each active sequence and drops those that end.
  Status sampleAll() {
    const Plan &plan = session.model().plan();
    std::vector<int64_t> remaining;
    for (int64_t sequence : active) {
      const int32_t token =
          sample(session.lastLogits(sequence), plan.vocab, options.sampling,
                 sequence, session.position(sequence));
      Expected<bool> goesOn = take(sequence, token);
      if (!goesOn)
        return goesOn.status();
      if (*goesOn)
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
