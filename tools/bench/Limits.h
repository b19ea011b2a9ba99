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

  /// Bytes per second of a few sequential passes over parts of the memory, all
  /// threads together, each shorter than a time slice; keeps the best of all in
  /// `bestRead`.
  double readRound();
  /// Floating-point operations per second of independent f32 multiply-add
  /// chains at the widest vectors of this machine.
  double fmaRound();
  /// The same for the bf16 dot instruction; 0 where the machine has none.
  double dotRound();

  double bestRead = 0, bestFma = 0, bestDot = 0;

private:
  int threads;
  size_t bytes;
  size_t next = 0;
  char *memory;
};

} // namespace ssmbench
