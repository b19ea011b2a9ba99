//===- FixturesTest.cpp - Published configs and reference checkpoints -----===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImportHelper.h"
#include "dialect/Pattern.h"

#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>

using namespace ssm;

/// Configs that are refused on purpose, with the key that the error names.
static const std::map<std::string, std::string> &refusals() {
  static const std::map<std::string, std::string> keys = {
      {"mamba2attn-2.7b", "\"attn_layer_idx\""},
      {"falcon-h1-0.5b", "\"ssm_multipliers\""},
      {"zamba2-7b", "\"model_type\""},
      {"zamba2-7b-early", "\"model_type\""}};
  return keys;
}

/// The pattern without the MLP or experts that follow every mixer.
static std::string mixersOf(const std::string &pattern,
                            const std::string &expected) {
  if (pattern.size() == expected.size())
    return pattern;
  std::string mixers;
  for (size_t i = 0; i < pattern.size(); i += 2)
    mixers += pattern[i];
  return mixers;
}

TEST(Configs, UnderstoodOrRefused) {
  std::ifstream file(testPath("fixtures/configs/expected.json"));
  nlohmann::json expected = nlohmann::json::parse(file);
  EXPECT_EQ(expected.size(), 18u);
  for (const auto &[name, row] : expected.items()) {
    Imported model(testPath("fixtures/configs/" + name));
    auto refusal = refusals().find(name);
    if (refusal != refusals().end()) {
      EXPECT_FALSE(model.ok()) << name;
      EXPECT_NE(model.errors.find(refusal->second), std::string::npos)
          << name << ": " << model.errors;
      continue;
    }
    ASSERT_TRUE(model.ok()) << name << ": " << model.errors;
    std::string mixers = row["mixers"];
    EXPECT_EQ(mixersOf(model.report.pattern, mixers), mixers) << name;
    EXPECT_EQ(model.report.parameters.total(),
              row["parameters"].get<uint64_t>())
        << name;
  }
}

/// What printing reads back of `text`, or the error.
static std::string printedAgain(const std::string &text) {
  llvm::Expected<LayerPattern> pattern = parsePattern(text);
  return pattern ? printPattern(*pattern) : llvm::toString(pattern.takeError());
}

static std::string lettersOr(llvm::Expected<std::string> letters) {
  return letters ? *letters : llvm::toString(letters.takeError());
}

/// `letters` by the indices of its layers that are no Mamba, where those are of
/// one kind; also by period and offset where they are evenly spaced.
static void expectByIndices(const std::string &letters) {
  std::vector<int64_t> indices;
  char letter = '*';
  for (size_t i = 0; i < letters.size(); ++i)
    if (letters[i] != 'M') {
      indices.push_back(int64_t(i));
      letter = letters[i];
    }
  int64_t layers = int64_t(letters.size());
  for (int64_t index : indices)
    if (letters[index] != letter)
      return;
  EXPECT_EQ(lettersOr(lettersAtIndices(layers, indices, letter)), letters);
  if (indices.size() < 2)
    return;
  int64_t period = indices[1] - indices[0];
  for (size_t i = 1; i < indices.size(); ++i)
    if (indices[i] - indices[i - 1] != period)
      return;
  if (indices[0] < period && indices.back() + period >= layers)
    EXPECT_EQ(lettersOr(lettersByPeriod(layers, period, indices[0], letter)),
              letters);
}

TEST(Configs, PatternsInEverySpelling) {
  std::ifstream file(testPath("fixtures/configs/expected.json"));
  nlohmann::json expected = nlohmann::json::parse(file);
  int count = 0;
  for (const auto &[name, row] : expected.items()) {
    SCOPED_TRACE(name);
    std::string letters = row["mixers"];
    if (letters.find('H') != std::string::npos)
      continue; // Several blocks side by side: no pattern says that.
    ++count;
    EXPECT_EQ(printedAgain(letters), letters);
    // Two pipeline stages, and two depths of token prediction.
    std::string half = letters.substr(0, letters.size() / 2);
    std::string whole = half + "|" + letters.substr(half.size()) + "/M*/M*";
    EXPECT_EQ(printedAgain(whole), whole);
    llvm::Expected<LayerPattern> pattern = parsePattern(whole);
    ASSERT_TRUE(bool(pattern));
    EXPECT_EQ(pattern->letters, letters);
    std::vector<std::string> words;
    for (char letter : letters)
      words.push_back(letter == 'M'   ? "mamba"
                      : letter == '*' ? "attention"
                      : letter == '-' ? "mlp"
                                      : "moe");
    EXPECT_EQ(lettersOr(lettersOfWords(words)), letters);
    expectByIndices(letters);
  }
  EXPECT_EQ(count, 15);
}

struct Fixture {
  const char *name;
  uint64_t parameters;
  const char *pattern;
  const char *weights;
  bool tied;
};

static const Fixture kFixtures[] = {
    {"mamba-tiny", 60368, "MMM", "f32", true},
    {"mamba-bf16", 51372, "MMM", "bf16", false},
    {"mamba2-tiny", 41512, "MMM", "f32", false},
    {"mamba2-groups", 41868, "MM", "f32", true},
    {"mamba2-dt-limit", 32464, "MM", "f32", false},
    {"nemotron_h-tiny", 83094, "M-*MM-*-", "f32", false},
    {"nemotron_h-paper-shape", 536928,
     "M-M-M--M-M*-M-M-M-M--M*-M-M-M-M-M*--M-M-M-M-M*-M--M-M-M-", "bf16", false},
    {"llama-tiny", 76600, "*-*-*-", "f32", false},
    {"llama-bf16", 50496, "*-*-*-", "bf16", false},
    {"llama-sharded", 37980, "*-*-", "f32", false},
    {"llama3-rope-tiny", 65664, "*-*-", "f32", true}};

TEST(Fixtures, ImportWithWeights) {
  for (const Fixture &fixture : kFixtures) {
    Imported model(testPath(std::string("fixtures/") + fixture.name));
    ASSERT_TRUE(model.ok()) << fixture.name << ": " << model.errors;
    const ImportReport &report = model.report;
    EXPECT_EQ(report.parameters.total(), fixture.parameters) << fixture.name;
    EXPECT_EQ(report.pattern, fixture.pattern) << fixture.name;
    EXPECT_EQ(report.weights, fixture.weights) << fixture.name;
    EXPECT_EQ(report.tied, fixture.tied) << fixture.name;
    EXPECT_EQ(report.endTokens.size(), 1u) << fixture.name;
    EXPECT_FALSE(report.weightFiles.empty()) << fixture.name;
  }
}

TEST(Fixtures, PhoneBookModels) {
  Imported hybrid(testPath("models/hybrid"));
  ASSERT_TRUE(hybrid.ok()) << hybrid.errors;
  EXPECT_EQ(hybrid.report.parameters.total(), 895908u);
  EXPECT_EQ(hybrid.report.pattern, "M-M-*-M-");
  EXPECT_EQ(hybrid.report.endTokens, (std::vector<int64_t>{1}));
  EXPECT_FALSE(hybrid.report.tokenizer.empty());
  Imported mamba2(testPath("models/mamba2"));
  ASSERT_TRUE(mamba2.ok()) << mamba2.errors;
  EXPECT_EQ(mamba2.report.parameters.total(), 872904u);
  Imported transformer(testPath("models/transformer"));
  ASSERT_TRUE(transformer.ok()) << transformer.errors;
  EXPECT_EQ(transformer.report.parameters.total(), 787584u);
}

TEST(Fixtures, Explain) {
  Imported model(testPath("fixtures/nemotron_h-tiny"));
  ASSERT_TRUE(model.ok()) << model.errors;
  std::string text;
  llvm::raw_string_ostream os(text);
  printExplain(model.report, os);
  for (const char *part :
       {"(nemotron_h)", "pattern     M-*MM-*-", "parameters  83,094",
        "  3-4     M  backbone.layers.3.mixer", "time_step_min: 1e-07",
        "tokenizer.json", "end tokens  0 ("})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  llvm::json::Value json = toJson(model.report);
  EXPECT_EQ(json.getAsObject()->getString("pattern"), "M-*MM-*-");
}

TEST(Fixtures, ModuleRoundTrip) {
  Imported model(testPath("fixtures/llama3-rope-tiny"));
  ASSERT_TRUE(model.ok()) << model.errors;
  ModelFolder folder;
  folder.write("model.mlir", model.text());
  Imported again(folder.path + "/model.mlir");
  ASSERT_TRUE(again.ok()) << again.errors;
  EXPECT_EQ(again.text(), model.text());
  EXPECT_EQ(again.report.parameters.total(), 65664u);
  EXPECT_NE(model.text().find("rope = <llama3, dims = 14, theta = 1.000000e+04"
                              ", factor = 8.000000e+00, original_positions = "
                              "64>"),
            std::string::npos)
      << model.text();
}

TEST(Fixtures, DtLimit) {
  Imported model(testPath("fixtures/mamba2-dt-limit"));
  ASSERT_TRUE(model.ok()) << model.errors;
  EXPECT_NE(model.text().find("dt_min = 5.000000e-02, dt_max = 3.000000e-01"),
            std::string::npos);
}
