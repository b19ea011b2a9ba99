//===- BulkAccess.h - Accesses of the asynchronous proxy ------ -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/ptx/Machine.h"

namespace ssmrt::ptx {

/// Agents of a block that stand for asynchronous operations: loads by their
/// mbarrier, products by their warpgroup, and stores.
constexpr uint8_t kLoadAgents = 20;
constexpr uint8_t kWarpgroupAgent = kAsyncAgent + kLoadAgents;
constexpr uint8_t kStoreAgent = kAgents - 1;

/// Bytes that an asynchronous operation reads or writes.
struct BulkRange {
  Space space = Space::Shared; ///< or Global
  uint64_t address = 0;        ///< in `space`
  uint32_t bytes = 0;
  uint32_t alignment = 16;
  bool writes = false;
  bool checksOnly = false;     ///< bounds and alignment, no access
  uint8_t agent = kStoreAgent; ///< that reads or writes shared memory
  Block *owner = nullptr;      ///< of shared memory; null: the lane's block
};

/// Finds `range`, which `lane` hands to an asynchronous operation, after
/// checking bounds, alignment and whatever else is checked. Accesses to shared
/// memory are in flight from now on, and writes before them must have passed a
/// proxy fence; those to global memory count as the thread's own.
Flow findBulk(Warp &warp, const Instruction &instruction, uint32_t lane,
              const BulkRange &range, uint8_t *&host);

/// Whether the asynchronous proxy sees the initialisation of the mbarrier at
/// `offset`, on which `lane` counts; reports it otherwise.
Flow checkVisible(Warp &warp, const Instruction &instruction, uint32_t lane,
                  Block &owner, uint32_t offset);

/// Writes of shared memory that were in flight are over, and are `now`.
void finishWrites(Block &block, uint32_t offset, uint32_t bytes,
                  const Stamp &now);
/// The same of reads by `agent`.
void finishReads(Block &block, uint32_t offset, uint32_t bytes, uint8_t agent,
                 const Stamp &now);

} // namespace ssmrt::ptx
