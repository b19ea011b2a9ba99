//===- PreTokenizer.h - Cut a text into words -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Published tokenizers cut a text into words by one of a few regular
// expressions. Each is a hand-written matcher here: they need Unicode classes
// and look-ahead, which std::regex lacks.
//
//===----------------------------------------------------------------------===//

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ssmrt {

enum class SplitPattern {
  Gpt2,   ///< GPT-2, GPT-NeoX, Mamba
  Llama3, ///< Llama-3, GPT-4, Bamba, Granite 4: up to three digits at a time
  Qwen2,  ///< as Llama3, digits one at a time
  Tekken, ///< Mistral-Nemo, Nemotron-H: words end where lower case ends
};

/// The pattern whose regular expression is spelled `regex`, if it is known.
std::optional<SplitPattern> findSplitPattern(std::string_view regex);

/// Names of the known patterns, for messages.
std::string knownSplitPatterns();

/// Appends the words of `text`. Together they are the whole text.
void splitWords(SplitPattern pattern, std::string_view text,
                std::vector<std::string_view> &words);

} // namespace ssmrt
