//===- Recorder.cpp - Keep logits and hidden states -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/run/Recorder.h"
#include "runtime/SafeTensors.h"

#include <algorithm>

namespace ssmrt {

namespace {

/// Number in the checkpoint of a row of the layer table. -1, before the first,
/// stays; what comes after the last row comes after the last number.
int64_t numberOf(const Plan &plan, int64_t row) {
  if (row < 0)
    return row;
  if (row < static_cast<int64_t>(plan.layers.size()))
    return plan.layers[row].number;
  int64_t end = 0;
  for (const PlanLayer &layer : plan.layers)
    end = std::max(end, layer.number + 1);
  return end;
}

} // namespace

Recorder::Recorder(Session &session, std::vector<int64_t> firsts,
                   std::vector<int64_t> counts, bool keepLogits,
                   bool keepHidden)
    : firsts(std::move(firsts)), counts(std::move(counts)) {
  const Plan &plan = session.model().plan();
  vocab = plan.vocab;
  width = plan.hidden;
  for (const PlanLayer &layer : plan.layers)
    layers = std::max(layers, layer.number + 1);
  hasHeadInput = plan.headInput >= 0;
  if (keepLogits) {
    for (int64_t count : this->counts)
      logits.emplace_back(count * vocab);
    session.setLogitsSink(
        [this](int64_t sequence, int64_t position, const float *row) {
          const int64_t index = rowOf(sequence, position);
          if (index >= 0)
            std::copy_n(row, vocab, logits[sequence].data() + index * vocab);
        });
  }
  if (!keepHidden)
    return;
  for (int64_t count : this->counts)
    hidden.emplace_back(layers + 2, std::vector<float>(count * width));
  // Of the rows of the table that share a number the last one stays.
  session.setHiddenSink([this, &plan](int64_t sequence, int64_t position,
                                      int64_t row, const float *rows,
                                      int64_t count, int64_t stride) {
    const int64_t layer = numberOf(plan, row);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t index = rowOf(sequence, position + i);
      if (index >= 0)
        std::copy_n(rows + i * stride, width,
                    hidden[sequence][layer + 1].data() + index * width);
    }
  });
}

int64_t Recorder::rowOf(int64_t sequence, int64_t position) const {
  const int64_t row = position - firsts[sequence];
  return row >= 0 && row < counts[sequence] ? row : -1;
}

std::string Recorder::nameOfLayer(int64_t layer) const {
  if (layer < 0)
    return "input";
  return layer == layers ? "final_norm" : std::to_string(layer);
}

Status Recorder::writeLogits(const std::string &path) const {
  SafeTensorsWriter writer;
  for (size_t i = 0; i < logits.size(); ++i)
    writer.add(logits.size() == 1 ? "logits" : "logits." + std::to_string(i),
               DType::F32, {counts[i], vocab}, logits[i].data());
  return writer.write(path);
}

Status Recorder::writeHidden(const std::string &path) const {
  SafeTensorsWriter writer;
  const int64_t end = layers + (hasHeadInput ? 1 : 0);
  for (size_t i = 0; i < hidden.size(); ++i)
    for (int64_t layer = -1; layer < end; ++layer)
      writer.add("hidden.p" + std::to_string(i) + "." + nameOfLayer(layer),
                 DType::F32, {counts[i], width}, hidden[i][layer + 1].data());
  return writer.write(path);
}

} // namespace ssmrt
