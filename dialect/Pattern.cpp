//===- Pattern.cpp - Layer patterns in all their spellings ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Pattern.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;
using namespace ssm;

static constexpr StringLiteral kLetters = "M, *, -, E";

template <typename... Args>
static llvm::Error error(const char *format, Args &&...args) {
  return llvm::createStringError(
      llvm::formatv(format, std::forward<Args>(args)...).str());
}

//===----------------------------------------------------------------------===//
// Megatron's grammar
//===----------------------------------------------------------------------===//

/// What a letter of Megatron that ssmc has no layer for would mean, or "".
static StringRef unsupportedMeaning(char letter) {
  switch (letter) {
  case 'G':
    return "gated delta net";
  case 'D':
    return "sparse attention";
  case '+':
    return "latent attention";
  default:
    return "";
  }
}

/// Fails unless `letter`, at `index` of the text, stands for a layer.
static llvm::Error checkLetter(char letter, size_t index, bool hasAttention) {
  if (StringRef("M*-E").contains(letter))
    return llvm::Error::success();
  StringRef meaning = unsupportedMeaning(letter);
  if (meaning.empty())
    return error("unknown letter '{0}' at index {1} (supported: {2})", letter,
                 index, kLetters);
  if (hasAttention && letter != 'G')
    return error("'{0}' ({1}) at index {2} may not stand beside '*' "
                 "(supported: {3})",
                 letter, meaning, index, kLetters);
  return error("unsupported layer '{0}' ({1}) at index {2} (supported: {3})",
               letter, meaning, index, kLetters);
}

/// Reads the prediction parts, which begin at `index` of the text.
static llvm::Error parsePrediction(ArrayRef<StringRef> parts, size_t index,
                                   bool hasAttention, LayerPattern &pattern) {
  for (StringRef part : parts) {
    if (part != parts.front())
      return error("prediction parts '{0}' and '{1}' differ", parts.front(),
                   part);
    for (auto [offset, letter] : llvm::enumerate(part)) {
      if (letter == '|')
        return error("'|' at index {0} in a prediction part", index + offset);
      if (llvm::Error failure =
              checkLetter(letter, index + offset, hasAttention))
        return failure;
    }
    index += part.size() + 1;
  }
  if (parts.empty())
    return llvm::Error::success();
  if (parts.front().empty()) {
    pattern.notes.push_back("the pattern ends in '/': no prediction layers");
    return llvm::Error::success();
  }
  pattern.prediction = parts.front().str();
  pattern.predictionDepths = parts.size();
  return llvm::Error::success();
}

llvm::Expected<LayerPattern> ssm::parsePattern(StringRef text) {
  LayerPattern pattern;
  SmallVector<StringRef> parts;
  text.split(parts, '/');
  StringRef main = parts.front();
  bool hasAttention = text.contains('*');
  for (auto [index, letter] : llvm::enumerate(main)) {
    if (letter == '|') {
      pattern.stages.push_back(pattern.letters.size());
      continue;
    }
    if (llvm::Error failure = checkLetter(letter, index, hasAttention))
      return failure;
    pattern.letters += letter;
  }
  if (pattern.letters.empty())
    return error("pattern '{0}' has no layers", text);
  for (auto [stage, begin] : llvm::enumerate(pattern.stages)) {
    size_t end = stage + 1 < pattern.stages.size() ? pattern.stages[stage + 1]
                                                   : pattern.letters.size();
    if (size_t(begin) == end)
      pattern.notes.push_back(
          llvm::formatv("pipeline stage {0} has no layers", stage).str());
  }
  if (llvm::Error failure =
          parsePrediction(ArrayRef<StringRef>(parts).drop_front(),
                          main.size() + 1, hasAttention, pattern))
    return failure;
  return pattern;
}

std::string ssm::printPattern(const LayerPattern &pattern) {
  std::string text;
  ArrayRef<int64_t> stages = ArrayRef<int64_t>(pattern.stages).drop_front();
  for (size_t layer = 0; layer <= pattern.letters.size(); ++layer) {
    text.append(llvm::count(stages, int64_t(layer)), '|');
    if (layer < pattern.letters.size())
      text += pattern.letters[layer];
  }
  for (int64_t depth = 0; depth < pattern.predictionDepths; ++depth)
    text += "/" + pattern.prediction;
  return text;
}

//===----------------------------------------------------------------------===//
// Words, indices, periods
//===----------------------------------------------------------------------===//

llvm::Expected<std::string> ssm::lettersOfWords(ArrayRef<std::string> words,
                                                std::vector<bool> *sliding) {
  std::string letters;
  if (words.empty())
    return error("the list has no layers");
  for (auto [index, word] : llvm::enumerate(words)) {
    char letter =
        llvm::StringSwitch<char>(word)
            .Cases({"linear_attention", "mamba", "recurrent"}, 'M')
            .Cases({"full_attention", "attention", "sliding_attention"}, '*')
            .Cases({"mlp", "dense"}, '-')
            .Cases({"moe", "sparse"}, 'E')
            .Default('\0');
    bool isSliding = word == "sliding_attention";
    if (!letter || (isSliding && !sliding))
      return error("unsupported layer \"{0}\" at index {1} (supported: "
                   "linear_attention, mamba, recurrent, full_attention, "
                   "attention, {2}mlp, dense, moe, sparse)",
                   word, index, sliding ? "sliding_attention, " : "");
    letters += letter;
    if (sliding)
      sliding->push_back(isSliding);
  }
  return letters;
}

llvm::Expected<std::string>
ssm::lettersAtIndices(int64_t layers, ArrayRef<int64_t> indices, char letter) {
  std::string letters(layers, 'M');
  for (int64_t index : indices) {
    if (index < 0 || index >= layers)
      return error("index {0} is outside the {1} layers", index, layers);
    if (letters[index] == letter)
      return error("index {0} stands twice", index);
    letters[index] = letter;
  }
  return letters;
}

llvm::Expected<std::string> ssm::lettersByPeriod(int64_t layers, int64_t period,
                                                 int64_t offset, char letter,
                                                 char other) {
  if (period < 1)
    return error("expected a period of at least 1, got {0}", period);
  if (offset < 0 || offset >= period)
    return error("expected an offset from 0 to {0}, below the period, got {1}",
                 period - 1, offset);
  std::string letters(layers, other);
  for (int64_t layer = offset; layer < layers; layer += period)
    letters[layer] = letter;
  return letters;
}

//===----------------------------------------------------------------------===//
// The spreading rule of arXiv 2406.07887
//===----------------------------------------------------------------------===//

/// Rounds to nearest, halves to even, whatever the rounding mode.
static int64_t roundHalfEven(double value) {
  double floor = std::floor(value), fraction = value - floor;
  int64_t below = int64_t(floor);
  if (fraction != 0.5)
    return fraction < 0.5 ? below : below + 1;
  return below % 2 ? below + 1 : below;
}

/// Puts `letter` on the M positions where the credit runs out. Credits are
/// doubles on purpose: ties at 0.5 decide, and exact fractions would move them.
static void spread(std::string &letters, char letter, double gap) {
  double credit = gap;
  for (char &current : letters) {
    if (current != 'M')
      continue;
    if (credit < 0.5) {
      current = letter;
      credit += gap;
    } else {
      credit -= 1;
    }
  }
}

llvm::Expected<std::string>
ssm::spreadLetters(int64_t layers, double attentionShare, double mlpShare) {
  if (layers < 1)
    return error("expected at least one layer, got {0}", layers);
  if (!(attentionShare >= 0) || !(mlpShare >= 0) ||
      !(attentionShare + mlpShare <= 1))
    return error("expected shares of attention and MLP from 0 to 1 with a sum "
                 "of at most 1, got {0} and {1}",
                 attentionShare, mlpShare);
  return spreadCounts(layers, roundHalfEven(double(layers) * attentionShare),
                      roundHalfEven(double(layers) * mlpShare));
}

llvm::Expected<std::string> ssm::spreadCounts(int64_t layers, int64_t attention,
                                              int64_t mlp) {
  if (layers < 1 || attention < 0 || mlp < 0)
    return error("expected at least one layer and no negative counts, got {0} "
                 "layers, {1} attention, {2} MLP",
                 layers, attention, mlp);
  if (attention > layers || mlp > layers - attention)
    return error("{0} attention and {1} MLP layers do not fit into {2} layers",
                 attention, mlp, layers);
  std::string letters(layers, 'M');
  spread(letters, '*', double(layers - attention) / double(attention + 1));
  if (mlp)
    spread(letters, '-', double(layers - attention - mlp) / double(mlp));
  return letters;
}

//===----------------------------------------------------------------------===//
// Block form
//===----------------------------------------------------------------------===//

char ssm::letterOf(Attribute mixer) {
  if (isa<MambaAttr, Mamba2Attr>(mixer))
    return 'M';
  if (isa<AttentionAttr>(mixer))
    return '*';
  return isa<ExpertsAttr>(mixer) ? 'E' : '-';
}

std::string ssm::patternOf(ModelOp model) {
  std::string letters;
  for (auto layer : model.getBody().getOps<LayerOp>()) {
    auto blocks = layer.getBody().getOps<BlockOp>();
    if (!llvm::hasSingleElement(blocks))
      return "";
    letters += letterOf((*blocks.begin()).getMixer());
  }
  return letters;
}
