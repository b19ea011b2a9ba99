//===- TextStreamTest.cpp - Streaming text --------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/TextStream.h"
#include "runtime/Tokenizer.h"
#include "runtime/Unicode.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

using namespace ssmrt;

namespace {

/// One token per byte, in order, and then one special token.
constexpr int32_t kEnd = 256;

Tokenizer makeByteTokenizer() {
  TokenizerDefinition definition;
  for (int byte = 0; byte < 256; ++byte)
    definition.pieces.push_back({std::string(1, static_cast<char>(byte))});
  definition.pieces.push_back({"<|end|>", /*special=*/true});
  return Tokenizer(std::move(definition));
}

std::vector<int32_t> bytesOf(std::string_view text) {
  std::vector<int32_t> ids;
  for (char character : text)
    ids.push_back(static_cast<uint8_t>(character));
  return ids;
}

/// What each push and the final finish show, separated by bars.
std::string show(TextStream stream, const std::vector<int32_t> &ids) {
  std::string shown;
  for (int32_t id : ids)
    shown += stream.push(id) + "|";
  return shown + stream.finish();
}

class TextStreamTest : public testing::Test {
protected:
  TextStream stream(std::vector<std::string> stops = {},
                    bool skipSpecial = true) {
    return TextStream(tokenizer, std::move(stops), skipSpecial);
  }
  Tokenizer tokenizer = makeByteTokenizer();
};

TEST_F(TextStreamTest, shows_plain_text_at_once) {
  EXPECT_EQ(show(stream(), bytesOf("abc")), "a|b|c|");
}

TEST_F(TextStreamTest, holds_back_incomplete_character) {
  EXPECT_EQ(show(stream(), bytesOf("a\U0001F600b")), "a||||\U0001F600|b|");
}

TEST_F(TextStreamTest, replaces_what_cannot_become_valid) {
  EXPECT_EQ(show(stream(), bytesOf("\xE2\x82z\xFF")), "||\uFFFDz|\uFFFD|");
}

TEST_F(TextStreamTest, finish_flushes_with_replacement) {
  EXPECT_EQ(show(stream(), bytesOf("a\xF0\x9F\x98")), "a||||\uFFFD");
}

TEST_F(TextStreamTest, skips_or_shows_special_tokens) {
  EXPECT_EQ(show(stream(), {'a', kEnd, 'b'}), "a||b|");
  EXPECT_EQ(show(stream({}, false), {'a', kEnd}), "a|<|end|>|");
}

TEST_F(TextStreamTest, unknown_ids_are_nothing) {
  EXPECT_EQ(show(stream(), {'a', 257, -1, 1 << 30, 'b'}), "a||||b|");
}

TEST_F(TextStreamTest, stop_text_across_tokens) {
  TextStream text = stream({"\nEND"});
  std::string shown;
  for (int32_t id : bytesOf("ok\nEND more"))
    shown += text.push(id);
  EXPECT_TRUE(text.stopped());
  EXPECT_EQ(shown + text.finish(), "ok");
}

TEST_F(TextStreamTest, shows_what_turns_out_not_to_stop) {
  TextStream text = stream({"abcd"});
  EXPECT_EQ(text.push('a') + text.push('b') + text.push('c'), "");
  EXPECT_EQ(text.push('a'), "abc");
  EXPECT_FALSE(text.stopped());
  EXPECT_EQ(text.finish(), "a");
}

TEST_F(TextStreamTest, stop_text_inside_a_token) {
  TextStream text = stream({"end"}, /*skipSpecial=*/false);
  EXPECT_EQ(text.push(kEnd), "<|");
  EXPECT_TRUE(text.stopped());
  EXPECT_EQ(text.push('a') + text.finish(), "");
}

TEST_F(TextStreamTest, longest_of_stops_that_end_together) {
  EXPECT_EQ(show(stream({"cd", "bcd"}), bytesOf("abcd")), "a||||");
}

TEST_F(TextStreamTest, first_stop_to_end_wins) {
  EXPECT_EQ(show(stream({"abcd", "bc"}), bytesOf("abcd")), "||a||");
}

TEST_F(TextStreamTest, incomplete_character_before_stop) {
  EXPECT_EQ(show(stream({"END"}), bytesOf("\xE2\x82"
                                          "END")),
            "||||\uFFFD|");
}

TEST_F(TextStreamTest, empty_stop_text_is_ignored) {
  EXPECT_EQ(show(stream({""}), bytesOf("ab")), "a|b|");
}

// The definition, executed on whole texts: decode everything up to the first
// end of a stop text.
TEST_F(TextStreamTest, agrees_with_decoding_at_once) {
  std::mt19937 random(7);
  const std::string alphabet = "ab\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  const std::vector<std::string> stops = {"aab", "ab\u00E9", "\u20ACa", "\x82"};
  for (int round = 0; round < 5000; ++round) {
    std::string bytes;
    for (size_t length = random() % 12; bytes.size() < length;)
      bytes += alphabet[random() % alphabet.size()];
    std::string expected = bytes;
    bool stopped = false;
    for (size_t end = 1; end <= bytes.size() && !stopped; ++end)
      for (const std::string &stop : stops) {
        std::string_view head = std::string_view(bytes).substr(0, end);
        if (end < stop.size() || head.substr(end - stop.size()) != stop)
          continue;
        std::string before(head.substr(0, end - stop.size()));
        if (!stopped || before.size() < expected.size())
          expected = before;
        stopped = true;
      }
    std::string expectedText;
    appendLossyUtf8(expected, expectedText);

    TextStream text = stream(stops);
    std::string shown;
    for (int32_t id : bytesOf(bytes))
      shown += text.push(id);
    shown += text.finish();
    ASSERT_EQ(shown, expectedText) << "round " << round;
    ASSERT_EQ(text.stopped(), stopped) << "round " << round;
  }
}

} // namespace
