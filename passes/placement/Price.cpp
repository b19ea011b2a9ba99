//===- Price.cpp - What a layer costs -------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/placement/Price.h"

#include <algorithm>
#include <cmath>

using namespace ssm;

Work &Work::operator+=(const Work &other) {
  flops += other.flops;
  bytes += other.bytes;
  seconds += other.seconds;
  launches += other.launches;
  for (size_t kind = 0; kind < kPartKinds; ++kind)
    kindSeconds[kind] += other.kindSeconds[kind];
  return *this;
}

Price &Price::operator+=(const Price &other) {
  parameters += other.parameters;
  activeParameters += other.activeParameters;
  stateBytes += other.stateBytes;
  cacheBytes += other.cacheBytes;
  cacheBytesPerToken += other.cacheBytesPerToken;
  prefill += other.prefill;
  decode += other.decode;
  return *this;
}

double Price::memoryBytes(const Workload &workload) const {
  return parameters * double(workload.weightBytes) +
         double(workload.batch) * (stateBytes + cacheBytes);
}

namespace {
/// Collects the parts of a layer: what they hold, and what they do in a
/// prefill and in a step.
class LayerPricer {
public:
  LayerPricer(const Workload &workload, const Device &device)
      : workload(workload), device(device),
        tokens(double(workload.batch) * double(workload.context)),
        batch(double(workload.batch)) {}

  /// `count` products [out, in] of which a token meets `used`, and a step of
  /// the batch reads `read`.
  void product(double in, double out, bool bias, double count = 1,
               double used = 1, double read = 1);
  void convolution(int64_t channels, int64_t taps, bool bias);
  /// Parameters that are read as they are.
  void vectors(double elements);
  /// A recurrence over a fixed state of `elements`.
  void recurrence(PartKind kind, double elements, double channels,
                  double prefillFlops, double stepFlops);
  void attention(const AttentionShape &shape);
  /// A kernel that passes over rows of `width`.
  void rows(double width, double prefillBytesPerElement);
  void launches(int64_t prefill, int64_t step);

  Price price;

private:
  void addPrefill(PartKind kind, double flops, double bytes) {
    add(price.prefill, device.prefill, kind, flops, bytes);
  }
  void addStep(PartKind kind, double flops, double bytes) {
    add(price.decode, device.decode, kind, flops, bytes);
  }
  void add(Work &work, const std::array<Device::Shares, kPartKinds> &shares,
           PartKind kind, double flops, double bytes);

  const Workload &workload;
  const Device &device;
  double tokens, batch;
};
} // namespace

void LayerPricer::add(Work &work,
                      const std::array<Device::Shares, kPartKinds> &shares,
                      PartKind kind, double flops, double bytes) {
  const Device::Shares &share = shares[size_t(kind)];
  // Only products have a 16-bit unit.
  double peak = kind == PartKind::Product || kind == PartKind::Attention
                    ? (workload.half ? device.bf16Flops : device.f32Flops)
                    : device.f32Flops;
  work.flops += flops;
  work.bytes += bytes;
  double seconds = std::max(flops / (peak * share.flops),
                            bytes / (device.bandwidth * share.bytes));
  work.seconds += seconds;
  work.kindSeconds[size_t(kind)] += seconds;
}

void LayerPricer::product(double in, double out, bool bias, double count,
                          double used, double read) {
  double matrix = in * out, vector = bias ? out : 0;
  price.parameters += count * (matrix + vector);
  price.activeParameters += used * (matrix + vector);
  double weight = (matrix + vector) * double(workload.weightBytes);
  // A long prompt meets every expert.
  addPrefill(PartKind::Product, tokens * used * 2 * matrix,
             count * weight +
                 tokens * used * (in + out) * double(workload.cacheBytes));
  addStep(PartKind::Product, batch * used * 2 * matrix, read * weight);
}

void LayerPricer::vectors(double elements) {
  price.parameters += elements;
  price.activeParameters += elements;
  double bytes = elements * double(workload.weightBytes);
  addPrefill(PartKind::Rows, 0, bytes);
  addStep(PartKind::Rows, 0, bytes);
}

void LayerPricer::rows(double width, double prefillBytesPerElement) {
  addPrefill(PartKind::Rows, 0, tokens * width * prefillBytesPerElement);
}

void LayerPricer::convolution(int64_t channels, int64_t taps, bool bias) {
  vectors(double(channels) * double(taps + (bias ? 1 : 0)));
  double state =
      double(workload.convBytes) * double(taps - 1) * double(channels);
  price.stateBytes += state;
  double flops = 2 * double(taps) * double(channels);
  addPrefill(PartKind::Convolution, tokens * flops,
             tokens * 2 * double(channels) * double(workload.cacheBytes));
  addStep(PartKind::Convolution, batch * flops, batch * 2 * state);
}

void LayerPricer::recurrence(PartKind kind, double elements, double channels,
                             double prefillFlops, double stepFlops) {
  double state = double(workload.stateBytes) * elements;
  price.stateBytes += state;
  addPrefill(kind, tokens * prefillFlops,
             batch * 2 * state +
                 tokens * 3 * channels * double(workload.cacheBytes));
  addStep(kind, batch * stepFlops, batch * 2 * state);
}

void LayerPricer::attention(const AttentionShape &shape) {
  double context = double(workload.context);
  double window = shape.window ? double(shape.window) : context;
  double kept = std::min(context, window);
  price.cacheBytesPerToken =
      2 * double(shape.kvHeads * shape.headDim * workload.cacheBytes);
  price.cacheBytes = price.cacheBytesPerToken * kept;
  // Token t sees min(t + 1, window) keys.
  double keys = kept * (kept + 1) / 2 + (context - kept) * kept;
  double flopsPerKey = 4 * double(shape.heads * shape.headDim);
  double queries =
      2 * double(shape.heads * shape.headDim * workload.cacheBytes);
  addPrefill(PartKind::Attention, batch * flopsPerKey * keys,
             tokens * (queries + price.cacheBytesPerToken));
  addStep(PartKind::Attention, batch * flopsPerKey * kept,
          batch * price.cacheBytes);
}

void LayerPricer::launches(int64_t prefill, int64_t step) {
  price.prefill.launches += prefill;
  price.prefill.seconds += double(prefill) * device.launchSeconds;
  price.decode.launches += step;
  price.decode.seconds += double(step) * device.launchSeconds;
}

//===----------------------------------------------------------------------===//
// Kinds of blocks
//===----------------------------------------------------------------------===//

/// Bytes of an f32 element: the residual stream, norms.
static constexpr double kF32 = 4;

static void addBlock(LayerPricer &layer, const MambaShape &shape, double hidden,
                     const Workload &) {
  double inner = double(shape.inner), state = double(shape.state);
  double rank = double(shape.dtRank);
  layer.product(hidden, 2 * inner, shape.projBias);
  layer.convolution(shape.inner, shape.conv, shape.convBias);
  layer.product(inner, rank + 2 * state, /*bias=*/false);
  if (shape.gains)
    layer.vectors(rank + 2 * state);
  layer.product(rank, inner, /*bias=*/true);
  layer.vectors(inner * state + inner); // A_log, D
  // Decay argument, exp, two products for the input, multiply-add, dot; D.
  double flops = 7 * inner * state + 2 * inner;
  layer.recurrence(PartKind::Scan, inner * state, inner, flops, flops);
  layer.product(inner, hidden, shape.projBias);
  int64_t count = shape.gains ? 8 : 7;
  layer.launches(count, count);
}

static void addBlock(LayerPricer &layer, const Mamba2Shape &shape,
                     double hidden, const Workload &workload) {
  double inner = double(shape.inner()), state = double(shape.state);
  double heads = double(shape.heads), chunk = double(workload.chunk);
  layer.product(hidden, inner + double(shape.convChannels()) + heads,
                shape.projBias);
  layer.convolution(shape.convChannels(), shape.conv, shape.convBias);
  layer.vectors(3 * heads + (shape.gatedNorm ? inner : 0));
  // C B^T per group, its product with x, state in and out; D.
  double prefill = 2 * chunk * double(shape.groups) * state +
                   2 * chunk * inner + 4 * inner * state + 2 * inner;
  // Decay, outer product, add, dot; D.
  double step = 5 * inner * state + 2 * inner;
  layer.recurrence(PartKind::Ssd, inner * state, inner, prefill, step);
  layer.rows(inner, 3 * kF32);
  layer.product(inner, hidden, shape.projBias);
  // A step convolves inside the recurrence.
  layer.launches(6, 5);
}

static void addBlock(LayerPricer &layer, const AttentionShape &shape,
                     double hidden, const Workload &) {
  double queries = double(shape.heads * shape.headDim);
  double keys = double(shape.kvHeads * shape.headDim);
  layer.product(hidden, queries + 2 * keys, shape.bias);
  if (shape.qkNorm)
    layer.vectors(2 * double(shape.headDim));
  layer.attention(shape);
  layer.product(queries, hidden, shape.outBias);
  layer.launches(5, 5);
}

/// One feed-forward network, or `count` of them of which tokens meet `used`.
static void addFeedForward(LayerPricer &layer, double inner, double hidden,
                           bool gated, bool bias, double count = 1,
                           double used = 1, double read = 1) {
  layer.product(hidden, inner, bias, count, used, read);
  if (gated)
    layer.product(hidden, inner, bias, count, used, read);
  layer.product(inner, hidden, bias, count, used, read);
}

static void addBlock(LayerPricer &layer, const MlpShape &shape, double hidden,
                     const Workload &) {
  addFeedForward(layer, double(shape.inner), hidden, shape.gated, shape.bias);
  layer.launches(3, 3);
}

static void addBlock(LayerPricer &layer, const ExpertsShape &shape,
                     double hidden, const Workload &workload) {
  double count = double(shape.count), used = double(shape.used);
  // Experts that a batch of independent choices hits.
  double hit = count * (1 - std::pow(1 - used / count, double(workload.batch)));
  double width = shape.latent ? double(shape.latent) : hidden;
  layer.product(hidden, count, /*bias=*/false); // router
  addFeedForward(layer, double(shape.inner), width, shape.gated, false, count,
                 used, hit);
  if (shape.latent) {
    layer.product(hidden, width, /*bias=*/false);
    layer.product(width, hidden, /*bias=*/false);
  }
  if (shape.sharedInner)
    addFeedForward(layer, double(shape.sharedInner), hidden, shape.gated,
                   false);
  // Norm, router, choice, two products, sum; two each for the shared expert
  // and for the way into the latent width and back.
  int64_t launches = 6 + (shape.sharedInner ? 2 : 0) + (shape.latent ? 2 : 0);
  layer.launches(launches, launches);
}

Price ssm::priceBlock(const BlockShape &block, int64_t hidden, int normVectors,
                      const Workload &workload, const Device &device) {
  LayerPricer layer(workload, device);
  if (normVectors) {
    layer.vectors(double(normVectors) * double(hidden));
    layer.rows(double(hidden), 2 * kF32);
  }
  std::visit(
      [&](const auto &shape) {
        addBlock(layer, shape, double(hidden), workload);
      },
      block);
  // A block beside another shares the kernel of the norm.
  if (!normVectors)
    layer.launches(-1, -1);
  return layer.price;
}

Price ssm::priceEmbedding(int64_t vocab, int64_t hidden,
                          const Workload &workload, const Device &device) {
  Price price;
  double row = double(hidden) * double(workload.weightBytes);
  price.parameters = price.activeParameters = double(vocab) * double(hidden);
  double batch = double(workload.batch);
  auto add = [&](Work &work, double rows) {
    work.bytes = rows * row;
    work.launches = 1;
    work.seconds = device.launchSeconds + work.bytes / device.bandwidth;
  };
  add(price.prefill, batch * double(workload.context));
  add(price.decode, batch);
  return price;
}

Price ssm::priceHead(int64_t vocab, int64_t hidden, int normVectors, bool tied,
                     const Workload &workload, const Device &device) {
  // Both calls compute one row of logits per sequence.
  Workload rows = workload;
  rows.context = 1;
  LayerPricer layer(rows, device);
  layer.product(double(hidden), double(vocab), /*bias=*/false);
  layer.launches(2, 2);
  layer.price.prefill = layer.price.decode;
  if (tied)
    layer.price.parameters = layer.price.activeParameters = 0;
  double norm = double(normVectors) * double(hidden);
  layer.price.parameters += norm;
  layer.price.activeParameters += norm;
  return layer.price;
}
