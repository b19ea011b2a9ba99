//===- TokenizerJsonTest.cpp - What tokenizer.json may not say ------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Tokenizer.h"

#include "test/runtime/TestData.h"

#include <gtest/gtest.h>

#include <string>

using namespace ssmrt;
using Json = nlohmann::json;

namespace {

Json makeFile() { return readTestJson("fixtures/llama-tiny/tokenizer.json"); }

std::string messageFor(const std::string &text) {
  return Tokenizer::fromJson(text, "tokenizer.json").status().message;
}

/// The message after the value at `pointer` has been replaced, without the file
/// name that starts it.
std::string refusal(const char *pointer, const Json &value) {
  Json file = makeFile();
  file[Json::json_pointer(pointer)] = value;
  std::string message = messageFor(file.dump());
  const std::string start = "tokenizer.json: ";
  EXPECT_EQ(message.substr(0, start.size()), start);
  return message.substr(std::min(message.size(), start.size()));
}

TEST(TokenizerJson, accepts_fixture) {
  EXPECT_EQ(messageFor(makeFile().dump()), "");
}

TEST(TokenizerJson, missing_file) {
  EXPECT_EQ(Tokenizer::fromFile("/no/such/file").status().message,
            "/no/such/file: cannot open: No such file or directory");
}

TEST(TokenizerJson, folder_instead_of_file) {
  EXPECT_NE(Tokenizer::fromFile("/").status().message, "");
}

TEST(TokenizerJson, not_json) {
  EXPECT_EQ(messageFor("{\"a\": ]"), "tokenizer.json: invalid JSON at byte 7");
  EXPECT_EQ(messageFor(""), "tokenizer.json: invalid JSON at byte 1");
  EXPECT_EQ(messageFor("[1e999]"), "tokenizer.json: invalid JSON");
}

TEST(TokenizerJson, not_an_object) {
  EXPECT_EQ(messageFor("[]"),
            "tokenizer.json: the file must be an object, not a list");
  EXPECT_EQ(messageFor("{}"),
            "tokenizer.json: model must be an object, not null");
}

TEST(TokenizerJson, deep_nesting) {
  EXPECT_NE(messageFor(std::string(200000, '[')), "");
  std::string lists(100000, '[');
  EXPECT_NE(messageFor(lists + std::string(100000, ']')), "");
  Json nested = {{"type", "ByteLevel"}};
  for (int depth = 0; depth < 9; ++depth)
    nested = {{"type", "Sequence"}, {"pretokenizers", {nested}}};
  EXPECT_EQ(refusal("/pre_tokenizer", nested),
            "pre_tokenizer is nested more than 8 levels deep");
}

TEST(TokenizerJson, unknown_keys) {
  EXPECT_EQ(refusal("/model/window", 1),
            "unknown key \"window\" in model (supported: type, dropout, "
            "unk_token, continuing_subword_prefix, end_of_word_suffix, "
            "fuse_unk, byte_fallback, ignore_merges, vocab, merges)");
  EXPECT_EQ(refusal("/decoder/\n\"x", 1),
            "unknown key \"\\u000a\\\"x\" in decoder (supported: type, "
            "add_prefix_space, trim_offsets, use_regex)");
}

TEST(TokenizerJson, version) {
  EXPECT_EQ(refusal("/version", "2.0"),
            "unsupported version \"2.0\" (supported: \"1.0\")");
}

TEST(TokenizerJson, model_types) {
  for (const char *type : {"Unigram", "WordPiece", "WordLevel"})
    EXPECT_EQ(refusal("/model/type", type), "unsupported model.type \"" +
                                                std::string(type) +
                                                "\" (supported: BPE)");
}

TEST(TokenizerJson, model_without_type_is_bpe) {
  Json file = makeFile();
  file["model"].erase("type");
  EXPECT_EQ(messageFor(file.dump()), "");
}

TEST(TokenizerJson, sentence_piece_bpe) {
  EXPECT_EQ(refusal("/model/byte_fallback", true),
            "unsupported model.byte_fallback true (supported: false)");
}

TEST(TokenizerJson, dropout_and_affixes) {
  EXPECT_EQ(refusal("/model/dropout", 0.1),
            "unsupported model.dropout 0.1 (supported: null, 0)");
  EXPECT_EQ(refusal("/model/continuing_subword_prefix", "##"),
            "unsupported model.continuing_subword_prefix \"##\" (supported: "
            "null, \"\")");
  EXPECT_EQ(refusal("/model/end_of_word_suffix", "</w>"),
            "unsupported model.end_of_word_suffix \"</w>\" (supported: null, "
            "\"\")");
}

TEST(TokenizerJson, vocabulary) {
  EXPECT_EQ(refusal("/model/vocab", Json::array()),
            "model.vocab must be an object, not a list");
  for (Json id : {Json(-1), Json(1.5), Json("1"), Json(1ull << 40)})
    EXPECT_EQ(refusal("/model/vocab/a", id),
              "model.vocab \"a\" must be an id from 0 to 2097151, not " +
                  id.dump());
  EXPECT_EQ(refusal("/model/vocab/zzz", 5),
            "model.vocab \"zzz\" has id 5, which is taken");
}

TEST(TokenizerJson, merges) {
  EXPECT_EQ(refusal("/model/merges", nullptr),
            "model.merges must be a list, not null");
  EXPECT_EQ(refusal("/model/merges/1", {"q", "z"}),
            "model.merges[1] needs piece \"qz\", which model.vocab lacks");
  EXPECT_EQ(refusal("/model/merges/1", {"h"}),
            "model.merges[1] must be a pair of pieces, not a list");
  EXPECT_EQ(refusal("/model/merges/0", "he"),
            "model.merges[0] must be a pair of pieces, not \"he\"");
}

TEST(TokenizerJson, normalizers) {
  for (const char *type :
       {"NFKC", "NFD", "Prepend", "Replace", "Precompiled", "Lowercase"})
    EXPECT_EQ(refusal("/normalizer", {{"type", type}}),
              "unsupported normalizer \"" + std::string(type) +
                  "\" (supported: null, NFC, Sequence)");
}

TEST(TokenizerJson, pre_tokenizers) {
  EXPECT_EQ(refusal("/pre_tokenizer", nullptr),
            "unsupported pre_tokenizer null (supported: ByteLevel, Split, "
            "Sequence)");
  for (const char *type : {"Metaspace", "Whitespace", "Digits", "Punctuation"})
    EXPECT_EQ(refusal("/pre_tokenizer", {{"type", type}}),
              "unsupported pre_tokenizer \"" + std::string(type) +
                  "\" (supported: ByteLevel, Split, Sequence)");
  EXPECT_EQ(refusal("/pre_tokenizer/pretokenizers/2", {{"type", "Split"}}),
            "unsupported pre_tokenizer \"Split\" after ByteLevel (supported: "
            "ByteLevel as the last part)");
}

TEST(TokenizerJson, split_without_byte_level) {
  Json split = makeFile()["pre_tokenizer"]["pretokenizers"][0];
  EXPECT_EQ(refusal("/pre_tokenizer", split),
            "pre_tokenizer has no ByteLevel part (supported: byte-level "
            "tokenizers)");
}

TEST(TokenizerJson, split_patterns) {
  const char *pattern = "/pre_tokenizer/pretokenizers/0/pattern";
  EXPECT_EQ(refusal(pattern, {{"Regex", "\\w+\n"}}),
            "unsupported pre_tokenizer.pattern.Regex \"\\w+\\u000a\" "
            "(supported: the expressions of GPT-2, Llama-3, Qwen2, Tekken)");
  EXPECT_EQ(refusal(pattern, {{"String", " "}}),
            "unknown key \"String\" in pre_tokenizer.pattern (supported: "
            "Regex)");
}

TEST(TokenizerJson, split_behaviors) {
  const char *behavior = "/pre_tokenizer/pretokenizers/0/behavior";
  for (const char *value : {"Removed", "MergedWithNext", "Contiguous"})
    EXPECT_EQ(refusal(behavior, value),
              "unsupported pre_tokenizer.behavior \"" + std::string(value) +
                  "\" (supported: Isolated, inverted Removed)");
}

TEST(TokenizerJson, post_processors) {
  for (const char *type : {"BertProcessing", "RobertaProcessing"})
    EXPECT_EQ(refusal("/post_processor", {{"type", type}}),
              "unsupported post_processor \"" + std::string(type) +
                  "\" (supported: null, ByteLevel, TemplateProcessing, "
                  "Sequence)");
}

TEST(TokenizerJson, templates) {
  EXPECT_EQ(refusal("/post_processor/single", Json::array()),
            "post_processor.single must contain the sequence once, not 0 "
            "times");
  Json bos = {{"SpecialToken", {{"id", "B"}, {"type_id", 0}}}};
  EXPECT_EQ(refusal("/post_processor/single/0", bos),
            "post_processor.special_tokens \"B\" must be an object, not null");
  Json file = makeFile();
  Json &processor = file["post_processor"];
  processor["single"].push_back(bos);
  processor["special_tokens"]["B"] = {{"id", "B"}, {"ids", {9999}}};
  EXPECT_EQ(messageFor(file.dump()),
            "tokenizer.json: post_processor.special_tokens \"B\" has id 9999, "
            "which no token has");
}

TEST(TokenizerJson, decoders) {
  EXPECT_EQ(refusal("/decoder", nullptr),
            "unsupported decoder null (supported: ByteLevel)");
  for (const char *type : {"Metaspace", "Sequence", "WordPiece"})
    EXPECT_EQ(refusal("/decoder", {{"type", type}}),
              "unsupported decoder \"" + std::string(type) +
                  "\" (supported: ByteLevel)");
}

TEST(TokenizerJson, added_tokens) {
  EXPECT_EQ(refusal("/added_tokens/0/id", 7),
            "added_tokens[0] gives \"<|endoftext|>\" id 7, but model.vocab has "
            "0");
  EXPECT_EQ(refusal("/added_tokens/0/content", "<new>"),
            "added_tokens[0] has id 0, which is taken");
  EXPECT_EQ(refusal("/added_tokens/0/content", ""),
            "added_tokens[0].content is empty");
  EXPECT_EQ(refusal("/added_tokens/0/special", 1),
            "added_tokens[0].special must be true or false, not 1");
  Json token = makeFile()["added_tokens"][0];
  EXPECT_EQ(refusal("/added_tokens/1", token),
            "added_tokens[1] repeats \"<|endoftext|>\"");
}

} // namespace
