//===- Limits.h - What this machine can do at most ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Benchmarks print shares of limits measured in the same run: absolute times
// on a shared machine say little.
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ssmbench {

/// Seconds of a monotonic clock.
double now();
/// Seconds that all threads of this process have computed: on a shared machine
/// the clock on the wall also counts what others do.
double processorNow();

/// Reads memory and runs multiply-adds on some threads, one round at a time, so
/// that a benchmark can alternate its own work with its limits.
class Limits {
public:
  /// Touches `bytes` of memory (well beyond the caches).
  explicit Limits(int threads, size_t bytes = size_t(512) << 20);
  ~Limits();
  Limits(const Limits &) = delete;
  Limits &operator=(const Limits &) = delete;

  // A round should last as long as one sample of what it is compared with, so
  // that on a shared machine both meet the same disturbance: the best of many
  // short rounds is a limit that nothing longer can reach.

  /// Bytes per second of all threads together reading `total` bytes in order;
  /// keeps the best in `bestRead`.
  double readRound(size_t total = size_t(32) << 20);
  /// Floating-point operations per second of independent f32 multiply-add
  /// chains at the widest vectors of this machine, for at least `seconds`.
  double fmaRound(double seconds = 0);
  /// The same for the bf16 dot instruction; 0 where the machine has none.
  double dotRound(double seconds = 0);

  double bestRead = 0, bestFma = 0, bestDot = 0;

private:
  double computeRound(int64_t (*work)(), double seconds);

  int threads;
  size_t bytes;
  size_t next = 0;
  char *memory;
};

} // namespace ssmbench
