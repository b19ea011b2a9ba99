//===- Barrier.cpp - Barriers and fences ----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Lanes.h"

namespace ssmrt::ptx {

namespace {

enum Mode : uint8_t { Sync, Arrive, RedPopc, RedAnd, RedOr };

constexpr uint8_t kAligned = 1;

uint32_t expectedThreads(const Block &block, const NamedBarrier &barrier) {
  return barrier.expected ? barrier.expected : block.liveWarps * kLanes;
}

/// Writes the result of bar.red to the threads that wait and lets them go.
void complete(Block &block, uint32_t id) {
  NamedBarrier &barrier = block.barriers[id];
  const KernelCode &code = *block.worker->grid->code;
  for (Warp &warp : block.warps)
    for (Split &split : warp.splits) {
      if (split.state != Split::Barrier || split.detail != id)
        continue;
      split.state = Split::Ready;
      if (block.worker->grid->options.checks.races)
        acquireFrom(warp, split.mask, barrier.clock);
      const Instruction &instruction = code.code[split.pc - 1];
      if (instruction.kind == RedPopc) {
        uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
        for (uint32_t lanes = split.mask; lanes; lanes &= lanes - 1)
          d[lowestLane(lanes)] = barrier.votes;
      } else if (instruction.kind == RedAnd || instruction.kind == RedOr) {
        const bool result = instruction.kind == RedAnd
                                ? barrier.votes == barrier.count
                                : barrier.votes != 0;
        uint32_t &p = warp.predicate(instruction.destination);
        p = (p & ~split.mask) | (result ? split.mask : 0);
      }
    }
  barrier = NamedBarrier();
  block.worker->sinceProgress = 0;
}

/// source: barrier, number of threads (or kNoSlot), predicate of bar.red.
Flow executeBarrier(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Block &block = *warp.block;
  const uint32_t lane = lowestLane(mask);
  if ((instruction.kind2 & kAligned) && mask != warp.live)
    return fail(warp, instruction, lane,
                "only lanes " + hex(mask) + " of " + hex(warp.live) +
                    " execute an aligned barrier");
  const uint32_t id = warp.lanes<uint32_t>(instruction.source[0])[lane];
  if (id >= kNamedBarriers)
    return fail(warp, instruction, lane,
                "barrier " + std::to_string(id) + ", supported 0 to " +
                    std::to_string(kNamedBarriers - 1));
  const uint32_t expected =
      instruction.source[1] == kNoSlot
          ? 0
          : warp.lanes<uint32_t>(instruction.source[1])[lane];
  if (expected % kLanes || (instruction.source[1] != kNoSlot && expected == 0))
    return fail(warp, instruction, lane,
                std::to_string(expected) +
                    " threads at a barrier, expected a multiple of 32");
  NamedBarrier &barrier = block.barriers[id];
  if (barrier.inUse && barrier.expected != expected)
    return fail(warp, instruction, lane,
                "barrier " + std::to_string(id) + " with " +
                    std::to_string(expected) + " threads, line " +
                    std::to_string(barrier.firstLine) + " expects " +
                    std::to_string(barrier.expected));
  if (!barrier.inUse) {
    barrier.inUse = true;
    barrier.expected = expected;
    barrier.firstLine = instruction.line;
    barrier.lanes.assign(block.warps.size(), 0);
  }
  uint32_t &lanes = barrier.lanes[warp.index];
  if (lanes & mask)
    return fail(warp, instruction, lane,
                "arrives twice at barrier " + std::to_string(id));
  lanes |= mask;
  if (instruction.kind >= RedPopc) {
    uint32_t votes = warp.predicate(instruction.source[2]);
    if (instruction.kind2 & 2)
      votes = ~votes;
    barrier.votes += static_cast<uint32_t>(__builtin_popcount(votes & mask));
    barrier.count += static_cast<uint32_t>(__builtin_popcount(mask));
  }
  if (block.worker->grid->options.checks.races)
    releaseTo(warp, lanes, barrier.clock);
  if ((lanes & warp.live) == warp.live)
    barrier.arrived += kLanes; // barriers count whole warps
  if (instruction.kind != Arrive) {
    warp.split().state = Split::Barrier;
    warp.split().detail = id;
  }
  if (barrier.arrived >= expectedThreads(block, barrier)) {
    if (barrier.arrived > expectedThreads(block, barrier))
      return fail(warp, instruction, lane,
                  "more threads than expected arrive at barrier " +
                      std::to_string(id));
    complete(block, id);
  }
  return instruction.kind == Arrive ? Flow::Next : Flow::Wait;
}

Flow executeWarpSync(Warp &warp, const Instruction &instruction,
                     uint32_t mask) {
  const uint32_t members =
      warp.lanes<uint32_t>(instruction.source[0])[lowestLane(mask)];
  const Flow flow = meet(warp, instruction, mask, members, true);
  if (flow == Flow::Next && warp.block->worker->grid->options.checks.races)
    orderWarp(warp, mask);
  return flow;
}

Flow executeFence(Warp &warp, const Instruction &, uint32_t mask) {
  if (warp.block->worker->grid->options.checks.races)
    orderFence(warp, mask);
  return Flow::Next;
}

bool decodeBar(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  // bar is barrier.aligned.
  const bool aligned = decoder.opcode == "bar" || decoder.take("aligned");
  decoder.take("cta");
  const Type word = {Type::Unsigned, 32};
  if (decoder.take("warp")) {
    if (!decoder.take("sync") || !decoder.expectOperands(1))
      decoder.fail("expected bar.warp.sync mask");
    instruction.source[0] = decoder.read(decoder.operand(0), word);
    instruction.execute = executeWarpSync;
    return true;
  }
  decoder.take("aligned");
  instruction.execute = executeBarrier;
  instruction.kind2 = aligned ? kAligned : 0;
  if (decoder.take("red")) {
    const int which = decoder.takeOneOf({"popc", "and", "or"});
    const bool counts = decoder.take("u32");
    if (which < 0 || (!counts && !decoder.take("pred")) ||
        !decoder.expectOperands(3, 4)) {
      decoder.fail("unsupported barrier");
      return true;
    }
    instruction.kind = static_cast<uint8_t>(RedPopc + which);
    const size_t last = decoder.operandCount() - 1;
    bool negated = false;
    instruction.source[2] =
        decoder.readPredicate(decoder.operand(last), negated);
    instruction.kind2 |= negated ? 2 : 0;
    instruction.source[0] = decoder.read(decoder.operand(1), word);
    if (last == 3)
      instruction.source[1] = decoder.read(decoder.operand(2), word);
    instruction.destination = counts
                                  ? decoder.write(decoder.operand(0), 32)
                                  : decoder.writePredicate(decoder.operand(0));
    return true;
  }
  const int mode = decoder.takeOneOf({"sync", "arrive"});
  if (mode < 0 || !decoder.expectOperands(mode == Arrive ? 2 : 1, 2)) {
    decoder.fail("unsupported barrier");
    return true;
  }
  instruction.kind = static_cast<uint8_t>(mode);
  instruction.source[0] = decoder.read(decoder.operand(0), word);
  if (decoder.operandCount() == 2)
    instruction.source[1] = decoder.read(decoder.operand(1), word);
  return true;
}

Flow executeProxyFence(Warp &warp, const Instruction &, uint32_t mask) {
  if (warp.block->worker->grid->options.checks.races)
    orderProxies(warp, mask);
  return Flow::Next;
}

Flow executeInitFence(Warp &warp, const Instruction &, uint32_t mask) {
  if (!warp.block->worker->grid->options.checks.races)
    return Flow::Next;
  releaseTo(warp, mask, warp.order.inits);
  orderFence(warp, mask);
  return Flow::Next;
}

bool decodeFence(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  if (decoder.take("proxy")) {
    decoder.takeOneOf({"shared::cta", "shared::cluster", "global"});
    decoder.takeOneOf({"async", "async.global", "async.shared::cta"});
    decoder.expectOperands(0);
    instruction.execute = executeProxyFence;
    return true;
  }
  if (decoder.take("mbarrier_init")) {
    if (!decoder.take("release") || !decoder.take("cluster"))
      decoder.fail("expected fence.mbarrier_init.release.cluster");
    decoder.expectOperands(0);
    instruction.execute = executeInitFence;
    return true;
  }
  if (decoder.opcode == "membar") {
    instruction.wideScope = decoder.takeOneOf({"cta", "gl", "sys"}) > 0;
  } else {
    decoder.takeOneOf({"sc", "acq_rel"});
    instruction.wideScope =
        decoder.takeOneOf({"cta", "cluster", "gpu", "sys"}) > 0;
  }
  decoder.expectOperands(0);
  instruction.acquire = instruction.release = true;
  instruction.execute = executeFence;
  return true;
}

} // namespace

void recheckBarriers(Block &block) {
  for (uint32_t id = 0; id < kNamedBarriers; ++id) {
    NamedBarrier &barrier = block.barriers[id];
    if (!barrier.inUse)
      continue;
    // Warps whose other lanes have arrived are complete without those that
    // ended, and warps that ended are not waited for.
    uint32_t arrived = 0;
    for (const Warp &warp : block.warps) {
      const uint32_t lanes = barrier.lanes[warp.index];
      arrived += lanes && (lanes & warp.live) == warp.live ? kLanes : 0;
    }
    barrier.arrived = arrived;
    uint32_t ended = 0; // warps that arrived (bar.arrive) and ended
    for (const Warp &warp : block.warps)
      ended += warp.live == 0 && barrier.lanes[warp.index] ? kLanes : 0;
    const uint32_t expected =
        barrier.expected ? barrier.expected : block.liveWarps * kLanes + ended;
    if (arrived >= expected && arrived > 0)
      complete(block, id);
  }
}

bool decodeBarrier(Decoder &decoder) {
  decoder.instruction.group = Class::Barrier;
  if (decoder.opcode == "bar" || decoder.opcode == "barrier")
    return decodeBar(decoder);
  if (decoder.opcode == "membar" || decoder.opcode == "fence")
    return decodeFence(decoder);
  return false;
}

} // namespace ssmrt::ptx
