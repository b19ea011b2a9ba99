//===- Unicode.h - UTF-8, character classes, NF ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ssmrt {

/// General categories as far as tokenizers tell them apart.
enum class CharClass : uint8_t {
  Other = 0,
  Upper = 1,         ///< Lu, Lt
  Lower = 2,         ///< Ll
  OtherLetter = 3,   ///< Lm, Lo
  Mark = 4,          ///< M
  Decimal = 5,       ///< Nd
  LetterNumber = 6,  ///< Nl
  OtherNumber = 7,   ///< No
  Space = 8,         ///< the White_Space property
  WordConnector = 9, ///< Pc and the rest of regular expressions' \w
};

/// One character of a text. A byte that does not belong to valid UTF-8 counts
/// as a character of its own, of class Other, so any text can be cut.
struct Character {
  /// Code point, or kInvalidByte + the byte.
  uint32_t code;
  /// Length in bytes.
  uint32_t length;
};

constexpr uint32_t kInvalidByte = 0x110000;

/// The character at `position`, which must be inside `text`.
Character decodeCharacter(std::string_view text, size_t position);

/// Position of the character that ends at `end`, which must be above 0.
size_t previousCharacter(std::string_view text, size_t end);

/// Appends the UTF-8 of a character (an invalid byte as it was).
void appendCharacter(uint32_t code, std::string &out);

CharClass classify(uint32_t code);

/// \p{L} of regular expressions.
bool isLetter(CharClass charClass);
/// \p{N} of regular expressions.
bool isNumber(CharClass charClass);
/// \w of regular expressions.
bool isWordCharacter(CharClass charClass);

/// Normalisation form C. Invalid bytes stay as they are.
std::string normalizeNfc(std::string_view text);

/// Length of the tail of `bytes` that may become a valid character when more
/// bytes follow: 0 to 3.
size_t incompleteTail(std::string_view bytes);

/// Appends `bytes` with every maximal invalid part replaced by U+FFFD.
void appendLossyUtf8(std::string_view bytes, std::string &out);

} // namespace ssmrt
