//===- HyperParameters.cpp - Rewrites of layers in their places -----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/placement/ModelPrice.h"
#include "passes/placement/Weights.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace ssm;

/// What a rewrite does to the weights of the layers it changes.
enum class Weights {
  Kept,
  Renewed,
  Averaged, ///< Kept where neighbouring key/value heads have a mean.
};

static bool isAverage(Attribute mixer) {
  auto attention = dyn_cast<AttentionAttr>(mixer);
  return attention && attention.getStoredKvHeads();
}

/// `mixer` of a layer that has no weights to average.
static Attribute withoutAverage(Attribute mixer) {
  if (!isAverage(mixer))
    return mixer;
  auto a = cast<AttentionAttr>(mixer);
  return AttentionAttr::get(a.getContext(), a.getHeads(), a.getKvHeads(),
                            a.getHeadDim(), a.getScale(), a.getWindow(),
                            a.getRope(), a.getBias(), a.getOutBias(),
                            a.getQkNormEps(), std::nullopt);
}

/// Replaces the hyper-parameters of all blocks with an attribute of type
/// `Mixer` by those that `change` makes of them (null after an error).
template <typename Mixer>
static LogicalResult
changeAll(ModelOp model, StringRef rewrite, StringRef kind, Weights weights,
          function_ref<Mixer(Mixer)> change, EmitError emitError) {
  // First what it shall be, so that a failure leaves the model as it was.
  llvm::SmallDenseMap<Mixer, Mixer> changed;
  SmallVector<BlockOp> blocks;
  int64_t layers = 0;
  for (auto layer : model.getBody().getOps<LayerOp>()) {
    ++layers;
    for (auto block : layer.getBody().getOps<BlockOp>()) {
      auto mixer = dyn_cast<Mixer>(block.getMixer());
      if (!mixer)
        continue;
      blocks.push_back(block);
      auto [entry, isNew] = changed.try_emplace(mixer);
      if (isNew && !(entry->second = change(mixer)))
        return failure();
    }
  }
  if (blocks.empty())
    return emitError() << "the model has no layer of kind " << kind;
  std::optional<FreshNames> names; // Costs a walk: made when wanted.
  int64_t fresh = 0;
  for (BlockOp block : blocks) {
    auto mixer = cast<Mixer>(block.getMixer());
    if (changed[mixer] == mixer)
      continue;
    bool hasWeights = !isUninitialized(block.getPrefix());
    block.setMixerAttr(hasWeights ? Attribute(changed[mixer])
                                  : withoutAverage(changed[mixer]));
    if (weights == Weights::Kept ||
        (weights == Weights::Averaged && isAverage(block.getMixer())))
      continue;
    ++fresh;
    if (!hasWeights)
      continue;
    if (!names)
      names.emplace(model);
    names->rename(block);
  }
  sayWeights(model, rewrite, layers - fresh, fresh);
  return success();
}

//===----------------------------------------------------------------------===//
// Attributes with one parameter changed
//===----------------------------------------------------------------------===//

static AttentionAttr withHeads(AttentionAttr a, int64_t heads, int64_t kvHeads,
                               std::optional<int64_t> storedKvHeads,
                               EmitError emitError) {
  return AttentionAttr::getChecked(emitError, a.getContext(), heads, kvHeads,
                                   a.getHeadDim(), a.getScale(), a.getWindow(),
                                   a.getRope(), a.getBias(), a.getOutBias(),
                                   a.getQkNormEps(), storedKvHeads);
}

static AttentionAttr withPositions(AttentionAttr a,
                                   std::optional<int64_t> window, RopeAttr rope,
                                   EmitError emitError) {
  return AttentionAttr::getChecked(emitError, a.getContext(), a.getHeads(),
                                   a.getKvHeads(), a.getHeadDim(), a.getScale(),
                                   window, rope, a.getBias(), a.getOutBias(),
                                   a.getQkNormEps(), a.getStoredKvHeads());
}

static Mamba2Attr withMamba2(Mamba2Attr m, int64_t heads, int64_t headDim,
                             int64_t state, int64_t groups,
                             EmitError emitError) {
  return Mamba2Attr::getChecked(emitError, m.getContext(), heads, headDim,
                                state, groups, m.getConv(), m.getConvBias(),
                                m.getProjBias(), m.getDtMin(), m.getDtMax(),
                                m.getGate(), m.getNormEps());
}

static MambaAttr withMamba(MambaAttr m, int64_t inner, int64_t state,
                           int64_t rank, EmitError emitError) {
  return MambaAttr::getChecked(
      emitError, m.getContext(), inner, state, m.getConv(), rank,
      m.getConvBias(), m.getProjBias(), m.getDtBcEps(), m.getDtBcGain());
}

static MlpAttr withMlp(MlpAttr m, int64_t inner, Activation activation,
                       EmitError emitError) {
  return MlpAttr::getChecked(emitError, m.getContext(), inner, activation,
                             m.getGated(), m.getBias());
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

LogicalResult ssm::setKvHeads(ModelOp model, int64_t heads,
                              EmitError emitError) {
  return changeAll<AttentionAttr>(
      model, "set-kv-heads", "attention", Weights::Averaged,
      [&](AttentionAttr a) {
        if (heads == a.getKvHeads())
          return a;
        std::optional<int64_t> stored;
        if (heads > 0 && a.getKvHeads() % heads == 0)
          stored = a.storedKvHeads();
        return withHeads(a, a.getHeads(), heads, stored, emitError);
      },
      emitError);
}

LogicalResult ssm::setRope(ModelOp model, std::optional<double> theta,
                           EmitError emitError) {
  auto change = [&](AttentionAttr a) -> AttentionAttr {
    RopeAttr rope;
    if (theta) {
      RopeAttr old = a.getRope();
      rope = RopeAttr::getChecked(emitError, a.getContext(),
                                  old ? old.getKind() : RopeKind::Default,
                                  old ? old.getDims() : a.getHeadDim(),
                                  Real(*theta), old ? old.getFactor() : Real(1),
                                  old ? old.getLowFreqFactor() : Real(1),
                                  old ? old.getHighFreqFactor() : Real(4),
                                  old ? old.getOriginalPositions() : 8192);
      if (!rope)
        return {};
    }
    return withPositions(a, a.getWindow(), rope, emitError);
  };
  return changeAll<AttentionAttr>(model, "set-rope", "attention", Weights::Kept,
                                  change, emitError);
}

LogicalResult ssm::setWindow(ModelOp model, std::optional<int64_t> window,
                             EmitError emitError) {
  return changeAll<AttentionAttr>(
      model, "set-window", "attention", Weights::Kept,
      [&](AttentionAttr a) {
        return withPositions(a, window, a.getRope(), emitError);
      },
      emitError);
}

//===----------------------------------------------------------------------===//
// MLP
//===----------------------------------------------------------------------===//

LogicalResult ssm::setMlpRatio(ModelOp model, double ratio,
                               EmitError emitError) {
  if (!(ratio > 0) || !(ratio <= 1024))
    return emitError() << "expected a ratio above 0, at most 1024, got "
                       << ratio;
  int64_t inner = std::llround(double(model.getHidden()) * ratio);
  return changeAll<MlpAttr>(
      model, "set-mlp-ratio", "mlp", Weights::Renewed,
      [&](MlpAttr m) {
        return withMlp(m, inner, m.getActivation(), emitError);
      },
      emitError);
}

LogicalResult ssm::setActivation(ModelOp model, StringRef name,
                                 EmitError emitError) {
  std::optional<Activation> activation = symbolizeActivation(name);
  if (!activation || *activation == Activation::Softplus)
    return emitError() << "unknown activation '" << name
                       << "' (supported: silu, gelu, gelu_tanh, relu2)";
  return changeAll<MlpAttr>(
      model, "set-activation", "mlp", Weights::Kept,
      [&](MlpAttr m) {
        return withMlp(m, m.getInner(), *activation, emitError);
      },
      emitError);
}

//===----------------------------------------------------------------------===//
// State space
//===----------------------------------------------------------------------===//

LogicalResult ssm::setState(ModelOp model, int64_t state, EmitError emitError) {
  bool hasMamba = false, hasMamba2 = false;
  for (auto layer : model.getBody().getOps<LayerOp>())
    for (auto block : layer.getBody().getOps<BlockOp>()) {
      hasMamba |= isa<MambaAttr>(block.getMixer());
      hasMamba2 |= isa<Mamba2Attr>(block.getMixer());
    }
  if (!hasMamba && !hasMamba2)
    return emitError() << "the model has no layer of kind mamba or mamba2";
  auto changeMamba = [&](MambaAttr m) {
    return withMamba(m, m.getInner(), state, m.getDtRank(), emitError);
  };
  auto changeMamba2 = [&](Mamba2Attr m) {
    return withMamba2(m, m.getHeads(), m.getHeadDim(), state, m.getGroups(),
                      emitError);
  };
  if (hasMamba &&
      failed(changeAll<MambaAttr>(model, "set-state", "mamba", Weights::Renewed,
                                  changeMamba, emitError)))
    return failure();
  if (!hasMamba2)
    return success();
  return changeAll<Mamba2Attr>(model, "set-state", "mamba2", Weights::Renewed,
                               changeMamba2, emitError);
}

LogicalResult ssm::setHeadDim(ModelOp model, int64_t width,
                              EmitError emitError) {
  auto change = [&](Mamba2Attr m) -> Mamba2Attr {
    if (width < 1 || m.inner() % width) {
      emitError() << "expected a head width that divides the inner width "
                  << m.inner() << ", got " << width;
      return {};
    }
    return withMamba2(m, m.inner() / width, width, m.getState(), m.getGroups(),
                      emitError);
  };
  return changeAll<Mamba2Attr>(model, "set-head-dim", "mamba2",
                               Weights::Renewed, change, emitError);
}

LogicalResult ssm::setGroups(ModelOp model, int64_t groups,
                             EmitError emitError) {
  return changeAll<Mamba2Attr>(
      model, "set-groups", "mamba2", Weights::Renewed,
      [&](Mamba2Attr m) {
        return withMamba2(m, m.getHeads(), m.getHeadDim(), m.getState(), groups,
                          emitError);
      },
      emitError);
}

//===----------------------------------------------------------------------===//
// Width
//===----------------------------------------------------------------------===//

namespace {
/// Widths in proportion to that of the model.
struct Scale {
  int64_t from, to;

  /// `width` scaled, a positive multiple of `granule`.
  int64_t operator()(int64_t width, int64_t granule) const {
    double scaled = double(width) * double(to) / double(from);
    return std::max<int64_t>(1, std::llround(scaled / double(granule))) *
           granule;
  }
};
} // namespace

/// Granule of the widths: 64, or what of it divides `width`.
static int64_t granuleOf(int64_t width) {
  int64_t granule = 64;
  while (width % granule)
    granule /= 2;
  return granule;
}

static BlockShape scaleShape(BlockShape shape, Scale scale) {
  if (auto *mamba = std::get_if<MambaShape>(&shape)) {
    mamba->inner = scale(mamba->inner, granuleOf(mamba->inner));
    mamba->dtRank = scale(mamba->dtRank, 1);
  } else if (auto *mamba2 = std::get_if<Mamba2Shape>(&shape)) {
    mamba2->heads = scale(mamba2->heads, mamba2->groups);
  } else if (auto *attention = std::get_if<AttentionShape>(&shape)) {
    attention->heads = scale(attention->heads, attention->kvHeads);
  } else if (auto *mlp = std::get_if<MlpShape>(&shape)) {
    mlp->inner = scale(mlp->inner, granuleOf(mlp->inner));
  } else {
    auto &experts = std::get<ExpertsShape>(shape);
    experts.inner = scale(experts.inner, granuleOf(experts.inner));
    if (experts.sharedInner)
      experts.sharedInner =
          scale(experts.sharedInner, granuleOf(experts.sharedInner));
    if (experts.latent)
      experts.latent = scale(experts.latent, granuleOf(experts.latent));
  }
  return shape;
}

/// The hyper-parameters `mixer` with the widths of `shape`.
static Attribute withShape(Attribute mixer, const BlockShape &shape,
                           EmitError emitError) {
  return TypeSwitch<Attribute, Attribute>(mixer)
      .Case([&](MambaAttr m) {
        auto &to = std::get<MambaShape>(shape);
        return withMamba(m, to.inner, m.getState(), to.dtRank, emitError);
      })
      .Case([&](Mamba2Attr m) {
        return withMamba2(m, std::get<Mamba2Shape>(shape).heads, m.getHeadDim(),
                          m.getState(), m.getGroups(), emitError);
      })
      .Case([&](AttentionAttr a) {
        return withHeads(a, std::get<AttentionShape>(shape).heads,
                         a.getKvHeads(), /*storedKvHeads=*/std::nullopt,
                         emitError);
      })
      .Case([&](MlpAttr m) {
        return withMlp(m, std::get<MlpShape>(shape).inner, m.getActivation(),
                       emitError);
      })
      .Default([&](Attribute attribute) {
        auto m = cast<ExpertsAttr>(attribute);
        auto &to = std::get<ExpertsShape>(shape);
        return ExpertsAttr::getChecked(
            emitError, m.getContext(), m.getCount(), m.getUsed(), to.inner,
            m.getActivation(), m.getScore(), m.getGated(), to.sharedInner,
            m.getGroups(), m.getUsedGroups(), m.getNormalize(), m.getScale(),
            m.getLatent() ? std::optional<int64_t>(to.latent) : std::nullopt);
      });
}

namespace {
/// Counts the parameters of a model at other widths.
class WidthSearch {
public:
  explicit WidthSearch(ModelOp model) : model(model) {
    auto embed = cast<EmbedOp>(model.getBody().front().front());
    auto head = cast<HeadOp>(model.getBody().front().back());
    tables = embed.getPrefix() == head.getPrefix() ? 1 : 2;
    llvm::SmallDenseSet<Attribute> seen;
    for (auto layer : model.getBody().getOps<LayerOp>()) {
      norms += layer.getNorm().getKind() == NormKind::Layer1p ? 2 : 1;
      for (auto block : layer.getBody().getOps<BlockOp>())
        if (seen.insert(block.getPrefixAttr()).second)
          ++counts[block.getMixer()];
    }
    norms += head.getNorm().getKind() == NormKind::Layer1p ? 2 : 1;
    for (auto &[mixer, count] : counts)
      shapes.push_back({shapeOf(mixer), double(count)});
  }

  double parameters(int64_t hidden) {
    static const Device device = [] {
      Device any;
      any.bandwidth = any.f32Flops = any.bf16Flops = 1;
      return any;
    }();
    Scale scale{int64_t(model.getHidden()), hidden};
    double sum = (double(tables) * double(model.getVocab()) + double(norms)) *
                 double(hidden);
    for (auto &[shape, count] : shapes)
      sum += count * priceBlock(scaleShape(shape, scale), hidden,
                                /*normVectors=*/0, Workload(), device)
                         .parameters;
    return sum;
  }

  /// The multiple of `granule` whose parameters come closest to `budget`.
  int64_t closest(double budget, int64_t granule) {
    int64_t low = 1, high = 2;
    while (parameters(high * granule) < budget)
      high *= 2;
    while (high - low > 1) {
      int64_t middle = low + (high - low) / 2;
      (parameters(middle * granule) < budget ? low : high) = middle;
    }
    double below = budget - parameters(low * granule);
    double above = parameters(high * granule) - budget;
    return (std::abs(below) <= std::abs(above) ? low : high) * granule;
  }

private:
  ModelOp model;
  int64_t tables, norms = 0;
  llvm::MapVector<Attribute, int64_t> counts;
  SmallVector<std::pair<BlockShape, double>, 8> shapes;
};
} // namespace

/// Gives embedding and head names that no checkpoint holds, tied if they were.
static void renameTables(ModelOp model) {
  auto embed = cast<EmbedOp>(model.getBody().front().front());
  auto head = cast<HeadOp>(model.getBody().front().back());
  auto name = [&](StringRef leaf) {
    return StringAttr::get(model.getContext(), kUninitialized + leaf);
  };
  bool tied = embed.getPrefix() == head.getPrefix();
  embed.setPrefixAttr(name("embeddings"));
  head.setPrefixAttr(name(tied ? "embeddings" : "head"));
  head.setNormPrefixAttr(name("norm"));
}

LogicalResult ssm::fitParameters(ModelOp model, double budget,
                                 EmitError emitError) {
  int64_t hidden = model.getHidden(), granule = granuleOf(hidden);
  WidthSearch search(model);
  constexpr double kMost = 1e15;
  if (double least = search.parameters(granule);
      !(budget >= least) || !(budget <= kMost))
    return emitError() << "expected a budget from "
                       << std::to_string(int64_t(least))
                       << " parameters, those at width " << granule
                       << ", to 10^15, got " << budget;
  Scale scale{hidden, search.closest(budget, granule)};
  if (scale.to == hidden)
    return success();
  llvm::SmallDenseMap<Attribute, Attribute> changed;
  for (auto layer : model.getBody().getOps<LayerOp>())
    for (auto block : layer.getBody().getOps<BlockOp>())
      if (Attribute &to = changed[block.getMixer()]; !to)
        if (!(to = withShape(block.getMixer(),
                             scaleShape(shapeOf(block.getMixer()), scale),
                             emitError)))
          return failure();
  // Blocks that shared weights go on sharing them.
  llvm::SmallDenseMap<Attribute, StringAttr> names;
  FreshNames fresh(model);
  int64_t layers = 0;
  for (auto layer : model.getBody().getOps<LayerOp>()) {
    ++layers;
    StringAttr own;
    for (auto block : layer.getBody().getOps<BlockOp>()) {
      block.setMixerAttr(changed[block.getMixer()]);
      if (isUninitialized(block.getPrefix()))
        continue;
      StringAttr &name = names[block.getPrefixAttr()];
      if (!name) {
        fresh.rename(block);
        name = block.getPrefixAttr();
      }
      block.setPrefixAttr(name);
      own = name;
    }
    if (own && !isUninitialized(layer.getNormPrefix()))
      layer.setNormPrefixAttr(
          StringAttr::get(model.getContext(), own.getValue() + ".norm"));
  }
  model.setHidden(scale.to);
  renameTables(model);
  sayWeights(model, "fit-parameters", 0, layers);
  return success();
}
