//===- Operations.cpp - One plain function per op of the op form ----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/reference/Operations.h"

#include "llvm/ADT/APFloat.h"

#include <cmath>

using namespace ssm;
using namespace ssm::reference;

static Tensor zeros(llvm::ArrayRef<int64_t> shape) {
  Tensor result;
  result.shape.assign(shape.begin(), shape.end());
  size_t count = 1;
  for (int64_t size : shape)
    count *= size_t(size);
  result.values.assign(count, 0.0);
  return result;
}

static double silu(double x) { return x / (1 + std::exp(-x)); }

double reference::activate(double x, Activation function) {
  constexpr double kSqrtHalf = 0.70710678118654752440;
  constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
  switch (function) {
  case Activation::Silu:
    return silu(x);
  case Activation::Gelu:
    return 0.5 * x * (1 + std::erf(x * kSqrtHalf));
  case Activation::GeluTanh:
    return 0.5 * x *
           (1 + std::tanh(kSqrtTwoOverPi * (x + 0.044715 * x * x * x)));
  case Activation::Relu2:
    return x > 0 ? x * x : 0;
  case Activation::Softplus:
    return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
  }
  llvm_unreachable("covered switch");
}

Tensor reference::map(const Tensor &input,
                      llvm::function_ref<double(double)> function) {
  Tensor result = zeros(input.shape);
  for (size_t i = 0; i < result.values.size(); ++i)
    result.values[i] = function(input[i]);
  return result;
}

Tensor reference::zip(const Tensor &lhs, const Tensor &rhs,
                      llvm::function_ref<double(double, double)> function) {
  Tensor result = zeros(lhs.shape);
  for (size_t i = 0; i < result.values.size(); ++i)
    result.values[i] = function(lhs[i], rhs[i]);
  return result;
}

Tensor reference::addBias(const Tensor &input, const Tensor &bias) {
  Tensor result = zeros(input.shape);
  size_t width = size_t(input.dim(1));
  for (size_t i = 0; i < result.values.size(); ++i)
    result.values[i] = input[i] + bias[i % width];
  return result;
}

Tensor reference::embedding(llvm::ArrayRef<int32_t> tokens, const Tensor &table,
                            double multiplier) {
  int64_t width = table.dim(1);
  Tensor result = zeros({int64_t(tokens.size()), width});
  for (size_t t = 0; t < tokens.size(); ++t)
    for (int64_t d = 0; d < width; ++d)
      result.values[t * width + d] = multiplier * table[tokens[t] * width + d];
  return result;
}

Tensor reference::linear(const Tensor &input, const Tensor &weight,
                         const Tensor *bias) {
  int64_t rows = input.dim(0), depth = weight.dim(1), width = weight.dim(0);
  Tensor result = zeros({rows, width});
  std::vector<double> row(depth);
  for (int64_t n = 0; n < width; ++n) {
    for (int64_t k = 0; k < depth; ++k)
      row[k] = weight[n * depth + k];
    for (int64_t t = 0; t < rows; ++t) {
      const double *x = input.values.data() + t * depth;
      // Four partial sums let the compiler keep the adders busy; in double the
      // order does not show in any tolerance.
      double sums[4] = {};
      int64_t k = 0;
      for (; k + 4 <= depth; k += 4)
        for (int lane = 0; lane < 4; ++lane)
          sums[lane] += x[k + lane] * row[k + lane];
      for (; k < depth; ++k)
        sums[0] += x[k] * row[k];
      result.values[t * width + n] =
          (sums[0] + sums[1]) + (sums[2] + sums[3]) + (bias ? (*bias)[n] : 0);
    }
  }
  return result;
}

Tensor reference::norm(const Tensor &input, const Tensor *weight,
                       const Tensor *bias, NormAttr kind) {
  int64_t rows = input.dim(0), width = input.dim(1);
  Tensor result = zeros(input.shape);
  bool layer = kind.getKind() == NormKind::Layer1p;
  for (int64_t t = 0; t < rows; ++t) {
    const double *x = input.values.data() + t * width;
    double mean = 0, square = 0;
    for (int64_t d = 0; layer && d < width; ++d)
      mean += x[d] / double(width);
    for (int64_t d = 0; d < width; ++d)
      square += (x[d] - mean) * (x[d] - mean) / double(width);
    double scale = 1 / std::sqrt(square + kind.getEps());
    for (int64_t d = 0; d < width; ++d)
      result.values[t * width + d] =
          (x[d] - mean) * scale *
              (weight ? (*weight)[d] + (layer ? 1 : 0) : 1) +
          (bias ? (*bias)[d] : 0);
  }
  return result;
}

Tensor reference::gatedNorm(const Tensor &input, const Tensor &gate,
                            const Tensor *weight, GateOrder order,
                            int64_t groups, double eps) {
  int64_t rows = input.dim(0), width = input.dim(1), slice = width / groups;
  Tensor result = zeros(input.shape);
  for (int64_t first = 0; first < rows * width; first += slice) {
    double square = 0;
    for (int64_t i = first; i < first + slice; ++i) {
      double v = input[i];
      if (order != GateOrder::BeforeGate)
        v *= silu(gate[i]);
      result.values[i] = v;
      square += v * v / double(slice);
    }
    if (order == GateOrder::NoNorm)
      continue;
    double scale = 1 / std::sqrt(square + eps);
    for (int64_t i = first; i < first + slice; ++i) {
      result.values[i] *= scale * (*weight)[i % width];
      if (order == GateOrder::BeforeGate)
        result.values[i] *= silu(gate[i]);
    }
  }
  return result;
}

Tensor reference::meanHeads(const Tensor &input, int64_t count, int64_t headDim,
                            const llvm::fltSemantics &format) {
  llvm::SmallVector<int64_t> shape = input.shape;
  int64_t rows = shape.front() /= count;
  Tensor result = zeros(shape);
  int64_t width = int64_t(result.values.size()) / rows;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t k = 0; k < width; ++k) {
      double sum = 0;
      for (int64_t i = 0; i < count; ++i)
        sum += input[((row / headDim * count + i) * headDim + row % headDim) *
                         width +
                     k];
      llvm::APFloat mean(sum / double(count));
      bool losesInfo;
      mean.convert(format, llvm::APFloat::rmNearestTiesToEven, &losesInfo);
      result.values[row * width + k] = mean.convertToDouble();
    }
  return result;
}

Tensor reference::columns(const Tensor &input, int64_t first, int64_t count) {
  int64_t rows = input.dim(0), width = input.dim(1);
  Tensor result = zeros({rows, count});
  for (int64_t t = 0; t < rows; ++t)
    for (int64_t c = 0; c < count; ++c)
      result.values[t * count + c] = input[t * width + first + c];
  return result;
}

Tensor reference::lastRow(const Tensor &input) {
  Tensor result = zeros({1, input.dim(1)});
  for (int64_t c = 0; c < input.dim(1); ++c)
    result.values[c] = input[(input.dim(0) - 1) * input.dim(1) + c];
  return result;
}

Tensor reference::causalConv1d(const Tensor &input, Tensor &state,
                               const Tensor &weight, const Tensor *bias,
                               std::optional<Activation> function) {
  int64_t rows = input.dim(0), channels = input.dim(1), taps = weight.dim(1);
  int64_t kept = taps - 1;
  Tensor result = zeros(input.shape);
  for (int64_t c = 0; c < channels; ++c) {
    std::vector<double> inputs(state.values.begin() + c * kept,
                               state.values.begin() + (c + 1) * kept);
    for (int64_t t = 0; t < rows; ++t)
      inputs.push_back(input[t * channels + c]);
    for (int64_t t = 0; t < rows; ++t) {
      double sum = bias ? (*bias)[c] : 0;
      for (int64_t k = 0; k < taps; ++k)
        sum += weight[c * taps + k] * inputs[t + k];
      result.values[t * channels + c] =
          function ? activate(sum, *function) : sum;
    }
    std::copy(inputs.end() - kept, inputs.end(),
              state.values.begin() + c * kept);
  }
  return result;
}

Tensor reference::selectiveScan(const Tensor &input, const Tensor &dt,
                                const Tensor &A, const Tensor &B,
                                const Tensor &C, const Tensor &D,
                                Tensor &state) {
  int64_t rows = input.dim(0), inner = input.dim(1), width = A.dim(1);
  Tensor result = zeros(input.shape);
  for (int64_t t = 0; t < rows; ++t)
    for (int64_t i = 0; i < inner; ++i) {
      double step = dt[t * inner + i], x = input[t * inner + i], y = D[i] * x;
      for (int64_t n = 0; n < width; ++n) {
        double &h = state.values[i * width + n];
        h = std::exp(step * A[i * width + n]) * h + step * x * B[t * width + n];
        y += h * C[t * width + n];
      }
      result.values[t * inner + i] = y;
    }
  return result;
}

Tensor reference::ssd(const Tensor &input, const Tensor &dt, const Tensor &A,
                      const Tensor &B, const Tensor &C, const Tensor &D,
                      Tensor &state) {
  int64_t rows = input.dim(0), heads = state.dim(0), headDim = state.dim(1);
  int64_t width = state.dim(2), groupColumns = B.dim(1);
  int64_t headsPerGroup = heads / (groupColumns / width);
  Tensor result = zeros(input.shape);
  for (int64_t t = 0; t < rows; ++t)
    for (int64_t h = 0; h < heads; ++h) {
      double step = dt[t * heads + h], decay = std::exp(step * A[h]);
      int64_t group = t * groupColumns + h / headsPerGroup * width;
      for (int64_t p = 0; p < headDim; ++p) {
        int64_t index = t * heads * headDim + h * headDim + p;
        double x = input[index], y = D[h] * x;
        for (int64_t n = 0; n < width; ++n) {
          double &s = state.values[(h * headDim + p) * width + n];
          s = decay * s + step * x * B[group + n];
          y += s * C[group + n];
        }
        result.values[index] = y;
      }
    }
  return result;
}

Tensor reference::rope(const Tensor &input, int64_t position, int64_t headDim,
                       RopeAttr rope) {
  Tensor result = input;
  int64_t rows = input.dim(0), width = input.dim(1), half = rope.getDims() / 2;
  llvm::SmallVector<double> frequencies = rope.frequencies();
  for (int64_t t = 0; t < rows; ++t)
    for (int64_t head = 0; head < width; head += headDim)
      for (int64_t i = 0; i < half; ++i) {
        double angle = double(position + t) * frequencies[i];
        double cosine = std::cos(angle), sine = std::sin(angle);
        int64_t a = t * width + head + i, b = a + half;
        result.values[a] = input[a] * cosine - input[b] * sine;
        result.values[b] = input[b] * cosine + input[a] * sine;
      }
  return result;
}

/// Appends rows [T, heads * d] to a cache [heads, length, d].
static void append(Tensor &cache, const Tensor &rows) {
  int64_t heads = cache.dim(0), length = cache.dim(1), headDim = cache.dim(2);
  int64_t added = rows.dim(0);
  Tensor grown = zeros({heads, length + added, headDim});
  for (int64_t h = 0; h < heads; ++h) {
    double *to = grown.values.data() + h * (length + added) * headDim;
    std::copy_n(cache.values.data() + h * length * headDim, length * headDim,
                to);
    for (int64_t t = 0; t < added; ++t)
      std::copy_n(rows.values.data() + (t * heads + h) * headDim, headDim,
                  to + (length + t) * headDim);
  }
  cache = std::move(grown);
}

Tensor reference::attention(const Tensor &query, const Tensor &key,
                            const Tensor &value, Tensor &keyCache,
                            Tensor &valueCache, double scale,
                            std::optional<int64_t> window) {
  int64_t position = keyCache.dim(1);
  append(keyCache, key);
  append(valueCache, value);
  int64_t kvHeads = keyCache.dim(0), length = keyCache.dim(1);
  int64_t headDim = keyCache.dim(2), rows = query.dim(0);
  int64_t heads = query.dim(1) / headDim, group = heads / kvHeads;
  Tensor result = zeros(query.shape);
  std::vector<double> weights(length);
  for (int64_t t = 0; t < rows; ++t)
    for (int64_t h = 0; h < heads; ++h) {
      const double *q = query.values.data() + (t * heads + h) * headDim;
      double *out = result.values.data() + (t * heads + h) * headDim;
      int64_t base = h / group * length * headDim, last = position + t;
      int64_t first = window ? std::max<int64_t>(0, last - *window + 1) : 0;
      double largest = -HUGE_VAL, sum = 0;
      for (int64_t j = first; j <= last; ++j) {
        double score = 0;
        for (int64_t d = 0; d < headDim; ++d)
          score += q[d] * keyCache.values[base + j * headDim + d];
        weights[j] = scale * score;
        largest = std::max(largest, weights[j]);
      }
      for (int64_t j = first; j <= last; ++j)
        sum += weights[j] = std::exp(weights[j] - largest);
      for (int64_t j = first; j <= last; ++j)
        for (int64_t d = 0; d < headDim; ++d)
          out[d] +=
              weights[j] / sum * valueCache.values[base + j * headDim + d];
    }
  return result;
}
