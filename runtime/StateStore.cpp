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

#include <cstring>

namespace ssmrt {

/// Pools begin at the border of a cache line, and not all in the same set.
static constexpr int64_t kPoolAlignment = 64;

Expected<StateStore> StateStore::create(const Plan &plan, int64_t sequences,
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
    store.poison = poison;
    store.contextTokens = contextTokens;
    const int64_t pages = ceilDiv(contextTokens, kPageTokens);
    const std::optional<int64_t> allPages = checkedMultiply(pages, sequences);
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
        char *begin = nullptr;
        if (state.isPaged()) {
          Expected<char *> pages = store.allocatePages(state, *allPages);
          if (!pages)
            return pages.status();
          begin = *pages;
        }
        pools.push_back({&state, begin});
      }
    }
    if (Status status = store.allocateSlots(sequences); !status)
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

Expected<char *> StateStore::allocatePages(const PlanState &state,
                                           int64_t pages) {
  // Huge pages of a smaller pool would cost more memory than they save time.
  constexpr int64_t kLeastForHugePages = int64_t{64} << 20;
  Expected<Memory> memory = Memory::allocate(
      checkedMultiply(state.bytes, pages).value_or(-1), "keys and values");
  if (!memory)
    return memory.status();
  if (memory->size() >= kLeastForHugePages)
    memory->adviseHugePages();
  memories.push_back(*std::move(memory));
  return memories.back().data();
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
  Expected<Memory> memory =
      Memory::allocate(total < kLargestSize ? total : -1, "states");
  if (!memory)
    return memory.status();
  memory->adviseHugePages();
  if (poison && total > 0)
    std::memset(memory->data(), kPoisonByte, total);
  for (auto [pool, begin] : places)
    pool->begin = memory->data() + begin;
  memories.push_back(*std::move(memory));
  return {};
}

void StateStore::start(Sequence &sequence) {
  sequence.position = 0;
  freePages.insert(freePages.end(), sequence.pages.rbegin(),
                   sequence.pages.rend());
  sequence.pages.clear();
  for (const std::vector<Pool> &pools : layers)
    for (const Pool &pool : pools)
      if (!pool.state->isPaged() && pool.state->bytes > 0)
        std::memset(pool.begin + sequence.slot * pool.state->bytes, 0,
                    pool.state->bytes);
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
      poisonPage(page);
    sequence.pages.push_back(page);
  }
  return {};
}

void StateStore::poisonPage(int32_t page) const {
  for (const std::vector<Pool> &pools : layers)
    for (const Pool &pool : pools)
      if (pool.state->isPaged())
        poisonPageOf(*pool.state, pool.begin + page * pool.state->bytes);
}

void StateStore::poisonStale(const Sequence &sequence, int64_t rows) const {
  if (!poison || rows % 2 == 0)
    return;
  const int64_t stale = (sequence.position + rows) & 1;
  for (const std::vector<Pool> &pools : layers)
    for (const Pool &pool : pools) {
      if (pool.state->kind != StateKind::Conv)
        continue;
      const int64_t half = convCopyBytes(*pool.state);
      std::memset(pool.begin + sequence.slot * pool.state->bytes + stale * half,
                  kPoisonByte, half);
    }
}

} // namespace ssmrt
