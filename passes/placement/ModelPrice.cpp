//===- ModelPrice.cpp - What a model in block form costs ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/placement/ModelPrice.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssm;

Workload ssm::workloadFor(WeightFormat weights, const Device &device,
                          int64_t context, int64_t batch) {
  Workload workload;
  workload.context = context;
  workload.batch = batch;
  workload.weightBytes = weights == WeightFormat::F32 ? 4 : 2;
  // As --precision=auto: products of 16-bit weights take 16-bit inputs where
  // that is faster.
  workload.half =
      weights != WeightFormat::F32 && device.bf16Flops > device.f32Flops;
  workload.cacheBytes = workload.half ? 2 : 4;
  workload.convBytes =
      device.convStateBytes ? device.convStateBytes : workload.cacheBytes;
  return workload;
}

BlockShape ssm::shapeOf(Attribute mixer) {
  return TypeSwitch<Attribute, BlockShape>(mixer)
      .Case([](MambaAttr m) {
        return MambaShape{m.getInner(),   m.getState(),    m.getConv(),
                          m.getDtRank(),  m.getConvBias(), m.getProjBias(),
                          m.getDtBcGain()};
      })
      .Case([](Mamba2Attr m) {
        return Mamba2Shape{m.getHeads(),    m.getHeadDim(),
                           m.getState(),    m.getGroups(),
                           m.getConv(),     m.getConvBias(),
                           m.getProjBias(), m.getGate() != GateOrder::NoNorm};
      })
      .Case([](AttentionAttr m) {
        return AttentionShape{m.getHeads(),
                              m.getKvHeads(),
                              m.getHeadDim(),
                              m.getWindow().value_or(0),
                              m.getBias(),
                              m.getOutBias(),
                              m.getQkNormEps().has_value()};
      })
      .Case([](ExpertsAttr m) {
        return ExpertsShape{m.getCount(),
                            m.getUsed(),
                            m.getInner(),
                            m.getSharedInner(),
                            m.getLatent().value_or(0),
                            m.getGated()};
      })
      .Default([](Attribute attribute) {
        auto m = cast<MlpAttr>(attribute);
        return MlpShape{m.getInner(), m.getGated(), m.getBias()};
      });
}

StringRef ssm::kindName(Attribute mixer) {
  return TypeSwitch<Attribute, StringRef>(mixer)
      .Case([](MambaAttr) { return "mamba"; })
      .Case([](Mamba2Attr) { return "mamba2"; })
      .Case([](AttentionAttr) { return "attention"; })
      .Case([](ExpertsAttr) { return "experts"; })
      .Default([](Attribute) { return "mlp"; });
}

/// Vectors of a norm: gain, and for layer1p a bias.
static int vectorsOf(NormAttr norm) {
  return norm.getKind() == NormKind::Layer1p ? 2 : 1;
}

const Price &ModelPricer::priceOf(Attribute mixer, int normVectors,
                                  const Workload &workload) {
  auto [entry, isNew] = known.try_emplace({mixer, normVectors});
  if (isNew)
    entry->second =
        priceBlock(shapeOf(mixer), hidden, normVectors, workload, device);
  return entry->second;
}

template <typename Sink> void ModelPricer::visit(ModelOp model, Sink sink) {
  Workload workload = workloadOf(model);
  if (hidden != int64_t(model.getHidden()) || weights != model.getWeights()) {
    known.clear();
    hidden = model.getHidden();
    weights = model.getWeights();
  }
  seen.clear();
  Block &body = model.getBody().front();
  auto embed = cast<EmbedOp>(body.front());
  auto head = cast<HeadOp>(body.back());
  sink(-1, "embedding",
       priceEmbedding(model.getVocab(), hidden, workload, device));
  int64_t place = 0;
  for (auto layer : body.getOps<LayerOp>()) {
    int normVectors = vectorsOf(layer.getNorm());
    for (auto block : layer.getBody().getOps<BlockOp>()) {
      const Price &price = priceOf(block.getMixer(), normVectors, workload);
      if (seen.insert(block.getPrefixAttr()).second) {
        sink(place, kindName(block.getMixer()), price);
      } else {
        Price shared = price;
        shared.parameters = double(normVectors) * double(hidden);
        sink(place, kindName(block.getMixer()), shared);
      }
      normVectors = 0;
    }
    ++place;
  }
  sink(-1, "head",
       priceHead(model.getVocab(), hidden, vectorsOf(head.getNorm()),
                 head.getPrefix() == embed.getPrefix(), workload, device));
}

Price ModelPricer::total(ModelOp model) {
  Price sum;
  visit(model, [&](int64_t, StringRef, const Price &price) { sum += price; });
  return sum;
}

std::vector<PricedPart> ModelPricer::parts(ModelOp model) {
  std::vector<PricedPart> parts;
  visit(model, [&](int64_t layer, StringRef kind, const Price &price) {
    parts.push_back({layer, kind.str(), price});
  });
  return parts;
}
