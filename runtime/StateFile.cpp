//===- StateFile.cpp - Saved states ---------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/StateFile.h"
#include "runtime/Guarded.h"
#include "runtime/SafeTensors.h"
#include "runtime/StateLayout.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <list>
#include <optional>
#include <set>

namespace ssmrt {

namespace {

constexpr const char *kFormat = "ssmc-state";
constexpr const char *kVersion = "1";
constexpr int64_t kMostTokens = int64_t{1} << 40;
constexpr int64_t kMostSequences = int64_t{1} << 20;

std::string kindName(StateKind kind) {
  switch (kind) {
  case StateKind::Conv:
    return "conv";
  case StateKind::Ssm1:
  case StateKind::Ssm2:
    return "ssm";
  case StateKind::Key:
    return "k";
  case StateKind::Value:
    return "v";
  }
  return {};
}

/// Calls visit(layer, index, name) for each state of a sequence. Where a layer
/// has several of a kind, the later ones get a number.
template <class Visit>
Status forEachState(const StateStore &store, size_t sequence, Visit visit) {
  std::set<std::string> names;
  for (int64_t layer = 0; layer < store.layerCount(); ++layer) {
    for (int64_t index = 0; index < store.statesOf(layer); ++index) {
      const std::string base = "state." + std::to_string(sequence) + "." +
                               std::to_string(store.layerNumber(layer)) + "." +
                               kindName(store.state(layer, index).kind);
      std::string name = base;
      for (int number = 1; !names.insert(name).second; ++number)
        name = base + "." + std::to_string(number);
      if (Status status = visit(layer, index, name); !status)
        return status;
    }
  }
  return {};
}

/// Shape in the file; `tokens` counts for keys and values.
std::vector<int64_t> canonicalShape(const PlanState &state, int64_t tokens) {
  if (state.isPaged())
    return {state.shape[0], tokens, state.shape[1]};
  return state.shape;
}

/// Calls visit(page, first token, number of tokens) for the pages that hold
/// tokens [begin, end) of a sequence.
template <class Visit>
Status forEachPage(const Sequence &sequence, int64_t begin, int64_t end,
                   Visit visit) {
  for (int64_t token = begin; token < end;) {
    const int64_t page = token / kPageTokens;
    const int64_t next = std::min(end, (page + 1) * kPageTokens);
    if (Status status = visit(sequence.pages[page], token, next - token);
        !status)
      return status;
    token = next;
  }
  return {};
}

/// Canonical values of one state of a sequence.
Expected<std::vector<float>> exportState(const StateStore &store, int64_t layer,
                                         int64_t index,
                                         const Sequence &sequence) {
  const PlanState &state = store.state(layer, index);
  const int64_t tokens = sequence.position;
  std::vector<float> values(
      elementCount(canonicalShape(state, tokens)).value_or(0));
  std::vector<char> bytes;
  if (!state.isPaged()) {
    if (values.empty())
      return values;
    if (Status status = store.read(layer, index, sequence.slot, bytes); !status)
      return status;
    readSlot(state, bytes.data(), tokens, values.data());
    return values;
  }
  const int64_t headDim = state.shape[1];
  Status status = forEachPage(
      sequence, 0, tokens,
      [&](int32_t page, int64_t first, int64_t count) -> Status {
        if (Status status = store.read(layer, index, page, bytes); !status)
          return status;
        for (int64_t i = first; i < first + count; ++i)
          readPageToken(state, bytes.data(), i % kPageTokens,
                        values.data() + i * headDim, tokens * headDim);
        return {};
      });
  if (!status)
    return status;
  return values;
}

/// Fails unless the metadata holds `value` under `key`.
Status expectMetadata(const SafeTensors &file, const std::string &key,
                      const std::string &value) {
  const std::string *text = file.findMetadata(key);
  if (text && *text == value)
    return {};
  return error(file.file().path() + ": " + key + ", got " +
               (text ? *text : "none") + ", expected " + value);
}

Status checkFormat(const SafeTensors &file) {
  if (Status status = expectMetadata(file, "format", kFormat); !status)
    return status;
  return expectMetadata(file, "version", kVersion);
}

/// Number in the metadata. Without the key it is `absent`, or an error.
Expected<int64_t> readNumber(const SafeTensors &file, const std::string &key,
                             int64_t most, std::optional<int64_t> absent = {}) {
  const std::string *text = file.findMetadata(key);
  if (!text && absent)
    return *absent;
  if (!text)
    return error(file.file().path() + ": missing " + key);
  int64_t value = 0;
  const auto parsed =
      std::from_chars(text->data(), text->data() + text->size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size() ||
      value < 0 || value > most)
    return error(file.file().path() + ": " + key + ", got '" + *text +
                 "', expected an integer from 0 to " + std::to_string(most));
  return value;
}

Status importState(const SafeTensors &file, const std::string &name,
                   const StateStore &store, int64_t layer, int64_t index,
                   const Sequence &sequence) {
  const PlanState &state = store.state(layer, index);
  const TensorView *view = file.find(name);
  if (!view)
    return error(file.file().path() + ": missing tensor '" + name + "'");
  // A sliding window may have kept the last tokens only.
  int64_t tokens = sequence.position;
  if (state.isPaged() && view->shape.size() == 3 && view->shape[1] <= tokens)
    tokens = view->shape[1];
  const std::vector<int64_t> expected = canonicalShape(state, tokens);
  if (view->type != DType::F32 || view->shape != expected)
    return error(file.file().path() + ": tensor '" + name + "', got " +
                 std::string(nameOf(view->type)) + " " +
                 printShape(view->shape) + ", expected F32 " +
                 printShape(expected));
  std::vector<float> values(view->bytes / sizeof(float));
  if (values.empty())
    return {};
  std::memcpy(values.data(), view->data, view->bytes);
  std::vector<char> bytes;
  if (!state.isPaged()) {
    if (Status status = store.read(layer, index, sequence.slot, bytes); !status)
      return status;
    writeSlot(state, bytes.data(), sequence.position, values.data());
    return store.write(layer, index, sequence.slot, bytes);
  }
  const int64_t headDim = state.shape[1];
  const int64_t begin = sequence.position - tokens;
  return forEachPage(
      sequence, begin, sequence.position,
      [&](int32_t page, int64_t first, int64_t count) -> Status {
        if (Status status = store.read(layer, index, page, bytes); !status)
          return status;
        for (int64_t i = first; i < first + count; ++i)
          writePageToken(state, bytes.data(), i % kPageTokens,
                         values.data() + (i - begin) * headDim,
                         tokens * headDim);
        return store.write(layer, index, page, bytes);
      });
}

} // namespace

Expected<StateSummary> readStateSummary(const std::string &path) {
  return guarded([&]() -> Expected<StateSummary> {
    Expected<SafeTensors> file = SafeTensors::open(path);
    if (!file)
      return file.status();
    if (Status status = checkFormat(*file); !status)
      return status;
    StateSummary summary;
    Expected<int64_t> count = readNumber(*file, "sequences", kMostSequences);
    if (!count)
      return count.status();
    summary.sequences = *count;
    for (int64_t i = 0; i < summary.sequences; ++i) {
      Expected<int64_t> seen =
          readNumber(*file, "tokens_seen." + std::to_string(i), kMostTokens);
      if (!seen)
        return seen.status();
      summary.tokensSeen = std::max(summary.tokensSeen, *seen);
    }
    return summary;
  });
}

Status writeStateFile(const std::string &path, const std::string &modelHash,
                      const StateStore &store,
                      const std::vector<Sequence> &sequences,
                      const std::vector<int32_t> &nextTokens) {
  return guarded([&]() -> Status {
    SafeTensorsWriter writer;
    writer.setMetadata("format", kFormat);
    writer.setMetadata("version", kVersion);
    writer.setMetadata("model", modelHash);
    writer.setMetadata("sequences", std::to_string(sequences.size()));
    std::list<std::vector<float>> values;
    for (size_t i = 0; i < sequences.size(); ++i) {
      const std::string suffix = "." + std::to_string(i);
      writer.setMetadata("tokens_seen" + suffix,
                         std::to_string(sequences[i].position));
      if (i < nextTokens.size() && nextTokens[i] >= 0)
        writer.setMetadata("next_token" + suffix,
                           std::to_string(nextTokens[i]));
      Status status = forEachState(
          store, i,
          [&](int64_t layer, int64_t index, const std::string &name) -> Status {
            Expected<std::vector<float>> exported =
                exportState(store, layer, index, sequences[i]);
            if (!exported)
              return exported.status();
            values.push_back(*std::move(exported));
            writer.add(name, DType::F32,
                       canonicalShape(store.state(layer, index),
                                      sequences[i].position),
                       values.back().data());
            return {};
          });
      if (!status)
        return status;
    }
    return writer.write(path);
  });
}

Status readStateFile(const std::string &path, const std::string &modelHash,
                     StateStore &store, std::vector<Sequence> &sequences,
                     std::vector<int32_t> &nextTokens) {
  return guarded([&]() -> Status {
    Expected<SafeTensors> file = SafeTensors::open(path);
    if (!file)
      return file.status();
    if (Status status = checkFormat(*file); !status)
      return status;
    if (Status status = expectMetadata(*file, "model", modelHash); !status)
      return status;
    if (Status status = expectMetadata(*file, "sequences",
                                       std::to_string(sequences.size()));
        !status)
      return status;
    nextTokens.assign(sequences.size(), -1);
    for (size_t i = 0; i < sequences.size(); ++i) {
      const std::string suffix = "." + std::to_string(i);
      Expected<int64_t> seen =
          readNumber(*file, "tokens_seen" + suffix, kMostTokens);
      if (!seen)
        return seen.status();
      Expected<int64_t> next =
          readNumber(*file, "next_token" + suffix, INT32_MAX, -1);
      if (!next)
        return next.status();
      Sequence &sequence = sequences[i];
      if (Status status = store.start(sequence); !status)
        return status;
      if (Status status = store.grow(sequence, *seen); !status)
        return error(path + ": " + status.message);
      sequence.position = *seen;
      nextTokens[i] = static_cast<int32_t>(*next);
      Status status = forEachState(
          store, i, [&](int64_t layer, int64_t index, const std::string &name) {
            return importState(*file, name, store, layer, index, sequence);
          });
      if (!status)
        return status;
    }
    return {};
  });
}

} // namespace ssmrt
