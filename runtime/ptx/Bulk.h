//===- Bulk.h - Bulk copies ----------------------------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/ptx/BulkAccess.h"
#include "runtime/ptx/Decoder.h"

namespace ssmrt::ptx {

/// Instructions with several addresses keep them in KernelCode::lists, each as
/// kAddressEntries entries: slot, offset, and whether the register is wide.
constexpr uint32_t kAddressEntries = 3;

/// Decodes an address in shared or global memory into `entries`.
void addAddress(Decoder &decoder, const OperandSyntax &operand, Space space,
                std::vector<uint32_t> &entries);
/// The address that `entry` gives `lane`. Generic addresses of shared memory
/// are accepted where shared ones are.
uint64_t addressAt(Warp &warp, const uint32_t *entry, uint32_t lane);

/// Agent of loads that complete the mbarrier at `offset`.
uint8_t loadAgent(uint32_t offset);

/// Starts a copy whose segments, range of shared memory and direction are
/// known. A load into shared memory of `owner` completes its mbarrier.
Flow startBulk(Warp &warp, const Instruction &instruction, uint32_t lane,
               BulkCopy copy, Block &owner, uint64_t mbarrier);

/// Where the bytes of a load go: to the same place of each of `owners`.
struct LoadTarget {
  uint64_t address = 0;
  uint64_t mbarrier = 0;
  std::vector<Block *> owners;
};
/// Finds the target of a load from its two addresses in KernelCode::lists. With
/// `.multicast::cluster` the register in source[1] has a bit per rank.
Flow findTarget(Warp &warp, const Instruction &instruction, uint32_t lane,
                const uint32_t *address, const uint32_t *mbarrier,
                LoadTarget &target);
/// Reads the mask of `.multicast::cluster`.
void decodeMulticast(Decoder &decoder, const OperandSyntax &operand);

/// cp.async.bulk.tensor or its prefetch, from the modifier behind `tensor` on.
bool decodeTensorCopy(Decoder &decoder, bool prefetches);

} // namespace ssmrt::ptx
