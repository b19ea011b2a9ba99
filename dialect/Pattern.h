//===- Pattern.h - Layer patterns in all their spellings ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The canonical form of a pattern is one letter per block:
//   M  Mamba or Mamba-2    *  attention    -  MLP    E  experts
// The functions here read every other spelling into it. Their errors say what
// is wrong with the value; the caller adds file and key.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Ssm.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace ssm {

/// A pattern in Megatron's grammar: main [ "/" prediction ]*, stages by "|".
struct LayerPattern {
  /// The layers in order, canonical letters.
  std::string letters;
  /// First layer of each pipeline stage: {0} without "|".
  std::vector<int64_t> stages = {0};
  /// Letters of one multi-token-prediction depth, and how many of them.
  std::string prediction;
  int64_t predictionDepths = 0;
  /// What was accepted but is odd, one sentence each.
  std::vector<std::string> notes;
};

/// Reads Megatron's `--hybrid-layer-pattern` or `hybrid_override_pattern`.
llvm::Expected<LayerPattern> parsePattern(llvm::StringRef text);

/// Writes `pattern` so that parsePattern reads it back.
std::string printPattern(const LayerPattern &pattern);

/// Reads a list of words (`layers_block_type`, `layer_types`). `sliding`, if
/// given, receives which layers are sliding_attention; else that is an error.
llvm::Expected<std::string>
lettersOfWords(llvm::ArrayRef<std::string> words,
               std::vector<bool> *sliding = nullptr);

/// `layers` letters: `letter` at the (strictly valid) `indices`, M elsewhere.
llvm::Expected<std::string> lettersAtIndices(int64_t layers,
                                             llvm::ArrayRef<int64_t> indices,
                                             char letter = '*');

/// `layers` letters: `letter` where i % period == offset, `other` elsewhere.
llvm::Expected<std::string> lettersByPeriod(int64_t layers, int64_t period,
                                            int64_t offset, char letter = '*',
                                            char other = 'M');

/// Spreads shares of attention and MLP layers as the paper does: Mamba first,
/// attention evenly between, MLPs evenly over what is left.
llvm::Expected<std::string> spreadLetters(int64_t layers, double attentionShare,
                                          double mlpShare);

/// The same for counts of layers.
llvm::Expected<std::string> spreadCounts(int64_t layers, int64_t attention,
                                         int64_t mlp);

/// The letter of a block: M, *, - or E.
char letterOf(mlir::Attribute mixer);

/// The letters of the blocks of `model`, or empty if a layer runs several
/// blocks side by side, which no pattern can say.
std::string patternOf(ModelOp model);

} // namespace ssm
