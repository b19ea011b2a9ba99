//===- CallTable.cpp - The rows of one call -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/CallTable.h"

#include <algorithm>

namespace ssmrt {

CallTable::CallTable(Span<const CallPart> parts, int64_t maxPages) {
  for (size_t i = 0; i < parts.size(); ++i)
    addRows(parts[i], static_cast<int32_t>(i));
  firstRow.push_back(static_cast<int32_t>(allTokens.size()));
  pages.resize(parts.size() * maxPages);
  for (size_t i = 0; i < parts.size() && maxPages > 0; ++i)
    std::copy(parts[i].sequence->pages.begin(), parts[i].sequence->pages.end(),
              pages.begin() + i * maxPages);

  seqs.rows = static_cast<int64_t>(allTokens.size());
  seqs.sequences = static_cast<int64_t>(parts.size());
  seqs.tiles = static_cast<int64_t>(tileFirst.size());
  seqs.outputs = static_cast<int64_t>(outputRow.size());
  seqs.firstRow = firstRow.data();
  seqs.slot = slot.data();
  seqs.position = position.data();
  seqs.rowSequence = rowSequence.data();
  seqs.rowPosition = rowPosition.data();
  seqs.tileSequence = tileSequence.data();
  seqs.tileFirst = tileFirst.data();
  seqs.pages = pages.data();
  seqs.maxPages = maxPages;
  seqs.outputRow = outputRow.data();
}

void CallTable::addRows(const CallPart &part, int32_t index) {
  const int64_t first = static_cast<int64_t>(allTokens.size());
  const int64_t count = static_cast<int64_t>(part.tokens.size());
  const int64_t start = part.sequence->position;
  firstRow.push_back(static_cast<int32_t>(first));
  slot.push_back(part.sequence->slot);
  position.push_back(start);
  allTokens.insert(allTokens.end(), part.tokens.begin(), part.tokens.end());
  for (int64_t row = 0; row < count; ++row) {
    rowSequence.push_back(index);
    rowPosition.push_back(start + row);
  }
  addTiles(start, count, index);
  for (int64_t row = count - part.outputs; row < count; ++row)
    outputRow.push_back(static_cast<int32_t>(first + row));
}

void CallTable::addTiles(int64_t start, int64_t rows, int32_t index) {
  for (int64_t row = 0; row < rows;) {
    tileSequence.push_back(index);
    tileFirst.push_back(static_cast<int32_t>(row));
    row += SSM_TILE_ROWS - (start + row) % SSM_TILE_ROWS;
  }
}

} // namespace ssmrt
