//===- RunOptions.h - Flags of run ----------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/MappedFile.h"
#include "runtime/PtxDevice.h"
#include "runtime/Sampler.h"

#include <CLI/App.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ssmrt {

/// A prompt as it stands on the command line.
struct PromptOption {
  enum class Kind { Text, File, Tokens };
  Kind kind;
  std::string value;
};

struct RunOptions {
  /// Path of the artifact; or what `artifact` was compiled from.
  std::string model;
  /// Set by `ssmc run`, which compiles first.
  std::shared_ptr<const MappedFile> artifact;
  std::string weights;
  std::vector<PromptOption> prompts;
  int64_t count = 32;
  std::string device = "auto";
  PtxOptions ptx;
  int threads = 0;
  int64_t prefillChunk = 0;
  int64_t context = 0;
  std::string precision = "auto";
  SamplingParams sampling;
  std::string logits;
  std::string hidden;
  std::string stateIn;
  std::string stateOut;
  std::vector<std::string> stop;
  bool ignoreEnd = false;
  bool noCache = false;
  bool json = false;
};

/// Adds the flags of run to `app`. `options` must live as long as `app`; it is
/// filled when `app` is parsed, prompts in the order of the command line. The
/// callback of `app` stays free (its parse_complete_callback does not).
void addRunOptions(CLI::App &app, RunOptions &options);

} // namespace ssmrt
