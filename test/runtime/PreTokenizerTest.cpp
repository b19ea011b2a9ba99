//===- PreTokenizerTest.cpp - Words of each pattern -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Expected words come from the tokenizers library 0.23.
//
//===----------------------------------------------------------------------===//

#include "runtime/PreTokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace ssmrt;

namespace {

/// The words of `text`, separated by bars.
std::string words(SplitPattern pattern, std::string_view text) {
  std::vector<std::string_view> parts;
  splitWords(pattern, text, parts);
  std::string result;
  for (std::string_view part : parts)
    result += (result.empty() ? "" : "|") + std::string(part);
  return result;
}

TEST(FindSplitPattern, knows_every_spelling) {
  EXPECT_EQ(findSplitPattern(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?)"
                             R"([^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"),
            SplitPattern::Gpt2);
  EXPECT_EQ(findSplitPattern(R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?)"
                             R"([^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"),
            SplitPattern::Gpt2);
  std::string llama3 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
      R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  EXPECT_EQ(findSplitPattern(llama3), SplitPattern::Llama3);
  llama3.erase(llama3.find("{1,3}"), 5);
  EXPECT_EQ(findSplitPattern(llama3), SplitPattern::Qwen2);
  EXPECT_EQ(
      findSplitPattern(R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*)"
                       R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?)"
                       R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+)"
                       R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?)"
                       R"([^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"),
      SplitPattern::Tekken);
  EXPECT_EQ(findSplitPattern(R"(\s+)"), std::nullopt);
}

TEST(Gpt2, words) {
  auto gpt2 = [](std::string_view text) {
    return words(SplitPattern::Gpt2, text);
  };
  EXPECT_EQ(gpt2(""), "");
  EXPECT_EQ(gpt2("don't we'll DON'T"), "don|'t| we|'ll| DON|'|T");
  EXPECT_EQ(gpt2("12345 x=y[3];"), "12345| x|=|y|[|3|];");
  EXPECT_EQ(gpt2("  a"), " | a");
  EXPECT_EQ(gpt2("a\n\nb "), "a|\n|\n|b| ");
  EXPECT_EQ(gpt2("\u00A0\u00A0a"), "\u00A0|\u00A0|a");
  EXPECT_EQ(gpt2("e\u0301 \u2167\u00B2"), "e|\u0301| \u2167\u00B2");
}

TEST(Llama3, words) {
  auto llama3 = [](std::string_view text) {
    return words(SplitPattern::Llama3, text);
  };
  EXPECT_EQ(llama3("we'LL it'\u017F x're"), "we|'LL| it|'\u017F| x|'re");
  EXPECT_EQ(llama3("1234567 .b"), "123|456|7| .|b");
  EXPECT_EQ(llama3("x();\r\n\r\n y"), "x|();\r\n\r\n| y");
  EXPECT_EQ(llama3("a \n \n  b"), "a| \n \n| | b");
  EXPECT_EQ(llama3("\tif  "), "\tif|  ");
  EXPECT_EQ(llama3("'rx 'l"), "'rx| '|l");
}

TEST(Qwen2, words) {
  EXPECT_EQ(words(SplitPattern::Qwen2, "a12 34"), "a|1|2| |3|4");
}

TEST(Tekken, words) {
  auto tekken = [](std::string_view text) {
    return words(SplitPattern::Tekken, text);
  };
  EXPECT_EQ(tekken("iPhone HTTPServer don't"), "i|Phone| HTTPServer| don|'t");
  EXPECT_EQ(tekken("fooBAR FOO"), "foo|BAR| FOO");
  EXPECT_EQ(tekken("A\u4E2DBC"), "A\u4E2D|BC");
  EXPECT_EQ(tekken("e\u0301x \u0301\u0301"), "e\u0301x| \u0301\u0301");
  EXPECT_EQ(tekken("a://b\n12"), "a|://|b|\n|1|2");
}

TEST(AllPatterns, words_are_the_whole_text) {
  std::string text = "\x80 \xE2\x82\n\xFF\xFF 'S\xC3'\xED\xA0\x80\t1\x82 ";
  for (SplitPattern pattern : {SplitPattern::Gpt2, SplitPattern::Llama3,
                               SplitPattern::Qwen2, SplitPattern::Tekken}) {
    std::vector<std::string_view> parts;
    splitWords(pattern, text, parts);
    std::string joined;
    for (std::string_view part : parts) {
      EXPECT_FALSE(part.empty());
      joined += part;
    }
    EXPECT_EQ(joined, text);
  }
}

} // namespace
