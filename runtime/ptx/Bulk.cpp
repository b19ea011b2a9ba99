//===- Bulk.cpp - Bulk copies ---------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Bulk.h"
#include "runtime/ptx/Cluster.h"
#include "runtime/ptx/Lanes.h"
#include "runtime/ptx/MBarrier.h"

#include <algorithm>

namespace ssmrt::ptx {

namespace {

constexpr uint32_t kUnit = 16;

void transfer(Block &block, BulkCopy &copy) {
  for (const BulkCopy::Segment &segment : copy.segments) {
    if (segment.source)
      std::memcpy(segment.target, segment.source, segment.bytes);
    else
      std::memset(segment.target, 0, segment.bytes);
  }
  copy.isDone = true;
  block.worker->sinceProgress = 0;
}

/// The bytes of a load are there, and its mbarrier learns of it.
void completeLoad(Block &block, const BulkCopy &copy) {
  MBarrier *barrier = findMBarrier(block, copy.mbarrier);
  if (barrier && block.worker->grid->options.checks.races) {
    const uint8_t agent = loadAgent(copy.mbarrier);
    Stamp now;
    now.epoch = ++block.asyncEpochs[agent];
    now.line = copy.line;
    now.block = static_cast<uint32_t>(block.number + 1);
    now.agent = agent;
    finishWrites(block, copy.sharedOffset, copy.bytes, now);
    uint32_t &known = barrier->arrived[now.block].all[agent];
    known = std::max(known, now.epoch + 1);
  }
  completeBytes(block, copy.mbarrier, copy.bytes);
}

/// cp.async.bulk.shared.global [dst], [src], bytes, [mbarrier] (kind 0) or
/// cp.async.bulk.global.shared::cta.bulk_group [dst], [src], bytes (kind 1).
/// The list holds the addresses; source[2]: bytes.
Flow executeBulk(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Block &block = *warp.block;
  const bool isLoad = instruction.kind == 0;
  const uint32_t *addresses =
      block.worker->grid->code->lists.data() + instruction.list;
  for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    const uint32_t bytes = warp.lanes<uint32_t>(instruction.source[2])[lane];
    if (bytes == 0 || bytes % kUnit)
      return fail(warp, instruction, lane,
                  "copy of " + std::to_string(bytes) +
                      " bytes, expected a multiple of 16");
    LoadTarget where = {addressAt(warp, addresses, lane), 0, {&block}};
    if (isLoad &&
        findTarget(warp, instruction, lane, addresses,
                   addresses + 2 * kAddressEntries, where) == Flow::Fail)
      return Flow::Fail;
    BulkRange target;
    target.space = isLoad ? Space::Shared : Space::Global;
    target.address = where.address;
    target.bytes = bytes;
    target.writes = true;
    BulkRange source;
    source.space = isLoad ? Space::Global : Space::Shared;
    source.address = addressAt(warp, addresses + kAddressEntries, lane);
    source.bytes = bytes;
    if (isLoad)
      target.agent =
          loadAgent(static_cast<uint32_t>(where.mbarrier) - kSharedBase);
    uint8_t *from = nullptr;
    if (findBulk(warp, instruction, lane, source, from) == Flow::Fail)
      return Flow::Fail;
    for (Block *owner : where.owners) {
      uint8_t *to = nullptr;
      target.owner = owner;
      if (findBulk(warp, instruction, lane, target, to) == Flow::Fail)
        return Flow::Fail;
      BulkCopy copy;
      copy.isLoad = isLoad;
      copy.segments.push_back({to, from, bytes});
      copy.sharedOffset =
          static_cast<uint32_t>((isLoad ? to : from) - owner->shared.data());
      copy.bytes = bytes;
      if (startBulk(warp, instruction, lane, std::move(copy), *owner,
                    where.mbarrier) == Flow::Fail)
        return Flow::Fail;
    }
  }
  return Flow::Next;
}

Flow executeCommit(Warp &warp, const Instruction &, uint32_t mask) {
  AsyncCopies &copies = warp.copies;
  for (BulkCopy &copy : warp.block->bulk)
    if (!copy.isLoad && copy.warp == warp.index && (mask >> copy.lane & 1) &&
        copy.group == AsyncCopy::kNotCommitted)
      copy.group = copies.bulkGroups[copy.lane];
  forLanes(mask, [&](uint32_t lane) { ++copies.bulkGroups[lane]; });
  return Flow::Next;
}

/// cp.async.bulk.wait_group N (immediate). Writes are done when reads are.
Flow executeWait(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Block &block = *warp.block;
  auto isAwaited = [&](const BulkCopy &copy) {
    return !copy.isLoad && copy.warp == warp.index && (mask >> copy.lane & 1) &&
           copy.group != AsyncCopy::kNotCommitted &&
           copy.group + static_cast<uint64_t>(instruction.immediate) <
               warp.copies.bulkGroups[copy.lane];
  };
  for (BulkCopy &copy : block.bulk) {
    if (!isAwaited(copy))
      continue;
    if (!copy.isDone)
      transfer(block, copy);
    if (!block.worker->grid->options.checks.races)
      continue;
    // From now on these are plain reads of the thread.
    Stamp now;
    now.epoch = warp.order.epoch;
    now.line = copy.line;
    now.block = static_cast<uint32_t>(block.number + 1);
    now.agent = static_cast<uint8_t>(warp.index);
    now.lane = copy.lane;
    finishReads(block, copy.sharedOffset, copy.bytes, kStoreAgent, now);
  }
  block.bulk.erase(
      std::remove_if(block.bulk.begin(), block.bulk.end(), isAwaited),
      block.bulk.end());
  return Flow::Next;
}

bool decodeCopy(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  const bool isLoad =
      !decoder.modifiers().empty() && decoder.modifiers()[0] != "global";
  instruction.kind = isLoad ? 0 : 1;
  const bool spaces =
      decoder.take("global") &&
      decoder.takeOneOf({"shared::cta", "shared::cluster"}) >= 0;
  const bool completion = isLoad ? decoder.take("mbarrier::complete_tx::bytes")
                                 : decoder.take("bulk_group");
  const bool policy = decoder.take("L2::cache_hint");
  const bool multicast = isLoad && decoder.take("multicast::cluster");
  if (!spaces || !completion) {
    decoder.fail("unsupported bulk copy");
    return true;
  }
  if (!decoder.expectOperands((isLoad ? 4 : 3) + multicast + policy))
    return true;
  std::vector<uint32_t> entries;
  addAddress(decoder, decoder.operand(0),
             isLoad ? Space::Shared : Space::Global, entries);
  addAddress(decoder, decoder.operand(1),
             isLoad ? Space::Global : Space::Shared, entries);
  if (isLoad)
    addAddress(decoder, decoder.operand(3), Space::Shared, entries);
  if (multicast)
    decodeMulticast(decoder, decoder.operand(4));
  instruction.source[2] =
      decoder.read(decoder.operand(2), {Type::Unsigned, 32});
  instruction.list = static_cast<uint32_t>(decoder.listSize());
  for (uint32_t entry : entries)
    decoder.addList(entry);
  instruction.execute = executeBulk;
  return true;
}

Flow executeNothing(Warp &, const Instruction &, uint32_t) {
  return Flow::Next;
}

/// cp.async.bulk.prefetch.L2.global [src], bytes has no effect to be seen.
bool decodePrefetch(Decoder &decoder) {
  decoder.take("L2::cache_hint");
  std::vector<uint32_t> entries;
  if (!decoder.take("L2") || !decoder.take("global") ||
      !decoder.expectOperands(2, 3)) {
    decoder.fail("expected cp.async.bulk.prefetch.L2.global");
    return true;
  }
  addAddress(decoder, decoder.operand(0), Space::Global, entries);
  decoder.read(decoder.operand(1), {Type::Unsigned, 32});
  decoder.instruction.execute = executeNothing;
  return true;
}

} // namespace

void addAddress(Decoder &decoder, const OperandSyntax &operand, Space space,
                std::vector<uint32_t> &entries) {
  Instruction &instruction = decoder.instruction;
  decoder.address(operand, space);
  entries.push_back(instruction.source[0]);
  entries.push_back(static_cast<uint32_t>(instruction.immediate));
  entries.push_back(instruction.wideAddress);
}

uint64_t addressAt(Warp &warp, const uint32_t *entry, uint32_t lane) {
  const uint64_t offset = static_cast<uint64_t>(
      static_cast<int64_t>(static_cast<int32_t>(entry[1])));
  if (!entry[2])
    return static_cast<uint32_t>(warp.lanes<uint32_t>(entry[0])[lane] + offset);
  const uint64_t address = warp.lanes<uint64_t>(entry[0])[lane] + offset;
  return address >> kWindowShift == kSharedWindow >> kWindowShift
             ? address - kSharedWindow
             : address;
}

uint8_t loadAgent(uint32_t offset) {
  return static_cast<uint8_t>(kAsyncAgent +
                              offset / sizeof(uint64_t) % kLoadAgents);
}

Flow findTarget(Warp &warp, const Instruction &instruction, uint32_t lane,
                const uint32_t *address, const uint32_t *mbarrier,
                LoadTarget &target) {
  target.address = addressAt(warp, address, lane);
  target.mbarrier = addressAt(warp, mbarrier, lane);
  Block *owner = nullptr;
  Block *counter = nullptr;
  if (findOwner(warp, instruction, lane, target.address, owner) == Flow::Fail ||
      findOwner(warp, instruction, lane, target.mbarrier, counter) ==
          Flow::Fail)
    return Flow::Fail;
  if (owner != counter)
    return fail(warp, instruction, lane,
                "target and mbarrier lie in different blocks");
  target.owners = {owner};
  if (instruction.source[1] == kNoSlot)
    return Flow::Next;
  target.owners.clear();
  uint32_t ranks = warp.lanes<uint16_t>(instruction.source[1])[lane];
  for (; ranks; ranks &= ranks - 1) {
    uint64_t peer =
        (uint64_t(lowestLane(ranks) + 1) << kClusterShift) + target.address;
    if (findOwner(warp, instruction, lane, peer, owner) == Flow::Fail)
      return Flow::Fail;
    target.owners.push_back(owner);
  }
  return Flow::Next;
}

void decodeMulticast(Decoder &decoder, const OperandSyntax &operand) {
  decoder.instruction.source[1] = decoder.read(operand, {Type::Unsigned, 16});
}

Flow startBulk(Warp &warp, const Instruction &instruction, uint32_t lane,
               BulkCopy copy, Block &owner, uint64_t mbarrier) {
  copy.line = instruction.line;
  copy.warp = warp.index;
  copy.lane = static_cast<uint8_t>(lane);
  if (copy.isLoad) {
    copy.mbarrier = static_cast<uint32_t>(mbarrier) - kSharedBase;
    if (!findMBarrier(owner, copy.mbarrier))
      return fail(warp, instruction, lane,
                  "mbarrier at " + hex(mbarrier) + " is not initialised");
    if (checkVisible(warp, instruction, lane, owner, copy.mbarrier) ==
        Flow::Fail)
      return Flow::Fail;
  }
  owner.worker->asyncBytes += copy.bytes;
  owner.bulk.push_back(std::move(copy));
  return Flow::Next;
}

bool retireBulk(Block &block) {
  const size_t pending = static_cast<size_t>(
      std::count_if(block.bulk.begin(), block.bulk.end(),
                    [](const BulkCopy &copy) { return !copy.isDone; }));
  if (pending == 0)
    return false;
  size_t skip = block.worker->random.below(static_cast<uint32_t>(pending));
  auto chosen = std::find_if(
      block.bulk.begin(), block.bulk.end(),
      [&](const BulkCopy &copy) { return !copy.isDone && skip-- == 0; });
  transfer(block, *chosen);
  if (chosen->isLoad) { // stores stay until they are waited for
    const BulkCopy copy = std::move(*chosen);
    block.bulk.erase(chosen);
    completeLoad(block, copy);
  }
  return true;
}

bool decodeBulk(Decoder &decoder) {
  if (decoder.opcode != "cp" || decoder.modifiers().size() < 2 ||
      decoder.modifiers()[0] != "async" || decoder.modifiers()[1] != "bulk")
    return false;
  decoder.take("async");
  decoder.take("bulk");
  Instruction &instruction = decoder.instruction;
  instruction.group = Class::Async;
  if (decoder.take("commit_group")) {
    decoder.expectOperands(0);
    instruction.execute = executeCommit;
    return true;
  }
  if (decoder.take("wait_group")) {
    decoder.take("read");
    if (decoder.expectOperands(1))
      instruction.immediate =
          static_cast<int64_t>(decoder.integer(decoder.operand(0)).value_or(0));
    instruction.execute = executeWait;
    return true;
  }
  const bool prefetches = decoder.take("prefetch");
  if (decoder.take("tensor"))
    return decodeTensorCopy(decoder, prefetches);
  if (prefetches)
    return decodePrefetch(decoder);
  return decodeCopy(decoder);
}

} // namespace ssmrt::ptx
