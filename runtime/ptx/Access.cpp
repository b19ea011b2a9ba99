//===- Access.cpp - Accesses to the memory spaces -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Access.h"
#include "runtime/ptx/Cluster.h"
#include "runtime/ptx/Lanes.h"

#include <algorithm>

namespace ssmrt::ptx {

namespace {

const char *nameOf(AccessKind kind) {
  switch (kind) {
  case AccessKind::Read:
    return "read";
  case AccessKind::Write:
  case AccessKind::AsyncWrite:
    return "write";
  case AccessKind::Atomic:
    return "atomic operation";
  }
  return "";
}

const char *nameOf(Space space) {
  switch (space) {
  case Space::Shared:
  case Space::SharedCluster:
    return "shared memory";
  case Space::Local:
    return "local memory";
  case Space::Param:
    return "the parameters";
  default:
    return "global memory";
  }
}

/// One access to one space by some lanes.
struct Request {
  Warp &warp;
  const Instruction &instruction;
  uint32_t mask;
  const uint64_t *address; ///< within `space`
  uint8_t **host;
  uint32_t bytes;
  AccessKind kind;
  Space space;

  Flow fail(uint32_t lane, const std::string &why) const {
    return ptx::fail(warp, instruction, lane,
                     std::string(nameOf(kind)) + " of " +
                         std::to_string(bytes) + " bytes at " +
                         hex(address[lane]) + " of " + nameOf(space) + " " +
                         why);
  }
};

Flow checkAlignment(const Request &request) {
  uint64_t bits = 0;
  forLanes(request.mask, [&](uint32_t lane) { bits |= request.address[lane]; });
  const uint64_t low = (request.bytes & -request.bytes) - 1;
  if (!(bits & low))
    return Flow::Next;
  for (uint32_t lanes = request.mask; lanes; lanes &= lanes - 1)
    if (request.address[lowestLane(lanes)] & low)
      return request.fail(lowestLane(lanes), "is misaligned");
  return Flow::Next;
}

/// Removes the first of `lanes` and those whose accesses of `bytes` repeat or
/// follow it. Returns the end of the run.
uint64_t takeRun(uint32_t &lanes, const uint64_t *offset, uint32_t bytes) {
  uint64_t end = offset[lowestLane(lanes)] + bytes;
  for (lanes &= lanes - 1; lanes; lanes &= lanes - 1) {
    const uint64_t next = offset[lowestLane(lanes)];
    if (next == end)
      end += bytes;
    else if (next + bytes != end)
      break;
  }
  return end;
}

Flow checkWritten(const Request &request, const uint8_t *written,
                  const uint64_t *offset) {
  for (uint32_t lanes = request.mask; lanes;) {
    const uint32_t run = lanes;
    const uint64_t first = offset[lowestLane(lanes)];
    const uint64_t end = takeRun(lanes, offset, request.bytes);
    if (isWritten(written, first, end - first))
      continue;
    for (uint32_t rest = run; rest; rest &= rest - 1)
      if (!isWritten(written, offset[lowestLane(rest)], request.bytes))
        return request.fail(lowestLane(rest),
                            "reads bytes that were never written");
  }
  return Flow::Next;
}

void markLanes(const Request &request, uint8_t *written,
               const uint64_t *offset) {
  for (uint32_t lanes = request.mask; lanes;) {
    const uint64_t first = offset[lowestLane(lanes)];
    markWritten(written, first, takeRun(lanes, offset, request.bytes) - first);
  }
}

/// Records the accesses of a request in `shadow`; `key` makes the sync address
/// of an offset.
Flow checkRaces(const Request &request, Shadow &shadow, const uint64_t *offset,
                uint64_t key) {
  Warp &warp = request.warp;
  Block &block = *warp.block;
  const Instruction &instruction = request.instruction;
  Stamp now;
  now.epoch = warp.order.epoch;
  now.line = instruction.line;
  now.block = static_cast<uint32_t>(block.number + 1);
  now.agent = static_cast<uint8_t>(warp.index);
  now.strong = instruction.strong;
  const bool writes = request.kind != AccessKind::Read;
  const bool reads =
      request.kind == AccessKind::Read || request.kind == AccessKind::Atomic;
  const uint32_t choice = block.worker->random.below(2);
  for (uint32_t lanes = request.mask; lanes;) {
    const uint32_t lane = lowestLane(lanes);
    now.lane = static_cast<uint8_t>(lane);
    uint32_t same = uint32_t(1) << lane;
    lanes &= lanes - 1;
    if (now.strong)
      orderStrong(warp, instruction, lane, key + offset[lane], reads, writes);
    else // Lanes that read the same bytes do it at once.
      for (; !writes && lanes && offset[lowestLane(lanes)] == offset[lane];
           lanes &= lanes - 1)
        same |= lanes & -lanes;
    const Stamp *other = nullptr;
    shadow.forCells(offset[lane], request.bytes, [&](Cell &cell) {
      other = writes ? recordWrite(warp, now, cell)
                     : recordRead(warp, now, same, cell, choice);
      if (!other && request.kind == AccessKind::AsyncWrite)
        cell.write.epoch = kInFlight;
      if (!other && instruction.nonCoherent && cell.write.exists())
        other = &cell.write;
      return !other;
    });
    if (other)
      return request.fail(now.lane, describeRace(request.warp, *other));
  }
  return Flow::Next;
}

Flow accessGlobal(const Request &request) {
  Worker &worker = *request.warp.block->worker;
  Grid &grid = *worker.grid;
  const bool reads =
      request.kind == AccessKind::Read || request.kind == AccessKind::Atomic;
  const DeviceMemory::Allocation *allocation = worker.lastAllocation;
  uint64_t offset[kLanes];
  for (uint32_t lanes = request.mask; lanes;) {
    // All lanes that hit the allocation of the first one.
    const uint32_t lane = lowestLane(lanes);
    const uint64_t address = request.address[lane];
    if (!allocation || address - allocation->address >= allocation->bytes) {
      allocation = grid.memory->find(address);
      if (!allocation)
        return request.fail(lane, "is outside every allocation");
      worker.lastAllocation = allocation;
    }
    uint32_t inside = 0;
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
      const uint32_t other = lowestLane(rest);
      offset[other] = request.address[other] - allocation->address;
      request.host[other] =
          reinterpret_cast<uint8_t *>(allocation->data) + offset[other];
      if (offset[other] < allocation->bytes) {
        inside |= uint32_t(1) << other;
        if (request.bytes > allocation->bytes - offset[other])
          return request.fail(other, "leaves the allocation of " +
                                         std::to_string(allocation->bytes) +
                                         " bytes at " +
                                         hex(allocation->address));
      }
    }
    lanes &= ~inside;
    Request part = request;
    part.mask = inside;
    if (request.kind != AccessKind::Read) {
      if (allocation->readOnly)
        return part.fail(lane, "changes memory that is read-only");
      worker.sinceProgress = 0;
    }
    if (reads && allocation->written && grid.options.checks.initialised)
      if (checkWritten(part, allocation->written, offset) == Flow::Fail)
        return Flow::Fail;
    if (grid.options.checks.races && !allocation->readOnly &&
        checkRaces(part, globalShadow(grid, *allocation), offset,
                   allocation->address) == Flow::Fail)
      return Flow::Fail;
    if (request.kind != AccessKind::Read && allocation->written)
      markLanes(part, allocation->written, offset);
  }
  return Flow::Next;
}

/// Accesses shared memory of `block`, the warp's own or another of the cluster.
Flow accessShared(const Request &request, Block &block) {
  const uint64_t size = block.shared.size();
  uint64_t offset[kLanes];
  for (uint32_t lanes = request.mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    offset[lane] = request.address[lane] - kSharedBase;
    if (offset[lane] >= size || request.bytes > size - offset[lane])
      return request.fail(lane, "is outside of the block's " +
                                    std::to_string(size) + " bytes at " +
                                    hex(kSharedBase));
    request.host[lane] = block.shared.data() + offset[lane];
  }
  if (request.kind != AccessKind::Read)
    block.worker->sinceProgress = 0;
  if (block.worker->grid->options.checks.races &&
      checkRaces(request, block.shadow, offset, (block.number + 1) << 48) ==
          Flow::Fail)
    return Flow::Fail;
  if (block.sharedWritten.empty())
    return Flow::Next;
  if ((request.kind == AccessKind::Read ||
       request.kind == AccessKind::Atomic) &&
      checkWritten(request, block.sharedWritten.data(), offset) == Flow::Fail)
    return Flow::Fail;
  if (request.kind != AccessKind::Read)
    markLanes(request, block.sharedWritten.data(), offset);
  return Flow::Next;
}

/// Accesses shared memory of several blocks of a cluster, one after the other.
Flow accessCluster(const Request &request) {
  Block *owners[kLanes];
  uint64_t local[kLanes];
  for (uint32_t lanes = request.mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    local[lane] = request.address[lane];
    if (findOwner(request.warp, request.instruction, lane, local[lane],
                  owners[lane]) == Flow::Fail)
      return Flow::Fail;
  }
  Request part = request;
  part.address = local;
  for (uint32_t rest = request.mask; rest; rest &= ~part.mask) {
    Block *owner = owners[lowestLane(rest)];
    part.mask = 0;
    for (uint32_t lanes = rest; lanes; lanes &= lanes - 1)
      part.mask |= uint32_t(owners[lowestLane(lanes)] == owner)
                   << lowestLane(lanes);
    if (accessShared(part, *owner) == Flow::Fail)
      return Flow::Fail;
  }
  return Flow::Next;
}

Flow accessLocal(const Request &request) {
  Warp &warp = request.warp;
  const uint64_t size = warp.block->worker->grid->code->info.localBytes;
  uint64_t offset[kLanes];
  for (uint32_t lanes = request.mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    const uint64_t address = request.address[lane];
    if (address >= size || request.bytes > size - address)
      return request.fail(lane, "is outside of the thread's " +
                                    std::to_string(size) + " bytes");
    offset[lane] = lane * size + address;
    request.host[lane] = warp.local.data() + offset[lane];
  }
  if (warp.localWritten.empty())
    return Flow::Next;
  if (request.kind == AccessKind::Read)
    return checkWritten(request, warp.localWritten.data(), offset);
  markLanes(request, warp.localWritten.data(), offset);
  return Flow::Next;
}

Flow accessParameters(const Request &request) {
  Grid &grid = *request.warp.block->worker->grid;
  const uint64_t size = grid.parameters.size();
  for (uint32_t lanes = request.mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    const uint64_t address = request.address[lane];
    if (address >= size || request.bytes > size - address)
      return request.fail(lane, "is outside of the " + std::to_string(size) +
                                    " parameter bytes");
    if (request.kind != AccessKind::Read)
      return request.fail(lane, "changes a parameter");
    request.host[lane] = grid.parameters.data() + address;
  }
  return Flow::Next;
}

Flow accessOne(const Request &request) {
  if (checkAlignment(request) == Flow::Fail)
    return Flow::Fail;
  if (request.warp.block->worker->grid->options.countAccesses)
    countAccess(request.warp, request.instruction, request.mask,
                request.address, request.bytes, request.space,
                request.kind != AccessKind::Read);
  switch (request.space) {
  case Space::Shared:
  case Space::SharedCluster:
    return request.warp.block->worker->grid->cluster.count() > 1
               ? accessCluster(request)
               : accessShared(request, *request.warp.block);
  case Space::Local:
    return accessLocal(request);
  case Space::Param:
    return accessParameters(request);
  default:
    return accessGlobal(request);
  }
}

/// Lanes of `mask` whose addresses lie in the window of the first one.
uint32_t sameWindow(uint32_t mask, const uint64_t *address) {
  const uint64_t window = address[lowestLane(mask)] >> kWindowShift;
  uint32_t same = 0;
  for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    same |= uint32_t(address[lane] >> kWindowShift == window) << lane;
  }
  return same;
}

} // namespace

Shadow &globalShadow(Grid &grid, const DeviceMemory::Allocation &allocation) {
  GridOrder &order = grid.order;
  if (!order.last || order.lastAddress != allocation.address) {
    order.last = &order.global[allocation.address];
    order.lastAddress = allocation.address;
    if (order.last->isEmpty())
      order.last->reset(allocation.bytes);
  }
  return *order.last;
}

void computeAddresses(Warp &warp, const Instruction &instruction,
                      Access &access) {
  const uint64_t offset = static_cast<uint64_t>(instruction.immediate);
  if (instruction.wideAddress) {
    const uint64_t *base = warp.lanes<uint64_t>(instruction.source[0]);
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      access.address[lane] = base[lane] + offset;
  } else {
    const uint32_t *base = warp.lanes<uint32_t>(instruction.source[0]);
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      access.address[lane] =
          static_cast<uint32_t>(base[lane] + static_cast<uint32_t>(offset));
  }
}

Flow findAccess(Warp &warp, const Instruction &instruction, uint32_t mask,
                Access &access, uint32_t bytes, AccessKind kind) {
  Request request = {warp,        instruction, mask, access.address,
                     access.host, bytes,       kind, instruction.space};
  const bool isParameter = instruction.space == Space::Param;
  if (instruction.space != Space::Generic && !isParameter)
    return accessOne(request);
  uint64_t local[kLanes];
  request.address = local;
  while (mask) {
    const uint32_t same = sameWindow(mask, access.address);
    const uint64_t window =
        access.address[lowestLane(same)] >> kWindowShift << kWindowShift;
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      local[lane] = access.address[lane] - window;
    request.mask = same;
    request.space = window == kSharedWindow                 ? Space::Shared
                    : window == kLocalWindow                ? Space::Local
                    : window == kParamWindow || isParameter ? Space::Param
                                                            : Space::Global;
    if (window > kParamWindow)
      request.address = access.address;
    if (accessOne(request) == Flow::Fail)
      return Flow::Fail;
    mask &= ~same;
  }
  return Flow::Next;
}

Flow findAccessAs(Warp &warp, const Instruction &instruction, uint32_t mask,
                  Access &access, uint32_t bytes, AccessKind kind,
                  Space space) {
  return accessOne({warp, instruction, mask, access.address, access.host, bytes,
                    kind, space});
}

std::string describeRace(const Warp &warp, const Stamp &other) {
  const Grid &grid = *warp.block->worker->grid;
  const Dim3 &extent = grid.grid;
  const uint32_t number = other.block - 1;
  const std::string at = " at line " + std::to_string(other.line);
  const std::string block = "block (" + std::to_string(number % extent.x) +
                            "," + std::to_string(number / extent.x % extent.y) +
                            "," + std::to_string(number / extent.x / extent.y) +
                            ")";
  if (other.epoch == kInFlight)
    return "meets the asynchronous operation" + at + " of " + block +
           ", which nobody has waited for";
  if (other.agent >= kAsyncAgent)
    return "races with the asynchronous operation" + at + " of " + block;
  const uint32_t thread = other.agent * kLanes + other.lane;
  return "races with the access" + at + " by " + block + " thread (" +
         std::to_string(thread % grid.block.x) + "," +
         std::to_string(thread / grid.block.x % grid.block.y) + "," +
         std::to_string(thread / grid.block.x / grid.block.y) + ")";
}

} // namespace ssmrt::ptx
