//===- MBarrier.cpp - mbarriers -------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/MBarrier.h"
#include "runtime/ptx/Access.h"
#include "runtime/ptx/Cluster.h"
#include "runtime/ptx/Lanes.h"

namespace ssmrt::ptx {

namespace {

constexpr uint32_t kBytes = 8;
/// Arrivals that fit into the object.
constexpr uint32_t kLargestCount = (1 << 20) - 1;
constexpr int64_t kLargestBytes = (1 << 20) - 1;

enum Operation : uint8_t { Init, Inval, Arrive, Expect, ArriveExpect };

void completeIfDone(Block &block, MBarrier &barrier) {
  if (barrier.pending != 0 || barrier.bytes != 0)
    return;
  ++barrier.phase;
  barrier.pending = barrier.expected;
  joinAll(barrier.completed, barrier.arrived);
  block.worker->sinceProgress = 0;
  wakePolls(block);
}

/// Blocks and offsets in their shared memory of the mbarriers that lanes
/// address.
Flow findBarriers(Warp &warp, const Instruction &instruction, uint32_t mask,
                  AccessKind kind, Block **owner, uint32_t *offset) {
  Access access;
  computeAddresses(warp, instruction, access);
  if (findAccess(warp, instruction, mask, access, kBytes, kind) == Flow::Fail)
    return Flow::Fail;
  for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    uint64_t address = access.address[lane];
    if (instruction.space == Space::Generic) {
      if (address >> kWindowShift != kSharedWindow >> kWindowShift)
        return fail(warp, instruction, lane,
                    "expected an mbarrier in shared memory");
      address -= kSharedWindow;
    }
    if (findOwner(warp, instruction, lane, address, owner[lane]) == Flow::Fail)
      return Flow::Fail;
    offset[lane] = static_cast<uint32_t>(address - kSharedBase);
  }
  return Flow::Next;
}

/// source[1]: count or bytes; source[2]: bytes of ArriveExpect.
Flow executeChange(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Block &block = *warp.block;
  const bool races = block.worker->grid->options.checks.races;
  const uint8_t operation = instruction.kind;
  Block *owner[kLanes];
  uint32_t offset[kLanes];
  if (findBarriers(warp, instruction, mask,
                   operation <= Inval ? AccessKind::Write : AccessKind::Read,
                   owner, offset) == Flow::Fail)
    return Flow::Fail;
  // Lanes that arrive at one mbarrier release what all of them have done.
  bool together = true;
  for (uint32_t lanes = mask; lanes; lanes &= lanes - 1)
    together &= offset[lowestLane(lanes)] == offset[lowestLane(mask)] &&
                owner[lowestLane(lanes)] == owner[lowestLane(mask)];
  for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    const uint32_t value =
        instruction.source[1] == kNoSlot
            ? 1
            : warp.lanes<uint32_t>(instruction.source[1])[lane];
    if (operation == Init) {
      if (value == 0 || value > kLargestCount)
        return fail(warp, instruction, lane,
                    "mbarrier for " + std::to_string(value) + " arrivals");
      MBarrier barrier;
      barrier.expected = barrier.pending = value;
      owner[lane]->mbarriers[offset[lane]] = barrier;
      std::memset(owner[lane]->shared.data() + offset[lane], 0, kBytes);
      continue;
    }
    MBarrier *barrier = findMBarrier(*owner[lane], offset[lane]);
    if (!barrier)
      return fail(warp, instruction, lane,
                  "mbarrier at " + hex(offset[lane] + kSharedBase) +
                      " is not initialised");
    if (operation == Inval) {
      owner[lane]->mbarriers.erase(offset[lane]);
      continue;
    }
    if (operation == Expect || operation == ArriveExpect)
      barrier->bytes += operation == Expect
                            ? value
                            : warp.lanes<uint32_t>(instruction.source[2])[lane];
    if (barrier->bytes > kLargestBytes)
      return fail(warp, instruction, lane,
                  "the mbarrier at " + hex(offset[lane] + kSharedBase) +
                      " expects " + std::to_string(barrier->bytes) +
                      " bytes, supported up to " +
                      std::to_string(kLargestBytes));
    if (instruction.destination != kNoSlot)
      warp.lanes<uint64_t>(instruction.destination)[lane] = barrier->phase;
    if (operation == Expect)
      continue;
    if (value > barrier->pending)
      return fail(warp, instruction, lane,
                  "arrives " + std::to_string(value) +
                      " times at the mbarrier at " +
                      hex(offset[lane] + kSharedBase) + ", which waits for " +
                      std::to_string(barrier->pending));
    if (races)
      releaseTo(warp, together ? mask : uint32_t(1) << lane, barrier->arrived);
    barrier->pending -= value;
    completeIfDone(*owner[lane], *barrier);
    // Who waits by parity cannot tell this phase from the one before the last.
    if (races && barrier->phase > barrier->seen + 1)
      return fail(warp, instruction, lane,
                  "completes phase " + std::to_string(barrier->phase - 1) +
                      " of the mbarrier at " + hex(offset[lane] + kSharedBase) +
                      ", but nobody has waited for the one before");
  }
  return Flow::Next;
}

/// {try_wait,test_wait}{.parity}; kind: blocks; kind2: parity.
Flow executeTest(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Block &block = *warp.block;
  Block *owner[kLanes];
  uint32_t offset[kLanes];
  if (findBarriers(warp, instruction, mask, AccessKind::Read, owner, offset) ==
      Flow::Fail)
    return Flow::Fail;
  uint32_t done = 0;
  for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    if (owner[lane] != &block)
      return fail(warp, instruction, lane,
                  "waits for an mbarrier of another block");
    MBarrier *barrier = findMBarrier(block, offset[lane]);
    if (!barrier)
      return fail(warp, instruction, lane,
                  "mbarrier at " + hex(offset[lane] + kSharedBase) +
                      " is not initialised");
    const bool isDone =
        instruction.kind2
            ? (barrier->phase & 1) !=
                  (warp.lanes<uint32_t>(instruction.source[1])[lane] & 1)
            : barrier->phase >
                  warp.lanes<uint64_t>(instruction.source[1])[lane];
    if (isDone)
      barrier->seen = barrier->phase;
    done |= uint32_t(isDone) << lane;
  }
  if (done == 0 && instruction.kind) {
    Split &split = warp.split();
    --split.pc;
    split.state = Split::Poll;
    split.detail = offset[lowestLane(mask)];
    return Flow::Wait;
  }
  if (block.worker->grid->options.checks.races)
    for (uint32_t lanes = done; lanes;) {
      // Lanes that waited for the same mbarrier learn the same.
      const uint32_t first = lowestLane(lanes);
      uint32_t same = 0;
      for (uint32_t rest = lanes; rest; rest &= rest - 1)
        same |= uint32_t(offset[lowestLane(rest)] == offset[first])
                << lowestLane(rest);
      acquireFrom(warp, same, block.mbarriers[offset[first]].completed);
      lanes &= ~same;
    }
  uint32_t &p = warp.predicate(instruction.destination);
  p = (p & ~mask) | done;
  return Flow::Next;
}

Space takeSharedSpace(Decoder &decoder) {
  if (decoder.take("shared::cluster"))
    return Space::SharedCluster;
  return decoder.takeOneOf({"shared", "shared::cta"}) >= 0 ? Space::Shared
                                                           : Space::Generic;
}

bool decodeTest(Decoder &decoder, bool blocks) {
  Instruction &instruction = decoder.instruction;
  instruction.kind = blocks;
  instruction.kind2 = decoder.take("parity");
  decoder.takeOneOf({"acquire", "relaxed"});
  decoder.takeOneOf({"cta", "cluster"});
  Space space = takeSharedSpace(decoder);
  if (!decoder.take("b64") || !decoder.expectOperands(3, 4))
    return true;
  instruction.destination = decoder.writePredicate(decoder.operand(0));
  decoder.address(decoder.operand(1), space);
  instruction.source[1] = decoder.read(
      decoder.operand(2),
      instruction.kind2 ? Type{Type::Unsigned, 32} : Type{Type::Bits, 64});
  instruction.strong = true;
  instruction.execute = executeTest;
  return true;
}

} // namespace

void wakePolls(Block &block) {
  for (Warp &warp : block.warps)
    for (Split &split : warp.splits)
      if (split.state == Split::Poll)
        split.state = Split::Ready;
}

MBarrier *findMBarrier(Block &block, uint32_t offset) {
  auto found = block.mbarriers.find(offset);
  return found == block.mbarriers.end() ? nullptr : &found->second;
}

void completeBytes(Block &block, uint32_t offset, uint32_t bytes) {
  MBarrier *barrier = findMBarrier(block, offset);
  if (!barrier)
    return;
  barrier->bytes -= bytes;
  completeIfDone(block, *barrier);
}

bool decodeMBarrier(Decoder &decoder) {
  if (decoder.opcode != "mbarrier")
    return false;
  Instruction &instruction = decoder.instruction;
  instruction.group = Class::Async;
  if (decoder.take("try_wait"))
    return decodeTest(decoder, true);
  if (decoder.take("test_wait"))
    return decodeTest(decoder, false);
  const Type count = {Type::Unsigned, 32};
  const bool arrives = decoder.take("arrive");
  const bool expects = decoder.take("expect_tx");
  const bool init = decoder.take("init");
  const bool inval = decoder.take("inval");
  decoder.takeOneOf({"release", "relaxed"});
  decoder.takeOneOf({"cta", "cluster"});
  Space space = takeSharedSpace(decoder);
  if (!decoder.take("b64") || arrives + init + inval + expects == 0) {
    decoder.fail("unsupported operation on an mbarrier");
    return true;
  }
  instruction.execute = executeChange;
  instruction.strong = !init && !inval;
  size_t at = 0;
  if (arrives) {
    instruction.kind = expects ? ArriveExpect : Arrive;
    if (!decoder.expectOperands(expects ? 3 : 2, 3))
      return true;
    if (decoder.operand(0).name != "_")
      instruction.destination = decoder.write(decoder.operand(0), 64);
    at = 1;
  } else {
    instruction.kind = init ? Init : inval ? Inval : Expect;
    if (!decoder.expectOperands(inval ? 1 : 2))
      return true;
  }
  decoder.address(decoder.operand(at), space);
  if (at + 1 < decoder.operandCount())
    instruction.source[instruction.kind == ArriveExpect ? 2 : 1] =
        decoder.read(decoder.operand(at + 1), count);
  return true;
}

} // namespace ssmrt::ptx
