//===- Cluster.cpp - Blocks that run together -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Cluster.h"
#include "runtime/ptx/Lanes.h"

namespace ssmrt::ptx {

namespace {

constexpr uint8_t kAligned = 1;
constexpr uint8_t kOrders = 2; ///< release or acquire
constexpr uint64_t kOffsetMask = (uint64_t(1) << kClusterShift) - 1;

void complete(Cluster &cluster) {
  ++cluster.phase;
  joinAll(cluster.completed, cluster.arrived);
  for (Block *block : cluster.blocks) {
    if (!block)
      continue;
    block->worker->sinceProgress = 0;
    for (Warp &warp : block->warps) {
      warp.clusterPassed |= warp.clusterArrived;
      warp.clusterArrived = 0;
      for (Split &split : warp.splits)
        if (split.state == Split::Cluster)
          split.state = Split::Ready;
    }
  }
}

Flow checkAligned(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (!(instruction.kind2 & kAligned) || mask == warp.live)
    return Flow::Next;
  return fail(warp, instruction, lowestLane(mask),
              "only lanes " + hex(mask) + " of " + hex(warp.live) +
                  " execute an aligned barrier");
}

Flow executeArrive(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (checkAligned(warp, instruction, mask) == Flow::Fail)
    return Flow::Fail;
  if ((warp.clusterArrived | warp.clusterPassed) & mask)
    return fail(warp, instruction,
                lowestLane((warp.clusterArrived | warp.clusterPassed) & mask),
                "arrives twice at the cluster's barrier without a wait");
  Cluster &cluster = *warp.block->cluster;
  warp.clusterArrived |= mask;
  if (warp.block->worker->grid->options.checks.races &&
      (instruction.kind2 & kOrders))
    releaseTo(warp, mask, cluster.arrived);
  recheckCluster(*warp.block);
  return Flow::Next;
}

Flow executeWait(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (checkAligned(warp, instruction, mask) == Flow::Fail)
    return Flow::Fail;
  const uint32_t missing = mask & ~(warp.clusterArrived | warp.clusterPassed);
  if (missing)
    return fail(warp, instruction, lowestLane(missing),
                "waits for the cluster's barrier without an arrival");
  if (warp.clusterArrived & mask) {
    Split &split = warp.split();
    --split.pc; // executes again when the barrier is complete
    split.state = Split::Cluster;
    return Flow::Wait;
  }
  warp.clusterPassed &= ~mask;
  if (warp.block->worker->grid->options.checks.races &&
      (instruction.kind2 & kOrders))
    acquireFrom(warp, mask, warp.block->cluster->completed);
  return Flow::Next;
}

/// mapa d, a, rank; kind: a is generic, kind2: 64 bits.
template <class T>
Flow executeMap(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const uint64_t count = warp.block->worker->grid->cluster.count();
  const uint32_t *ranks = warp.lanes<uint32_t>(instruction.source[1]);
  for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    if (ranks[lane] >= count)
      return fail(warp, instruction, lane,
                  "rank " + std::to_string(ranks[lane]) + " in a cluster of " +
                      std::to_string(count) + " blocks");
    const uint64_t address = warp.lanes<T>(instruction.source[0])[lane];
    const uint64_t window = instruction.kind ? kSharedWindow : 0;
    if (instruction.kind && address >> kWindowShift != window >> kWindowShift)
      return fail(warp, instruction, lane,
                  hex(address) + " is no address of shared memory");
    warp.lanes<T>(instruction.destination)[lane] =
        static_cast<T>(window + (uint64_t(ranks[lane] + 1) << kClusterShift) +
                       (address & kOffsetMask));
  }
  return Flow::Next;
}

bool decodeMap(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  instruction.group = Class::Integer;
  instruction.kind = !decoder.take("shared::cluster");
  const bool wide = decoder.take("u64");
  if ((!wide && !decoder.take("u32")) || !decoder.expectOperands(3)) {
    decoder.fail("expected mapa{.shared::cluster}.{u32,u64}");
    return true;
  }
  const Type type = {Type::Unsigned, static_cast<uint8_t>(wide ? 64 : 32)};
  instruction.source[0] = decoder.read(decoder.operand(1), type);
  instruction.source[1] =
      decoder.read(decoder.operand(2), {Type::Unsigned, 32});
  instruction.destination = decoder.write(decoder.operand(0), type.bits);
  instruction.execute = wide ? executeMap<uint64_t> : executeMap<uint32_t>;
  return true;
}

} // namespace

Flow findOwner(Warp &warp, const Instruction &instruction, uint32_t lane,
               uint64_t &address, Block *&owner) {
  owner = warp.block;
  if (!namesBlock(address))
    return Flow::Next;
  const Cluster &cluster = *warp.block->cluster;
  const uint64_t rank = (address >> kClusterShift) - 1;
  const std::string text = hex(address) + " of shared memory ";
  if (rank >= cluster.blocks.size())
    return fail(warp, instruction, lane,
                text + "is of no block of the cluster");
  owner = cluster.blocks[rank];
  if (!owner)
    return fail(warp, instruction, lane,
                text + "is of the block with rank " + std::to_string(rank) +
                    ", which has ended");
  if (owner != warp.block && cluster.phase == 0)
    return fail(warp, instruction, lane,
                text + "is of the block with rank " + std::to_string(rank) +
                    ", which no cluster barrier has shown to run");
  address &= kOffsetMask;
  return Flow::Next;
}

void recheckCluster(Block &block) {
  Cluster &cluster = *block.cluster;
  bool any = false;
  for (const Block *peer : cluster.blocks) {
    if (!peer)
      continue;
    for (const Warp &warp : peer->warps) {
      if (warp.live & ~warp.clusterArrived)
        return;
      any |= warp.clusterArrived != 0;
    }
  }
  if (any)
    complete(cluster);
}

bool decodeCluster(Decoder &decoder) {
  if (decoder.opcode == "mapa")
    return decodeMap(decoder);
  if (decoder.opcode != "barrier" || !decoder.take("cluster"))
    return false;
  Instruction &instruction = decoder.instruction;
  instruction.group = Class::Barrier;
  const int which = decoder.takeOneOf({"arrive", "wait"});
  const int order = decoder.takeOneOf({"relaxed", "release", "acquire"});
  const bool aligned = decoder.take("aligned");
  if (which < 0 || (which == 1 && order == 0) || !decoder.expectOperands(0)) {
    decoder.fail("expected barrier.cluster.{arrive,wait}");
    return true;
  }
  instruction.kind2 = (aligned ? kAligned : 0) | (order == 0 ? 0 : kOrders);
  instruction.execute = which == 0 ? executeArrive : executeWait;
  return true;
}

} // namespace ssmrt::ptx
