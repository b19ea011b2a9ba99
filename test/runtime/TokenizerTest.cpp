//===- TokenizerTest.cpp - Tokens of the fixtures and of each rule --------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Tokenizer.h"

#include "test/runtime/TestData.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace ssmrt;
using Json = nlohmann::json;

namespace {

using Ids = std::vector<int32_t>;

/// A tokenizer that test cases start from: all bytes, few merges.
Json makeFile() { return readTestJson("fixtures/llama-tiny/tokenizer.json"); }

Tokenizer load(const Json &file) {
  Expected<Tokenizer> tokenizer =
      Tokenizer::fromJson(file.dump(), "tokenizer.json");
  EXPECT_TRUE(tokenizer) << tokenizer.status().message;
  return tokenizer ? std::move(*tokenizer) : Tokenizer({});
}

Ids encode(const Tokenizer &tokenizer, std::string_view text,
           bool addSpecial = false) {
  Expected<Ids> ids = tokenizer.encode(text, addSpecial);
  EXPECT_TRUE(ids) << ids.status().message;
  return ids ? *ids : Ids{};
}

/// The pieces of `text`, separated by bars.
std::string pieces(const Tokenizer &tokenizer, std::string_view text) {
  std::string result;
  for (int32_t id : encode(tokenizer, text)) {
    result += result.empty() ? "" : "|";
    tokenizer.appendBytes(id, false, result);
  }
  return result;
}

/// Adds `content` to the added tokens and returns its id.
int32_t addToken(Json &file, const std::string &content,
                 const Json &flags = Json::object()) {
  int32_t id = file["model"]["vocab"].size() + file["added_tokens"].size();
  Json token = {{"id", id},        {"content", content}, {"single_word", false},
                {"lstrip", false}, {"rstrip", false},    {"normalized", false},
                {"special", false}};
  token.update(flags);
  file["added_tokens"].push_back(token);
  return id;
}

class FixtureTest : public testing::TestWithParam<const char *> {};

TEST_P(FixtureTest, encodes_and_decodes_every_case) {
  std::string folder = std::string("fixtures/") + GetParam();
  Expected<Tokenizer> tokenizer =
      Tokenizer::fromFile(testPath(folder + "/tokenizer.json"));
  ASSERT_TRUE(tokenizer) << tokenizer.status().message;
  Json expected = readTestJson(folder + "/expected.json");
  ASSERT_TRUE(expected.is_object());
  ASSERT_EQ(expected["tokenizer"].size(), 8u);
  for (const Json &item : expected["tokenizer"]) {
    Ids ids = item["ids"];
    EXPECT_EQ(encode(*tokenizer, item["text"].get<std::string>()), ids)
        << item["text"];
    EXPECT_EQ(tokenizer->decode(ids, false), item["decoded"]);
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, FixtureTest,
                         testing::Values("mamba-tiny", "nemotron_h-tiny",
                                         "llama-tiny"));

class PhoneBookTest : public testing::TestWithParam<const char *> {};

TEST_P(PhoneBookTest, encodes_prompts_and_decodes_answers) {
  std::string folder = std::string("models/") + GetParam();
  Expected<Tokenizer> tokenizer =
      Tokenizer::fromFile(testPath(folder + "/tokenizer.json"));
  ASSERT_TRUE(tokenizer) << tokenizer.status().message;
  EXPECT_EQ(tokenizer->vocabSize(), 512);
  EXPECT_EQ(tokenizer->findAddedToken("<|eos|>"), 1);
  EXPECT_EQ(tokenizer->findAddedToken("<|pad|>"), std::nullopt);
  Json samples = readTestJson(folder + "/samples.json");
  ASSERT_TRUE(samples.is_object());
  ASSERT_EQ(samples["samples"].size(), 30u);
  for (const Json &sample : samples["samples"]) {
    EXPECT_EQ(encode(*tokenizer, sample["prompt"].get<std::string>(), true),
              sample["prompt_ids"].get<Ids>());
    EXPECT_EQ(tokenizer->decode(sample["output_ids"].get<Ids>(), true),
              sample["output_text"]);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, PhoneBookTest,
                         testing::Values("hybrid", "mamba2", "transformer"));

TEST(Tokenizer, keeps_any_bytes) {
  Tokenizer tokenizer = load(makeFile());
  std::string bytes;
  for (int byte = 255; byte >= 0; --byte)
    bytes += static_cast<char>(byte);
  std::string decoded;
  for (int32_t id : encode(tokenizer, bytes))
    tokenizer.appendBytes(id, false, decoded);
  EXPECT_EQ(decoded, bytes);
}

TEST(Tokenizer, ids_without_piece_decode_to_nothing) {
  Tokenizer tokenizer = load(makeFile());
  EXPECT_EQ(tokenizer.decode({-1, 1 << 30, 300, INT32_MIN}, false), "");
}

TEST(Tokenizer, missing_byte_is_an_error) {
  Json file = makeFile();
  file["model"]["vocab"].erase("?");
  Tokenizer tokenizer = load(file);
  EXPECT_EQ(tokenizer.encode("why?", false).status().message,
            "tokenizer.json: model.vocab has no piece for byte 0x3F");
}

TEST(Tokenizer, lowest_rank_first_then_leftmost) {
  Json file = makeFile();
  file["model"]["vocab"].update(
      {{"qq", 300}, {"qz", 301}, {"zqq", 302}, {"qqq", 303}});
  file["model"]["merges"] =
      Json::parse(R"([["q", "z"], ["q", "q"], ["z", "qq"], ["qq", "q"]])");
  Tokenizer tokenizer = load(file);
  EXPECT_EQ(pieces(tokenizer, "qqq"), "qqq");
  EXPECT_EQ(pieces(tokenizer, "qqqq"), "qq|qq");
  EXPECT_EQ(pieces(tokenizer, "qzqq"), "qz|qq");
  EXPECT_EQ(pieces(tokenizer, "zqq"), "zqq");
}

TEST(Tokenizer, merges_may_be_strings) {
  Json file = makeFile();
  std::string text = "the scan keeps its memory";
  Ids expected = encode(load(file), text);
  Json lines = {"#version: 0.2"};
  for (const Json &pair : file["model"]["merges"])
    lines.push_back(pair[0].get<std::string>() + " " +
                    pair[1].get<std::string>());
  file["model"]["merges"] = lines;
  EXPECT_EQ(encode(load(file), text), expected);
}

TEST(Tokenizer, ignore_merges_finds_whole_words) {
  Json file = makeFile();
  file["model"]["vocab"]["xyzzy"] = 300;
  EXPECT_EQ(pieces(load(file), "xyzzy"), "x|y|z|z|y");
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(pieces(load(file), "xyzzy"), "xyzzy");
  EXPECT_EQ(pieces(load(file), "xyzz"), "x|y|z|z");
}

TEST(Tokenizer, long_word_takes_no_quadratic_time) {
  Json file = makeFile();
  file["pre_tokenizer"] = file["pre_tokenizer"]["pretokenizers"][1];
  std::string text;
  while (text.size() < 1000000)
    text += "the memory ";
  Tokenizer tokenizer = load(file);
  EXPECT_EQ(tokenizer.decode(encode(tokenizer, text), false), text);
}

TEST(Tokenizer, add_prefix_space) {
  Json file = makeFile();
  file["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}};
  Tokenizer tokenizer = load(file);
  EXPECT_EQ(tokenizer.decode(encode(tokenizer, "a"), false), " a");
  EXPECT_EQ(tokenizer.decode(encode(tokenizer, " a"), false), " a");
  EXPECT_EQ(tokenizer.decode(encode(tokenizer, "\na"), false), " \na");
  EXPECT_EQ(encode(tokenizer, ""), Ids{});
}

TEST(Tokenizer, post_processor_wraps_the_text) {
  Json file = makeFile();
  Json bos = {{"SpecialToken", {{"id", "B"}, {"type_id", 0}}}};
  Json eos = {{"SpecialToken", {{"id", "E"}, {"type_id", 0}}}};
  Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  Json tokens = {{"B", {{"id", "B"}, {"ids", {0}}, {"tokens", {"B"}}}},
                 {"E", {{"id", "E"}, {"ids", {7, 8}}, {"tokens", {"E", "F"}}}}};
  file["post_processor"] = {{"type", "Sequence"},
                            {"processors",
                             {{{"type", "ByteLevel"}},
                              {{"type", "TemplateProcessing"},
                               {"single", Json::array({bos, text, eos})},
                               {"special_tokens", tokens}}}}};
  Tokenizer tokenizer = load(file);
  EXPECT_EQ(encode(tokenizer, "x", true), (Ids{0, 88, 7, 8}));
  EXPECT_EQ(encode(tokenizer, "", true), (Ids{0, 7, 8}));
  EXPECT_EQ(encode(tokenizer, "x", false), (Ids{88}));
}

TEST(AddedTokens, longest_at_leftmost_place) {
  Json file = makeFile();
  addToken(file, "qx");
  addToken(file, "qxq");
  addToken(file, "xqz");
  EXPECT_EQ(pieces(load(file), "qqxqz"), "q|qxq|z");
}

TEST(AddedTokens, strip_takes_whitespace) {
  Json file = makeFile();
  int32_t left = addToken(file, "<L>", {{"lstrip", true}});
  int32_t right = addToken(file, "<R>", {{"rstrip", true}});
  Tokenizer tokenizer = load(file);
  EXPECT_EQ(encode(tokenizer, "x \t\u3000<L> x"), (Ids{88, left, 221, 88}));
  EXPECT_EQ(encode(tokenizer, "x <R>\n x"), (Ids{88, 221, right, 88}));
  EXPECT_EQ(encode(tokenizer, "<R>  <L>"), (Ids{right, left}));
}

TEST(AddedTokens, single_word) {
  Json file = makeFile();
  addToken(file, "xyz", {{"single_word", true}});
  Tokenizer tokenizer = load(file);
  EXPECT_EQ(pieces(tokenizer, "-xyz."), "-|xyz|.");
  EXPECT_EQ(pieces(tokenizer, "xyz"), "xyz");
  EXPECT_EQ(pieces(tokenizer, "xyz_"), "x|y|z|_");
  EXPECT_EQ(pieces(tokenizer, "1xyz"), "1|x|y|z");
}

TEST(AddedTokens, normalized_ones_match_after_nfc) {
  Json file = makeFile();
  file["normalizer"] = {{"type", "NFC"}};
  int32_t raw = addToken(file, "\u0041\u030A");
  int32_t normalized = addToken(file, "e\u0301!", {{"normalized", true}});
  Tokenizer tokenizer = load(file);
  EXPECT_EQ(encode(tokenizer, "\u0041\u030A"), Ids{raw});
  EXPECT_EQ(encode(tokenizer, "\u00E9!"), Ids{normalized});
  EXPECT_EQ(encode(tokenizer, "e\u0301!"), Ids{normalized});
}

TEST(AddedTokens, special_ones_can_be_skipped) {
  Json file = makeFile();
  int32_t plain = addToken(file, "<plain \u00E9>");
  Tokenizer tokenizer = load(file);
  EXPECT_EQ(tokenizer.decode({0, plain}, false), "<|endoftext|><plain \u00E9>");
  EXPECT_EQ(tokenizer.decode({0, plain}, true), "<plain \u00E9>");
}

} // namespace
