//===- ExpandBlocks.cpp - Mathematics of each kind of block ---------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/LayerBody.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace ssm;

Value ssm::buildNorm(LayerBody &body, Value input, NormAttr kind,
                     StringRef leaf) {
  std::string stem = leaf.empty() ? "" : (leaf + ".").str();
  int64_t width = widthOf(input);
  Value weight = body.parameter(stem + "weight", {width});
  Value bias = body.parameterIf(kind.getKind() == NormKind::Layer1p,
                                stem + "bias", width);
  return NormOp::create(body.builder, body.loc, input, weight, bias, kind);
}

static Value activation(LayerBody &body, Value input, Activation function) {
  return ActivationOp::create(body.builder, body.loc, input, function);
}

/// Causal convolution with silu over all columns of `input`.
static Value convolution(LayerBody &body, Value input, int64_t taps,
                         bool hasBias) {
  int64_t channels = widthOf(input);
  Value weight = body.parameter("conv1d.weight", {channels, taps});
  Value bias = body.parameterIf(hasBias, "conv1d.bias", channels);
  Value state = body.state({channels, taps - 1});
  auto silu = ActivationAttr::get(body.builder.getContext(), Activation::Silu);
  auto conv = CausalConv1dOp::create(body.builder, body.loc, input, body.seqs(),
                                     state, weight, bias, silu);
  body.addNewState(conv.getNewState());
  return conv.getResult();
}

/// -exp of the parameter A_log.
static Value decay(LayerBody &body, ArrayRef<int64_t> shape) {
  return NegExpOp::create(body.builder, body.loc,
                          body.parameter("A_log", shape));
}

/// RMS norms of dt, B and C as falcon_mamba and jamba have them.
static Value innerNorm(LayerBody &body, MambaAttr mixer, Value input,
                       StringRef leaf) {
  if (!mixer.getDtBcEps())
    return input;
  auto kind = NormAttr::get(body.builder.getContext(), NormKind::Rms,
                            *mixer.getDtBcEps());
  Value gain = body.parameterIf(mixer.getDtBcGain(), (leaf + ".weight").str(),
                                widthOf(input));
  return NormOp::create(body.builder, body.loc, input, gain, Value(), kind);
}

static Value buildMamba(LayerBody &body, MambaAttr mixer, Value input) {
  int64_t hidden = widthOf(input), inner = mixer.getInner();
  int64_t states = mixer.getState(), rank = mixer.getDtRank();
  Value projected =
      body.linear(input, "in_proj", 2 * inner, mixer.getProjBias());
  SmallVector<Value> xz = body.split(projected, {inner, inner});
  Value x = convolution(body, xz[0], mixer.getConv(), mixer.getConvBias());
  SmallVector<Value> parts = body.split(
      body.linear(x, "x_proj", rank + 2 * states), {rank, states, states});
  Value lowRank = innerNorm(body, mixer, parts[0], "dt_layernorm");
  Value b = innerNorm(body, mixer, parts[1], "b_layernorm");
  Value c = innerNorm(body, mixer, parts[2], "c_layernorm");
  Value dt = activation(body, body.linear(lowRank, "dt_proj", inner, true),
                        Activation::Softplus);
  Value a = decay(body, {inner, states});
  Value skip = body.parameter("D", {inner});
  Value state = body.state({inner, states});
  auto scan = SelectiveScanOp::create(body.builder, body.loc, x, dt, a, b, c,
                                      skip, body.seqs(), state);
  body.addNewState(scan.getNewState());
  Value gate = activation(body, xz[1], Activation::Silu);
  Value gated = MulOp::create(body.builder, body.loc, scan.getResult(), gate);
  return body.linear(gated, "out_proj", hidden, mixer.getProjBias());
}

static Value buildMamba2(LayerBody &body, Mamba2Attr mixer, Value input) {
  OpBuilder &builder = body.builder;
  int64_t hidden = widthOf(input), inner = mixer.inner();
  int64_t heads = mixer.getHeads();
  int64_t groupColumns = mixer.getGroups() * mixer.getState();
  SmallVector<int64_t> widths = {inner, mixer.convChannels(), heads};
  Value projected = body.linear(
      input, "in_proj", widths[0] + widths[1] + widths[2], mixer.getProjBias());
  SmallVector<Value> parts = body.split(projected, widths);
  Value convolved =
      convolution(body, parts[1], mixer.getConv(), mixer.getConvBias());
  SmallVector<Value> xbc =
      body.split(convolved, {inner, groupColumns, groupColumns});
  Value dt = BiasOp::create(builder, body.loc, parts[2],
                            body.parameter("dt_bias", {heads}));
  dt = activation(body, dt, Activation::Softplus);
  if (mixer.getDtMin() > 0 || mixer.getDtMax()) {
    FloatAttr upper;
    if (mixer.getDtMax())
      upper = builder.getF64FloatAttr(*mixer.getDtMax());
    dt = ClampOp::create(builder, body.loc, dt,
                         builder.getF64FloatAttr(mixer.getDtMin()), upper);
  }
  Value a = decay(body, {heads});
  Value skip = body.parameter("D", {heads});
  Value state = body.state({heads, mixer.getHeadDim(), mixer.getState()});
  auto ssd = SsdOp::create(builder, body.loc, xbc[0], dt, a, xbc[1], xbc[2],
                           skip, body.seqs(), state);
  body.addNewState(ssd.getNewState());
  Value gain = body.parameterIf(mixer.getGate() != GateOrder::NoNorm,
                                "norm.weight", inner);
  Value gated = GatedNormOp::create(
      builder, body.loc, ssd.getResult(), parts[0], gain,
      GateOrderAttr::get(builder.getContext(), mixer.getGate()),
      builder.getI64IntegerAttr(mixer.getGroups()),
      builder.getF64FloatAttr(mixer.getNormEps()));
  return body.linear(gated, "out_proj", hidden, mixer.getProjBias());
}

/// The keys or values of `input`. Of a checkpoint with more heads for them,
/// neighbours are averaged.
static Value keyValueProjection(LayerBody &body, AttentionAttr mixer,
                                Value input, StringRef leaf) {
  int64_t headDim = mixer.getHeadDim(), width = mixer.getKvHeads() * headDim;
  int64_t stored = mixer.storedKvHeads() * headDim;
  auto mean = [&](Value parameter) -> Value {
    if (!parameter || stored == width)
      return parameter;
    auto type = cast<RankedTensorType>(parameter.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape.front() = width;
    return MeanHeadsOp::create(body.builder, body.loc, type.clone(shape),
                               parameter,
                               body.builder.getI64IntegerAttr(stored / width),
                               body.builder.getI64IntegerAttr(headDim));
  };
  Value matrix =
      body.matrix((leaf + ".weight").str(), {stored, widthOf(input)});
  Value bias =
      body.parameterIf(mixer.getBias(), (leaf + ".bias").str(), stored);
  return LinearOp::create(body.builder, body.loc, body.rows(width), input,
                          mean(matrix), mean(bias));
}

static Value buildAttention(LayerBody &body, AttentionAttr mixer, Value input) {
  OpBuilder &builder = body.builder;
  int64_t hidden = widthOf(input), headDim = mixer.getHeadDim();
  int64_t queries = mixer.getHeads() * headDim;
  Value query = body.linear(input, "q_proj", queries, mixer.getBias());
  Value key = keyValueProjection(body, mixer, input, "k_proj");
  Value value = keyValueProjection(body, mixer, input, "v_proj");
  if (RopeAttr rope = mixer.getRope()) {
    auto dim = builder.getI64IntegerAttr(headDim);
    query = RopeOp::create(builder, body.loc, query, body.seqs(), dim, rope);
    key = RopeOp::create(builder, body.loc, key, body.seqs(), dim, rope);
  }
  double scale = mixer.getScale() ? double(*mixer.getScale())
                                  : 1.0 / std::sqrt(double(headDim));
  IntegerAttr window;
  if (mixer.getWindow())
    window = builder.getI64IntegerAttr(*mixer.getWindow());
  SmallVector<int64_t> cache = {mixer.getKvHeads(), ShapedType::kDynamic,
                                headDim};
  Value keyCache = body.state(cache), valueCache = body.state(cache);
  auto attention = AttentionOp::create(builder, body.loc, query, key, value,
                                       body.seqs(), keyCache, valueCache,
                                       builder.getF64FloatAttr(scale), window);
  body.addNewState(attention.getNewKeyCache());
  body.addNewState(attention.getNewValueCache());
  return body.linear(attention.getResult(), "o_proj", hidden,
                     mixer.getOutBias());
}

static Value buildMlp(LayerBody &body, MlpAttr mixer, Value input) {
  int64_t hidden = widthOf(input), inner = mixer.getInner();
  bool bias = mixer.getBias();
  StringRef first = mixer.getGated() ? "gate_proj" : "up_proj";
  Value activated = activation(body, body.linear(input, first, inner, bias),
                               mixer.getActivation());
  if (mixer.getGated()) {
    Value up = body.linear(input, "up_proj", inner, bias);
    activated = MulOp::create(body.builder, body.loc, activated, up);
  }
  return body.linear(activated, "down_proj", hidden, bias);
}

FailureOr<Value> ssm::buildBlock(LayerBody &body, BlockOp block, Value input) {
  input = body.scale(input, block.getInMultiplier());
  FailureOr<Value> result =
      TypeSwitch<Attribute, FailureOr<Value>>(block.getMixer())
          .Case([&](MambaAttr mixer) { return buildMamba(body, mixer, input); })
          .Case(
              [&](Mamba2Attr mixer) { return buildMamba2(body, mixer, input); })
          .Case([&](MlpAttr mixer) { return buildMlp(body, mixer, input); })
          .Case([&](AttentionAttr mixer) -> FailureOr<Value> {
            if (mixer.getQkNormEps())
              return block.emitOpError(
                  "lowering of norms on queries and keys is not supported yet");
            return buildAttention(body, mixer, input);
          })
          .Default([&](Attribute) {
            return block.emitOpError(
                "lowering of experts is not supported yet");
          });
  if (failed(result))
    return failure();
  return body.scale(*result, block.getOutMultiplier());
}
