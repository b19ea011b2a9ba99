//===- AccessCount.cpp - Sectors and bank conflicts of accesses -----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Access.h"

#include <algorithm>

namespace ssmrt::ptx {

namespace {

constexpr uint32_t kSectorBytes = 32;
constexpr uint32_t kBanks = 32;
constexpr uint32_t kBankBytes = 4;
constexpr uint32_t kPassBytes = kBanks * kBankBytes;

/// Sorted distinct addresses of the lanes.
size_t distinct(uint32_t mask, const uint64_t *address, uint64_t *out) {
  size_t count = 0;
  bool sorted = true;
  for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) {
    out[count] = address[lowestLane(lanes)];
    sorted &= count == 0 || out[count] >= out[count - 1];
    ++count;
  }
  if (!sorted)
    std::sort(out, out + count);
  return static_cast<size_t>(std::unique(out, out + count) - out);
}

/// Bytes and sectors of sorted accesses, which may overlap.
void countGlobal(const uint64_t *address, size_t count, uint32_t bytes,
                 Traffic &traffic) {
  uint64_t byteEnd = 0;
  uint64_t sectorEnd = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t end = address[i] + bytes;
    const uint64_t from = std::max(address[i], byteEnd);
    traffic.bytes += end > from ? end - from : 0;
    byteEnd = std::max(byteEnd, end);
    const uint64_t first = std::max(address[i] / kSectorBytes, sectorEnd);
    const uint64_t last = (end - 1) / kSectorBytes + 1;
    traffic.transactions += last > first ? last - first : 0;
    sectorEnd = std::max(sectorEnd, last);
  }
}

/// Passes over the banks: the largest number of different words in one bank.
/// Wide accesses are served in parts of 128 bytes, a quarter or half of the
/// warp each.
uint64_t countPasses(uint32_t mask, const uint64_t *address, uint32_t bytes) {
  const uint32_t perPart = bytes <= kBankBytes ? kLanes : kPassBytes / bytes;
  uint64_t passes = 0;
  for (uint32_t first = 0; first < kLanes; first += perPart) {
    const uint32_t part = perPart == kLanes
                              ? mask
                              : mask & ((uint32_t(1) << perPart) - 1) << first;
    if (part == 0)
      continue;
    uint64_t words[kLanes * 4];
    size_t count = 0;
    for (uint32_t lanes = part; lanes; lanes &= lanes - 1)
      for (uint32_t word = 0; word < std::max(bytes / kBankBytes, 1u); ++word)
        words[count++] = address[lowestLane(lanes)] / kBankBytes + word;
    std::sort(words, words + count);
    count = static_cast<size_t>(std::unique(words, words + count) - words);
    uint32_t inBank[kBanks] = {};
    uint32_t most = 0;
    for (size_t i = 0; i < count; ++i)
      most = std::max(most, ++inBank[words[i] % kBanks]);
    passes += most;
  }
  return passes;
}

} // namespace

void countAccess(Warp &warp, const Instruction &instruction, uint32_t mask,
                 const uint64_t *address, uint32_t bytes, Space space,
                 bool write) {
  if (space != Space::Global && space != Space::Const &&
      space != Space::Shared && space != Space::SharedCluster)
    return;
  Worker &worker = *warp.block->worker;
  AccessTotals &totals = worker.accesses[static_cast<size_t>(
      &instruction - worker.grid->code->code.data())];
  const bool shared = space == Space::Shared || space == Space::SharedCluster;
  totals.shared = shared;
  totals.write = write;
  ++totals.traffic.requests;
  uint64_t sorted[kLanes];
  const size_t count = distinct(mask, address, sorted);
  if (!shared)
    return countGlobal(sorted, count, bytes, totals.traffic);
  Traffic part;
  countGlobal(sorted, count, bytes, part);
  // Consecutive accesses need one pass per 128 bytes.
  const bool consecutive =
      sorted[count - 1] - sorted[0] + bytes <= kPassBytes &&
      part.bytes == sorted[count - 1] - sorted[0] + bytes;
  const uint64_t passes = consecutive ? 1 : countPasses(mask, address, bytes);
  totals.traffic.bytes += part.bytes;
  totals.traffic.transactions += passes;
  const uint64_t needed = (part.bytes + kPassBytes - 1) / kPassBytes;
  worker.bankConflicts += passes > needed ? passes - needed : 0;
}

} // namespace ssmrt::ptx
