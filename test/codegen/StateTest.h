//===- StateTest.h - What tests of recurrent kernels share ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "test/codegen/KernelTest.h"

#include <cmath>
#include <string>

namespace ssm::test {

/// `tensor<AxBx..xTYPE>`; -1 is dynamic.
inline std::string tensor(std::initializer_list<int64_t> shape,
                          Element type = Element::F32) {
  std::string text = "tensor<";
  for (int64_t size : shape)
    text += (size < 0 ? "?" : std::to_string(size)) + "x";
  return text + (type == Element::F32 ? "f32>" : "bf16>");
}

/// Region silu(sum + bias) of (%sum, %bias).
inline constexpr char kSiluRegion[] = R"({
  ^bb0(%sum: f32, %bias: f32):
    %one = arith.constant 1.0 : f32
    %val = arith.addf %sum, %bias : f32
    %neg = arith.negf %val : f32
    %ex = math.exp %neg : f32
    %den = arith.addf %one, %ex : f32
    %out = arith.divf %val, %den : f32
    kern.yield %out : f32
  })";
inline double silu(double v) { return v / (1 + std::exp(-v)); }

/// Region softplus(dt + bias), at least 0.01, of (%raw, %bias).
inline constexpr char kStepRegion[] = R"({
  ^bb0(%raw: f32, %bias: f32):
    %zero = arith.constant 0.0 : f32
    %floor = arith.constant 0.01 : f32
    %val = arith.addf %raw, %bias : f32
    %mag = math.absf %val : f32
    %neg = arith.negf %mag : f32
    %ex = math.exp %neg : f32
    %log = math.log1p %ex : f32
    %pos = arith.maximumf %val, %zero : f32
    %soft = arith.addf %pos, %log : f32
    %out = arith.maximumf %soft, %floor : f32
    kern.yield %out : f32
  })";
inline double stepOf(double v) {
  return std::max(std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v))), 0.01);
}

/// States of `slots` sequences, `floats` numbers each with a gap of NaNs
/// behind. As in the runtime, whole groups of four begin at multiples of 16
/// bytes.
struct StatePool {
  StatePool(int64_t slots, int64_t floats)
      : floats(floats), stride((floats + 8) * sizeof(float)),
        buffer(slots * stride) {}

  float *slot(int64_t index) const {
    return reinterpret_cast<float *>(buffer.data() + index * stride);
  }
  void randomize(std::mt19937 &random, float scale = 1) {
    for (int64_t i = 0; i < int64_t(buffer.size()) / stride; ++i) {
      std::vector<float> numbers = randomVector(random, floats, scale);
      std::copy(numbers.begin(), numbers.end(), slot(i));
    }
  }
  void expectGapsIntact() const {
    for (int64_t i = 0; i < int64_t(buffer.size()) / stride; ++i)
      for (int64_t j = floats; j < floats + 8; ++j)
        ASSERT_TRUE(std::isnan(slot(i)[j])) << "gap behind slot " << i;
  }

  int64_t floats, stride;
  Buffer buffer;
};

/// Numbers that differ by less than `tolerance` of the largest.
inline void expectClose(const std::vector<double> &expected,
                        llvm::function_ref<double(size_t)> got,
                        double tolerance, const char *what) {
  double largest = 1e-3;
  for (double value : expected)
    largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(got(i), expected[i], tolerance * largest)
        << what << " " << i << " of " << expected.size();
}

/// Tolerance of a result in `type` beside that of the sums.
inline double resultTolerance(Element type) {
  return type == Element::F32 ? 4e-6 : 4e-3;
}

/// The convolution of one channel in double precision: inputs of earlier calls,
/// oldest first, before those of this one.
inline double convolve(const std::vector<double> &inputs, int64_t token,
                       const float *weight, int64_t weightStride,
                       int64_t taps) {
  double sum = 0;
  for (int64_t tap = 0; tap < taps; ++tap)
    sum += double(weight[tap * weightStride]) * inputs[token + tap];
  return sum;
}

} // namespace ssm::test
