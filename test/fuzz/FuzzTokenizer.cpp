//===- FuzzTokenizer.cpp - Any bytes as tokenizer.json --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The input up to its last zero byte is a tokenizer.json; the rest is encoded
// and decoded. Without such a byte the file itself is the text, too.
//
//===----------------------------------------------------------------------===//

#include "runtime/TextStream.h"
#include "runtime/Tokenizer.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace ssmrt;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view input(reinterpret_cast<const char *>(data), size);
  size_t separator = input.rfind('\0');
  bool hasText = separator != std::string_view::npos;
  std::string_view file = hasText ? input.substr(0, separator) : input;
  std::string_view text = hasText ? input.substr(separator + 1) : input;

  Expected<Tokenizer> tokenizer = Tokenizer::fromJson(file, "tokenizer.json");
  if (!tokenizer) {
    // One line, or it is no message.
    if (tokenizer.status().message.find('\n') != std::string::npos)
      std::abort();
    return 0;
  }
  Expected<std::vector<int32_t>> ids = tokenizer->encode(text, true);
  if (!ids)
    return 0;
  TextStream stream(*tokenizer, {"\xC3\xA9 stop", "  "}, false);
  TextStream endless(*tokenizer, {}, false);
  std::string streamed;
  for (int32_t id : *ids) {
    if (id < 0 || id >= tokenizer->vocabSize())
      std::abort();
    stream.push(id);
    streamed += endless.push(id);
  }
  stream.finish();
  streamed += endless.finish();
  if (streamed != tokenizer->decode(*ids, false))
    std::abort();
  return 0;
}
