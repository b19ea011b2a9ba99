//===- TensorTable.cpp - Tensors of a block-form model --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/TensorTable.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm;

uint64_t TensorSpec::elements() const {
  uint64_t product = 1;
  for (int64_t size : shape)
    product = llvm::SaturatingMultiply<uint64_t>(product, size);
  return product / averaged;
}

namespace {
/// Collects the tensors below one prefix.
struct TensorList {
  std::string prefix;
  SmallVector<TensorSpec> tensors;

  void add(const Twine &leaf, ArrayRef<int64_t> shape, TensorRole role) {
    tensors.push_back(
        {(prefix + "." + leaf).str(), SmallVector<int64_t, 3>(shape), role});
  }
  void matrix(const Twine &leaf, ArrayRef<int64_t> shape) {
    add(leaf, shape, TensorRole::Matrix);
  }
  void vector(const Twine &leaf, ArrayRef<int64_t> shape) {
    add(leaf, shape, TensorRole::Vector);
  }
  /// A linear map, weight [out, in] and perhaps a bias.
  void linear(const Twine &leaf, int64_t out, int64_t in, bool bias) {
    matrix(leaf + ".weight", {out, in});
    if (bias)
      vector(leaf + ".bias", {out});
  }
  /// A depthwise convolution, weight [channels, 1, taps].
  void convolution(int64_t channels, int64_t taps, bool bias) {
    vector("conv1d.weight", {channels, 1, taps});
    if (bias)
      vector("conv1d.bias", {channels});
  }
};
} // namespace

static void addTensors(TensorList &list, MambaAttr mixer, int64_t hidden) {
  int64_t inner = mixer.getInner(), state = mixer.getState();
  int64_t rank = mixer.getDtRank();
  list.linear("in_proj", 2 * inner, hidden, mixer.getProjBias());
  list.convolution(inner, mixer.getConv(), mixer.getConvBias());
  list.linear("x_proj", rank + 2 * state, inner, /*bias=*/false);
  if (mixer.getDtBcGain()) {
    list.vector("dt_layernorm.weight", {rank});
    list.vector("b_layernorm.weight", {state});
    list.vector("c_layernorm.weight", {state});
  }
  list.linear("dt_proj", inner, rank, /*bias=*/true);
  list.vector("A_log", {inner, state});
  list.vector("D", {inner});
  list.linear("out_proj", hidden, inner, mixer.getProjBias());
}

static void addTensors(TensorList &list, Mamba2Attr mixer, int64_t hidden) {
  int64_t inner = mixer.inner(), heads = mixer.getHeads();
  list.linear("in_proj", inner + mixer.convChannels() + heads, hidden,
              mixer.getProjBias());
  list.convolution(mixer.convChannels(), mixer.getConv(), mixer.getConvBias());
  list.vector("dt_bias", {heads});
  list.vector("A_log", {heads});
  list.vector("D", {heads});
  if (mixer.getGate() != GateOrder::NoNorm)
    list.vector("norm.weight", {inner});
  list.linear("out_proj", hidden, inner, mixer.getProjBias());
}

static void addTensors(TensorList &list, AttentionAttr mixer, int64_t hidden) {
  int64_t headDim = mixer.getHeadDim();
  int64_t queries = mixer.getHeads() * headDim;
  int64_t keys = mixer.storedKvHeads() * headDim;
  list.linear("q_proj", queries, hidden, mixer.getBias());
  size_t first = list.tensors.size();
  list.linear("k_proj", keys, hidden, mixer.getBias());
  list.linear("v_proj", keys, hidden, mixer.getBias());
  for (TensorSpec &tensor : MutableArrayRef(list.tensors).drop_front(first))
    tensor.averaged = mixer.storedKvHeads() / mixer.getKvHeads();
  if (mixer.getQkNormEps()) {
    list.vector("q_norm.weight", {headDim});
    list.vector("k_norm.weight", {headDim});
  }
  list.linear("o_proj", hidden, queries, mixer.getOutBias());
}

/// A feed-forward block of width `inner` below `leaf` (with its dot, or empty).
static void addFeedForward(TensorList &list, const Twine &leaf, int64_t inner,
                           int64_t hidden, bool gated, bool bias) {
  if (gated)
    list.linear(leaf + "gate_proj", inner, hidden, bias);
  list.linear(leaf + "up_proj", inner, hidden, bias);
  list.linear(leaf + "down_proj", hidden, inner, bias);
}

static void addTensors(TensorList &list, MlpAttr mixer, int64_t hidden) {
  addFeedForward(list, "", mixer.getInner(), hidden, mixer.getGated(),
                 mixer.getBias());
}

/// Experts as granitemoehybrid stores them: all in one tensor, gate and up
/// fused, gate first.
static void addFusedExperts(TensorList &list, ExpertsAttr mixer,
                            int64_t hidden) {
  int64_t count = mixer.getCount(), inner = mixer.getInner();
  int64_t shared = mixer.getSharedInner(), parts = mixer.getGated() ? 2 : 1;
  list.matrix("block_sparse_moe.input_linear.weight",
              {count, parts * inner, hidden});
  list.matrix("block_sparse_moe.output_linear.weight", {count, hidden, inner});
  list.linear("block_sparse_moe.router.layer", count, hidden, /*bias=*/false);
  if (!shared)
    return;
  list.linear("shared_mlp.input_linear", parts * shared, hidden,
              /*bias=*/false);
  list.linear("shared_mlp.output_linear", hidden, shared, /*bias=*/false);
}

static void addTensors(TensorList &list, ExpertsAttr mixer, int64_t hidden) {
  if (mixer.getScore() == "softmax_chosen")
    return addFusedExperts(list, mixer, hidden);
  bool sigmoid = mixer.getScore() == "sigmoid";
  list.linear(sigmoid ? "gate" : "router", mixer.getCount(), hidden,
              /*bias=*/false);
  if (sigmoid)
    list.add("gate.e_score_correction_bias", {mixer.getCount()},
             TensorRole::Buffer);
  int64_t width = mixer.getLatent().value_or(hidden);
  for (int64_t expert = 0; expert < mixer.getCount(); ++expert)
    addFeedForward(list, "experts." + Twine(expert) + ".", mixer.getInner(),
                   width, mixer.getGated(), /*bias=*/false);
  if (mixer.getSharedInner())
    addFeedForward(list, "shared_experts.", mixer.getSharedInner(), hidden,
                   mixer.getGated(), /*bias=*/false);
  if (!mixer.getLatent())
    return;
  list.linear("fc1_latent_proj", width, hidden, /*bias=*/false);
  list.linear("fc2_latent_proj", hidden, width, /*bias=*/false);
}

SmallVector<TensorSpec> ssm::normTensors(NormAttr norm, StringRef prefix,
                                         int64_t width) {
  TensorList list{prefix.str(), {}};
  list.vector("weight", {width});
  if (norm.getKind() == NormKind::Layer1p)
    list.vector("bias", {width});
  return std::move(list.tensors);
}

SmallVector<TensorSpec> ssm::blockTensors(BlockOp block, int64_t hidden) {
  TensorList list{block.getPrefix().str(), {}};
  llvm::TypeSwitch<Attribute>(block.getMixer())
      .Case<MambaAttr, Mamba2Attr, AttentionAttr, MlpAttr, ExpertsAttr>(
          [&](auto mixer) { addTensors(list, mixer, hidden); });
  return std::move(list.tensors);
}

SmallVector<TensorSpec> ssm::modelTensors(ModelOp model) {
  SmallVector<TensorSpec> tensors;
  llvm::StringSet<> names;
  int64_t hidden = model.getHidden(), vocab = model.getVocab();
  auto append = [&](ArrayRef<TensorSpec> more) {
    for (const TensorSpec &tensor : more)
      if (names.insert(tensor.name).second)
        tensors.push_back(tensor);
  };
  auto appendMatrix = [&](StringRef prefix) {
    append(TensorSpec{
        (prefix + ".weight").str(), {vocab, hidden}, TensorRole::Matrix});
  };
  for (Operation &op : model.getBody().front()) {
    if (auto embed = dyn_cast<EmbedOp>(op)) {
      appendMatrix(embed.getPrefix());
    } else if (auto head = dyn_cast<HeadOp>(op)) {
      append(normTensors(head.getNorm(), head.getNormPrefix(), hidden));
      appendMatrix(head.getPrefix());
    } else if (auto layer = dyn_cast<LayerOp>(op)) {
      append(normTensors(layer.getNorm(), layer.getNormPrefix(), hidden));
      for (auto block : layer.getBody().getOps<BlockOp>())
        append(blockTensors(block, hidden));
    }
  }
  return tensors;
}
