//===- Output.h - What run prints -----------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Generation.h"
#include "runtime/TextStream.h"
#include "runtime/Tokenizer.h"
#include "tools/run/RunOptions.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ssmrt {

/// Numbers about a run, for --json.
struct RunReport {
  std::vector<std::vector<int32_t>> prompts;
  std::string device = "cpu";
  std::string deviceName;
  /// Why it was chosen; empty if it was asked for.
  std::string deviceReason;
  std::string precision;
  std::string image;
  int threads = 1;
  LaunchCounts launches;
  double loadMs = 0;
  /// From the start of the command.
  double firstTokenMs = 0;
};

/// Prints generated tokens: the text of a single sequence as it comes, that of
/// a batch at the end. Without a tokenizer, the numbers.
class Output {
public:
  /// `tokenizer` may be null and must outlive the output.
  Output(const RunOptions &options, const Tokenizer *tokenizer,
         size_t sequences);

  /// Takes a token; false if a stop text ended the sequence, or nobody can
  /// read what it prints.
  bool push(int64_t sequence, int32_t token);

  /// Prints what is left, or the JSON object.
  Status finish(const GenerationResult &result, const RunReport &report);

private:
  void emit(size_t sequence, const std::string &text);
  void printJson(const GenerationResult &result, const RunReport &report) const;

  bool isJson;
  bool isStreaming;
  const Tokenizer *tokenizer;
  std::vector<TextStream> streams;
  std::vector<std::string> texts;
};

} // namespace ssmrt
