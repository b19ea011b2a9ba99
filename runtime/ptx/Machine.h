//===- Machine.h - State of a running grid -------------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/ptx/Program.h"
#include "runtime/ptx/Race.h"
#include "runtime/ptx/Random.h"

#include <mutex>

namespace ssmrt::ptx {

struct Block;
struct Worker;

/// Lanes of a warp that run together. Lanes that part at a branch become
/// splits of their own and meet again at the branch's post-dominator.
struct Split {
  enum State : uint8_t {
    Ready,
    Barrier, ///< waits at barrier `detail` of the block
    Meet,    ///< waits for the other lanes of `members` at this instruction
    Poll,    ///< a test of an mbarrier failed; retried when one changes
  };
  uint32_t pc = 0;
  uint32_t mask = 0;
  uint32_t stop = kNoPc; ///< pc of `join`
  int32_t join = -1;     ///< index into Warp::joins
  State state = Ready;
  uint32_t detail = 0;  ///< barrier, or the lanes that wait to meet
  uint32_t members = 0; ///< lanes that shall meet
};

/// Where the lanes that parted at a branch meet.
struct Join {
  uint32_t pc = 0;
  uint32_t expected = 0; ///< lanes that will come
  uint32_t arrived = 0;
  int32_t outer = -1;
  uint32_t outerStop = kNoPc;
  bool used = false;
};

/// A copy of cp.async that has not been waited for.
struct AsyncCopy {
  static constexpr uint32_t kNotCommitted = ~uint32_t(0);
  uint8_t lane = 0;
  bool isDone = false; ///< the bytes have arrived
  uint32_t group = kNotCommitted;
  uint32_t target = 0; ///< offset in shared memory
  uint32_t bytes = 0;
  uint32_t sourceBytes = 0; ///< the rest is zero
  uint32_t line = 0;
  const uint8_t *source = nullptr;
};

struct AsyncCopies {
  std::vector<AsyncCopy> copies;
  /// Groups that each lane has committed.
  uint32_t groups[kLanes] = {};
};

struct Warp {
  uint8_t *file = nullptr;
  /// Lanes that have been written, by slot / kSlotBytes.
  std::vector<uint32_t> defined;
  std::vector<uint8_t> fileStorage;
  std::vector<uint8_t> local;        ///< Kernel::localBytes per lane
  std::vector<uint8_t> localWritten; ///< bit map, when checked
  bool isPrepared = false;           ///< constants stand in the file
  uint32_t index = 0;                ///< in its block
  uint32_t initial = 0;              ///< lanes that exist
  uint32_t live = 0;                 ///< lanes that have not exited
  Block *block = nullptr;
  std::vector<Split> splits;
  std::vector<Join> joins;
  size_t current = 0; ///< split that executes
  WarpOrder order;    ///< when races are checked
  AsyncCopies copies; ///< cp.async

  Split &split() { return splits[current]; }
  template <class T> T *lanes(uint32_t slot) {
    return reinterpret_cast<T *>(file + slot);
  }
  uint32_t &predicate(uint32_t slot) {
    return *reinterpret_cast<uint32_t *>(file + slot);
  }
};

/// A barrier of bar.sync.
struct NamedBarrier {
  uint32_t arrived = 0;  ///< threads, whole warps
  uint32_t expected = 0; ///< threads, 0: all of the block
  bool inUse = false;
  uint32_t firstLine = 0; ///< of the instruction that arrived first
  /// Lanes that arrived, per warp, of warps that are not complete.
  std::vector<uint32_t> lanes;
  /// For bar.red.
  uint32_t count = 0;
  uint32_t votes = 0;
  Clock clock; ///< what arriving warps have done
};

constexpr uint32_t kNamedBarriers = 16;

struct Block {
  Worker *worker = nullptr;
  uint64_t number = 0; ///< in the grid, x fastest
  Dim3 index;
  std::vector<Warp> warps;
  uint32_t liveWarps = 0;
  std::vector<uint8_t> shared;        ///< from kSharedBase on
  std::vector<uint8_t> sharedWritten; ///< bit map, when checked
  Shadow shadow;                      ///< of shared memory
  NamedBarrier barriers[kNamedBarriers];
  bool isActive = false;
};

/// Traffic of one instruction, indexed by pc.
struct AccessTotals {
  Traffic traffic;
  bool shared = false;
  bool write = false;
};

/// One launch.
struct Grid {
  const Program *program = nullptr;
  const KernelCode *code = nullptr;
  Dim3 grid;
  Dim3 block;
  Dim3 cluster;
  uint32_t dynamicShared = 0;
  std::vector<uint8_t> parameters;
  DeviceMemory *memory = nullptr;
  Options options;
  /// Values of KernelCode::addresses.
  std::vector<uint64_t> addresses;
  uint32_t threadsPerBlock = 0;
  uint32_t warpsPerBlock = 0;
  uint64_t blocks = 0;

  GridOrder order;  ///< when races are checked, with one worker
  std::mutex mutex; ///< guards what follows and atomics on global memory
  std::vector<uint64_t> pendingBlocks;
  Status failure;
  bool failed = false;
};

/// A thread that runs blocks of a grid.
struct Worker {
  Grid *grid = nullptr;
  Random random;
  std::vector<std::unique_ptr<Block>> resident;
  std::vector<std::unique_ptr<Block>> idle; ///< finished, for reuse
  /// By pc.
  std::vector<uint64_t> executed;
  std::vector<uint64_t> executedThreads;
  std::vector<AccessTotals> accesses;
  uint64_t asyncBytes = 0;
  uint64_t tensorFlop = 0;
  uint64_t bankConflicts = 0;
  uint64_t sinceProgress = 0;
  uint64_t total = 0;
  /// The allocation that the last global access hit.
  const DeviceMemory::Allocation *lastAllocation = nullptr;
};

/// Records a failure of `lane` at `instruction` and returns Flow::Fail.
Flow fail(Warp &warp, const Instruction &instruction, uint32_t lane,
          const std::string &message);
/// "kernel 'k', line 3 'add.s32'".
std::string describe(const Grid &grid, const Instruction &instruction);
std::string describeThread(const Warp &warp, uint32_t lane);
std::string hex(uint64_t value);

inline uint32_t lowestLane(uint32_t mask) {
  return static_cast<uint32_t>(__builtin_ctz(mask));
}

/// Ends the lanes in `mask` of the current split.
Flow exitLanes(Warp &warp, uint32_t mask);
/// Sends the lanes `masks[i]` of the current split to `targets[i]`; together
/// the masks are the split. They meet again at `reconverge`.
void branchLanes(Warp &warp, uint32_t reconverge, size_t count,
                 const uint32_t *targets, const uint32_t *masks);
/// Brings the lanes in `members` together at an instruction: adds lanes of
/// other splits that wait here to `mask` and returns Next, or makes the
/// current split wait. With `anywhere` the others may wait at any instruction
/// with the same handler.
Flow meet(Warp &warp, const Instruction &instruction, uint32_t &mask,
          uint32_t members, bool anywhere = false);
/// A warp lost lanes: barriers that wait for all threads may be complete now.
void recheckBarriers(Block &block);

/// Fills the special registers of a warp.
void fillSpecials(Warp &warp);

/// Runs blocks until none is left or the grid failed.
void runWorker(Worker &worker);

} // namespace ssmrt::ptx
