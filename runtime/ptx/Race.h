//===- Race.h - Which accesses are ordered -------------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/ptx/Shadow.h"

#include <array>
#include <map>
#include <unordered_map>

namespace ssmrt::ptx {

struct Block;
struct Grid;
struct Instruction;
struct Warp;

/// What is known of the past of a block: accesses of agent a before epoch
/// all[a], and those of `lanes` before `epoch` for each entry of `parts`.
struct Clock {
  struct Part {
    uint8_t agent = 0;
    uint32_t lanes = 0;
    uint32_t epoch = 0;
  };
  std::array<uint32_t, kAgents> all = {};
  std::vector<Part> parts;

  void join(const Clock &other);
  void add(const Part &part);
  bool covers(const Stamp &stamp) const;
};

/// Clocks of several blocks, by block number + 1.
using Clocks = std::map<uint32_t, Clock>;
void joinAll(Clocks &clocks, const Clocks &others);

/// What a warp knows: its accesses after an operation that orders memory are
/// ordered behind everything in its clocks.
struct WarpOrder {
  uint32_t epoch = 1;
  Clock clock; ///< of its own block; all[warp]: lanes are in step before it
  Clocks others;
  /// Knowledge of some lanes that the warp has not yet shared.
  struct Pending {
    uint32_t lanes = 0;
    Clocks clocks;
  };
  std::vector<Pending> pending;
  /// What the last fence made available, and what strong reads have seen that
  /// the next fence makes known.
  Clocks fenced;
  bool hasFenced = false;
  std::vector<Pending> seen;
  /// Accesses of the generic proxy that fence.proxy.async has made visible to
  /// the asynchronous one.
  Clock proxy;
  /// Initialisations of mbarriers that fence.mbarrier_init has.
  Clock inits;
};

/// Race state of a launch.
struct GridOrder {
  /// Shadows of global allocations, by address of the allocation.
  std::unordered_map<uint64_t, Shadow> global;
  uint64_t lastAddress = 0;
  Shadow *last = nullptr;
  /// What strong writes to an address have released. Addresses of shared
  /// memory carry the block number in their upper half.
  std::unordered_map<uint64_t, Clocks> released;
};

/// A block starts: nothing is known.
void startOrder(Block &block);

/// Adds to `clock` what the lanes in `mask` have done, and starts an epoch.
void releaseTo(Warp &warp, uint32_t mask, Clock &clock);
void releaseTo(Warp &warp, uint32_t mask, Clocks &clocks);
/// Makes `clock` (of the warp's block) known to the lanes in `mask`.
void acquireFrom(Warp &warp, uint32_t mask, const Clock &clock);
void acquireFrom(Warp &warp, uint32_t mask, const Clocks &clocks);
/// bar.warp.sync of `members`.
void orderWarp(Warp &warp, uint32_t members);
/// A fence by the lanes in `mask`.
void orderFence(Warp &warp, uint32_t mask);
/// fence.proxy.async by the lanes in `mask`.
void orderProxies(Warp &warp, uint32_t mask);
/// A strong access to `key` in GridOrder::released.
void orderStrong(Warp &warp, const Instruction &instruction, uint32_t lane,
                 uint64_t key, bool reads, bool writes);

/// Whether `stamp` is ordered before what `lane` does now.
bool isOrdered(const Warp &warp, uint32_t lane, const Stamp &stamp);

/// Records an access in `cell`. Returns the access that races with it, or
/// null. A read is that of all `lanes`; `now.lane` is one of them, and the one
/// that races if any does.
const Stamp *recordRead(const Warp &warp, Stamp &now, uint32_t lanes,
                        Cell &cell, uint32_t choice);
const Stamp *recordWrite(const Warp &warp, const Stamp &now, Cell &cell);

} // namespace ssmrt::ptx
