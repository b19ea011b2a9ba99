//===- AsyncCopy.cpp - cp.async -------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Access.h"
#include "runtime/ptx/Lanes.h"

#include <algorithm>

namespace ssmrt::ptx {

namespace {

/// One copy in so many has arrived when it is issued, for the sake of code that
/// would be right only with slow memory. The others arrive when waited for.
constexpr uint32_t kEarly = 4;

void transfer(Block &block, AsyncCopy &copy) {
  if (copy.isDone)
    return;
  uint8_t *target = block.shared.data() + copy.target;
  std::memcpy(target, copy.source, copy.sourceBytes);
  std::memset(target + copy.sourceBytes, 0, copy.bytes - copy.sourceBytes);
  copy.isDone = true;
}

/// cp.async.{ca,cg}.shared.global [dst], [src], bytes{, source bytes};
/// source[0] and immediate are dst, source[1] and KernelCode::lists[list] src,
/// source[2] the source bytes or kNoSlot.
Flow executeCopy(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Block &block = *warp.block;
  Worker &worker = *block.worker;
  const bool races = worker.grid->options.checks.races;
  const uint32_t bytes = instruction.elementBytes;
  Access target;
  Access source;
  computeAddresses(warp, instruction, target);
  const uint32_t *entries = worker.grid->code->lists.data() + instruction.list;
  const uint64_t offset = uint64_t(entries[1]) << 32 | entries[0];
  const uint64_t *base = warp.lanes<uint64_t>(instruction.source[1]);
  for (uint32_t lane = 0; lane < kLanes; ++lane)
    source.address[lane] = base[lane] + offset;
  uint32_t sizes[kLanes];
  uint32_t reading = 0;
  forLanes(mask, [&](uint32_t lane) {
    sizes[lane] = instruction.source[2] == kNoSlot
                      ? bytes
                      : warp.lanes<uint32_t>(instruction.source[2])[lane];
    reading |= uint32_t(sizes[lane] > 0) << lane;
  });
  for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    if (sizes[lane] > bytes)
      return fail(warp, instruction, lane,
                  "source of " + std::to_string(sizes[lane]) +
                      " bytes, expected at most " + std::to_string(bytes));
  }
  // Partial sources are aligned like whole ones and read no further.
  Flow flow = Flow::Next;
  for (uint32_t size = 1; size <= bytes && flow == Flow::Next; ++size) {
    uint32_t same = 0;
    forLanes(reading, [&](uint32_t lane) {
      same |= uint32_t(sizes[lane] == size) << lane;
    });
    if (same)
      flow = findAccessAs(warp, instruction, same, source, size,
                          AccessKind::Read, Space::Global);
  }
  if (flow == Flow::Fail ||
      findAccessAs(warp, instruction, mask, target, bytes,
                   AccessKind::AsyncWrite, Space::Shared) == Flow::Fail)
    return Flow::Fail;
  forLanes(mask, [&](uint32_t lane) {
    AsyncCopy copy;
    copy.lane = static_cast<uint8_t>(lane);
    copy.target =
        static_cast<uint32_t>(target.host[lane] - block.shared.data());
    copy.bytes = bytes;
    copy.sourceBytes = sizes[lane];
    copy.line = instruction.line;
    copy.source = sizes[lane] ? source.host[lane] : target.host[lane];
    if (!races || worker.random.below(kEarly) == 0)
      transfer(block, copy);
    warp.copies.copies.push_back(copy);
  });
  worker.asyncBytes +=
      uint64_t(bytes) * static_cast<uint64_t>(__builtin_popcount(mask));
  return Flow::Next;
}

Flow executeCommit(Warp &warp, const Instruction &, uint32_t mask) {
  AsyncCopies &copies = warp.copies;
  for (AsyncCopy &copy : copies.copies)
    if ((mask >> copy.lane & 1) && copy.group == AsyncCopy::kNotCommitted)
      copy.group = copies.groups[copy.lane];
  forLanes(mask, [&](uint32_t lane) { ++copies.groups[lane]; });
  return Flow::Next;
}

/// cp.async.wait_group N (immediate), or wait_all (kind).
Flow executeWait(Warp &warp, const Instruction &instruction, uint32_t mask) {
  AsyncCopies &copies = warp.copies;
  Block &block = *warp.block;
  const bool races = block.worker->grid->options.checks.races;
  auto isAwaited = [&](const AsyncCopy &copy) {
    if (!(mask >> copy.lane & 1))
      return false;
    if (instruction.kind)
      return true;
    return copy.group != AsyncCopy::kNotCommitted &&
           copy.group + static_cast<uint64_t>(instruction.immediate) <
               copies.groups[copy.lane];
  };
  for (AsyncCopy &copy : copies.copies) {
    if (!isAwaited(copy))
      continue;
    transfer(block, copy);
    if (!races)
      continue;
    // From now on these are plain writes of the thread.
    Stamp now;
    now.epoch = warp.order.epoch;
    now.line = copy.line;
    now.block = static_cast<uint32_t>(block.number + 1);
    now.agent = static_cast<uint8_t>(warp.index);
    now.lane = copy.lane;
    block.shadow.forCells(copy.target, copy.bytes, [&](Cell &cell) {
      if (cell.write.epoch == kInFlight)
        cell.write = now;
      return true;
    });
  }
  copies.copies.erase(
      std::remove_if(copies.copies.begin(), copies.copies.end(), isAwaited),
      copies.copies.end());
  return Flow::Next;
}

bool decodeCopy(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  const bool bypass = decoder.take("cg");
  if (!bypass)
    decoder.take("ca");
  for (std::string_view hint : {"L2::64B", "L2::128B", "L2::256B"})
    decoder.take(hint);
  const bool policy = decoder.take("L2::cache_hint");
  if ((!decoder.take("shared") && !decoder.take("shared::cta")) ||
      !decoder.take("global") ||
      !decoder.expectOperands(3 + policy, 4 + policy)) {
    decoder.fail("expected cp.async.{ca,cg}.shared.global");
    return true;
  }
  const uint64_t bytes = decoder.integer(decoder.operand(2)).value_or(0);
  if (bypass ? bytes != 16 : bytes != 4 && bytes != 8 && bytes != 16)
    decoder.fail("unsupported size " + std::to_string(bytes));
  instruction.elementBytes = static_cast<uint8_t>(bytes);
  Space space = Space::Global;
  decoder.address(decoder.operand(1), space);
  const uint32_t from = instruction.source[0];
  const uint64_t offset = static_cast<uint64_t>(instruction.immediate);
  if (!instruction.wideAddress)
    decoder.fail("expected a 64-bit address");
  space = Space::Shared;
  decoder.address(decoder.operand(0), space);
  instruction.source[1] = from;
  if (decoder.operandCount() - policy == 4) {
    if (decoder.operand(3).kind == OperandSyntax::Name &&
        decoder.find(decoder.operand(3).name) &&
        decoder.find(decoder.operand(3).name)->bits == kPredicateBits)
      decoder.fail("unsupported ignore-src predicate");
    else
      instruction.source[2] =
          decoder.read(decoder.operand(3), {Type::Unsigned, 32});
  }
  instruction.list = static_cast<uint32_t>(decoder.listSize());
  decoder.addList(static_cast<uint32_t>(offset));
  decoder.addList(static_cast<uint32_t>(offset >> 32));
  instruction.execute = executeCopy;
  return true;
}

} // namespace

bool decodeAsyncCopy(Decoder &decoder) {
  if (decoder.opcode != "cp" || !decoder.take("async"))
    return false;
  Instruction &instruction = decoder.instruction;
  instruction.group = Class::Async;
  if (decoder.take("commit_group")) {
    decoder.expectOperands(0);
    instruction.execute = executeCommit;
    return true;
  }
  if (decoder.take("wait_all")) {
    decoder.expectOperands(0);
    instruction.kind = 1;
    instruction.execute = executeWait;
    return true;
  }
  if (decoder.take("wait_group")) {
    if (decoder.expectOperands(1))
      instruction.immediate =
          static_cast<int64_t>(decoder.integer(decoder.operand(0)).value_or(0));
    instruction.execute = executeWait;
    return true;
  }
  return decodeCopy(decoder);
}

} // namespace ssmrt::ptx
