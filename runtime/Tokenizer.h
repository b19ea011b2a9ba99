//===- Tokenizer.h - Text to tokens and back ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Byte-level BPE as tokenizer.json files describe it: GPT-2, GPT-NeoX, Mamba,
// Llama-3, Qwen2 and Mistral-Nemo (Nemotron-H). SentencePiece-style files are
// refused.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/AddedTokens.h"
#include "runtime/Bpe.h"
#include "runtime/PreTokenizer.h"
#include "runtime/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ssmrt {

/// What a tokenizer.json says.
struct TokenizerDefinition {
  struct Piece {
    std::string bytes;
    bool special = false;
  };

  std::string fileName; ///< for messages
  Bpe model;
  /// What each id decodes to. An id without a piece decodes to nothing.
  std::vector<Piece> pieces;
  std::vector<AddedToken> addedTokens;
  bool normalizeNfc = false;
  /// Applied one after the other to every word.
  std::vector<SplitPattern> splits;
  /// Puts a space in front of every word that results from `splits`, unless it
  /// has one, and then cuts by `byteLevelSplit`.
  bool addPrefixSpace = false;
  std::optional<SplitPattern> byteLevelSplit;
  /// Special tokens around the text.
  std::vector<int32_t> prefix;
  std::vector<int32_t> suffix;
};

/// Immutable: any thread may call any member function.
class Tokenizer {
public:
  static Expected<Tokenizer> fromFile(const std::string &path);

  /// `fileName` appears in messages.
  static Expected<Tokenizer> fromJson(std::string_view text,
                                      std::string fileName);

  explicit Tokenizer(TokenizerDefinition definition);

  /// The tokens of `text`, which may be any bytes: those that are not valid
  /// UTF-8 are kept as they are. `addSpecial` adds the tokens that the post
  /// processor puts around a text (BOS, EOS). Fails only if the vocabulary
  /// lacks a byte of the text.
  Expected<std::vector<int32_t>> encode(std::string_view text,
                                        bool addSpecial) const;

  /// The text of `tokens`, with U+FFFD for what is not valid UTF-8. For text
  /// that grows token by token use TextStream.
  std::string decode(const std::vector<int32_t> &tokens,
                     bool skipSpecial) const;

  /// Appends the bytes of one token, often not valid UTF-8 on their own. An
  /// unknown id (a padded row of the model's vocabulary) has none.
  void appendBytes(int32_t id, bool skipSpecial, std::string &out) const;

  /// One more than the largest id.
  int64_t vocabSize() const { return definition.pieces.size(); }

  /// Id of the added token `content`, e.g. "<|endoftext|>".
  std::optional<int32_t> findAddedToken(std::string_view content) const;

private:
  Status encodeSegment(std::string_view text, std::vector<int32_t> &ids) const;
  Status encodeWord(std::string_view word, std::vector<int32_t> &ids) const;

  TokenizerDefinition definition;
  AddedTokenFinder rawTokens;
  AddedTokenFinder normalizedTokens;
  std::unordered_map<std::string, int32_t> addedTokenIds;
};

} // namespace ssmrt
