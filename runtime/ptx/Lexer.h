//===- Lexer.h - Tokens of PTX -------------------------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ssmrt::ptx {

/// A token of PTX. Names include directives (".reg"), registers ("%r1"), and
/// whole mnemonics ("ld.global.v4.b32"); `text` points into the source.
struct Token {
  enum Kind : uint8_t { Name, Integer, Float32, Float64, String, Punct, End };
  Kind kind = End;
  uint32_t line = 0;
  std::string_view text;
  /// Value of a number: an integer, or the bits of a float.
  uint64_t bits = 0;

  bool is(char punct) const { return kind == Punct && text[0] == punct; }
  bool is(std::string_view name) const { return kind == Name && text == name; }
};

/// Splits `text` into tokens; the last one is End.
Expected<std::vector<Token>> tokenize(std::string_view text);

} // namespace ssmrt::ptx
