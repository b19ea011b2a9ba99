//===- Bpe.h - Byte-pair encoding of a word -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ssmrt {

/// The bytes that `piece` of a byte-level vocabulary stands for. Such pieces
/// write each byte as one printable character: GPT-2's `bytes_to_unicode`.
/// None if a character is outside of that alphabet.
std::optional<std::string> decodeBytePiece(std::string_view piece);

/// Byte-level byte-pair encoding.
class Bpe {
public:
  Bpe() { byteIds.fill(-1); }

  /// Adds a piece by its bytes.
  void addPiece(std::string bytes, int32_t id);

  /// Pieces `left`, `right` join to `merged`; rules of lower rank go first. The
  /// last rule for a pair counts.
  void addMerge(int32_t left, int32_t right, int32_t rank, int32_t merged);

  /// A word that is a piece as a whole is taken without merging.
  void setIgnoreMerges(bool ignore) { ignoreMerges = ignore; }

  /// Appends the pieces of `word`. Fails if the vocabulary lacks one of its
  /// bytes. O(n log n) in the length of the word.
  Status encodeWord(std::string_view word, std::vector<int32_t> &ids) const;

private:
  struct Merge {
    int32_t rank;
    int32_t merged;
  };

  const Merge *findMerge(int32_t left, int32_t right) const;
  void mergeAll(std::vector<int32_t> symbols, std::vector<int32_t> &ids) const;

  std::array<int32_t, 256> byteIds;
  std::unordered_map<std::string, int32_t> idsByPiece;
  std::unordered_map<uint64_t, Merge> merges;
  bool ignoreMerges = false;
};

} // namespace ssmrt
