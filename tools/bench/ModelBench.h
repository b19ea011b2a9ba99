//===- ModelBench.h - Speed of a whole model as shares of limits ----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ssmrt {
class Model;
}

namespace ssmbench {

struct BenchOptions {
  int64_t promptLength = 512;
  int64_t generatedLength = 32;
  /// Tokens that each sequence has seen before decoding is timed.
  int64_t context = 0;
  int64_t batch = 1;
  /// Times that prompt and generation are repeated; the best and the median
  /// are reported.
  int rounds = 5;
};

/// A kernel's launches in some calls.
struct KernelShare {
  std::string kernel;
  int64_t launches = 0;
  double seconds = 0;
  /// Share of the limit that binds it, and which; 0 if it only moves
  /// activations.
  double share = 0;
  std::string limit;
};

/// Times in seconds; rates of the machine measured between the rounds.
struct BenchResult {
  std::string device, deviceName, target, precision;
  int threads = 0;
  int64_t batch = 0, promptLength = 0, generatedLength = 0, context = 0;
  /// Bytes that a step must read (packed weights of its products) or move
  /// (fixed states read and written, keys and values of the context).
  int64_t weightBytes = 0, stateBytes = 0;
  /// Floating-point operations of the products of one prompt, last logits only.
  double prefillFlops = 0;
  double bestPrefill = 0, medianPrefill = 0;
  double bestStep = 0, medianStep = 0;
  /// Least processor time of a prompt and of a step, a thread's share of it.
  double prefillProcessor = 0, stepProcessor = 0;
  double readRate = 0, fmaRate = 0, dotRate = 0;
  /// Bytes read and written by a copy within the memory of a GPU.
  double copyRate = 0;
  /// After one prompt and one step, before the limits take memory.
  int64_t peakResidentBytes = 0;
  std::vector<KernelShare> prefillKernels, stepKernels;

  /// Shares of the limits that `seconds` of a step or a prompt amount to; of
  /// copying on a GPU, of reading elsewhere.
  double decodeShareOfMemory(double seconds) const;
  double prefillShareOfPeak(double seconds) const;
};

/// Runs prompts and steps on `model`, interleaved with its limits.
ssmrt::Expected<BenchResult> benchmark(std::shared_ptr<ssmrt::Model> model,
                                       const BenchOptions &options);

/// A table for a reader; or one JSON object.
std::string toText(const BenchResult &result);
std::string toJson(const BenchResult &result);

} // namespace ssmbench
