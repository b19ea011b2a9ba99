//===- PairGates.cpp - One product of a gate and its partner --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// %g = kern.gemm %x, %wg; %u = kern.gemm %x, %wu
// %h = kern.rowwise none %g elements(%u) {f}
//     -> %h = kern.gemm %x, %interleaved paired(1) {f}
//
// The sums of a gate and its partner meet in registers. The granule of 1 fits
// any width; a target widens it to its vectors. Preconditions: both products
// read the same rows, nobody else reads their results, and their weights have
// recipes.
//
//===----------------------------------------------------------------------===//

#include "passes/Elementwise.h"
#include "passes/Passes.h"
#include "passes/WeightBinding.h"

#include "mlir/IR/Remarks.h"

namespace ssm {
#define GEN_PASS_DEF_PAIRGATESPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;
using kern::RecipeAttr;
using kern::Verb;

static remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("pair-gates").category("kern");
}

/// The unpaired product behind `value`, if nobody else reads it.
static kern::GemmOp productBehind(Value value) {
  auto gemm = value.getDefiningOp<kern::GemmOp>();
  return gemm && gemm->hasOneUse() && !gemm.getPaired() ? gemm : kern::GemmOp();
}

/// Why `gate` and `up` cannot become one product, or nothing.
static StringRef obstacle(kern::GemmOp gate, kern::GemmOp up) {
  if (gate.getInput() != up.getInput())
    return "products read different rows";
  if (gate.getColumns().size() != up.getColumns().size())
    return "products have different column operands";
  auto areWeights = [](kern::GemmOp gemm) {
    return isWeight(gemm.getWeight()) &&
           llvm::all_of(gemm.getColumns(), isWeight);
  };
  if (!areWeights(gate) || !areWeights(up))
    return "an operand is no weight with a recipe";
  return {};
}

/// The weight whose rows are those of `a` and `b` in turn.
static Value interleave(Value a, Value b) {
  auto type = cast<RankedTensorType>(a.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[0] *= 2;
  return deriveWeight(
      {a, b}, type.clone(shape), [&](ArrayRef<RecipeAttr> recipes) {
        auto steps = concatSteps(recipes);
        steps.push_back(numberStep(type.getContext(), Verb::Interleave, 1));
        return steps;
      });
}

/// Replaces `op`, whose operands `gateIndex` < `upIndex` are products.
static void pair(kern::RowwiseOp op, size_t gateIndex, size_t upIndex) {
  SmallVector<Value> rows = rowsOf(op);
  kern::GemmOp gate = productBehind(rows[gateIndex]);
  kern::GemmOp up = productBehind(rows[upIndex]);
  SmallVector<Value> others = without(without(rows, upIndex), gateIndex);
  Value weight = interleave(gate.getWeight(), up.getWeight());
  SmallVector<Value> columns;
  for (auto [a, b] : llvm::zip(gate.getColumns(), up.getColumns()))
    columns.push_back(interleave(a, b));
  SmallVector<Value> elements =
      join(join(gate.getElements(), up.getElements()), others);

  OpBuilder builder(op);
  auto paired = kern::GemmOp::create(builder, op.getLoc(), op.getType(),
                                     gate.getInput(), weight, columns, elements,
                                     builder.getI64IntegerAttr(1), ArrayAttr());
  size_t sums = 2 * (1 + columns.size());
  size_t gateElements = gate.getElements().size();
  size_t upElements = up.getElements().size();
  auto epilogue = [&](OpBuilder &inner, Location loc, ValueRange values) {
    SmallVector<Value> gateValues, upValues;
    for (size_t i = 0; i < sums; i += 2) {
      gateValues.push_back(values[i]);
      upValues.push_back(values[i + 1]);
    }
    ValueRange rest = values.drop_front(sums);
    llvm::append_range(gateValues, rest.take_front(gateElements));
    llvm::append_range(upValues, rest.slice(gateElements, upElements));
    Value first = inlineRegion(inner, gate.getEpilogue(), gateValues);
    Value second = inlineRegion(inner, up.getEpilogue(), upValues);
    SmallVector<Value> arguments =
        with(rest.drop_front(gateElements + upElements), gateIndex, first);
    return inlineElementwise(inner, loc, op, with(arguments, upIndex, second),
                             {});
  };
  fillRegion(builder, op.getLoc(), paired.getEpilogue(), sums + elements.size(),
             epilogue);
  op.getResult().replaceAllUsesWith(paired.getResult());
  op.erase();
  gate.erase();
  up.erase();
}

/// Pairs the first two products that `op` joins, if it can.
static void pairGates(kern::RowwiseOp op) {
  if (!isElementwise(op) || !op.getColumns().empty())
    return;
  SmallVector<size_t> products;
  SmallVector<Value> rows = rowsOf(op);
  for (auto [index, value] : llvm::enumerate(rows))
    if (productBehind(value))
      products.push_back(index);
  if (products.size() < 2)
    return;
  StringRef reason = obstacle(productBehind(rows[products[0]]),
                              productBehind(rows[products[1]]));
  if (!reason.empty()) {
    remark::missed(op.getLoc(), remarkOptions()) << reason;
    return;
  }
  remark::passed(op.getLoc(), remarkOptions())
      << "gate and partner come from one product";
  pair(op, products[0], products[1]);
}

namespace {
struct PairGatesPass : ssm::impl::PairGatesPassBase<PairGatesPass> {
  using Base::Base;

  void runOnOperation() override {
    getOperation().walk(pairGates);
    eraseUnusedWeights(getOperation());
  }
};
} // namespace
