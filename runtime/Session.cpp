//===- Session.cpp - Sequences that a model works on ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Session.h"
#include "runtime/Guarded.h"
#include "runtime/SeqTable.h"
#include "runtime/StateFile.h"
#include "runtime/StepProgram.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace ssmrt {

namespace {

bool isPoisonWanted() {
  const char *value = std::getenv("SSMRT_POISON");
  return value && std::strcmp(value, "1") == 0;
}

/// How many of `remaining` tokens from `position` on go into a call that has
/// room for `room` rows. A sequence is cut at absolute multiples of a tile, or
/// of the chunk if that is smaller, so that results do not depend on the chunk.
int64_t tokensToTake(int64_t position, int64_t remaining, int64_t room,
                     int64_t chunk) {
  if (remaining <= room)
    return remaining;
  const int64_t granule = std::min<int64_t>(chunk, SSM_TILE_ROWS);
  const int64_t end = (position + room) / granule * granule;
  return std::max<int64_t>(end - position, 0);
}

} // namespace

Expected<std::unique_ptr<Session>>
Session::create(std::shared_ptr<Model> model, const SessionOptions &options) {
  return guarded([&]() -> Expected<std::unique_ptr<Session>> {
    const Plan &plan = model->plan();
    std::unique_ptr<Session> session(new Session);
    constexpr int64_t kLargestChunk = int64_t{1} << 24;
    session->chunk =
        options.prefillChunk > 0 ? options.prefillChunk : plan.prefillChunk;
    if (options.prefillChunk < 0 || session->chunk > kLargestChunk)
      return error("prefill chunk, got " +
                   std::to_string(options.prefillChunk) + ", supported 1 to " +
                   std::to_string(kLargestChunk));
    const bool poison = options.poison || isPoisonWanted() ||
                        model->device().checksInitialised();
    session->poison = poison;
    Expected<StateStore> store = StateStore::create(
        model->device(), plan, options.sequences, options.context, poison);
    if (!store)
      return store.status();
    session->store = *std::move(store);
    Expected<std::unique_ptr<Executor>> executor = Executor::create(
        model, session->store, std::max(session->chunk, options.sequences),
        options.sequences, poison);
    if (!executor)
      return executor.status();
    session->executor = *std::move(executor);
    session->owner = std::move(model);
    session->states.resize(options.sequences);
    session->hasLogits.resize(options.sequences);
    session->logits.resize(options.sequences * plan.vocab);
    for (int64_t i = 0; i < options.sequences; ++i) {
      session->states[i].slot = static_cast<int32_t>(i);
      if (Status status = session->store.start(session->states[i]); !status)
        return status;
    }
    return session;
  });
}

Status Session::reset(int64_t sequence) {
  if (sequence < 0 || sequence >= sequences())
    return error("sequence, got " + std::to_string(sequence) + " of " +
                 std::to_string(sequences()));
  hasLogits[sequence] = false;
  return store.start(states[sequence]);
}

Status Session::checkInput(Span<const SequenceTokens> input) const {
  std::vector<bool> named(states.size(), false);
  const int64_t vocab = owner->plan().vocab;
  for (const SequenceTokens &part : input) {
    if (part.sequence < 0 || part.sequence >= sequences())
      return error("sequence, got " + std::to_string(part.sequence) + " of " +
                   std::to_string(sequences()));
    if (named[part.sequence])
      return error("sequence " + std::to_string(part.sequence) +
                   " is named twice");
    named[part.sequence] = true;
    if (part.tokens.empty())
      return error("sequence " + std::to_string(part.sequence) +
                   ": no tokens, expected at least one");
    for (int32_t token : part.tokens)
      if (token < 0 || token >= vocab)
        return error("token, got " + std::to_string(token) +
                     ", supported 0 to " + std::to_string(vocab - 1));
    const int64_t end =
        position(part.sequence) + static_cast<int64_t>(part.tokens.size());
    if (store.hasPages() && end > store.context())
      return error("context, got " + std::to_string(end) +
                   " tokens, supported " + std::to_string(store.context()));
  }
  return {};
}

Status Session::prefill(Span<const SequenceTokens> input, LogitsMode mode) {
  return guarded([&]() -> Status {
    if (Status status = checkInput(input); !status)
      return status;
    std::vector<size_t> consumed(input.size(), 0);
    while (true) {
      std::vector<CallPart> parts;
      std::vector<int64_t> sequenceOfPart;
      int64_t room = chunk;
      for (size_t i = 0; i < input.size() && room > 0; ++i) {
        const int64_t remaining =
            static_cast<int64_t>(input[i].tokens.size() - consumed[i]);
        Sequence &sequence = states[input[i].sequence];
        const int64_t count =
            tokensToTake(sequence.position, remaining, room, chunk);
        if (count == 0)
          continue;
        if (Status status = store.grow(sequence, sequence.position + count);
            !status)
          return status;
        const bool isLast = count == remaining;
        const int64_t outputs = mode == LogitsMode::All              ? count
                                : mode == LogitsMode::Last && isLast ? 1
                                                                     : 0;
        parts.push_back(
            {&sequence, input[i].tokens.slice(consumed[i], count), outputs});
        sequenceOfPart.push_back(input[i].sequence);
        consumed[i] += count;
        room -= count;
      }
      if (parts.empty())
        return {};
      if (Status status = call(Entry::Prefill, parts, sequenceOfPart, mode);
          !status)
        return status;
      counts.prefill = executor->launches();
      ++counts.chunks;
    }
  });
}

Status Session::step(Span<const SequenceTokens> input, LogitsMode mode) {
  return guarded([&]() -> Status {
    if (Status status = checkInput(input); !status)
      return status;
    std::vector<CallPart> parts;
    std::vector<int64_t> sequenceOfPart;
    for (const SequenceTokens &part : input) {
      if (part.tokens.size() != 1)
        return error("step: got " + std::to_string(part.tokens.size()) +
                     " tokens, expected one for each sequence");
      Sequence &sequence = states[part.sequence];
      if (Status status = store.grow(sequence, sequence.position + 1); !status)
        return status;
      parts.push_back({&sequence, part.tokens, mode != LogitsMode::None});
      sequenceOfPart.push_back(part.sequence);
    }
    if (parts.empty())
      return {};
    if (Status status = call(Entry::Step, parts, sequenceOfPart, mode); !status)
      return status;
    counts.step = executor->launches();
    return {};
  });
}

Status Session::stepGreedy(const GreedySteps &steps,
                           const StepCallback &callback) {
  return guarded([&]() -> Status {
    std::vector<SequenceTokens> input;
    for (size_t i = 0; i < steps.sequences.size(); ++i)
      input.push_back({steps.sequences[i], {&steps.tokens[i], 1}});
    if (Status status = checkInput(input); !status)
      return status;
    int64_t count = steps.count;
    for (int64_t sequence : steps.sequences)
      if (store.hasPages())
        count = std::min(count, store.context() - position(sequence));
    if (!decoder) {
      Expected<std::unique_ptr<DeviceDecoder>> created = DeviceDecoder::create(
          owner->device(), owner->plan(), store, *executor, sequences());
      if (!created)
        return created.status();
      decoder = *std::move(created);
    }
    std::vector<CallPart> parts;
    for (size_t i = 0; i < input.size(); ++i) {
      Sequence &sequence = states[steps.sequences[i]];
      if (Status status = store.grow(sequence, sequence.position + count);
          !status)
        return status;
      parts.push_back({&sequence, input[i].tokens, 1});
      hasLogits[steps.sequences[i]] = false;
    }
    if (Status status = decoder->start(parts, steps.ignoreEnd); !status)
      return status;
    const Status status = runGreedy(steps, count, callback);
    counts.step = executor->launches();
    return status;
  });
}

Status Session::runGreedy(const GreedySteps &steps, int64_t count,
                          const StepCallback &callback) {
  const int64_t ahead =
      steps.canRunAhead && !poison ? DeviceDecoder::kEntries : 1;
  int64_t launched = 0;
  bool isEnding = false;
  while (decoder->pending() > 0 || (!isEnding && launched < count)) {
    if (!isEnding && launched < count && decoder->pending() < ahead) {
      for (int64_t sequence : steps.sequences)
        if (Status status = store.poisonStale(states[sequence], 1); !status)
          return status;
      if (Status status = decoder->launchStep(); !status)
        return status;
      ++launched;
      continue;
    }
    Expected<bool> goesOn = takeGreedy(steps, callback);
    if (!goesOn)
      return goesOn.status();
    isEnding |= !*goesOn;
  }
  return {};
}

/// Hands on the tokens of the oldest step; false if a sequence ended.
Expected<bool> Session::takeGreedy(const GreedySteps &steps,
                                   const StepCallback &callback) {
  Expected<const int32_t *> tokens = decoder->nextTokens();
  if (!tokens)
    return tokens.status();
  const std::vector<int32_t> &ends = owner->plan().endTokens;
  bool goesOn = true;
  for (size_t i = 0; i < steps.sequences.size(); ++i) {
    const int32_t token = (*tokens)[i];
    if (token == kAlreadyDone)
      continue;
    ++states[steps.sequences[i]].position;
    const bool wantsMore =
        callback(steps.sequences[i], token == kNoNumber ? -1 : token);
    const bool isEnd = !steps.ignoreEnd &&
                       std::find(ends.begin(), ends.end(), token) != ends.end();
    goesOn &= wantsMore && !isEnd && token != kNoNumber;
  }
  return goesOn;
}

Status Session::call(Entry entry, Span<const CallPart> parts,
                     const std::vector<int64_t> &sequenceOfPart,
                     LogitsMode mode) {
  for (const CallPart &part : parts)
    if (Status status = store.poisonStale(
            *part.sequence, static_cast<int64_t>(part.tokens.size()));
        !status)
      return status;
  const CallTable table(parts, store.maxPages());
  ResidualSink sink;
  if (hiddenSink)
    sink = [&](int64_t layer, const float *rows, int64_t stride) {
      for (size_t i = 0; i < parts.size(); ++i) {
        const bool isHead =
            layer == static_cast<int64_t>(owner->plan().layers.size());
        const int64_t tokens = static_cast<int64_t>(parts[i].tokens.size());
        const int64_t count = isHead ? parts[i].outputs : tokens;
        hiddenSink(sequenceOfPart[i],
                   parts[i].sequence->position + tokens - count, layer, rows,
                   count, stride);
        rows += count * stride;
      }
    };
  if (Status status = executor->run(entry, table, sink); !status)
    return status;

  const int64_t vocab = owner->plan().vocab;
  int64_t output = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    Sequence &sequence = states[sequenceOfPart[i]];
    sequence.position += static_cast<int64_t>(parts[i].tokens.size());
    hasLogits[sequenceOfPart[i]] = parts[i].outputs > 0;
    for (int64_t row = 0; row < parts[i].outputs; ++row, ++output)
      if (logitsSink)
        logitsSink(sequenceOfPart[i],
                   sequence.position - parts[i].outputs + row,
                   executor->logits(output));
    if (parts[i].outputs > 0)
      std::copy_n(executor->logits(output - 1), vocab,
                  logits.data() + sequenceOfPart[i] * vocab);
  }
  return {};
}

const float *Session::lastLogits(int64_t sequence) const {
  if (sequence < 0 || sequence >= sequences() || !hasLogits[sequence])
    return nullptr;
  return logits.data() + sequence * owner->plan().vocab;
}

Status Session::saveState(const std::string &path,
                          const std::vector<int32_t> &nextTokens) const {
  return writeStateFile(path, owner->artifact().modelHash(), store, states,
                        nextTokens);
}

Status Session::loadState(const std::string &path,
                          std::vector<int32_t> &nextTokens) {
  hasLogits.assign(states.size(), false);
  return readStateFile(path, owner->artifact().modelHash(), store, states,
                       nextTokens);
}

} // namespace ssmrt
