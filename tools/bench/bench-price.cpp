//===- bench-price.cpp - Variants priced per second -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bench-price
//
// Prices models of 56 layers, as an exploration does: each distinct layer once,
// the rest by look-up. One thread. `ssmc explore` prints the rate with
// rewrites.
//
//===----------------------------------------------------------------------===//

#include "passes/placement/Device.h"
#include "tools/bench/Limits.h"

#include <cstdio>

using namespace ssm;

int main() {
  constexpr int64_t kHidden = 4096, kLayers = 56, kVariants = 200000;
  const Device &device = builtinDevices().front();
  double start = ssmbench::processorNow(), sum = 0;
  for (int64_t variant = 0; variant < kVariants; ++variant) {
    // Hyper-parameters and counts differ from variant to variant.
    Workload workload;
    workload.context = 1024 + variant;
    BlockShape kinds[] = {Mamba2Shape{128, 64, 64 + variant % 3 * 64, 8, 4},
                          AttentionShape{32, int64_t(1) << variant % 6, 128},
                          MlpShape{8192 + variant % 5 * 2048}};
    Price prices[3];
    for (size_t kind = 0; kind < 3; ++kind)
      prices[kind] = priceBlock(kinds[kind], kHidden, 1, workload, device);
    Price total = priceEmbedding(256000, kHidden, workload, device);
    for (int64_t layer = 0; layer < kLayers; ++layer)
      total += prices[(layer * variant) % 3];
    total += priceHead(256000, kHidden, 1, false, workload, device);
    sum += total.decode.seconds;
  }
  double seconds = ssmbench::processorNow() - start;
  std::printf("%lld variants of %lld layers, %.0f per second on one core "
              "(sum of their steps: %g s)\n",
              static_cast<long long>(kVariants),
              static_cast<long long>(kLayers), double(kVariants) / seconds,
              sum);
  return 0;
}
