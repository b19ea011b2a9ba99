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

Recorder::Recorder(Session &session, std::vector<int64_t> firsts,
                   std::vector<int64_t> counts, bool keepLogits,
                   bool keepHidden)
    : firsts(std::move(firsts)), counts(std::move(counts)) {
  const Plan &plan = session.model().plan();
  vocab = plan.vocab;
  width = plan.hidden;
  for (const PlanLayer &layer : plan.layers)
    layers = std::max(layers, layer.number + 1);
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
    hidden.emplace_back(layers + 1, std::vector<float>(count * width));
  // Of the rows of the table that share a number the last one stays.
  session.setHiddenSink([this, &plan](int64_t sequence, int64_t position,
                                      int64_t row, const float *rows,
                                      int64_t count, int64_t stride) {
    const int64_t layer = row < 0 ? row : plan.layers[row].number;
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

Status Recorder::writeLogits(const std::string &path) const {
  SafeTensorsWriter writer;
  for (size_t i = 0; i < logits.size(); ++i)
    writer.add(logits.size() == 1 ? "logits" : "logits." + std::to_string(i),
               DType::F32, {counts[i], vocab}, logits[i].data());
  return writer.write(path);
}

Status Recorder::writeHidden(const std::string &path) const {
  SafeTensorsWriter writer;
  for (size_t i = 0; i < hidden.size(); ++i)
    for (int64_t layer = -1; layer < layers; ++layer)
      writer.add("hidden.p" + std::to_string(i) + "." +
                     (layer < 0 ? "input" : std::to_string(layer)),
                 DType::F32, {counts[i], width}, hidden[i][layer + 1].data());
  return writer.write(path);
}

} // namespace ssmrt
