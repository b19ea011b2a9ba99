//===- UnicodeTest.cpp - UTF-8, character classes, NF ---------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Unicode.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

using namespace ssmrt;

namespace {

std::string lossy(std::string_view bytes) {
  std::string text;
  appendLossyUtf8(bytes, text);
  return text;
}

TEST(Utf8, every_code_point_survives) {
  for (uint32_t code = 0; code < kInvalidByte; ++code) {
    if (code >= 0xD800 && code < 0xE000)
      continue;
    std::string text = "\xE2"; // an incomplete character before it
    appendCharacter(code, text);
    Character character = decodeCharacter(text, 1);
    ASSERT_EQ(character.code, code);
    ASSERT_EQ(character.length, text.size() - 1);
    ASSERT_EQ(previousCharacter(text, text.size()), 1u) << code;
  }
}

TEST(Utf8, invalid_bytes_are_characters) {
  for (const char *bytes : {"\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80",
                            "\xF4\x90\x80\x80", "\xF5", "\xC3", "\xE2\x82"}) {
    Character character = decodeCharacter(bytes, 0);
    EXPECT_EQ(character.code, kInvalidByte + static_cast<uint8_t>(bytes[0]));
    EXPECT_EQ(character.length, 1u);
    EXPECT_EQ(classify(character.code), CharClass::Other);
  }
}

// Unicode, table 3-8 and the text around it: one U+FFFD per maximal part.
TEST(Utf8, lossy_replaces_maximal_parts) {
  EXPECT_EQ(lossy("a\xE2\x82 b"), "a\uFFFD b");
  EXPECT_EQ(lossy("\xC0\xAF"), "\uFFFD\uFFFD");
  EXPECT_EQ(lossy("\xF0\x9F\x98\xF0\x9F\x98\x80"), "\uFFFD\U0001F600");
  EXPECT_EQ(lossy("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(lossy(std::string_view("a\0b", 3)), std::string_view("a\0b", 3));
}

TEST(Utf8, incomplete_tail) {
  EXPECT_EQ(incompleteTail(""), 0u);
  EXPECT_EQ(incompleteTail("a"), 0u);
  EXPECT_EQ(incompleteTail("a\xC3"), 1u);
  EXPECT_EQ(incompleteTail("\xE2\x82"), 2u);
  EXPECT_EQ(incompleteTail("\xF0\x9F\x98"), 3u);
  EXPECT_EQ(incompleteTail("\xF0\xE2\x82"), 2u);
  EXPECT_EQ(incompleteTail("\xF0\x9F\x98\x80"), 0u);
  EXPECT_EQ(incompleteTail("\x82\x82"), 0u);
  EXPECT_EQ(incompleteTail("\xE0\x80"), 0u); // can no longer become valid
}

TEST(Classes, examples) {
  for (auto [code, expected] :
       {std::pair<uint32_t, CharClass>{'a', CharClass::Lower},
        {'Z', CharClass::Upper},
        {0x1C5, CharClass::Upper},
        {0xAA, CharClass::OtherLetter},
        {0x4E2D, CharClass::OtherLetter},
        {0x301, CharClass::Mark},
        {'7', CharClass::Decimal},
        {0x2167, CharClass::LetterNumber},
        {0xB2, CharClass::OtherNumber},
        {'_', CharClass::WordConnector},
        {0x200D, CharClass::WordConnector},
        {0x85, CharClass::Space},
        {0x3000, CharClass::Space},
        {0x200B, CharClass::Other},
        {0x180E, CharClass::Other},
        {0x10FFFF, CharClass::Other}})
    EXPECT_EQ(classify(code), expected) << std::hex << code;
}

TEST(Nfc, composes_and_orders) {
  EXPECT_EQ(normalizeNfc("e\u0301"), "\u00E9");
  EXPECT_EQ(normalizeNfc("\u212B"), "\u00C5");              // singleton
  EXPECT_EQ(normalizeNfc("\u0958"), "\u0915\u093C");        // excluded
  EXPECT_EQ(normalizeNfc("a\u0301\u0323"), "\u1EA1\u0301"); // reordered
  EXPECT_EQ(normalizeNfc("\u1100\u1161\u11A8"), "\uAC01");  // Hangul
  EXPECT_EQ(normalizeNfc("\u0301a"), "\u0301a");
  EXPECT_EQ(normalizeNfc("e\xC3\u0301"), "e\xC3\u0301"); // byte in between
}

TEST(Nfc, leaves_composed_text_alone) {
  for (std::string text :
       {"", "plain", "na\u00EFve", "\uD55C\uAE00 \U0001F600"})
    EXPECT_EQ(normalizeNfc(text), text);
}

} // namespace
