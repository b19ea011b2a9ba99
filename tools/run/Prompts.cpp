//===- Prompts.cpp - Prompts as tokens ------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/run/Prompts.h"
#include "runtime/MappedFile.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace ssmrt {

namespace {

Expected<std::vector<int32_t>> parseTokens(std::string_view list) {
  std::vector<int32_t> tokens;
  const char *next = list.data();
  const char *end = next + list.size();
  while (true) {
    int32_t token = 0;
    const auto parsed = std::from_chars(next, end, token);
    if (parsed.ec != std::errc() || token < 0 ||
        (parsed.ptr != end && *parsed.ptr != ','))
      return error("--tokens: got '" + std::string(list) +
                   "', expected numbers separated by commas");
    tokens.push_back(token);
    if (parsed.ptr == end)
      return tokens;
    next = parsed.ptr + 1;
  }
}

/// Tokens of "1,2,3", or of a file that holds such a list for "@FILE": the
/// system limits how long an argument may be.
Expected<std::vector<int32_t>> readTokens(const std::string &value) {
  if (value.empty() || value[0] != '@')
    return parseTokens(value);
  Expected<std::shared_ptr<const MappedFile>> file =
      MappedFile::open(value.substr(1));
  if (!file)
    return file.status();
  std::string_view list = (*file)->bytes();
  while (!list.empty() && (list.back() == '\n' || list.back() == ' '))
    list.remove_suffix(1);
  Expected<std::vector<int32_t>> tokens = parseTokens(list);
  if (!tokens)
    return error(value.substr(1) + ": expected numbers separated by commas");
  return tokens;
}

} // namespace

bool needTokenizer(const std::vector<PromptOption> &prompts) {
  return std::any_of(prompts.begin(), prompts.end(),
                     [](const PromptOption &prompt) {
                       return prompt.kind != PromptOption::Kind::Tokens;
                     });
}

Expected<std::vector<std::vector<int32_t>>>
readPrompts(const std::vector<PromptOption> &prompts,
            const Tokenizer *tokenizer) {
  std::vector<std::vector<int32_t>> result;
  for (const PromptOption &prompt : prompts) {
    Expected<std::vector<int32_t>> tokens = std::vector<int32_t>();
    if (prompt.kind == PromptOption::Kind::Tokens) {
      tokens = readTokens(prompt.value);
    } else if (prompt.kind == PromptOption::Kind::Text) {
      tokens = tokenizer->encode(prompt.value, /*addSpecial=*/true);
    } else {
      Expected<std::shared_ptr<const MappedFile>> file =
          MappedFile::open(prompt.value);
      if (!file)
        return file.status();
      tokens = tokenizer->encode((*file)->bytes(), /*addSpecial=*/true);
    }
    if (!tokens)
      return tokens.status();
    if (tokens->empty())
      return error("prompt " + std::to_string(result.size()) +
                   ": got no tokens, expected at least one");
    result.push_back(*std::move(tokens));
  }
  return result;
}

} // namespace ssmrt
