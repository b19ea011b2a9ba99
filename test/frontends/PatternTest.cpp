//===- PatternTest.cpp - Layer patterns in all their spellings ------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Pattern.h"

#include <gtest/gtest.h>

using namespace ssm;

template <typename T> static std::string errorOf(llvm::Expected<T> result) {
  return result ? "" : llvm::toString(result.takeError());
}

static LayerPattern parsed(llvm::StringRef text) {
  llvm::Expected<LayerPattern> pattern = parsePattern(text);
  EXPECT_TRUE(bool(pattern)) << text.str();
  return pattern ? *pattern : LayerPattern();
}

TEST(Pattern, StagesAndPrediction) {
  LayerPattern pattern = parsed("M-M-|M-M*-/MM/MM");
  EXPECT_EQ(pattern.letters, "M-M-M-M*-");
  EXPECT_EQ(pattern.stages, (std::vector<int64_t>{0, 4}));
  EXPECT_EQ(pattern.prediction, "MM");
  EXPECT_EQ(pattern.predictionDepths, 2);
  EXPECT_TRUE(pattern.notes.empty());
}

TEST(Pattern, TrailingSlashMeansNoPrediction) {
  LayerPattern pattern = parsed("M-M*-/");
  EXPECT_EQ(pattern.letters, "M-M*-");
  EXPECT_EQ(pattern.predictionDepths, 0);
  EXPECT_EQ(pattern.notes.size(), 1u);
}

TEST(Pattern, EmptyStagesAreNoted) {
  EXPECT_EQ(parsed("M|").stages, (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(parsed("M|").notes.front(), "pipeline stage 1 has no layers");
  EXPECT_EQ(parsed("|M").stages, (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(parsed("|M").notes.front(), "pipeline stage 0 has no layers");
}

TEST(Pattern, NegativeNoLayers) {
  EXPECT_EQ(errorOf(parsePattern("")), "pattern '' has no layers");
  EXPECT_EQ(errorOf(parsePattern("/MM")), "pattern '/MM' has no layers");
  EXPECT_EQ(errorOf(parsePattern("||")), "pattern '||' has no layers");
}

TEST(Pattern, NegativeUnknownLetter) {
  EXPECT_EQ(errorOf(parsePattern("m-m")),
            "unknown letter 'm' at index 0 (supported: M, *, -, E)");
  EXPECT_EQ(errorOf(parsePattern("M M")),
            "unknown letter ' ' at index 1 (supported: M, *, -, E)");
  EXPECT_EQ(errorOf(parsePattern("MX")),
            "unknown letter 'X' at index 1 (supported: M, *, -, E)");
  EXPECT_EQ(errorOf(parsePattern("M/MX")),
            "unknown letter 'X' at index 3 (supported: M, *, -, E)");
}

TEST(Pattern, NegativeUnsupportedLayer) {
  EXPECT_EQ(errorOf(parsePattern("MG")),
            "unsupported layer 'G' (gated delta net) at index 1 (supported: "
            "M, *, -, E)");
  EXPECT_EQ(errorOf(parsePattern("MD")),
            "unsupported layer 'D' (sparse attention) at index 1 (supported: "
            "M, *, -, E)");
  EXPECT_EQ(errorOf(parsePattern("M*D")),
            "'D' (sparse attention) at index 2 may not stand beside '*' "
            "(supported: M, *, -, E)");
  EXPECT_EQ(errorOf(parsePattern("M*+")),
            "'+' (latent attention) at index 2 may not stand beside '*' "
            "(supported: M, *, -, E)");
}

TEST(Pattern, NegativePrediction) {
  EXPECT_EQ(errorOf(parsePattern("MM/M*/MM")),
            "prediction parts 'M*' and 'MM' differ");
  EXPECT_EQ(errorOf(parsePattern("M/MM/")),
            "prediction parts 'MM' and '' differ");
  EXPECT_EQ(errorOf(parsePattern("MM/M|M")),
            "'|' at index 4 in a prediction part");
}

TEST(Pattern, RoundTrip) {
  for (llvm::StringRef text :
       {"M", "M*-E", "M-M-|M-M*-/MM/MM", "M|", "|M", "M||*", "M-/E"})
    EXPECT_EQ(printPattern(parsed(text)), text);
  EXPECT_EQ(printPattern(parsed("M/")), "M");
}

TEST(Pattern, Words) {
  llvm::Expected<std::string> letters = lettersOfWords(
      {"linear_attention", "mamba", "recurrent", "full_attention", "attention",
       "mlp", "dense", "moe", "sparse"});
  ASSERT_TRUE(bool(letters));
  EXPECT_EQ(*letters, "MMM**--EE");
  std::vector<bool> sliding;
  letters = lettersOfWords({"full_attention", "sliding_attention"}, &sliding);
  ASSERT_TRUE(bool(letters));
  EXPECT_EQ(*letters, "**");
  EXPECT_EQ(sliding, (std::vector<bool>{false, true}));
}

TEST(Pattern, NegativeWords) {
  EXPECT_EQ(errorOf(lettersOfWords({})), "the list has no layers");
  for (const char *word : {"hybrid", "sliding_attention", "Mamba", ""})
    EXPECT_NE(errorOf(lettersOfWords({"mlp", word}))
                  .find("\"" + std::string(word) + "\" at index 1"),
              std::string::npos);
}

TEST(Pattern, Indices) {
  llvm::Expected<std::string> letters = lettersAtIndices(4, {3, 1});
  ASSERT_TRUE(bool(letters));
  EXPECT_EQ(*letters, "M*M*");
  EXPECT_EQ(errorOf(lettersAtIndices(4, {1, 1})), "index 1 stands twice");
  EXPECT_EQ(errorOf(lettersAtIndices(4, {-1})),
            "index -1 is outside the 4 layers");
  EXPECT_EQ(errorOf(lettersAtIndices(4, {4})),
            "index 4 is outside the 4 layers");
}

TEST(Pattern, Period) {
  llvm::Expected<std::string> letters = lettersByPeriod(10, 4, 2);
  ASSERT_TRUE(bool(letters));
  EXPECT_EQ(*letters, "MM*MMM*MMM");
  EXPECT_EQ(errorOf(lettersByPeriod(8, 4, 4)),
            "expected an offset from 0 to 3, below the period, got 4");
  EXPECT_EQ(errorOf(lettersByPeriod(8, 0, 0)),
            "expected a period of at least 1, got 0");
}

static std::string spread(int64_t layers, double attention, double mlp) {
  llvm::Expected<std::string> letters = spreadLetters(layers, attention, mlp);
  return letters ? *letters : llvm::toString(letters.takeError());
}

// The examples of the paper's rule; 56 layers are the published hybrid.
TEST(Pattern, Spread) {
  const char *hybrid =
      "M-M-M--M-M*-M-M-M-M--M*-M-M-M-M-M*--M-M-M-M-M*-M--M-M-M-";
  EXPECT_EQ(spread(56, 0.08, 0.5), hybrid);
  EXPECT_EQ(spread(56, 0.07, 0.5), hybrid);
  EXPECT_EQ(spread(56, 4.0 / 56, 0.5), hybrid);
  EXPECT_EQ(spread(48, 0.08, 0.5),
            "M-M-M--M-*M-M-M-M--*M-M-M-M-*M--M-M-M-*M-M--M-M-");
  EXPECT_EQ(spread(24, 0.08, 0.5), "M-M-M--*M-M-M-M-*M--M-M-");
  EXPECT_EQ(spread(32, 0.125, 0), "MMMMMM*MMMMM*MMMMMM*MMMMM*MMMMMM");
  EXPECT_EQ(spread(10, 0.3, 0.2), "MM*M-*M*M-");
  EXPECT_EQ(spread(5, 1, 0), "*****");
  EXPECT_EQ(spread(3, 0, 0), "MMM");
}

TEST(Pattern, NegativeSpread) {
  EXPECT_EQ(spread(0, 0, 0), "expected at least one layer, got 0");
  EXPECT_NE(spread(8, 0.7, 0.7).find("sum of at most 1"), std::string::npos);
  EXPECT_NE(spread(8, -0.1, 0).find("from 0 to 1"), std::string::npos);
  EXPECT_EQ(spread(3, 0.5, 0.5), // both round up to 2
            "2 attention and 2 MLP layers do not fit into 3 layers");
}
