//===- Price.h - What a layer costs ---------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parameters, operations, bytes, launches, state and time of a layer by plain
// formulas on its hyper-parameters. Multiply-add counts as two operations;
// norms, activations and residuals are left out of the operations (below 1 %).
// Nothing here knows MLIR: a variant is priced in microseconds.
//
//===----------------------------------------------------------------------===//

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>

namespace ssm {

//===----------------------------------------------------------------------===//
// Hyper-parameters that decide a price
//===----------------------------------------------------------------------===//

struct MambaShape {
  int64_t inner, state, conv, dtRank;
  bool convBias = true, projBias = false, gains = false;
};

struct Mamba2Shape {
  int64_t heads, headDim, state, groups, conv;
  bool convBias = true, projBias = false, gatedNorm = true;

  int64_t inner() const { return heads * headDim; }
  int64_t convChannels() const { return inner() + 2 * groups * state; }
};

struct AttentionShape {
  int64_t heads, kvHeads, headDim;
  /// Keys that a token sees; 0: all.
  int64_t window = 0;
  bool bias = false, outBias = false, qkNorm = false;
};

struct MlpShape {
  int64_t inner;
  bool gated = false, bias = false;
};

struct ExpertsShape {
  int64_t count, used, inner;
  /// Width of the expert that every token takes; 0: none.
  int64_t sharedInner = 0;
  /// Width in which the routed experts run; 0: that of the model.
  int64_t latent = 0;
  bool gated = false;
};

using BlockShape = std::variant<MambaShape, Mamba2Shape, AttentionShape,
                                MlpShape, ExpertsShape>;

//===----------------------------------------------------------------------===//
// Device and call
//===----------------------------------------------------------------------===//

/// What a part of a layer spends its time on. Devices reach different shares
/// of their limits in each.
enum class PartKind { Product, Convolution, Scan, Ssd, Attention, Rows };
inline constexpr size_t kPartKinds = 6;
/// Keys of `shares` in a device's description, in the order of PartKind.
inline constexpr std::array<const char *, kPartKinds> kPartNames = {
    "product", "convolution", "scan", "ssd", "attention", "rows"};

/// Limits of a device and how close its kernels come to them.
struct Device {
  /// Shares of the limits that kernels of a kind reach (above 1 where caches
  /// serve).
  struct Shares {
    double flops = 1, bytes = 1;
  };

  std::string key, name;
  /// Bytes of memory, bytes per second of it.
  double memoryBytes = 0, bandwidth = 0;
  /// Operations per second of matrix products of f32 and of 16-bit inputs.
  double f32Flops = 0, bf16Flops = 0;
  /// From one kernel to the next.
  double launchSeconds = 0;
  /// Bytes of an element of a convolution's state; 0: as the caches.
  int64_t convStateBytes = 0;
  std::array<Shares, kPartKinds> prefill, decode;
};

/// A call and how its numbers are stored.
struct Workload {
  /// Tokens of each prompt, and tokens that a sequence has seen when it
  /// decodes.
  int64_t context = 4096;
  int64_t batch = 1;
  /// Bytes of an element of matrices and vectors; of keys, values and inputs of
  /// products; of a convolution's state; of an SSM state.
  int64_t weightBytes = 2, cacheBytes = 2, convBytes = 2, stateBytes = 4;
  /// Whether products take 16-bit inputs.
  bool half = true;
  /// Tokens that a chunk of the state-space dual form covers.
  int64_t chunk = 128;
};

//===----------------------------------------------------------------------===//
// Prices
//===----------------------------------------------------------------------===//

/// One call: a prefill of all prompts, or a step of all sequences.
struct Work {
  double flops = 0, bytes = 0, seconds = 0;
  int64_t launches = 0;
  /// Seconds by what they are spent on, launches left out.
  std::array<double, kPartKinds> kindSeconds = {};

  Work &operator+=(const Work &other);
};

/// What a layer, or a sum of layers, costs.
struct Price {
  /// All parameters, and those that one token meets (experts).
  double parameters = 0, activeParameters = 0;
  /// Bytes of one sequence: fixed state; keys and values of the context.
  double stateBytes = 0, cacheBytes = 0;
  /// Bytes that keys and values of one more token add, windows not yet full.
  double cacheBytesPerToken = 0;
  Work prefill, decode;

  Price &operator+=(const Price &other);
  /// Bytes of weights, states and caches of the workload's batch.
  double memoryBytes(const Workload &workload) const;
};

/// A layer of one block behind a norm of `normVectors` vectors (0: the block
/// runs beside another, whose norm it shares) in a model of width `hidden`.
Price priceBlock(const BlockShape &block, int64_t hidden, int normVectors,
                 const Workload &workload, const Device &device);

/// The embedding: rows of a [vocab, hidden] table.
Price priceEmbedding(int64_t vocab, int64_t hidden, const Workload &workload,
                     const Device &device);

/// Final norm and output matrix, once per sequence and call. A tied matrix
/// adds no parameters.
Price priceHead(int64_t vocab, int64_t hidden, int normVectors, bool tied,
                const Workload &workload, const Device &device);

} // namespace ssm
