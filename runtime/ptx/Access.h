//===- Access.h - Accesses to the memory spaces --------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/ptx/Machine.h"

namespace ssmrt::ptx {

/// An AsyncWrite has begun, and is in flight until somebody waits for it.
enum class AccessKind : uint8_t { Read, Write, Atomic, AsyncWrite };

/// What the lanes of a warp access at once.
struct Access {
  uint64_t address[kLanes];
  uint8_t *host[kLanes]; ///< where the bytes are
};

/// Computes the addresses of [source[0] + immediate].
void computeAddresses(Warp &warp, const Instruction &instruction,
                      Access &access);

/// Finds `bytes` bytes per lane of `mask` in the instruction's space, after
/// checking bounds, alignment and whatever else is checked.
Flow findAccess(Warp &warp, const Instruction &instruction, uint32_t mask,
                Access &access, uint32_t bytes, AccessKind kind);

/// As findAccess, in `space` instead of the instruction's. `bytes` need not be
/// a power of two; then only the address's lowest bits are not checked.
Flow findAccessAs(Warp &warp, const Instruction &instruction, uint32_t mask,
                  Access &access, uint32_t bytes, AccessKind kind, Space space);

/// The shadow of an allocation.
Shadow &globalShadow(Grid &grid, const DeviceMemory::Allocation &allocation);

/// "races with the write at line 7 by block (0,0,0) thread (1,0,0)".
std::string describeRace(const Warp &warp, const Stamp &other);

/// Counts an access whose addresses lie in `space`.
void countAccess(Warp &warp, const Instruction &instruction, uint32_t mask,
                 const uint64_t *address, uint32_t bytes, Space space,
                 bool write);

} // namespace ssmrt::ptx
