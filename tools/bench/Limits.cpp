//===- Limits.cpp - What this machine can do at most ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/bench/Limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <immintrin.h>
#include <numeric>
#include <sys/mman.h>
#include <thread>
#include <vector>

using namespace ssmbench;

double ssmbench::now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double ssmbench::processorNow() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

/// Runs `work(thread)` on all threads; the seconds from when all are there
/// until the last has finished.
static double onAll(int threads, const std::function<void(int)> &work) {
  std::atomic<int> missing(threads);
  std::vector<double> begins(threads), ends(threads);
  auto run = [&](int thread) {
    for (--missing; missing > 0;)
      std::this_thread::yield();
    begins[thread] = now();
    work(thread);
    ends[thread] = now();
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t)
    others.emplace_back(run, t);
  run(0);
  for (std::thread &other : others)
    other.join();
  return *std::max_element(ends.begin(), ends.end()) -
         *std::min_element(begins.begin(), begins.end());
}

/// Keeps the compiler from dropping a computation.
static void keep(const void *value) {
  asm volatile("" : : "r"(value) : "memory");
}

__attribute__((target("avx2"))) static void readAvx2(const char *from,
                                                     size_t bytes) {
  __m256i sums[8] = {};
  for (size_t i = 0; i + 256 <= bytes; i += 256)
    for (int k = 0; k < 8; ++k)
      sums[k] = _mm256_xor_si256(
          sums[k], _mm256_loadu_si256((const __m256i *)(from + i + 32 * k)));
  keep(sums);
}

/// Keeps the compiler from knowing a value: a chain that it can compute ahead
/// would count as work.
template <typename Vector> static void hide(Vector &value) {
  asm volatile("" : "+m"(value));
}

constexpr int kChains = 12;
constexpr int64_t kRounds = 400000; // a millisecond: shorter than a time slice

__attribute__((target("avx2,fma"))) static int64_t fmaAvx2() {
  __m256 sums[kChains];
  for (int k = 0; k < kChains; ++k) {
    sums[k] = _mm256_set1_ps(float(k));
    hide(sums[k]);
  }
  __m256 x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-3f);
  for (int64_t i = 0; i < kRounds; ++i)
    for (int k = 0; k < kChains; ++k)
      sums[k] = _mm256_fmadd_ps(sums[k], x, y);
  keep(sums);
  return kRounds * kChains * 16;
}

__attribute__((target("avx512f"))) static int64_t fmaAvx512() {
  __m512 sums[2 * kChains];
  for (int k = 0; k < 2 * kChains; ++k) {
    sums[k] = _mm512_set1_ps(float(k));
    hide(sums[k]);
  }
  __m512 x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(1e-3f);
  for (int64_t i = 0; i < kRounds; ++i)
    for (int k = 0; k < 2 * kChains; ++k)
      sums[k] = _mm512_fmadd_ps(sums[k], x, y);
  keep(sums);
  return kRounds * 2 * kChains * 32;
}

__attribute__((target("avx512f,avx512bf16"))) static int64_t dotAvx512() {
  __m512 sums[2 * kChains];
  for (int k = 0; k < 2 * kChains; ++k) {
    sums[k] = _mm512_set1_ps(float(k));
    hide(sums[k]);
  }
  __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f803f80);
  for (int64_t i = 0; i < kRounds; ++i)
    for (int k = 0; k < 2 * kChains; ++k)
      sums[k] = _mm512_dpbf16_ps(sums[k], x, x);
  keep(sums);
  return kRounds * 2 * kChains * 64;
}

Limits::Limits(int threads, size_t bytes) : threads(threads), bytes(bytes) {
  void *map = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED)
    std::abort();
  madvise(map, bytes, MADV_HUGEPAGE);
  memory = static_cast<char *>(map);
  // Untouched pages are one shared page of zeros and read too fast.
  std::memset(memory, 1, bytes);
}

Limits::~Limits() { munmap(memory, bytes); }

double Limits::readRound(size_t total) {
  // Every thread has a part of the memory and starts where it stopped.
  constexpr size_t kPiece = size_t(4) << 20;
  const size_t part = bytes / size_t(threads) / kPiece * kPiece;
  const size_t pieces = std::max<size_t>(total / size_t(threads) / kPiece, 1);
  double seconds = onAll(threads, [&](int thread) {
    for (size_t i = 0; i < pieces; ++i)
      readAvx2(memory + size_t(thread) * part + (next + i * kPiece) % part,
               kPiece);
  });
  next = (next + pieces * kPiece) % part;
  double rate = double(pieces * kPiece * size_t(threads)) / seconds;
  bestRead = std::max(bestRead, rate);
  return rate;
}

double Limits::computeRound(int64_t (*work)(), double seconds) {
  std::vector<int64_t> operations(threads);
  double end = now() + seconds;
  double spent = onAll(threads, [&](int thread) {
    do
      operations[thread] += work();
    while (now() < end);
  });
  return double(std::accumulate(operations.begin(), operations.end(),
                                int64_t(0))) /
         spent;
}

double Limits::fmaRound(double seconds) {
  double rate = computeRound(
      __builtin_cpu_supports("avx512f") ? fmaAvx512 : fmaAvx2, seconds);
  bestFma = std::max(bestFma, rate);
  return rate;
}

double Limits::dotRound(double seconds) {
  if (!__builtin_cpu_supports("avx512bf16"))
    return 0;
  double rate = computeRound(dotAvx512, seconds);
  bestDot = std::max(bestDot, rate);
  return rate;
}
