//===- Cluster.h - Blocks that run together ------------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/ptx/Machine.h"

namespace ssmrt::ptx {

/// The block whose shared memory holds `address`, an address of shared memory
/// in any window, which becomes one of that block's own. Fails for a block that
/// is not there: of no such rank, ended, or not known to have started.
Flow findOwner(Warp &warp, const Instruction &instruction, uint32_t lane,
               uint64_t &address, Block *&owner);

/// Whether an address of shared memory names a block of the cluster.
inline bool namesBlock(uint64_t address) {
  return (address >> kClusterShift) != 0;
}

/// A block starts or ends, or one of its warps lost lanes.
void recheckCluster(Block &block);

} // namespace ssmrt::ptx
