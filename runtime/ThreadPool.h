//===- ThreadPool.h - Threads that share the units of a launch ------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Threads claim chunks of units, and a launch is complete when all units are
// done, not when all threads have come by: a thread that the system does not
// run is never waited for. What a unit computes does not depend on who ran it.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

namespace ssmrt {

/// Threads that this process may use: the affinity mask, or what the CPU quota
/// of its control group allows if that is less.
int defaultThreadCount();

/// A pool with one caller: its functions may be called from one thread at a
/// time. The caller works too, as thread 0.
class ThreadPool {
public:
  /// Runs units [begin, end) as thread `thread`.
  using Task = void (*)(void *context, int64_t begin, int64_t end, int thread);

  /// `threads` in all; 0 means defaultThreadCount(). If the system gives fewer,
  /// the pool has fewer.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const { return static_cast<int>(workers.size()) + 1; }

  /// Runs units [0, units) and waits for all of them.
  void run(int64_t units, Task task, void *context);

  /// The same with a callable body(unit).
  template <class Body> void forEach(int64_t units, Body &&body) {
    auto task = [](void *context, int64_t begin, int64_t end, int) {
      for (int64_t unit = begin; unit < end; ++unit)
        (*static_cast<std::remove_reference_t<Body> *>(context))(unit);
    };
    run(units, task, &body);
  }

private:
  struct Worker;

  void serve(int thread);
  bool work(int thread);
  void waitForWork(uint64_t seen);
  void waitForDone(int64_t units);
  void finishChunk(int64_t units);

  /// Launch number and next unit: (launch << 32) | unit. A unit of kClosed
  /// means that there is nothing to claim.
  alignas(64) std::atomic<uint64_t> ticket;
  /// Units of the launch that are done.
  alignas(64) std::atomic<int64_t> done{0};
  /// What the launch is. Written only while the ticket is closed; a claim by
  /// compare-exchange proves that they belong to the launch of the ticket.
  alignas(64) std::atomic<int64_t> launchUnits{0};
  std::atomic<Task> launchTask{nullptr};
  std::atomic<void *> launchContext{nullptr};
  /// Changed whenever sleeping workers shall look; they sleep on it.
  alignas(64) std::atomic<uint32_t> wakeUps{0};
  std::atomic<int> sleepers{0};
  std::atomic<bool> stopping{false};
  /// The caller sleeps on this one.
  alignas(64) std::atomic<uint32_t> completions{0};
  std::atomic<bool> callerSleeps{false};

  std::vector<std::unique_ptr<Worker>> workers;
};

/// While it lives, the thread flushes denormal numbers to zero.
class FlushDenormals {
public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals &) = delete;
  FlushDenormals &operator=(const FlushDenormals &) = delete;

private:
  uint64_t saved;
};

} // namespace ssmrt
