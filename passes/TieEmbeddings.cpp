//===- TieEmbeddings.cpp - Embeddings in the layout of the head -----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Kern.h"
#include "passes/PairedGemm.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;

/// The recipe of a weight outside the layers.
static Attribute recipeOf(Value weight) {
  Operation *op = weight.getDefiningOp();
  return op ? op->getAttr("recipe") : Attribute();
}

void ssm::tieEmbeddings(ModuleOp module, int64_t panel,
                        function_ref<int64_t(Type)> pairOf) {
  llvm::DenseSet<Attribute> productWeights;
  module.walk([&](kern::GemmOp gemm) {
    if (Attribute recipe = recipeOf(gemm.getWeight()))
      productWeights.insert(recipe);
  });
  module.walk([&](kern::EmbedOp embed) {
    if (!productWeights.contains(recipeOf(embed.getTable())))
      return;
    Type element =
        cast<RankedTensorType>(embed.getTable().getType()).getElementType();
    embed.setPanel(panel);
    embed.setPair(pairOf(element));
  });
}
