//===- Parameters.cpp - Parameters of a block-form model ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/Parameters.h"
#include "frontends/TensorTable.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm;

uint64_t ParameterCount::total() const {
  uint64_t sum = 0;
  for (uint64_t part :
       {mamba, mamba2, attention, mlp, experts, embedding, head, finalNorm})
    sum = llvm::SaturatingAdd(sum, part);
  return sum;
}

/// The member of `count` that blocks of this kind go to.
static uint64_t &kindOf(ParameterCount &count, Attribute mixer) {
  return *llvm::TypeSwitch<Attribute, uint64_t *>(mixer)
              .Case([&](MambaAttr) { return &count.mamba; })
              .Case([&](Mamba2Attr) { return &count.mamba2; })
              .Case([&](AttentionAttr) { return &count.attention; })
              .Case([&](ExpertsAttr) { return &count.experts; })
              .Default([&](Attribute) { return &count.mlp; });
}

ParameterCount ssm::countParameters(ModelOp model) {
  ParameterCount count;
  llvm::StringSet<> seen;
  int64_t hidden = model.getHidden();
  auto addTo = [&](uint64_t &kind, ArrayRef<TensorSpec> tensors) {
    for (const TensorSpec &tensor : tensors)
      if (tensor.role != TensorRole::Buffer && seen.insert(tensor.name).second)
        kind = llvm::SaturatingAdd(kind, tensor.elements());
  };
  auto vocabulary = [&](StringRef prefix) {
    return TensorSpec{(prefix + ".weight").str(),
                      {int64_t(model.getVocab()), hidden},
                      TensorRole::Matrix};
  };
  for (Operation &op : model.getBody().front()) {
    if (auto embed = dyn_cast<EmbedOp>(op)) {
      addTo(count.embedding, vocabulary(embed.getPrefix()));
    } else if (auto head = dyn_cast<HeadOp>(op)) {
      addTo(count.finalNorm,
            normTensors(head.getNorm(), head.getNormPrefix(), hidden));
      addTo(count.head, vocabulary(head.getPrefix()));
    } else if (auto layer = dyn_cast<LayerOp>(op)) {
      auto blocks = layer.getBody().getOps<BlockOp>();
      addTo(kindOf(count, (*blocks.begin()).getMixer()),
            normTensors(layer.getNorm(), layer.getNormPrefix(), hidden));
      for (BlockOp block : blocks)
        addTo(kindOf(count, block.getMixer()), blockTensors(block, hidden));
    }
  }
  return count;
}
