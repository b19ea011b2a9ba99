//===- StateStore.cpp - States and caches of sequences --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/StateStore.h"
#include "runtime/Checked.h"
#include "runtime/Guarded.h"
#include "runtime/StateLayout.h"

namespace ssmrt {

/// Pools begin at the border of a cache line, and not all in the same set.
static constexpr int64_t kPoolAlignment = 64;

Expected<StateStore> StateStore::create(Device &device, const Plan &plan,
                                        int64_t sequences,
                                        int64_t contextTokens, bool poison) {
  return guarded([&]() -> Expected<StateStore> {
    constexpr int64_t kLongestContext = int64_t{1} << 40;
    constexpr int64_t kMostPages = int64_t{1} << 31;
    if (sequences < 1 || sequences >= kMostPages)
      return error("sequences, got " + std::to_string(sequences) +
                   ", expected at least 1");
    if (contextTokens < 1 || contextTokens > kLongestContext)
      return error("context, got " + std::to_string(contextTokens) +
                   ", expected at least 1");
    StateStore store;
    store.device = &device;
    store.poison = poison;
    store.contextTokens = contextTokens;
    const int64_t pages = ceilDiv(contextTokens, kPageTokens);
    const std::optional<int64_t> allPages = checkedMultiply(pages, sequences);
    const int64_t spare = device.chooser() < 0 ? 0 : 1;
    store.unusedSlot = static_cast<int32_t>(sequences);
    store.unusedPage = static_cast<int32_t>(allPages.value_or(0));
    if (!allPages || *allPages >= kMostPages)
      return error("context of " + std::to_string(contextTokens) +
                   " tokens for " + std::to_string(sequences) +
                   " sequences is too large");
    for (const PlanLayer &layer : plan.layers) {
      store.numbers.push_back(layer.number);
      std::vector<Pool> &pools = store.layers.emplace_back();
      for (int64_t index : plan.bodies[layer.body].states) {
        const PlanState &state = plan.states[index];
        store.anyPaged |= state.isPaged();
        DeviceAddress begin = 0;
        if (state.isPaged()) {
          Expected<DeviceAddress> pages =
              store.allocatePages(state, *allPages + spare);
          if (!pages)
            return pages.status();
          begin = *pages;
        }
        pools.push_back({&state, begin});
      }
    }
    if (Status status = store.allocateSlots(sequences + spare); !status)
      return status;
    if (!store.anyPaged)
      return store;
    store.pagesPerSequence = pages;
    store.freePages.reserve(*allPages);
    for (int64_t page = *allPages; page-- > 0;)
      store.freePages.push_back(static_cast<int32_t>(page));
    return store;
  });
}

Expected<DeviceAddress> StateStore::allocatePages(const PlanState &state,
                                                  int64_t pages) {
  // Huge pages of a smaller pool would cost more memory than they save time.
  constexpr int64_t kLeastForHugePages = int64_t{64} << 20;
  const int64_t bytes = checkedMultiply(state.bytes, pages).value_or(-1);
  Expected<DeviceBuffer> memory = DeviceBuffer::allocate(
      *device, bytes, "keys and values",
      bytes >= kLeastForHugePages ? PageSize::Large : PageSize::Small);
  if (!memory)
    return memory.status();
  memories.push_back(*std::move(memory));
  // Kernels may read a page as a whole, written or not.
  if (Status status = device->fill(memories.back().address(), 0,
                                   device->checksInitialised() ? bytes : 0);
      !status)
    return status;
  return memories.back().address();
}

Status StateStore::allocateSlots(int64_t sequences) {
  int64_t total = 0;
  auto place = [&](const Pool &pool) {
    const int64_t begin = total;
    const std::optional<int64_t> bytes =
        checkedMultiply(pool.state->bytes, sequences);
    total = bytes && total < kLargestSize && *bytes < kLargestSize
                ? total + roundUp(*bytes, kPoolAlignment)
                : kLargestSize;
    return begin;
  };
  std::vector<std::pair<Pool *, int64_t>> places;
  for (std::vector<Pool> &pools : layers)
    for (Pool &pool : pools)
      if (!pool.state->isPaged())
        places.push_back({&pool, place(pool)});
  Expected<DeviceBuffer> memory = DeviceBuffer::allocate(
      *device, total < kLargestSize ? total : -1, "states", PageSize::Large);
  if (!memory)
    return memory.status();
  if (poison)
    if (Status status = device->poison(memory->address(), total); !status)
      return status;
  for (auto [pool, begin] : places)
    pool->begin = memory->address() + begin;
  memories.push_back(*std::move(memory));
  return {};
}

Status StateStore::read(int64_t layer, int64_t index, int32_t piece,
                        std::vector<char> &bytes) const {
  const Pool &pool = layers[layer][index];
  bytes.resize(pool.state->bytes);
  return device->download(bytes.data(), pool.piece(piece), pool.state->bytes);
}

Status StateStore::write(int64_t layer, int64_t index, int32_t piece,
                         const std::vector<char> &bytes) const {
  const Pool &pool = layers[layer][index];
  return device->upload(pool.piece(piece), bytes.data(), pool.state->bytes);
}

Status StateStore::start(Sequence &sequence) {
  sequence.position = 0;
  freePages.insert(freePages.end(), sequence.pages.rbegin(),
                   sequence.pages.rend());
  sequence.pages.clear();
  for (const std::vector<Pool> &pools : layers)
    for (const Pool &pool : pools)
      if (!pool.state->isPaged())
        if (Status status =
                device->fill(pool.piece(sequence.slot), 0, pool.state->bytes);
            !status)
          return status;
  return {};
}

Status StateStore::grow(Sequence &sequence, int64_t tokens) {
  if (!anyPaged)
    return {};
  if (tokens > contextTokens)
    return error("context, got " + std::to_string(tokens) +
                 " tokens, supported " + std::to_string(contextTokens));
  const size_t needed = static_cast<size_t>(ceilDiv(tokens, kPageTokens));
  while (sequence.pages.size() < needed) {
    // There are as many pages as all sequences can hold together.
    const int32_t page = freePages.back();
    freePages.pop_back();
    if (poison)
      if (Status status = poisonPage(page); !status)
        return status;
    sequence.pages.push_back(page);
  }
  return {};
}

Status StateStore::poisonPage(int32_t page) const {
  std::vector<char> bytes;
  for (const std::vector<Pool> &pools : layers)
    for (const Pool &pool : pools) {
      if (!pool.state->isPaged())
        continue;
      bytes.resize(pool.state->bytes);
      poisonPageOf(*pool.state, bytes.data());
      if (Status status =
              device->upload(pool.piece(page), bytes.data(), pool.state->bytes);
          !status)
        return status;
    }
  return {};
}

Status StateStore::poisonStale(const Sequence &sequence, int64_t rows) const {
  if (!poison || rows % 2 == 0)
    return {};
  const int64_t stale = (sequence.position + rows) & 1;
  for (const std::vector<Pool> &pools : layers)
    for (const Pool &pool : pools) {
      if (pool.state->kind != StateKind::Conv)
        continue;
      const int64_t half = convCopyBytes(*pool.state);
      if (Status status =
              device->poison(pool.piece(sequence.slot) + stale * half, half);
          !status)
        return status;
    }
  return {};
}

} // namespace ssmrt
