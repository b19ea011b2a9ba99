//===- ToyModel.h - A small model with kernels in -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// An artifact whose kernels are functions of the test. The model has one kind
// of layer with every kind of state, and each logit depends on the whole
// history of its sequence, in the same order of operations however the tokens
// are cut into calls: so results must be equal to the bit.

#pragma once

#include "TemporaryFolder.h"
#include "runtime/CodeImage.h"
#include "runtime/Model.h"
#include "runtime/SafeTensors.h"
#include "runtime/SeqTable.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ssmrt {

constexpr int64_t kToyWidth = 4;
constexpr int64_t kToyVocab = 11;
constexpr int64_t kToyStates = 3;

/// Strides that the kernels check for.
constexpr int64_t kToyStride = 6;

inline float toyConv(const float *history, const float *x, int64_t channel) {
  return 0.5f * history[channel] + 0.25f * history[kToyWidth + channel] +
         x[channel];
}

/// Slots: tokens, table, result, stride, rows.
inline void toyEmbed(const uint64_t *args, int64_t begin, int64_t end, void *) {
  const int32_t *tokens = reinterpret_cast<const int32_t *>(args[0]);
  const float *table = reinterpret_cast<const float *>(args[1]);
  float *result = reinterpret_cast<float *>(args[2]);
  for (int64_t row = begin; row < end; ++row)
    for (int64_t i = 0; i < kToyWidth; ++i)
      result[row * args[3] + i] = table[tokens[row] * kToyWidth + i];
}

/// One token of one sequence: x += conv + sum of the scan's states + mean of
/// the values cached so far.
inline void toyToken(float *x, const uint64_t *args, const SeqTable &seqs,
                     int64_t sequence, int64_t position, const float *conv,
                     float *scratch) {
  float *state =
      reinterpret_cast<float *>(args[5] + seqs.slot[sequence] * args[6]);
  auto page = [&](int slot, int64_t token) {
    const int32_t number =
        seqs.pages[sequence * seqs.maxPages + token / kPageTokens];
    return reinterpret_cast<float *>(args[slot] + number * args[slot + 1]);
  };
  float *keys = page(7, position);
  const int64_t token = position % kPageTokens;
  for (int64_t i = 0; i < kToyWidth; ++i) {
    keys[((token / 32) * kToyWidth + i) * 32 + token % 32] = x[i];
    page(9, position)[token * kToyWidth + i] = 2 * x[i];
    scratch[i] = 0;
    for (int64_t t = 0; t <= position; ++t)
      scratch[i] +=
          page(9, t)[t % kPageTokens * kToyWidth + i] +
          page(7, t)[((t % kPageTokens / 32) * kToyWidth + i) * 32 + t % 32];
  }
  for (int64_t i = 0; i < kToyWidth; ++i) {
    float sum = 0;
    for (int64_t n = 0; n < kToyStates; ++n) {
      float &value = state[n * kScanPanel + i];
      value = 0.5f * value + x[i] / static_cast<float>(n + 1);
      sum += value;
    }
    x[i] = 0.25f * (toyConv(conv, x, i) + sum +
                    scratch[i] / static_cast<float>(position + 1));
  }
}

/// Slots: x, stride, table of sequences, conv state and stride (3, 4), scan (5,
/// 6), keys (7, 8), values (9, 10), rows. A unit is a sequence.
inline void toyLayer(const uint64_t *args, int64_t begin, int64_t end,
                     void *memory) {
  const SeqTable &seqs = *reinterpret_cast<const SeqTable *>(args[2]);
  float *scratch = static_cast<float *>(memory);
  for (int64_t sequence = begin; sequence < end; ++sequence) {
    const int64_t first = seqs.firstRow[sequence];
    const int64_t count = seqs.firstRow[sequence + 1] - first;
    const int64_t start = seqs.position[sequence];
    float *slot =
        reinterpret_cast<float *>(args[3] + seqs.slot[sequence] * args[4]);
    const float *old = slot + (start & 1) * 2 * kToyWidth;
    float history[2 * kToyWidth];
    std::copy_n(old, 2 * kToyWidth, history);
    for (int64_t t = 0; t < count; ++t) {
      float *x = reinterpret_cast<float *>(args[0]) + (first + t) * args[1];
      float input[kToyWidth];
      std::copy_n(x, kToyWidth, input);
      toyToken(x, args, seqs, sequence, start + t, history, scratch);
      std::copy_n(history + kToyWidth, kToyWidth, history);
      std::copy_n(input, kToyWidth, history + kToyWidth);
    }
    std::copy_n(history, 2 * kToyWidth,
                slot + ((start + count) & 1) * 2 * kToyWidth);
  }
}

/// Slots: x, stride, result, stride, table of sequences, rows.
inline void toyGather(const uint64_t *args, int64_t begin, int64_t end,
                      void *) {
  const SeqTable &seqs = *reinterpret_cast<const SeqTable *>(args[4]);
  for (int64_t row = begin; row < end; ++row)
    std::copy_n(reinterpret_cast<const float *>(args[0]) +
                    seqs.outputRow[row] * args[1],
                kToyWidth, reinterpret_cast<float *>(args[2]) + row * args[3]);
}

/// Slots: x, stride, table, logits, stride, rows. A unit is a logit of all
/// rows.
inline void toyHead(const uint64_t *args, int64_t begin, int64_t end, void *) {
  const float *table = reinterpret_cast<const float *>(args[2]);
  for (int64_t row = 0; row < static_cast<int64_t>(args[5]); ++row)
    for (int64_t token = begin; token < end; ++token) {
      float sum = 0;
      for (int64_t i = 0; i < kToyWidth; ++i)
        sum += table[token * kToyWidth + i] *
               reinterpret_cast<const float *>(args[0])[row * args[1] + i];
      reinterpret_cast<float *>(args[3])[row * args[4] + token] = sum;
    }
}

inline KernelFunction toyKernel(const std::string &name) {
  if (name == "embed")
    return toyEmbed;
  if (name == "layer")
    return toyLayer;
  if (name == "gather")
    return toyGather;
  return name == "head" ? toyHead : nullptr;
}

/// The plan of the toy model, which tests may break.
inline nlohmann::json toyPlan() {
  return nlohmann::json::parse(R"({
    "version": 1, "target": "toy", "precision": "f32", "features": [],
    "page_tokens": 64, "prefill_chunk": 128,
    "kernels": [{"name": "embed", "offset": 0, "scratch": 0},
                {"name": "layer", "offset": 0, "scratch": ["add", 16, 0]},
                {"name": "gather", "offset": 0, "scratch": 0},
                {"name": "head", "offset": 0, "scratch": 0}],
    "weights": [{"recipe": [{"verb": "tensor", "name": "table", "shape": [11, 4]},
                            {"verb": "pack", "type": "f32"}],
                 "rows": 11, "columns": 4, "bytes": 176}],
    "buffers": [
      {"name": "x", "type": "f32", "columns": 4, "stride": 6, "rows": "rows",
       "offset": 0},
      {"name": "last", "type": "f32", "columns": 4, "stride": 4,
       "rows": "outputs", "offset": 24},
      {"name": "logits", "type": "f32", "columns": 11, "stride": 16,
       "rows": "outputs", "offset": 40}],
    "states": [
      {"kind": "conv", "shape": [4, 2], "bytes": 64},
      {"kind": "ssm1", "shape": [4, 3], "bytes": 192},
      {"kind": "key", "heads": 1, "head_dim": 4, "type": "f32", "bytes": 1024},
      {"kind": "value", "heads": 1, "head_dim": 4, "type": "f32", "bytes": 1024}],
    "bodies": [{"name": "toy", "states": [0, 1, 2, 3],
      "prefill": [{"kernels": [{"kernel": 1, "max_rows": -1, "grid": "sequences"}],
        "args": [["buffer", 0, 0], ["stride", 0], ["seqs"],
                 ["state", 0], ["state_stride", 0], ["state", 1],
                 ["state_stride", 1], ["state", 2], ["state_stride", 2],
                 ["state", 3], ["state_stride", 3], ["symbol", "rows"]]}],
      "step": []}],
    "layers": [{"number": 0, "body": 0, "weights": []},
               {"number": 1, "body": 0, "weights": []}],
    "program": {
      "before": {"prefill": [
        {"kernels": [{"kernel": 0, "max_rows": -1, "grid": "rows"}],
         "args": [["tokens"], ["global_weight", 0], ["buffer", 0, 0],
                  ["stride", 0], ["symbol", "rows"]]}], "step": []},
      "after": {"prefill": [
        {"kernels": [{"kernel": 2, "max_rows": -1, "grid": "outputs"}],
         "args": [["buffer", 0, 0], ["stride", 0], ["buffer", 1, 0],
                  ["stride", 1], ["seqs"], ["symbol", "outputs"]]},
        {"kernels": [{"kernel": 3, "max_rows": 0, "grid": 0},
                     {"kernel": 3, "max_rows": -1, "grid": 11}],
         "args": [["buffer", 1, 0], ["stride", 1], ["global_weight", 0],
                  ["buffer", 2, 0], ["stride", 2], ["symbol", "outputs"]]}],
        "step": []}},
    "logits": 2, "vocab": 11, "hidden": 4, "hidden_buffer": 0,
    "end_tokens": [10]})");
}

/// `plan` with steps that are its prefill.
inline nlohmann::json stepsLikePrefill(nlohmann::json plan) {
  for (nlohmann::json *section :
       {&plan["bodies"][0], &plan["program"]["before"],
        &plan["program"]["after"]})
    if (section->contains("prefill"))
      (*section)["step"] = (*section)["prefill"];
  return plan;
}

/// The bytes of an artifact with `plan`, whose steps are its prefill.
inline std::string toyArtifact(nlohmann::json plan = toyPlan()) {
  plan = stepsLikePrefill(std::move(plan));
  SafeTensorsWriter writer;
  writer.setMetadata("format", "ssmc-artifact");
  writer.setMetadata("version", "1");
  writer.setMetadata("manifest",
                     R"({"model": "toy", "hash": "0123", "abi": 1})");
  writer.setMetadata("plan.0", plan.dump());
  static const char code[16] = {};
  writer.add("image.0", DType::U8, {16}, code, 4096);
  return writer.toBytes();
}

/// Writes the weights of the toy model.
inline void writeToyWeights(const TemporaryFolder &folder) {
  std::vector<float> table(kToyVocab * kToyWidth);
  for (size_t i = 0; i < table.size(); ++i)
    table[i] = static_cast<float>((i * 7 + i / 3) % 13) / 13.0f - 0.5f;
  SafeTensorsWriter writer;
  writer.add("table", DType::F32, {kToyVocab, kToyWidth}, table.data());
  ASSERT_TRUE(writer.write(folder.path("model.safetensors")).ok());
}

inline Expected<std::shared_ptr<Model>> openToyModel(const std::string &weights,
                                                     int threads = 2,
                                                     bool useCache = false) {
  Expected<Artifact> artifact =
      Artifact::parse(MappedFile::fromBytes("toy.ssmx", toyArtifact()));
  if (!artifact)
    return artifact.status();
  ModelOptions options;
  options.weights = weights;
  options.threads = threads;
  options.useCache = useCache;
  options.kernels = toyKernel;
  return Model::load(*std::move(artifact), options);
}

} // namespace ssmrt
