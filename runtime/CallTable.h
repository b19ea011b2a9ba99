//===- CallTable.h - The rows of one call ---------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Expression.h"
#include "runtime/SeqTable.h"
#include "runtime/Span.h"
#include "runtime/StateStore.h"

#include <cstdint>
#include <vector>

namespace ssmrt {

/// Part of a call: tokens that one sequence consumes.
struct CallPart {
  const Sequence *sequence = nullptr;
  Span<const int32_t> tokens;
  /// Logits are wanted for the last `outputs` of these tokens.
  int64_t outputs = 0;
};

/// The tables of one call, which kernels read: rows packed sequence by
/// sequence, query tiles aligned to absolute positions.
class CallTable {
public:
  /// The parts' pages must be there. `maxPages` is the width of the page table.
  CallTable(Span<const CallPart> parts, int64_t maxPages);

  CallTable(const CallTable &) = delete;
  CallTable &operator=(const CallTable &) = delete;

  const SeqTable &table() const { return seqs; }
  const int32_t *tokens() const { return allTokens.data(); }

  /// Writes a copy for a device that has the bytes at `address`: the SeqTable
  /// with its arrays, pointers as the device has them, then the tokens, whose
  /// offset is returned. Offsets depend on the symbols and `maxPages` alone.
  int64_t pack(uint64_t address, std::vector<char> &bytes) const;
  /// Bytes of such a copy for calls of at most this size.
  static int64_t packedBytes(const SymbolValues &largest, int64_t maxPages);

  SymbolValues symbols() const {
    return {seqs.rows, seqs.sequences, seqs.tiles, seqs.outputs};
  }

private:
  void addRows(const CallPart &part, int32_t index);
  void addTiles(int64_t position, int64_t rows, int32_t index);

  SeqTable seqs{};
  std::vector<int32_t> allTokens;
  std::vector<int32_t> firstRow;
  std::vector<int32_t> slot;
  std::vector<int64_t> position;
  std::vector<int32_t> rowSequence;
  std::vector<int64_t> rowPosition;
  std::vector<int32_t> tileSequence;
  std::vector<int32_t> tileFirst;
  std::vector<int32_t> pages;
  std::vector<int32_t> outputRow;
};

} // namespace ssmrt
