//===- Recorder.h - Keep logits and hidden states -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Session.h"
#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ssmrt {

/// Keeps what the model computes for the tokens of the prompts, to write it to
/// safetensors files.
class Recorder {
public:
  /// Row `firsts[i]` of sequence i is the first to keep, `counts[i]` the number
  /// of rows. Installs itself in `session` and must outlive its calls.
  Recorder(Session &session, std::vector<int64_t> firsts,
           std::vector<int64_t> counts, bool keepLogits, bool keepHidden);

  /// Tensor "logits", or "logits.<i>" for a batch.
  Status writeLogits(const std::string &path) const;
  /// Tensors "hidden.p<i>.input", "hidden.p<i>.<layer>" and, if the plan has
  /// it, "hidden.p<i>.final_norm".
  Status writeHidden(const std::string &path) const;

private:
  std::string nameOfLayer(int64_t layer) const;
  /// Row of `position` among those to keep, or -1.
  int64_t rowOf(int64_t sequence, int64_t position) const;

  std::vector<int64_t> firsts;
  std::vector<int64_t> counts;
  int64_t vocab;
  int64_t width;
  /// Layers of the checkpoint.
  int64_t layers = 0;
  std::vector<std::vector<float>> logits;
  bool hasHeadInput;
  /// By sequence, then by layer + 1; the input of the head comes last.
  std::vector<std::vector<std::vector<float>>> hidden;
};

} // namespace ssmrt
