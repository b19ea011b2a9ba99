//===- Bpe.cpp - Byte-pair encoding of a word -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Bpe.h"

#include "runtime/Unicode.h"

#include <cstdio>
#include <queue>
#include <utility>

using namespace ssmrt;

namespace {

/// Bytes that stand for themselves in a byte-level vocabulary.
constexpr bool isPrintableByte(uint32_t byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) ||
         (byte >= 174 && byte <= 255);
}

/// The other 68 bytes are U+0100, U+0101, ... in increasing order.
constexpr uint32_t kFirstShifted = 0x100;
constexpr uint32_t kShiftedCount = 68;

constexpr std::array<uint8_t, kShiftedCount> makeShiftedBytes() {
  std::array<uint8_t, kShiftedCount> bytes{};
  uint32_t count = 0;
  for (uint32_t byte = 0; byte < 256; ++byte)
    if (!isPrintableByte(byte))
      bytes[count++] = static_cast<uint8_t>(byte);
  return bytes;
}
constexpr std::array<uint8_t, kShiftedCount> kShiftedBytes = makeShiftedBytes();

/// A pair of neighbours that a merge rule joins.
struct Candidate {
  int32_t rank;
  size_t position; // of the left one
  int32_t left;
  int32_t right;
  int32_t merged;

  /// For std::priority_queue: the largest is the lowest rank, leftmost.
  bool operator<(const Candidate &other) const {
    return std::pair(rank, position) > std::pair(other.rank, other.position);
  }
};

} // namespace

std::optional<std::string> ssmrt::decodeBytePiece(std::string_view piece) {
  std::string bytes;
  for (size_t position = 0; position < piece.size();) {
    Character character = decodeCharacter(piece, position);
    position += character.length;
    uint32_t code = character.code;
    if (code < 256 && isPrintableByte(code))
      bytes.push_back(static_cast<char>(code));
    else if (code >= kFirstShifted && code - kFirstShifted < kShiftedCount)
      bytes.push_back(static_cast<char>(kShiftedBytes[code - kFirstShifted]));
    else
      return std::nullopt;
  }
  return bytes;
}

void Bpe::addPiece(std::string bytes, int32_t id) {
  if (bytes.size() == 1)
    byteIds[static_cast<uint8_t>(bytes[0])] = id;
  idsByPiece.emplace(std::move(bytes), id);
}

void Bpe::addMerge(int32_t left, int32_t right, int32_t rank, int32_t merged) {
  uint64_t key =
      static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  merges[key] = {rank, merged};
}

const Bpe::Merge *Bpe::findMerge(int32_t left, int32_t right) const {
  uint64_t key =
      static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  auto found = merges.find(key);
  return found == merges.end() ? nullptr : &found->second;
}

Status Bpe::encodeWord(std::string_view word, std::vector<int32_t> &ids) const {
  if (ignoreMerges) {
    auto whole = idsByPiece.find(std::string(word));
    if (whole != idsByPiece.end()) {
      ids.push_back(whole->second);
      return {};
    }
  }
  std::vector<int32_t> symbols;
  symbols.reserve(word.size());
  for (char character : word) {
    uint8_t byte = character;
    if (byteIds[byte] < 0) {
      char name[8];
      std::snprintf(name, sizeof(name), "0x%02X", byte);
      return error(std::string("model.vocab has no piece for byte ") + name);
    }
    symbols.push_back(byteIds[byte]);
  }
  mergeAll(std::move(symbols), ids);
  return {};
}

void Bpe::mergeAll(std::vector<int32_t> symbols,
                   std::vector<int32_t> &ids) const {
  // A linked list over `symbols`: joining keeps the left symbol and unlinks
  // the right one, whose id becomes kRemoved.
  constexpr int32_t kRemoved = -1;
  size_t size = symbols.size();
  std::vector<size_t> next(size), previous(size);
  for (size_t i = 0; i < size; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1; // of the first one: never used
  }

  std::priority_queue<Candidate> candidates;
  auto addCandidate = [&](size_t position) {
    if (next[position] >= size)
      return;
    int32_t left = symbols[position], right = symbols[next[position]];
    if (const Merge *merge = findMerge(left, right))
      candidates.push({merge->rank, position, left, right, merge->merged});
  };
  for (size_t i = 0; i < size; ++i)
    addCandidate(i);

  while (!candidates.empty()) {
    Candidate candidate = candidates.top();
    candidates.pop();
    size_t left = candidate.position, right = next[left];
    // A neighbour may have been joined to something else meanwhile.
    if (symbols[left] != candidate.left || right >= size ||
        symbols[right] != candidate.right)
      continue;
    symbols[left] = candidate.merged;
    symbols[right] = kRemoved;
    next[left] = next[right];
    if (next[left] < size)
      previous[next[left]] = left;
    addCandidate(left);
    if (left > 0)
      addCandidate(previous[left]);
  }

  for (size_t i = 0; i < size; i = next[i])
    ids.push_back(symbols[i]);
}
