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
    Barrier,   ///< waits at barrier `detail` of the block
    Meet,      ///< waits for the other lanes of `members` at this instruction
    Poll,      ///< a test of an mbarrier failed; retried when one changes
    Warpgroup, ///< waits for the other warps of its warpgroup
    Cluster,   ///< waits at the barrier of the cluster
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
  /// Groups that each lane has committed: of cp.async and of bulk copies.
  uint32_t groups[kLanes] = {};
  uint32_t bulkGroups[kLanes] = {};
};

/// What wgmma needs to know of a register.
struct RegisterUse {
  uint32_t resultLine = 0;  ///< of the product in flight that writes it, or 0
  uint32_t operandLine = 0; ///< of the product in flight that reads it, or 0
  uint32_t elements = 0;    ///< accumulators of the product that wrote it
  uint32_t writtenAfter = ~uint32_t(0); ///< Warp::fences at the last write
  uint32_t writtenLine = 0;
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
  /// By slot / kSlotBytes, when the kernel has products and is checked.
  std::vector<RegisterUse> registers;
  uint32_t fences = 0; ///< wgmma.fence executed
  /// Lanes that have arrived at the cluster's barrier, which is not complete,
  /// and lanes that have not yet waited for a complete one.
  uint32_t clusterArrived = 0;
  uint32_t clusterPassed = 0;

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

/// An mbarrier in shared memory.
struct MBarrier {
  uint32_t expected = 0; ///< arrivals of a phase
  uint32_t pending = 0;  ///< arrivals still to come
  int64_t bytes = 0;     ///< of asynchronous operations still to come
  uint32_t phase = 0;    ///< phases completed
  uint32_t seen = 0;     ///< the same when somebody last waited with success
  Clocks arrived;        ///< what those who arrived have done
  Clocks completed;      ///< the same of completed phases
};

/// A bulk copy that has been issued and may take effect at any time.
struct BulkCopy {
  struct Segment {
    uint8_t *target = nullptr;
    const uint8_t *source = nullptr; ///< null: zeros
    uint32_t bytes = 0;
  };
  std::vector<Segment> segments;
  bool isLoad = false; ///< into shared memory, completes `mbarrier`
  bool isDone = false; ///< the bytes have arrived
  uint32_t mbarrier = 0;
  uint32_t sharedOffset = 0; ///< of the range in shared memory
  uint32_t bytes = 0;        ///< of that range
  uint32_t line = 0;
  // Stores belong to bulk groups of their thread.
  uint32_t warp = 0;
  uint8_t lane = 0;
  uint32_t group = AsyncCopy::kNotCommitted;
};

constexpr uint32_t kWarpgroupWarps = 4;

/// A wgmma.mma_async that has been issued and not been waited for.
struct WarpgroupProduct {
  const Instruction *instruction = nullptr;
  uint64_t left = 0; ///< matrix descriptors
  uint64_t right = 0;
  bool accumulates = false;
  bool isDone = false;
  uint8_t waited = 0; ///< warps that have waited for it
  uint32_t epoch = 0; ///< of the warpgroup's agent when it was done
  uint32_t group[kWarpgroupWarps] = {
      AsyncCopy::kNotCommitted, AsyncCopy::kNotCommitted,
      AsyncCopy::kNotCommitted, AsyncCopy::kNotCommitted};
  /// Offsets of what it reads in shared memory, sorted.
  std::vector<uint32_t> units;
};

/// Four warps that multiply together.
struct Warpgroup {
  WarpgroupProduct meeting; ///< at which the warps in `arrived` wait
  uint8_t arrived = 0;
  std::vector<WarpgroupProduct> products;
  uint32_t groups[kWarpgroupWarps] = {}; ///< that each warp has committed
};

/// Blocks that run together.
struct Cluster {
  std::vector<Block *> blocks; ///< by rank; null: has ended
  uint32_t phase = 0;          ///< of the barrier: times it was complete
  Clocks arrived;              ///< what those who arrived have done
  Clocks completed;            ///< the same of complete barriers
};

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
  std::map<uint32_t, MBarrier> mbarriers; ///< by offset in shared memory
  std::vector<BulkCopy> bulk;             ///< not waited for
  std::array<uint32_t, kAgents> asyncEpochs = {};
  std::vector<Warpgroup> warpgroups; ///< when the kernel has products
  std::shared_ptr<Cluster> cluster;
  uint32_t rank = 0; ///< in the cluster
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
  std::vector<uint64_t> pendingClusters;
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

/// Lets some bulk copy of a block take effect. Returns false if none is left.
bool retireBulk(Block &block);
/// Lets splits that wait for an mbarrier try again.
void wakePolls(Block &block);

/// Forgets the products of a block that starts.
void startWarpgroups(Block &block);
/// Reports uses of registers that a product in flight reads or writes, of a
/// warp whose `registers` are known.
Flow checkInFlight(Warp &warp, const Instruction &instruction, uint32_t mask);

/// Fills the special registers of a warp.
void fillSpecials(Warp &warp);

/// Runs blocks until none is left or the grid failed.
void runWorker(Worker &worker);

} // namespace ssmrt::ptx
