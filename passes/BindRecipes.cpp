//===- BindRecipes.cpp - Weight recipes instead of tensor names -----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// #ssm.layer<0, @body ["a.A_log"]>  ->
//     #ssm.layer<0, @body [#kern.recipe<<tensor "a.A_log" [4]>, <neg_exp>>]>
//
// From here on a weight is what its recipe makes of checkpoint tensors, and
// parameters that are functions of a tensor (-exp of A_log) become steps of the
// recipe. Precondition: op form, tables bind names.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/WeightBinding.h"

#include "mlir/Support/DebugStringHelper.h"

namespace ssm {
#define GEN_PASS_DEF_BINDRECIPESPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;
using kern::RecipeAttr;
using kern::StepAttr;
using kern::Verb;

/// Shape of the checkpoint's tensor behind the weight `value`. Convolutions are
/// stored as [C, 1, K].
static SmallVector<int64_t> checkpointShape(Value value) {
  SmallVector<int64_t> shape(
      cast<RankedTensorType>(value.getType()).getShape());
  bool isConvolution = llvm::any_of(value.getUses(), [&](OpOperand &use) {
    auto conv = dyn_cast<CausalConv1dOp>(use.getOwner());
    return conv && conv.getWeight() == value;
  });
  if (isConvolution)
    shape.insert(shape.begin() + 1, 1);
  return shape;
}

/// The recipe that takes the tensor `name` as it is.
static RecipeAttr tensorRecipe(StringAttr name, Value value) {
  MLIRContext *context = name.getContext();
  return RecipeAttr::get(context, StepAttr::get(context, Verb::Tensor, name,
                                                checkpointShape(value), {}));
}

/// Binds recipes instead of names in the rows of `layers`.
static void bindTable(LayersOp layers) {
  SmallVector<Attribute> rows;
  for (auto row : layers.getTable().getAsRange<LayerAttr>()) {
    auto body = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        layers->getParentOp(), row.getBody());
    SmallVector<Attribute> weights;
    for (auto [index, weight] : llvm::enumerate(row.getWeights())) {
      auto name = dyn_cast<StringAttr>(weight);
      weights.push_back(name ? tensorRecipe(name, body.getArgument(2 + index))
                             : weight);
    }
    rows.push_back(
        LayerAttr::get(layers.getContext(), row.getNumber(), row.getBody(),
                       ArrayAttr::get(layers.getContext(), weights)));
  }
  layers.setTableAttr(ArrayAttr::get(layers.getContext(), rows));
}

/// f(weight) -> weight with the step of f.
template <typename OpTy> static LogicalResult fold(OpTy op, StepAttr step) {
  if (!isWeight(op.getInput()))
    return op.emitOpError("expected a weight of the layer");
  Value folded =
      deriveWeight(op.getInput(), cast<RankedTensorType>(op.getType()),
                   [&](ArrayRef<RecipeAttr> recipes) {
                     SmallVector<StepAttr> steps = concatSteps(recipes);
                     steps.push_back(step);
                     return steps;
                   });
  op.getResult().replaceAllUsesWith(folded);
  op.erase();
  return success();
}

static StepAttr meanStep(MeanHeadsOp op) {
  MLIRContext *context = op.getContext();
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  auto type = StringAttr::get(context, debugString(element));
  return StepAttr::get(context, Verb::Mean, type,
                       {int64_t(op.getCount()), int64_t(op.getHeadDim())}, {});
}

namespace {
struct BindRecipesPass : ssm::impl::BindRecipesPassBase<BindRecipesPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    module.walk(bindTable);
    module.walk([](WeightOp weight) {
      if (!weight->hasAttr(kRecipeAttrName))
        weight->setAttr(kRecipeAttrName,
                        tensorRecipe(weight.getNameAttr(), weight.getResult()));
    });
    WalkResult walk = module.walk([](Operation *op) -> WalkResult {
      if (auto negExp = dyn_cast<NegExpOp>(op))
        return fold(negExp, numberStep(op->getContext(), Verb::NegExp, {}));
      if (auto mean = dyn_cast<MeanHeadsOp>(op))
        return fold(mean, meanStep(mean));
      return WalkResult::advance();
    });
    if (walk.wasInterrupted())
      return signalPassFailure();
    eraseUnusedWeights(module);
  }
};
} // namespace
