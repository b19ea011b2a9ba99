//===- Shadow.h - Who accessed each byte last ----------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace ssmrt::ptx {

/// A moment of an agent. Agents of a block are its warps and, from kAsyncAgent
/// on, the units that complete asynchronous operations. Every agent counts
/// epochs; one ends with each operation that orders memory.
struct Stamp {
  uint32_t epoch = 0;
  uint32_t line = 0;
  uint32_t block = 0; ///< number + 1, 0: no access
  uint8_t agent = 0;
  uint8_t lane = 0;
  bool many = false;   ///< several lanes, reads only
  bool strong = false; ///< atomic, volatile or with a memory order

  bool exists() const { return block != 0; }
};

constexpr uint32_t kAgents = 64;
constexpr uint8_t kAsyncAgent = 32;
/// Epoch of asynchronous accesses that have not completed: later than all.
constexpr uint32_t kInFlight = ~uint32_t(0);

/// The last accesses to some bytes that were always accessed together.
struct Cell {
  Stamp write;
  Stamp reads[2];
};

/// Cells of a range of bytes. A page has a cell per 16 bytes until something
/// accesses a part of them, then one per 4 bytes, or per byte.
class Shadow {
public:
  static constexpr uint64_t kPageBytes = 256;

  void reset(uint64_t bytes);
  bool isEmpty() const { return pages.empty(); }

  /// Calls body(cell) -> bool for the cells of [offset, offset + bytes) until
  /// it returns false. Returns whether it never did.
  template <class Body>
  bool forCells(uint64_t offset, uint64_t bytes, Body body) {
    while (bytes) {
      Page &page = at(offset / kPageBytes);
      uint64_t inPage = offset % kPageBytes;
      const uint64_t part =
          bytes < kPageBytes - inPage ? bytes : kPageBytes - inPage;
      if ((inPage | part) & ((uint64_t(1) << page.shift) - 1))
        refine(page, (inPage | part) & 3 ? 0 : 2);
      const uint64_t end = (inPage + part) >> page.shift;
      for (uint64_t i = inPage >> page.shift; i < end; ++i)
        if (!body(page.cells[i]))
          return false;
      offset += part;
      bytes -= part;
    }
    return true;
  }

private:
  struct Page {
    unsigned shift = 4;
    std::vector<Cell> cells;
  };
  Page &at(uint64_t index);
  void refine(Page &page, unsigned shift);

  std::vector<std::unique_ptr<Page>> pages;
};

} // namespace ssmrt::ptx
