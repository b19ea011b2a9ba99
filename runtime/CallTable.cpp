//===- CallTable.cpp - The rows of one call -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/CallTable.h"

#include "runtime/Checked.h"

#include <algorithm>
#include <cstring>

namespace ssmrt {

namespace {

/// Arrays of a packed table begin at multiples of it.
constexpr int64_t kArrayAlignment = 16;

/// Appends arrays to a packed table that a device has at `address`.
class Packer {
public:
  Packer(uint64_t address, std::vector<char> &bytes)
      : address(address), bytes(bytes) {
    bytes.assign(roundUp(sizeof(SeqTable), kArrayAlignment), 0);
  }

  /// The device's pointer to a copy of `values`.
  template <class T> const T *add(const std::vector<T> &values) {
    const int64_t offset = append(values);
    return reinterpret_cast<const T *>(
        static_cast<uintptr_t>(address + offset));
  }

  /// The offset of a copy of `values`.
  template <class T> int64_t append(const std::vector<T> &values) {
    const int64_t offset = static_cast<int64_t>(bytes.size());
    bytes.resize(roundUp(offset + values.size() * sizeof(T), kArrayAlignment));
    if (!values.empty())
      std::memcpy(bytes.data() + offset, values.data(),
                  values.size() * sizeof(T));
    return offset;
  }

private:
  uint64_t address;
  std::vector<char> &bytes;
};

} // namespace

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

int64_t CallTable::pack(uint64_t address, std::vector<char> &bytes) const {
  Packer packer(address, bytes);
  SeqTable copy = seqs;
  copy.firstRow = packer.add(firstRow);
  copy.slot = packer.add(slot);
  copy.position = packer.add(position);
  copy.rowSequence = packer.add(rowSequence);
  copy.rowPosition = packer.add(rowPosition);
  copy.tileSequence = packer.add(tileSequence);
  copy.tileFirst = packer.add(tileFirst);
  copy.pages = packer.add(pages);
  copy.outputRow = packer.add(outputRow);
  std::memcpy(bytes.data(), &copy, sizeof(copy));
  return packer.append(allTokens);
}

int64_t CallTable::packedBytes(const SymbolValues &largest, int64_t maxPages) {
  constexpr int64_t kArrays = 10;
  const int64_t elements = largest.rows * 6 + largest.sequences * 4 +
                           largest.sequences * maxPages + largest.tiles * 2 +
                           largest.outputs + 1;
  return roundUp(sizeof(SeqTable), kArrayAlignment) +
         elements * static_cast<int64_t>(sizeof(int32_t)) +
         kArrays * kArrayAlignment;
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
