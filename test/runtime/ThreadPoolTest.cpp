//===- ThreadPoolTest.cpp - Tests of the thread pool ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ThreadPool.h"

#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <thread>

using namespace ssmrt;

TEST(ThreadPool, claims_every_unit_once) {
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int64_t units : {0, 1, 2, 7, 100, 1000}) {
      auto claims = std::make_unique<std::atomic<int>[]>(units + 1);
      pool.forEach(units, [&](int64_t unit) { ++claims[unit]; });
      for (int64_t unit = 0; unit < units; ++unit)
        EXPECT_EQ(claims[unit].load(), 1) << unit << " of " << units;
    }
  }
}

TEST(ThreadPool, launches_in_order) {
  ThreadPool pool(3);
  // Each launch reads what the one before has written.
  std::vector<int64_t> values(50, 0);
  for (int launch = 0; launch < 2000; ++launch)
    pool.forEach(50, [&](int64_t unit) {
      ASSERT_EQ(values[unit], launch);
      values[unit] = launch + 1;
    });
}

TEST(ThreadPool, wakes_sleeping_workers) {
  ThreadPool pool(2);
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<int> done{0};
    pool.forEach(10, [&](int64_t) { ++done; });
    EXPECT_EQ(done.load(), 10);
  }
}

TEST(ThreadPool, waits_for_slow_units) {
  ThreadPool pool(2);
  std::atomic<int> done{0};
  pool.forEach(2, [&](int64_t unit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(unit ? 20 : 1));
    ++done;
  });
  EXPECT_EQ(done.load(), 2);
}

TEST(ThreadPool, names_threads) {
  ThreadPool pool(3);
  std::atomic<bool> isInRange{true};
  auto task = [](void *context, int64_t, int64_t, int thread) {
    if (thread < 0 || thread > 2)
      *static_cast<std::atomic<bool> *>(context) = false;
  };
  pool.run(100, task, &isInRange);
  EXPECT_TRUE(isInRange.load());
}

TEST(ThreadPool, default_is_at_least_one) {
  EXPECT_GE(defaultThreadCount(), 1);
}

TEST(FlushDenormals, ends_with_its_scope) {
  volatile float tiny = 1e-40f;
  {
    FlushDenormals flush;
    EXPECT_EQ(tiny * 1.0f, 0.0f);
  }
  EXPECT_NE(tiny * 1.0f, 0.0f);
}
