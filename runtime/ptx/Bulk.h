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
/// known. A load completes the mbarrier at `mbarrier`.
Flow startBulk(Warp &warp, const Instruction &instruction, uint32_t lane,
               BulkCopy copy, uint64_t mbarrier);

/// cp.async.bulk.tensor or its prefetch, from the modifier behind `tensor` on.
bool decodeTensorCopy(Decoder &decoder, bool prefetches);

} // namespace ssmrt::ptx
