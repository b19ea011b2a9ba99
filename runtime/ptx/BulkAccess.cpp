//===- BulkAccess.cpp - Accesses of the asynchronous proxy ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/BulkAccess.h"
#include "runtime/ptx/Access.h"

namespace ssmrt::ptx {

namespace {

/// One access of one lane.
struct Request {
  Warp &warp;
  const Instruction &instruction;
  uint32_t lane;
  const BulkRange &range;

  Flow fail(const std::string &why) const {
    return ptx::fail(warp, instruction, lane,
                     std::string(range.writes ? "write of " : "read of ") +
                         std::to_string(range.bytes) + " bytes at " +
                         hex(range.address) +
                         (range.space == Space::Shared ? " of shared memory "
                                                       : " of global memory ") +
                         why);
  }
  const Checks &checks() const {
    return warp.block->worker->grid->options.checks;
  }
};

/// Whether `write` is of the generic proxy and no fence has made it visible to
/// the asynchronous one.
bool needsProxyFence(const Warp &warp, const Stamp &write) {
  if (!write.exists() || write.block != warp.block->number + 1 ||
      write.agent >= kAsyncAgent)
    return false;
  const Warp &writer = warp.block->warps[write.agent];
  return !writer.order.proxy.covers(write) && !warp.order.proxy.covers(write);
}

Flow recordBulk(const Request &request, Shadow &shadow, uint64_t offset) {
  const Warp &warp = request.warp;
  const BulkRange &range = request.range;
  const bool inFlight = range.space == Space::Shared;
  const uint32_t choice = warp.block->worker->random.below(2);
  Stamp now;
  now.epoch = warp.order.epoch;
  now.line = request.instruction.line;
  now.block = static_cast<uint32_t>(warp.block->number + 1);
  now.agent = inFlight ? range.agent : static_cast<uint8_t>(warp.index);
  now.lane = static_cast<uint8_t>(request.lane);
  const Stamp *other = nullptr;
  bool needsFence = false;
  shadow.forCells(offset, range.bytes, [&](Cell &cell) {
    if (inFlight && needsProxyFence(warp, cell.write) &&
        isOrdered(warp, now.lane, cell.write)) {
      needsFence = true;
      other = &cell.write;
      return false;
    }
    other = range.writes ? recordWrite(warp, now, cell)
                         : recordRead(warp, now, uint32_t(1) << request.lane,
                                      cell, choice);
    if (other || !inFlight)
      return !other;
    if (range.writes)
      cell.write.epoch = kInFlight;
    for (Stamp &read : cell.reads)
      if (read.exists() && read.block == now.block && read.agent == now.agent)
        read.epoch = kInFlight;
    return true;
  });
  if (needsFence)
    return request.fail("needs fence.proxy.async behind the write at line " +
                        std::to_string(other->line));
  return other ? request.fail(describeRace(warp, *other)) : Flow::Next;
}

Flow findShared(const Request &request, uint8_t *&host) {
  const BulkRange &range = request.range;
  Block &block = range.owner ? *range.owner : *request.warp.block;
  const uint64_t size = block.shared.size();
  const uint64_t offset = range.address - kSharedBase;
  if (offset >= size || range.bytes > size - offset)
    return request.fail("is outside of the block's " + std::to_string(size) +
                        " bytes at " + hex(kSharedBase));
  host = block.shared.data() + offset;
  if (range.checksOnly)
    return Flow::Next;
  if (request.checks().races &&
      recordBulk(request, block.shadow, offset) == Flow::Fail)
    return Flow::Fail;
  if (block.sharedWritten.empty())
    return Flow::Next;
  if (range.writes)
    markWritten(block.sharedWritten.data(), offset, range.bytes);
  else if (!isWritten(block.sharedWritten.data(), offset, range.bytes))
    return request.fail("reads bytes that were never written");
  return Flow::Next;
}

Flow findGlobal(const Request &request, uint8_t *&host) {
  Grid &grid = *request.warp.block->worker->grid;
  const BulkRange &range = request.range;
  const DeviceMemory::Allocation *allocation = grid.memory->find(range.address);
  if (!allocation)
    return request.fail("is outside every allocation");
  const uint64_t offset = range.address - allocation->address;
  if (range.bytes > allocation->bytes - offset)
    return request.fail("leaves the allocation of " +
                        std::to_string(allocation->bytes) + " bytes at " +
                        hex(allocation->address));
  if (range.writes && allocation->readOnly)
    return request.fail("changes memory that is read-only");
  host = reinterpret_cast<uint8_t *>(allocation->data) + offset;
  if (!range.writes && allocation->written && request.checks().initialised &&
      !isWritten(allocation->written, offset, range.bytes))
    return request.fail("reads bytes that were never written");
  if (request.checks().races && !allocation->readOnly &&
      recordBulk(request, globalShadow(grid, *allocation), offset) ==
          Flow::Fail)
    return Flow::Fail;
  if (range.writes && allocation->written)
    markWritten(allocation->written, offset, range.bytes);
  return Flow::Next;
}

} // namespace

Flow findBulk(Warp &warp, const Instruction &instruction, uint32_t lane,
              const BulkRange &range, uint8_t *&host) {
  const Request request = {warp, instruction, lane, range};
  if (range.address % range.alignment)
    return request.fail("is misaligned, expected a multiple of " +
                        std::to_string(range.alignment));
  warp.block->worker->sinceProgress = 0;
  return range.space == Space::Shared ? findShared(request, host)
                                      : findGlobal(request, host);
}

Flow checkVisible(Warp &warp, const Instruction &instruction, uint32_t lane,
                  Block &owner, uint32_t offset) {
  if (!warp.block->worker->grid->options.checks.races)
    return Flow::Next;
  const Stamp *hidden = nullptr;
  owner.shadow.forCells(offset, sizeof(uint64_t), [&](Cell &cell) {
    const Stamp &write = cell.write;
    if (needsProxyFence(warp, write) &&
        !warp.block->warps[write.agent].order.inits.covers(write) &&
        !warp.order.inits.covers(write))
      hidden = &write;
    return !hidden;
  });
  if (!hidden)
    return Flow::Next;
  return fail(warp, instruction, lane,
              "mbarrier at " + hex(offset + kSharedBase) +
                  " needs fence.mbarrier_init or fence.proxy.async behind its "
                  "initialisation at line " +
                  std::to_string(hidden->line));
}

void finishWrites(Block &block, uint32_t offset, uint32_t bytes,
                  const Stamp &now) {
  block.shadow.forCells(offset, bytes, [&](Cell &cell) {
    if (cell.write.epoch == kInFlight)
      cell.write = now;
    return true;
  });
}

void finishReads(Block &block, uint32_t offset, uint32_t bytes, uint8_t agent,
                 const Stamp &now) {
  block.shadow.forCells(offset, bytes, [&](Cell &cell) {
    for (Stamp &read : cell.reads)
      if (read.exists() && read.epoch == kInFlight && read.agent == agent)
        read = now;
    return true;
  });
}

} // namespace ssmrt::ptx
