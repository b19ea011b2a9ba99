//===- FuseProjections.cpp - One product for queries, keys and values -----===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// q = linear(x, wq); k = linear(x, wk); v = linear(x, wv); attention(q, k, v)
//     -> q, k, v = split(linear(x, concat(wq, wk, wv))); attention(q, k, v)
//
// One kernel instead of three, and the cache is written from one set of rows.
// RoPE between products and attention stays. Preconditions: the three products
// read the same rows and nobody else reads their results; all or none have a
// bias; weights are bound by recipes (--ssm-bind-recipes).
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/WeightBinding.h"

#include "mlir/IR/Remarks.h"

namespace ssm {
#define GEN_PASS_DEF_FUSEPROJECTIONSPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;
using kern::RecipeAttr;
using kern::Verb;

static remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("fuse-projections").category("ssm");
}

/// The product behind `value`, RoPE aside, if nobody else reads it.
static LinearOp productBehind(Value value) {
  if (auto rope = value.getDefiningOp<RopeOp>()) {
    if (!rope->hasOneUse())
      return {};
    value = rope.getInput();
  }
  auto linear = value.getDefiningOp<LinearOp>();
  return linear && linear->hasOneUse() ? linear : LinearOp();
}

/// Why `products` cannot become one, or nothing.
static StringRef obstacle(ArrayRef<LinearOp> products) {
  LinearOp first = products.front();
  for (LinearOp product : products) {
    if (!product)
      return "an operand is no product of its own";
    if (product.getInput() != first.getInput())
      return "products read different rows";
    if (bool(product.getBias()) != bool(first.getBias()))
      return "only some products have a bias";
    if (!isWeight(product.getWeight()) ||
        (product.getBias() && !isWeight(product.getBias())))
      return "an operand is no weight with a recipe";
  }
  return {};
}

/// The weight whose rows are those of `parts`, one after the other.
static Value concatWeights(ArrayRef<Value> parts, int64_t rowCount) {
  auto type = cast<RankedTensorType>(parts.front().getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[0] = rowCount;
  return deriveWeight(parts, type.clone(shape),
                      [&](ArrayRef<RecipeAttr> recipes) {
                        auto steps = concatSteps(recipes);
                        steps.push_back(numberStep(type.getContext(),
                                                   Verb::Concat, parts.size()));
                        return steps;
                      });
}

/// Makes one product of `products`.
static void fuse(ArrayRef<LinearOp> products) {
  SmallVector<Value> weights, biases;
  SmallVector<Type> types;
  int64_t width = 0;
  for (LinearOp product : products) {
    weights.push_back(product.getWeight());
    if (product.getBias())
      biases.push_back(product.getBias());
    types.push_back(product.getType());
    width += product.getType().getDimSize(1);
  }
  LinearOp first = products.front();
  for (LinearOp product : products)
    if (product->isBeforeInBlock(first))
      first = product;
  OpBuilder builder(first);
  Value weight = concatWeights(weights, width);
  Value bias = biases.empty() ? Value() : concatWeights(biases, width);
  auto rows = RankedTensorType::get({first.getType().getDimSize(0), width},
                                    builder.getF32Type());
  Value fused = LinearOp::create(builder, first.getLoc(), rows,
                                 first.getInput(), weight, bias);
  auto split = SplitOp::create(builder, first.getLoc(), types, fused);
  for (auto [product, part] : llvm::zip(products, split.getParts())) {
    LinearOp old = product;
    old.getResult().replaceAllUsesWith(part);
    old.erase();
  }
}

/// Fuses the products of `attention` if it can.
static void fuseProjections(AttentionOp attention) {
  SmallVector<LinearOp, 3> products = {productBehind(attention.getQuery()),
                                       productBehind(attention.getKey()),
                                       productBehind(attention.getValue())};
  StringRef reason = obstacle(products);
  if (!reason.empty()) {
    remark::missed(attention.getLoc(), remarkOptions()) << reason;
    return;
  }
  fuse(products);
  remark::passed(attention.getLoc(), remarkOptions())
      << "queries, keys and values come from one product";
}

namespace {
struct FuseProjectionsPass
    : ssm::impl::FuseProjectionsPassBase<FuseProjectionsPass> {
  using Base::Base;

  void runOnOperation() override {
    getOperation().walk(fuseProjections);
    eraseUnusedWeights(getOperation());
  }
};
} // namespace
