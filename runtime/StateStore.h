//===- StateStore.h - States and caches of sequences ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Device.h"
#include "runtime/Plan.h"
#include "runtime/Status.h"

#include <cstdint>
#include <vector>

namespace ssmrt {

/// A sequence: how far it is and where its state lies.
struct Sequence {
  /// Tokens seen.
  int64_t position = 0;
  int32_t slot = 0;
  /// Pages of keys and values, kPageTokens tokens each, the same for all
  /// layers.
  std::vector<int32_t> pages;
};

/// For each state of each layer a pool of slots (one per sequence), for keys
/// and values a pool of pages, in the memory of a device.
class StateStore {
public:
  /// `contextTokens` is what each of `sequences` may hold. With `poison` all
  /// that was not written holds NaN. `device` must outlive the store.
  static Expected<StateStore> create(Device &device, const Plan &plan,
                                     int64_t sequences, int64_t contextTokens,
                                     bool poison);

  /// Whether any state is paged: else a sequence has no limit.
  bool hasPages() const { return anyPaged; }
  /// Tokens that each sequence may hold.
  int64_t context() const { return contextTokens; }
  int64_t maxPages() const { return pagesPerSequence; }
  /// Where sequences may write what nobody shall see, if the device chooses
  /// tokens.
  int32_t spareSlot() const { return unusedSlot; }
  int32_t sparePage() const { return unusedPage; }

  /// Pool of the `index`-th state of a layer.
  DeviceAddress pool(int64_t layer, int64_t index) const {
    return layers[layer][index].begin;
  }
  const PlanState &state(int64_t layer, int64_t index) const {
    return *layers[layer][index].state;
  }
  int64_t statesOf(int64_t layer) const {
    return static_cast<int64_t>(layers[layer].size());
  }
  int64_t layerCount() const { return static_cast<int64_t>(layers.size()); }
  /// Number of a layer in the checkpoint.
  int64_t layerNumber(int64_t layer) const { return numbers[layer]; }

  /// Copies a slot or a page of a state to the host and back.
  Status read(int64_t layer, int64_t index, int32_t piece,
              std::vector<char> &bytes) const;
  Status write(int64_t layer, int64_t index, int32_t piece,
               const std::vector<char> &bytes) const;

  /// Makes `sequence` an empty one.
  Status start(Sequence &sequence);

  /// Gives `sequence` the pages for `tokens` tokens in all.
  Status grow(Sequence &sequence, int64_t tokens);

  /// With poison: fills what a call of `rows` rows must not read of the
  /// convolution's two copies.
  Status poisonStale(const Sequence &sequence, int64_t rows) const;

private:
  struct Pool {
    const PlanState *state;
    DeviceAddress begin;

    DeviceAddress piece(int64_t number) const {
      return begin + number * state->bytes;
    }
  };

  Status poisonPage(int32_t page) const;

  /// Pages of one state of one layer.
  Expected<DeviceAddress> allocatePages(const PlanState &state, int64_t pages);
  /// Slots of all states that are not paged, in one piece: they are read and
  /// written in every step, and large pages hold them.
  Status allocateSlots(int64_t sequences);

  Device *device = nullptr;
  std::vector<std::vector<Pool>> layers;
  std::vector<DeviceBuffer> memories;
  std::vector<int64_t> numbers;
  std::vector<int32_t> freePages;
  int64_t contextTokens = 0;
  int64_t pagesPerSequence = 0;
  int32_t unusedSlot = 0;
  int32_t unusedPage = 0;
  bool anyPaged = false;
  bool poison = false;
};

} // namespace ssmrt
