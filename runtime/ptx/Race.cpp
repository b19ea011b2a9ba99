//===- Race.cpp - Which accesses are ordered ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Race.h"
#include "runtime/ptx/Machine.h"

#include <algorithm>

namespace ssmrt::ptx {

//===----------------------------------------------------------------------===//
// Shadow
//===----------------------------------------------------------------------===//

void Shadow::reset(uint64_t bytes) {
  pages.resize((bytes + kPageBytes - 1) / kPageBytes);
  for (std::unique_ptr<Page> &page : pages)
    if (page)
      std::fill(page->cells.begin(), page->cells.end(), Cell());
}

Shadow::Page &Shadow::at(uint64_t index) {
  std::unique_ptr<Page> &page = pages[index];
  if (!page) {
    page = std::make_unique<Page>();
    page->cells.resize(kPageBytes >> page->shift);
  }
  return *page;
}

void Shadow::refine(Page &page, unsigned shift) {
  std::vector<Cell> cells(kPageBytes >> shift);
  for (uint64_t i = 0; i < cells.size(); ++i)
    cells[i] = page.cells[i >> (page.shift - shift)];
  page.cells = std::move(cells);
  page.shift = shift;
}

//===----------------------------------------------------------------------===//
// Clocks
//===----------------------------------------------------------------------===//

void Clock::join(const Clock &other) {
  for (uint32_t agent = 0; agent < kAgents; ++agent)
    all[agent] = std::max(all[agent], other.all[agent]);
  for (const Part &part : other.parts)
    add(part);
}

void Clock::add(const Part &part) {
  if (all[part.agent] >= part.epoch)
    return;
  for (Part &mine : parts)
    if (mine.agent == part.agent && mine.lanes == part.lanes) {
      mine.epoch = std::max(mine.epoch, part.epoch);
      return;
    }
  parts.erase(std::remove_if(parts.begin(), parts.end(),
                             [&](const Part &mine) {
                               return all[mine.agent] >= mine.epoch ||
                                      (mine.agent == part.agent &&
                                       (mine.lanes & ~part.lanes) == 0 &&
                                       mine.epoch <= part.epoch);
                             }),
              parts.end());
  parts.push_back(part);
}

bool Clock::covers(const Stamp &stamp) const {
  if (stamp.epoch < all[stamp.agent])
    return true;
  const uint32_t lanes = stamp.many ? kAllLanes : uint32_t(1) << stamp.lane;
  for (const Part &part : parts)
    if (part.agent == stamp.agent && stamp.epoch < part.epoch &&
        (lanes & ~part.lanes) == 0)
      return true;
  return false;
}

namespace {

uint32_t numberOf(const Warp &warp) {
  return static_cast<uint32_t>(warp.block->number + 1);
}

/// What the lanes in `mask` have done themselves.
void addOwn(const Warp &warp, uint32_t mask, Clock &clock) {
  const uint8_t agent = static_cast<uint8_t>(warp.index);
  if ((mask & warp.live) == warp.live)
    clock.all[agent] = std::max(clock.all[agent], warp.order.epoch + 1);
  else
    clock.add({agent, mask, warp.order.epoch + 1});
}

/// Pending knowledge of lanes in `mask`.
template <class Visit>
void forPending(const Warp &warp, uint32_t mask, Visit visit) {
  for (const WarpOrder::Pending &pending : warp.order.pending)
    if (pending.lanes & mask)
      visit(pending.clocks);
}

} // namespace

void joinAll(Clocks &clocks, const Clocks &others) {
  for (const auto &[block, clock] : others)
    clocks[block].join(clock);
}

void startOrder(Block &block) {
  block.shadow.reset(block.shared.size());
  for (Warp &warp : block.warps)
    warp.order = WarpOrder();
}

void releaseTo(Warp &warp, uint32_t mask, Clock &clock) {
  clock.join(warp.order.clock);
  forPending(warp, mask, [&](const Clocks &clocks) {
    auto own = clocks.find(numberOf(warp));
    if (own != clocks.end())
      clock.join(own->second);
  });
  addOwn(warp, mask, clock);
  ++warp.order.epoch;
}

void releaseTo(Warp &warp, uint32_t mask, Clocks &clocks) {
  joinAll(clocks, warp.order.others);
  forPending(warp, mask,
             [&](const Clocks &pending) { joinAll(clocks, pending); });
  releaseTo(warp, mask, clocks[numberOf(warp)]);
}

void acquireFrom(Warp &warp, uint32_t mask, const Clock &clock) {
  if (mask == warp.live) {
    warp.order.clock.join(clock);
    return;
  }
  acquireFrom(warp, mask, Clocks{{numberOf(warp), clock}});
}

void acquireFrom(Warp &warp, uint32_t mask, const Clocks &clocks) {
  if (mask != warp.live) {
    for (WarpOrder::Pending &pending : warp.order.pending)
      if (pending.lanes == mask)
        return joinAll(pending.clocks, clocks);
    warp.order.pending.push_back({mask, clocks});
    return;
  }
  for (const auto &[block, clock] : clocks) {
    if (block == numberOf(warp))
      warp.order.clock.join(clock);
    else
      warp.order.others[block].join(clock);
  }
}

void orderWarp(Warp &warp, uint32_t members) {
  WarpOrder &order = warp.order;
  Clocks shared;
  addOwn(warp, members, shared[numberOf(warp)]);
  forPending(warp, members,
             [&](const Clocks &clocks) { joinAll(shared, clocks); });
  ++order.epoch;
  if ((members & warp.live) == warp.live)
    order.pending.clear();
  acquireFrom(warp, members & warp.live, shared);
}

void orderFence(Warp &warp, uint32_t mask) {
  WarpOrder &order = warp.order;
  for (size_t i = 0; i < order.seen.size();) {
    if (order.seen[i].lanes & mask) {
      const WarpOrder::Pending seen = std::move(order.seen[i]);
      order.seen.erase(order.seen.begin() + static_cast<ptrdiff_t>(i));
      acquireFrom(warp, seen.lanes & mask, seen.clocks);
    } else {
      ++i;
    }
  }
  order.hasFenced = true;
  releaseTo(warp, mask, order.fenced);
}

void orderProxies(Warp &warp, uint32_t mask) {
  // The epoch ends: later writes of these lanes are not covered.
  releaseTo(warp, mask, warp.order.proxy);
}

void orderStrong(Warp &warp, const Instruction &instruction, uint32_t lane,
                 uint64_t key, bool reads, bool writes) {
  WarpOrder &order = warp.order;
  auto &released = warp.block->worker->grid->order.released;
  const uint32_t mask = uint32_t(1) << lane;
  if (reads) {
    auto found = released.find(key);
    if (found != released.end()) {
      if (instruction.acquire)
        acquireFrom(warp, mask, found->second);
      else
        order.seen.push_back({mask, found->second});
    }
  }
  if (writes && instruction.release)
    releaseTo(warp, mask, released[key]);
  else if (writes && order.hasFenced)
    joinAll(released[key], order.fenced);
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

/// Whether `stamp` is ordered before what any lane of the warp does now.
static bool isKnown(const Warp &warp, const Stamp &stamp) {
  if (stamp.epoch == kInFlight)
    return false;
  if (stamp.block == numberOf(warp))
    return warp.order.clock.covers(stamp);
  auto other = warp.order.others.find(stamp.block);
  return other != warp.order.others.end() && other->second.covers(stamp);
}

bool isOrdered(const Warp &warp, uint32_t lane, const Stamp &stamp) {
  if (isKnown(warp, stamp))
    return true;
  if (stamp.epoch == kInFlight)
    return false;
  if (stamp.block == numberOf(warp) && stamp.agent == warp.index &&
      stamp.lane == lane && !stamp.many)
    return true;
  for (const WarpOrder::Pending &pending : warp.order.pending)
    if (pending.lanes >> lane & 1) {
      auto known = pending.clocks.find(stamp.block);
      if (known != pending.clocks.end() && known->second.covers(stamp))
        return true;
    }
  return false;
}

const Stamp *recordRead(const Warp &warp, Stamp &now, uint32_t lanes,
                        Cell &cell, uint32_t choice) {
  if (cell.write.exists() && !(cell.write.strong && now.strong) &&
      !isKnown(warp, cell.write))
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
      if (!isOrdered(warp, lowestLane(rest), cell.write)) {
        now.lane = static_cast<uint8_t>(lowestLane(rest));
        return &cell.write;
      }
  const bool isShared = (lanes & (lanes - 1)) != 0;
  Stamp *place = nullptr;
  for (Stamp &read : cell.reads) {
    if (read.exists() && read.block == now.block && read.agent == now.agent) {
      const bool many = read.many || read.lane != now.lane;
      const bool known = read.epoch < warp.order.clock.all[now.agent];
      read = now;
      read.many = isShared || (many && !known);
      return nullptr;
    }
    if (!read.exists())
      place = &read;
  }
  for (Stamp &read : cell.reads)
    if (!place && isOrdered(warp, now.lane, read))
      place = &read;
  if (!place)
    place = &cell.reads[choice & 1];
  *place = now;
  place->many = isShared;
  return nullptr;
}

const Stamp *recordWrite(const Warp &warp, const Stamp &now, Cell &cell) {
  if (cell.write.exists() && !(cell.write.strong && now.strong) &&
      !isOrdered(warp, now.lane, cell.write))
    return &cell.write;
  for (const Stamp &read : cell.reads)
    if (read.exists() && !(read.strong && now.strong) &&
        !isOrdered(warp, now.lane, read))
      return &read;
  cell.write = now;
  cell.reads[0] = cell.reads[1] = Stamp();
  return nullptr;
}

} // namespace ssmrt::ptx
