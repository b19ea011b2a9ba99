//===- Session.h - Sequences that a model works on ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/DeviceDecoder.h"
#include "runtime/Executor.h"
#include "runtime/Model.h"
#include "runtime/Span.h"
#include "runtime/StateStore.h"
#include "runtime/Status.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ssmrt {

struct SessionOptions {
  int64_t sequences = 1;
  /// Tokens that each sequence may hold, if the model has attention.
  int64_t context = 4096;
  /// Most rows of a prefill call; 0: what the plan says.
  int64_t prefillChunk = 0;
  /// Fill what kernels must not read with NaN; the environment variable
  /// SSMRT_POISON=1 does the same.
  bool poison = false;
};

/// Tokens for one sequence.
struct SequenceTokens {
  int64_t sequence = 0;
  Span<const int32_t> tokens;
};

/// Steps whose tokens are the most probable ones.
struct GreedySteps {
  /// Different sequences, and the token that each consumes first.
  std::vector<int64_t> sequences;
  std::vector<int32_t> tokens;
  /// Most steps.
  int64_t count = 0;
  /// Go on after an end token of the model.
  bool ignoreEnd = false;
  /// The callback never stops a sequence: steps may be launched before it has
  /// seen the tokens of earlier ones.
  bool canRunAhead = false;
};

/// Receives a token that a sequence chose, -1 if no logit was a number; false
/// stops the sequence.
using StepCallback = std::function<bool(int64_t sequence, int32_t token)>;

enum class LogitsMode : uint8_t { None, Last, All };

/// Logits of one token: the row belongs to the session until the call returns.
using LogitsSink =
    std::function<void(int64_t sequence, int64_t position, const float *row)>;

/// The residual stream of `rows` tokens of one sequence from `position` on,
/// after layer `layer` (-1: before the first; the number of layers: what the
/// head reads, of tokens whose logits are wanted).
using HiddenSink =
    std::function<void(int64_t sequence, int64_t position, int64_t layer,
                       const float *rows, int64_t count, int64_t stride)>;

/// How much was launched.
struct LaunchCounts {
  int64_t prefill = 0; ///< launches of the last prefill call
  int64_t step = 0;    ///< launches of the last step
  int64_t chunks = 0;  ///< prefill calls
};

/// A batch of sequences, each with a state of its own. One thread at a time.
class Session {
public:
  static Expected<std::unique_ptr<Session>>
  create(std::shared_ptr<Model> model, const SessionOptions &options);

  Model &model() const { return *owner; }
  int64_t sequences() const { return static_cast<int64_t>(states.size()); }
  /// Tokens that the sequence has seen.
  int64_t position(int64_t sequence) const { return states[sequence].position; }

  /// Forgets what the sequence has seen.
  Status reset(int64_t sequence);

  /// Lets sequences, each named at most once, consume tokens, in chunks of
  /// rows.
  Status prefill(Span<const SequenceTokens> input, LogitsMode mode);

  /// The same for one token each, by the kernels for single tokens.
  Status step(Span<const SequenceTokens> input, LogitsMode mode);

  /// Whether the device chooses tokens by itself: steps without a sink can then
  /// be greedy ones.
  bool choosesTokens() const {
    return owner->device().chooser() >= 0 && !logitsSink && !hiddenSink;
  }

  /// Steps until a sequence ends, all have made `count` steps or, with paged
  /// states, the context is full; at least one. No logits are kept.
  Status stepGreedy(const GreedySteps &steps, const StepCallback &callback);

  /// Logits after the last token of the sequence, if they were asked for when
  /// it was consumed; else null. Valid until the sequence consumes again.
  const float *lastLogits(int64_t sequence) const;

  /// Receives all wanted logits as they are computed.
  void setLogitsSink(LogitsSink sink) { logitsSink = std::move(sink); }
  void setHiddenSink(HiddenSink sink) { hiddenSink = std::move(sink); }

  /// Writes states in the canonical form. `nextTokens` holds the token that
  /// each sequence shall consume next, or -1.
  Status saveState(const std::string &path,
                   const std::vector<int32_t> &nextTokens) const;

  /// Reads the states of all sequences; the file must have as many.
  /// `nextTokens` becomes what was saved.
  Status loadState(const std::string &path, std::vector<int32_t> &nextTokens);

  void setKernelTimes(KernelTimes *times) { executor->setKernelTimes(times); }

  const LaunchCounts &launches() const { return counts; }

private:
  Session() = default;

  Status checkInput(Span<const SequenceTokens> input) const;
  Status runGreedy(const GreedySteps &steps, int64_t count,
                   const StepCallback &callback);
  Expected<bool> takeGreedy(const GreedySteps &steps,
                            const StepCallback &callback);
  Status call(Entry entry, Span<const CallPart> parts,
              const std::vector<int64_t> &sequenceOfPart, LogitsMode mode);

  std::shared_ptr<Model> owner;
  StateStore store;
  /// Refers to the store.
  std::unique_ptr<Executor> executor;
  /// Made when it is needed first.
  std::unique_ptr<DeviceDecoder> decoder;
  std::vector<Sequence> states;
  int64_t chunk = 0;
  bool poison = false;
  std::vector<float> logits;
  std::vector<bool> hasLogits;
  LogitsSink logitsSink;
  HiddenSink hiddenSink;
  LaunchCounts counts;
};

} // namespace ssmrt
