//===- CardTest.cpp - Model cards -----------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImportHelper.h"

#include <gtest/gtest.h>

using namespace ssm;

static std::string errorsOfCard(const std::string &fields) {
  ModelFolder folder;
  folder.write("card.json",
               R"({"format": "ssmc-model-card", "hidden": 8, "vocab": 16, )" +
                   fields + "}");
  return Imported(folder.path + "/card.json").errors;
}

static const char *const kMlp = R"("mlp": {"inner": 4})";

struct PaperModel {
  const char *name;
  uint64_t parameters;
  const char *pattern;
};

// Counts of arXiv 2406.07887's models, as transformers counts them.
TEST(Card, PaperModels) {
  std::string transformer;
  for (int i = 0; i < 32; ++i)
    transformer += "*-";
  std::string mamba(56, 'M');
  const PaperModel models[] = {
      {"mamba-8b", 8148783104, mamba.c_str()},
      {"mamba2-8b", 8236999680, mamba.c_str()},
      {"mamba2-hybrid-8b", 8654517248,
       "M-M-M--M-M*-M-M-M-M--M*-M-M-M-M-M*--M-M-M-M-M*-M--M-M-M-"},
      {"transformer-8b", 8540135424, transformer.c_str()}};
  for (const PaperModel &model : models) {
    Imported card(std::string(SSMC_CARDS_DIR "/") + model.name + ".json");
    ASSERT_TRUE(card.ok()) << card.errors;
    EXPECT_EQ(card.report.parameters.total(), model.parameters) << model.name;
    EXPECT_EQ(card.report.pattern, model.pattern);
    EXPECT_EQ(card.report.name, model.name);
    EXPECT_EQ(card.report.weights, "bf16");
    EXPECT_FALSE(card.report.tied);
  }
}

TEST(Card, HybridByKind) {
  Imported card(SSMC_CARDS_DIR "/mamba2-hybrid-8b.json");
  ASSERT_TRUE(card.ok()) << card.errors;
  const ParameterCount &count = card.report.parameters;
  EXPECT_EQ(count.mlp, 28u * (2u * 4096 * 16384 + 4096));
  EXPECT_EQ(count.attention, 4u * (4096u * 128 * 48 + 128u * 32 * 4096 + 4096));
  EXPECT_EQ(count.embedding, 256000u * 4096);
  EXPECT_EQ(count.head, count.embedding);
  EXPECT_EQ(count.finalNorm, 4096u);
  EXPECT_NE(card.text().find("activation = gelu>"), std::string::npos);
  EXPECT_EQ(card.text().find("rope"), std::string::npos);
}

TEST(Card, TransformerDetails) {
  Imported card(SSMC_CARDS_DIR "/transformer-8b.json");
  ASSERT_TRUE(card.ok()) << card.errors;
  for (const char *part :
       {"norm(<layer1p, eps = 1.000000e-05>, "
        "\"model.layers.31.post_attention_layernorm\")",
        "number(31)", "activation = relu2", "rope = <default, dims = 64"})
    EXPECT_NE(card.text().find(part), std::string::npos) << part;
}

TEST(Card, NegativePattern) {
  EXPECT_NE(errorsOfCard(kMlp).find("either \"pattern\" or \"ratios\""),
            std::string::npos);
  EXPECT_NE(errorsOfCard(R"("pattern": "-X", )" + std::string(kMlp))
                .find("\"pattern\": \"-X\": unknown letter 'X'"),
            std::string::npos);
  EXPECT_NE(errorsOfCard(R"("pattern": "-*", )" + std::string(kMlp))
                .find("missing \"attention\""),
            std::string::npos);
  EXPECT_NE(errorsOfCard(R"("pattern": "-", "names": "decoder", )" +
                         std::string(kMlp))
                .find("expects a mixer and an MLP in turn"),
            std::string::npos);
}

TEST(Card, NegativeKeys) {
  std::string start = R"("pattern": "-", )";
  EXPECT_EQ(errorsOfCard(start + kMlp), "");
  EXPECT_NE(errorsOfCard(start + R"("mlp": {"inner": 4, "gate": true})")
                .find("unknown key \"mlp.gate\": true"),
            std::string::npos);
  EXPECT_NE(errorsOfCard(start + R"("mlp": {"inner": 4}, "parameters": 5)")
                .find("contradicts the number of parameters = 336"),
            std::string::npos);
  EXPECT_NE(
      errorsOfCard(start + R"("mlp": {"inner": 4, "activation": "tanh"})")
          .find("unsupported \"activation\": \"tanh\" (supported: silu, gelu"),
      std::string::npos);
  EXPECT_NE(errorsOfCard(start + kMlp + R"(, "end_tokens": [16])")
                .find("outside the vocabulary of 16"),
            std::string::npos);
}
