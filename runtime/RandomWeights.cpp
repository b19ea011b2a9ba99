//===- RandomWeights.cpp - Weights for tests and timings ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A value is a small integer times a power of two, so that it is exact in f32,
// bf16 and f16, on every machine. A_log and dt_bias span the ranges that the
// initialisation of Mamba draws them from: A in [1, 16], dt in [0.001, 0.1].

#include "runtime/Checkpoint.h"
#include "runtime/Hash.h"

#include <cmath>

namespace ssmrt {

namespace {

enum class Kind { Matrix, Gain, Bias, LogDecay, StepBias };

bool endsWith(const std::string &text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

Kind kindOf(const std::string &name, const std::vector<int64_t> &shape) {
  if (endsWith(name, "A_log"))
    return Kind::LogDecay;
  if (endsWith(name, "dt_bias") || endsWith(name, "dt_proj.bias"))
    return Kind::StepBias;
  if (shape.size() > 1)
    return Kind::Matrix;
  return endsWith(name, "bias") ? Kind::Bias : Kind::Gain;
}

/// Sum of four random bytes, around 0: close to normal, in [-127, 127], with a
/// standard deviation of about 37.
int bellValue(uint32_t bits) {
  const int sum =
      (bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24);
  return (sum - 510) / 4;
}

/// Power of two that brings bellValue's deviation near 1/sqrt(columns).
float matrixScale(int64_t columns) {
  const int exponent = static_cast<int>(
      std::lround(-5.2 - 0.5 * std::log2(static_cast<double>(columns))));
  return std::ldexp(1.0f, exponent);
}

float valueOf(Kind kind, uint32_t bits, float scale) {
  switch (kind) {
  case Kind::Matrix:
    return static_cast<float>(bellValue(bits)) * scale;
  case Kind::Gain:
    return 1.0f + static_cast<float>(bellValue(bits) / 16) / 64.0f;
  case Kind::Bias:
    return static_cast<float>(bellValue(bits)) / 2048.0f;
  case Kind::LogDecay:
    return static_cast<float>(bits % 45) / 16.0f;
  case Kind::StepBias:
    return -2.25f - static_cast<float>(bits % 75) / 16.0f;
  }
  return 0;
}

} // namespace

void randomTensor(uint64_t seed, const std::string &name,
                  const std::vector<int64_t> &shape, int64_t first,
                  int64_t count, float *target) {
  const Kind kind = kindOf(name, shape);
  int64_t columns = 1;
  for (size_t i = 1; i < shape.size(); ++i)
    columns *= shape[i];
  const float scale = matrixScale(columns > 0 ? columns : 1);
  const uint64_t key = mixBits(hashBytes(name) ^ mixBits(seed));
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t index = static_cast<uint64_t>(first + i);
    const uint64_t bits = mixBits(key + (index >> 1) * 0x9E3779B97F4A7C15);
    target[i] = valueOf(
        kind, static_cast<uint32_t>(index & 1 ? bits >> 32 : bits), scale);
  }
}

} // namespace ssmrt
