//===- Weights.cpp - What rewrites do to weights --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/placement/Weights.h"

#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace ssm;

StringRef ssm::firstUninitialized(ModelOp model) {
  for (Operation &op : model.getBody().front()) {
    if (auto embed = dyn_cast<EmbedOp>(op)) {
      if (isUninitialized(embed.getPrefix()))
        return embed.getPrefix();
    } else if (auto head = dyn_cast<HeadOp>(op)) {
      if (isUninitialized(head.getPrefix()))
        return head.getPrefix();
    } else if (auto layer = dyn_cast<LayerOp>(op)) {
      if (isUninitialized(layer.getNormPrefix()))
        return layer.getNormPrefix();
      for (auto block : layer.getBody().getOps<BlockOp>())
        if (isUninitialized(block.getPrefix()))
          return block.getPrefix();
    }
  }
  return "";
}

FreshNames::FreshNames(ModelOp model) : context(model.getContext()) {
  auto skip = [&](StringRef prefix) {
    int64_t index;
    if (prefix.consume_front(kUninitialized) &&
        !prefix.split('.').first.getAsInteger(10, index))
      next = std::max(next, index + 1);
  };
  for (auto layer : model.getBody().getOps<LayerOp>()) {
    skip(layer.getNormPrefix());
    for (auto block : layer.getBody().getOps<BlockOp>())
      skip(block.getPrefix());
  }
}

void FreshNames::rename(BlockOp block) {
  block.setPrefixAttr(StringAttr::get(context, Twine(kUninitialized) +
                                                   Twine(next++) + ".mixer"));
}

void FreshNames::rename(LayerOp layer) {
  layer.setNormPrefixAttr(
      StringAttr::get(context, Twine(kUninitialized) + Twine(next) + ".norm"));
  rename(*layer.getBody().getOps<BlockOp>().begin());
}

void ssm::dropNumbers(ModelOp model) {
  for (auto layer : model.getBody().getOps<LayerOp>())
    layer.removeNumberAttr();
}

void ssm::sayWeights(ModelOp model, StringRef rewrite, int64_t kept,
                     int64_t fresh) {
  // Variants are made by the thousand; text only for a reader.
  if (!model.getContext()->getRemarkEngine())
    return;
  auto options = remark::RemarkOpts::name(rewrite).category("placement");
  remark::passed(model.getLoc(), options)
      << ("weights of " + Twine(kept) + " layers kept, of " + Twine(fresh) +
          " uninitialized")
             .str();
}
