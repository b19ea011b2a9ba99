//===- ThreadPool.cpp - Threads that share the units of a launch ----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ThreadPool.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace ssmrt {

namespace {

constexpr uint64_t kClosed = 0xFFFFFFFF;
constexpr int kSpins = 2000;
/// How long a thread yields before it sleeps.
constexpr std::chrono::microseconds kYielding{150};

void pauseBriefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void sleepWhile(std::atomic<uint32_t> &word, uint32_t value) {
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAIT_PRIVATE,
          value, nullptr, nullptr, 0);
}

void wake(std::atomic<uint32_t> &word) {
  word.fetch_add(1);
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAKE_PRIVATE,
          INT_MAX, nullptr, nullptr, 0);
}

/// Spins, then yields, until `ready` or until it took too long.
template <class Ready> bool waitAwake(Ready ready) {
  for (int i = 0; i < kSpins; ++i) {
    if (ready())
      return true;
    pauseBriefly();
  }
  const auto deadline = std::chrono::steady_clock::now() + kYielding;
  while (std::chrono::steady_clock::now() < deadline) {
    if (ready())
      return true;
    sched_yield();
  }
  return ready();
}

} // namespace

struct ThreadPool::Worker {
  std::thread thread;
};

ThreadPool::ThreadPool(int threads) : ticket(kClosed) {
  if (threads <= 0)
    threads = defaultThreadCount();
  for (int i = 1; i < threads; ++i) {
    auto worker = std::make_unique<Worker>();
    try {
      worker->thread = std::thread([this, i] { serve(i); });
    } catch (const std::system_error &) {
      return;
    }
    workers.push_back(std::move(worker));
  }
}

ThreadPool::~ThreadPool() {
  stopping.store(true);
  wake(wakeUps);
  for (std::unique_ptr<Worker> &worker : workers)
    worker->thread.join();
}

void ThreadPool::run(int64_t units, Task task, void *context) {
  constexpr int64_t kMostUnits = int64_t{1} << 31;
  if (units <= 0)
    return;
  if (workers.empty() || units == 1 || units > kMostUnits)
    return task(context, 0, units, 0);
  launchUnits.store(units, std::memory_order_relaxed);
  launchTask.store(task, std::memory_order_relaxed);
  launchContext.store(context, std::memory_order_relaxed);
  done.store(0, std::memory_order_relaxed);
  const uint64_t launch = (ticket.load(std::memory_order_relaxed) >> 32) + 1;
  ticket.store(launch << 32);
  if (sleepers.load() > 0)
    wake(wakeUps);
  while (work(0)) {
  }
  // No unit is left to claim. Closing before the next launch's description is
  // written makes late claims fail.
  ticket.store((launch << 32) | kClosed);
  waitForDone(units);
}

bool ThreadPool::work(int thread) {
  uint64_t current = ticket.load(std::memory_order_acquire);
  while (true) {
    const uint64_t unit = current & 0xFFFFFFFF;
    if (unit == kClosed)
      return false;
    const int64_t units = launchUnits.load(std::memory_order_relaxed);
    const Task task = launchTask.load(std::memory_order_relaxed);
    void *context = launchContext.load(std::memory_order_relaxed);
    const int64_t begin = static_cast<int64_t>(unit);
    if (begin >= units)
      return false;
    // Half of a thread's share of what is left: long runs of weights, which the
    // prefetcher likes, and a last piece that nobody waits long for.
    const int64_t end =
        begin + std::max<int64_t>(1, (units - begin) / (2 * threads()));
    const uint64_t next =
        (current & ~uint64_t{0xFFFFFFFF}) | static_cast<uint64_t>(end);
    if (!ticket.compare_exchange_weak(current, next, std::memory_order_acq_rel,
                                      std::memory_order_acquire))
      continue;
    task(context, begin, end, thread);
    finishChunk(end - begin);
    return true;
  }
}

void ThreadPool::finishChunk(int64_t units) {
  const int64_t total = launchUnits.load(std::memory_order_relaxed);
  if (done.fetch_add(units) + units == total && callerSleeps.load())
    wake(completions);
}

void ThreadPool::waitForDone(int64_t units) {
  auto isDone = [&] { return done.load() == units; };
  while (!waitAwake(isDone)) {
    const uint32_t seen = completions.load();
    callerSleeps.store(true);
    if (!isDone())
      sleepWhile(completions, seen);
    callerSleeps.store(false);
  }
}

void ThreadPool::waitForWork(uint64_t seen) {
  auto isThereWork = [&] {
    return ticket.load() != seen || stopping.load(std::memory_order_relaxed);
  };
  while (!waitAwake(isThereWork)) {
    const uint32_t wakeUp = wakeUps.load();
    sleepers.fetch_add(1);
    if (!isThereWork())
      sleepWhile(wakeUps, wakeUp);
    sleepers.fetch_sub(1);
  }
}

void ThreadPool::serve(int thread) {
  while (!stopping.load(std::memory_order_relaxed)) {
    const uint64_t seen = ticket.load();
    if (!work(thread))
      waitForWork(seen);
  }
}

#if defined(__x86_64__)
namespace {
constexpr uint32_t kFlushToZero = 0x8000;
constexpr uint32_t kDenormalsAreZero = 0x0040;
} // namespace

FlushDenormals::FlushDenormals() : saved(__builtin_ia32_stmxcsr()) {
  __builtin_ia32_ldmxcsr(static_cast<uint32_t>(saved) | kFlushToZero |
                         kDenormalsAreZero);
}

FlushDenormals::~FlushDenormals() {
  __builtin_ia32_ldmxcsr(static_cast<uint32_t>(saved));
}
#elif defined(__aarch64__)
FlushDenormals::FlushDenormals() {
  asm volatile("mrs %0, fpcr" : "=r"(saved));
  asm volatile("msr fpcr, %0" : : "r"(saved | uint64_t{1} << 24));
}

FlushDenormals::~FlushDenormals() {
  asm volatile("msr fpcr, %0" : : "r"(saved));
}
#else
FlushDenormals::FlushDenormals() : saved(0) {}
FlushDenormals::~FlushDenormals() = default;
#endif

} // namespace ssmrt
