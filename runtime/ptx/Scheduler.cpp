//===- Scheduler.cpp - Runs the blocks of a grid --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Cluster.h"

#include <algorithm>
#include <cstring>

namespace ssmrt::ptx {

namespace {

/// One slice in so many lets a bulk copy take effect.
constexpr uint32_t kBulkDelay = 32;
/// Blocks that a worker runs at a time unless blocks wait for others.
constexpr size_t kResidentBlocks = 2;
/// Blocks that may be resident at most, as on a large chip.
constexpr size_t kLargestResidency = 132;
/// Warp instructions after which a resident block is no reason to wait.
constexpr uint64_t kPatience = 1 << 20;
/// Warp instructions without any effect after which a launch is stuck.
constexpr uint64_t kProgressLimit = 100'000'000;

uint32_t initialMask(uint32_t threads, uint32_t warp) {
  const uint32_t rest = threads - warp * kLanes;
  return rest >= kLanes ? kAllLanes : (uint32_t(1) << rest) - 1;
}

Dim3 unflatten(uint64_t number, const Dim3 &extent) {
  return {static_cast<uint32_t>(number % extent.x),
          static_cast<uint32_t>(number / extent.x % extent.y),
          static_cast<uint32_t>(number / extent.x / extent.y)};
}

/// Puts immediates and addresses into a register file; blocks never change
/// them.
void prepareFile(Warp &warp, const Grid &grid) {
  const KernelCode &code = *grid.code;
  warp.fileStorage.resize(code.fileBytes + kSlotBytes);
  const uintptr_t address =
      reinterpret_cast<uintptr_t>(warp.fileStorage.data());
  warp.file = warp.fileStorage.data() + (-address & (kSlotBytes - 1));
  warp.defined.assign(code.fileBytes / kSlotBytes, 0);
  auto broadcast = [&](uint32_t slot, unsigned bytes, uint64_t bits) {
    if (bytes == 0) // predicate
      std::memcpy(warp.file + slot, &bits, sizeof(uint32_t));
    for (uint32_t lane = 0; bytes && lane < kLanes; ++lane)
      std::memcpy(warp.file + slot + lane * bytes, &bits, bytes);
  };
  for (const ConstantSlot &constant : code.constants)
    broadcast(constant.slot, constant.bytes, constant.bits);
  for (size_t i = 0; i < code.addresses.size(); ++i)
    broadcast(code.addresses[i].slot, code.addresses[i].bytes,
              grid.addresses[i]);
  warp.local.resize(size_t(code.info.localBytes) * kLanes);
}

void startWarp(Warp &warp, Block &block, uint32_t index) {
  const Grid &grid = *block.worker->grid;
  warp.index = index;
  warp.block = &block;
  warp.initial = warp.live = initialMask(grid.threadsPerBlock, index);
  if (!warp.file)
    prepareFile(warp, grid);
  fillSpecials(warp);
  std::fill(warp.defined.begin(), warp.defined.end(), 0);
  std::fill(warp.local.begin(), warp.local.end(), 0xff);
  if (grid.options.checks.initialised)
    warp.localWritten.assign(warp.local.size() / 8 + 1, 0);
  warp.joins.clear();
  warp.copies = AsyncCopies();
  warp.clusterArrived = warp.clusterPassed = 0;
  warp.splits.assign(1, Split());
  warp.splits[0].mask = warp.live;
  warp.current = 0;
}

void startBlock(Worker &worker, uint64_t number,
                const std::shared_ptr<Cluster> &cluster) {
  const Grid &grid = *worker.grid;
  std::unique_ptr<Block> block;
  if (worker.idle.empty()) {
    block = std::make_unique<Block>();
    block->warps.resize(grid.warpsPerBlock);
  } else {
    block = std::move(worker.idle.back());
    worker.idle.pop_back();
  }
  block->worker = &worker;
  block->number = number;
  block->index = unflatten(number, grid.grid);
  block->liveWarps = grid.warpsPerBlock;
  // Unwritten shared memory reads as NaN.
  block->shared.assign(grid.code->dynamicSharedOffset + grid.dynamicShared,
                       0xff);
  if (grid.options.checks.initialised)
    block->sharedWritten.assign(block->shared.size() / 8 + 1, 0);
  for (NamedBarrier &barrier : block->barriers)
    barrier = NamedBarrier();
  block->mbarriers.clear();
  block->bulk.clear();
  block->asyncEpochs.fill(0);
  for (uint32_t i = 0; i < grid.warpsPerBlock; ++i)
    startWarp(block->warps[i], *block, i);
  if (grid.code->usesWarpgroups)
    startWarpgroups(*block);
  if (grid.options.checks.races)
    startOrder(*block);
  block->cluster = cluster;
  block->rank = static_cast<uint32_t>(cluster->blocks.size());
  cluster->blocks.push_back(block.get());
  worker.resident.push_back(std::move(block));
}

/// Starts the blocks of a cluster by rank.
void startCluster(Worker &worker, uint64_t number) {
  const Dim3 &blocks = worker.grid->grid;
  const Dim3 &extent = worker.grid->cluster;
  const Dim3 at = unflatten(
      number, {blocks.x / extent.x, blocks.y / extent.y, blocks.z / extent.z});
  auto cluster = std::make_shared<Cluster>();
  for (uint64_t rank = 0; rank < extent.count(); ++rank) {
    const Dim3 in = unflatten(rank, extent);
    const uint64_t x = at.x * extent.x + in.x;
    const uint64_t y = at.y * extent.y + in.y;
    const uint64_t z = at.z * extent.z + in.z;
    startBlock(worker, x + blocks.x * (y + blocks.y * z), cluster);
  }
}

bool startNextCluster(Worker &worker) {
  Grid &grid = *worker.grid;
  uint64_t number;
  {
    std::lock_guard<std::mutex> lock(grid.mutex);
    if (grid.pendingClusters.empty() || grid.failed)
      return false;
    number = grid.pendingClusters.back();
    grid.pendingClusters.pop_back();
  }
  startCluster(worker, number);
  return true;
}

void removeSplit(Warp &warp, size_t index) {
  warp.splits[index] = warp.splits.back();
  warp.splits.pop_back();
}

/// The current split has reached its join. Returns whether it goes on.
bool arrive(Warp &warp) {
  Split &split = warp.split();
  Join &join = warp.joins[split.join];
  join.arrived |= split.mask;
  if (join.arrived != join.expected) {
    removeSplit(warp, warp.current);
    return false;
  }
  split.mask = join.arrived;
  split.stop = join.outerStop;
  split.join = join.outer;
  join.used = false;
  return true;
}

/// Reports a read of a register that nothing has written.
Flow checkRegisters(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (!warp.registers.empty() &&
      checkInFlight(warp, instruction, mask) == Flow::Fail)
    return Flow::Fail;
  const uint32_t *uses =
      warp.block->worker->grid->code->lists.data() + instruction.uses;
  uint32_t defined = kAllLanes;
  uint32_t any = 0;
  for (uint32_t i = 0; i < instruction.reads; ++i) {
    const uint32_t lanes = warp.defined[uses[i] / kSlotBytes];
    defined &= lanes;
    any |= lanes;
  }
  if (instruction.movesUndefined && instruction.reads) {
    for (uint32_t i = 0; i < instruction.writes; ++i) {
      uint32_t &lanes = warp.defined[uses[instruction.reads + i] / kSlotBytes];
      lanes = (lanes & ~mask) | (mask & any);
    }
    return Flow::Next;
  }
  for (uint32_t i = 0; i < instruction.writes; ++i)
    warp.defined[uses[instruction.reads + i] / kSlotBytes] |= mask;
  if ((defined & mask) != mask)
    return fail(warp, instruction, lowestLane(mask & ~defined),
                "reads a register that was never written");
  return Flow::Next;
}

template <bool kCheckRegisters>
Flow runSplit(Worker &worker, Warp &warp, unsigned quantum) {
  const Instruction *code = worker.grid->code->code.data();
  for (; quantum; --quantum) {
    Split &split = warp.splits[warp.current];
    if (split.pc == split.stop) {
      if (!arrive(warp))
        return Flow::Wait;
      continue;
    }
    const Instruction &instruction = code[split.pc];
    uint32_t mask = split.mask;
    if (instruction.guard != kNoSlot) {
      const uint32_t taken = warp.predicate(instruction.guard);
      mask &= instruction.guardNegated ? ~taken : taken;
    }
    ++worker.executed[split.pc];
    worker.executedThreads[split.pc] +=
        static_cast<uint64_t>(__builtin_popcount(mask));
    ++worker.total;
    ++split.pc;
    if (mask == 0)
      continue;
    if (kCheckRegisters &&
        checkRegisters(warp, instruction, mask) == Flow::Fail)
      return Flow::Fail;
    const Flow flow = instruction.execute(warp, instruction, mask);
    if (flow != Flow::Next)
      return flow;
  }
  return Flow::Next;
}

/// Runs some instructions of a split that is ready. Returns Wait if the block
/// has none.
Flow runSlice(Worker &worker, Block &block) {
  const uint32_t warps = static_cast<uint32_t>(block.warps.size());
  const bool checked = worker.grid->options.checks.initialised;
  const uint32_t start = worker.random.below(warps);
  // Bulk copies take effect late, and in any order.
  if (!block.bulk.empty() && worker.random.below(kBulkDelay) == 0)
    retireBulk(block);
  for (uint32_t i = 0; i < warps; ++i) {
    Warp &warp = block.warps[(start + i) % warps];
    const uint32_t splits = static_cast<uint32_t>(warp.splits.size());
    if (splits == 0)
      continue;
    const uint32_t first = splits == 1 ? 0 : worker.random.below(splits);
    for (uint32_t j = 0; j < splits; ++j) {
      const size_t index = (first + j) % splits;
      if (warp.splits[index].state != Split::Ready)
        continue;
      warp.current = index;
      const unsigned quantum = 1 + worker.random.below(checked ? 64 : 512);
      const Flow flow = checked ? runSplit<true>(worker, warp, quantum)
                                : runSplit<false>(worker, warp, quantum);
      return flow == Flow::Fail ? Flow::Fail : Flow::Next;
    }
  }
  return retireBulk(block) ? Flow::Next : Flow::Wait;
}

/// What the current phase of an mbarrier waits for.
std::string describeMBarrier(const MBarrier &barrier, uint32_t address) {
  const std::string text = " for phase " + std::to_string(barrier.phase) +
                           " of the mbarrier at " + hex(address) + " (" +
                           std::to_string(barrier.pending) + " of " +
                           std::to_string(barrier.expected) + " arrivals ";
  if (barrier.bytes < 0)
    return text + "are missing, " + std::to_string(-barrier.bytes) +
           " bytes more than expected came)";
  return text + "and " + std::to_string(barrier.bytes) + " bytes are missing)";
}

/// One line that says where the threads of a stuck grid wait.
std::string describeWaits(Worker &worker) {
  const KernelCode &code = *worker.grid->code;
  std::string text;
  unsigned listed = 0;
  for (const std::unique_ptr<Block> &block : worker.resident)
    for (Warp &warp : block->warps)
      for (const Split &split : warp.splits) {
        if (++listed > 6)
          return text + ", ...";
        const Instruction &at =
            code.code[split.pc - (split.state == Split::Barrier ||
                                          split.state == Split::Warpgroup
                                      ? 1
                                      : 0)];
        if (!text.empty())
          text += ", ";
        text += describeThread(warp, lowestLane(split.mask)) + " and " +
                std::to_string(__builtin_popcount(split.mask) - 1) +
                " more wait at line " + std::to_string(at.line);
        if (split.state == Split::Barrier) {
          const NamedBarrier &barrier = block->barriers[split.detail];
          text += " for barrier " + std::to_string(split.detail) + " (" +
                  std::to_string(barrier.arrived) + " of " +
                  std::to_string(barrier.expected ? barrier.expected
                                                  : block->liveWarps * kLanes) +
                  " threads)";
        } else if (split.state == Split::Poll &&
                   block->mbarriers.count(split.detail)) {
          text += describeMBarrier(block->mbarriers[split.detail],
                                   split.detail + kSharedBase);
        } else if (split.state == Split::Cluster) {
          text += " for the other threads of the cluster";
        } else if (split.state == Split::Warpgroup) {
          text += " for the other warps of its warpgroup";
        } else if (split.state == Split::Meet) {
          text += " for lanes " + hex(split.members & ~split.detail);
        }
      }
  return text;
}

void failGrid(Grid &grid, const std::string &message) {
  std::lock_guard<std::mutex> lock(grid.mutex);
  if (!grid.failed)
    grid.failure = error("kernel '" + grid.code->info.name + "': " + message);
  grid.failed = true;
}

} // namespace

Flow exitLanes(Warp &warp, uint32_t mask) {
  Split &split = warp.split();
  warp.live &= ~mask;
  split.mask &= ~mask;
  int32_t outer = split.join;
  for (int32_t join = outer; join >= 0; join = warp.joins[join].outer)
    warp.joins[join].expected &= ~mask;
  const bool ended = split.mask == 0;
  if (ended)
    removeSplit(warp, warp.current);
  while (ended && outer >= 0) {
    Join &join = warp.joins[outer];
    const int32_t next = join.outer;
    if (join.expected == 0) {
      join.used = false;
    } else {
      if (join.arrived == join.expected) {
        Split resumed;
        resumed.pc = join.pc;
        resumed.mask = join.arrived;
        resumed.stop = join.outerStop;
        resumed.join = join.outer;
        join.used = false;
        warp.splits.push_back(resumed);
      }
      break;
    }
    outer = next;
  }
  warp.block->worker->sinceProgress = 0;
  if (warp.live == 0)
    --warp.block->liveWarps;
  recheckBarriers(*warp.block);
  recheckCluster(*warp.block);
  // Lanes that are gone need not be waited for.
  for (Split &other : warp.splits)
    if (other.state == Split::Meet)
      other.state = Split::Ready;
  return ended ? Flow::Wait : Flow::Next;
}

void branchLanes(Warp &warp, uint32_t reconverge, size_t count,
                 const uint32_t *targets, const uint32_t *masks) {
  Split base = warp.split();
  if (reconverge != kNoPc && reconverge != base.stop) {
    size_t index = 0;
    while (index < warp.joins.size() && warp.joins[index].used)
      ++index;
    if (index == warp.joins.size())
      warp.joins.emplace_back();
    Join &join = warp.joins[index];
    join = {reconverge, base.mask, 0, base.join, base.stop, true};
    base.join = static_cast<int32_t>(index);
    base.stop = reconverge;
  }
  for (size_t i = 0; i < count; ++i) {
    base.pc = targets[i];
    base.mask = masks[i];
    if (i == 0)
      warp.split() = base;
    else
      warp.splits.push_back(base);
  }
}

Flow meet(Warp &warp, const Instruction &instruction, uint32_t &mask,
          uint32_t members, bool anywhere) {
  members &= warp.live;
  if (mask & ~members)
    return fail(warp, instruction, lowestLane(mask & ~members),
                "executes without being named in the member mask " +
                    hex(members));
  if (mask == members)
    return Flow::Next;
  const Instruction *code = warp.block->worker->grid->code->code.data();
  Split &own = warp.split();
  auto waitsHere = [&](const Split &split) {
    return split.state == Split::Meet && split.members == members &&
           (split.pc + 1 == own.pc ||
            (anywhere && code[split.pc].execute == instruction.execute));
  };
  uint32_t all = mask;
  for (const Split &split : warp.splits)
    if (waitsHere(split))
      all |= split.detail;
  if (all != members) {
    --own.pc; // executes again when the others are there
    own.state = Split::Meet;
    own.detail = mask;
    own.members = members;
    return Flow::Wait;
  }
  for (Split &split : warp.splits)
    if (waitsHere(split)) {
      split.state = Split::Ready;
      ++split.pc;
    }
  mask = all;
  return Flow::Next;
}

void runWorker(Worker &worker) {
  Grid &grid = *worker.grid;
  const bool checked = grid.options.checks.races;
  size_t wanted = checked ? kResidentBlocks : 1;
  uint64_t patience = worker.total + kPatience;
  for (;;) {
    while (worker.resident.size() < wanted && startNextCluster(worker))
      ;
    if (worker.resident.empty() || grid.failed)
      return;
    const uint32_t count = static_cast<uint32_t>(worker.resident.size());
    const uint32_t start = count == 1 ? 0 : worker.random.below(count);
    Flow flow = Flow::Wait;
    const uint64_t before = worker.total;
    for (uint32_t i = 0; i < count && flow == Flow::Wait; ++i) {
      const uint32_t index = (start + i) % count;
      Block &block = *worker.resident[index];
      flow = runSlice(worker, block);
      if (flow != Flow::Fail && block.liveWarps == 0) {
        if (!block.bulk.empty())
          return failGrid(grid, "block " + std::to_string(block.number) +
                                    " ends before the bulk copy of line " +
                                    std::to_string(block.bulk[0].line) +
                                    " has done with its shared memory");
        for (const Warpgroup &group : block.warpgroups)
          if (!group.products.empty())
            return failGrid(
                grid,
                "block " + std::to_string(block.number) +
                    " ends before all warps wait for the product of line " +
                    std::to_string(group.products[0].instruction->line));
        block.cluster->blocks[block.rank] = nullptr;
        recheckCluster(block);
        worker.idle.push_back(std::move(worker.resident[index]));
        worker.resident.erase(worker.resident.begin() + index);
        patience = worker.total + kPatience;
        flow = Flow::Next;
      }
    }
    if (flow == Flow::Fail)
      return;
    if (flow == Flow::Wait) {
      // Blocks that have not started may be what these wait for.
      if (worker.resident.size() < kLargestResidency &&
          startNextCluster(worker)) {
        wanted = worker.resident.size();
        continue;
      }
      return failGrid(grid, "deadlock: " + describeWaits(worker));
    }
    worker.sinceProgress += worker.total - before;
    if (worker.total > grid.options.instructionLimit)
      return failGrid(grid, "more than " +
                                std::to_string(grid.options.instructionLimit) +
                                " warp instructions: " + describeWaits(worker));
    if (worker.sinceProgress > kProgressLimit)
      return failGrid(grid, "no progress: " + describeWaits(worker));
    if (worker.total > patience && wanted < kLargestResidency) {
      ++wanted;
      patience = worker.total + kPatience;
    }
  }
}

} // namespace ssmrt::ptx
