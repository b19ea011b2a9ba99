//===- WeightBinding.cpp - Weights of layers and programs -----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/WeightBinding.h"

using namespace mlir;
using namespace ssm;
using kern::RecipeAttr;
using kern::StepAttr;
using kern::Verb;

/// Arguments of a layer's function before its weights: x and the sequences.
static constexpr unsigned kFirstWeight = 2;

/// Calls `change` on the weights of each row that names `function`, and writes
/// back what it made of them.
static void
changeRows(func::FuncOp function,
           function_ref<void(SmallVectorImpl<Attribute> &)> change) {
  auto module = function->getParentOfType<ModuleOp>();
  module.walk([&](LayersOp layers) {
    SmallVector<Attribute> rows;
    for (auto row : layers.getTable().getAsRange<LayerAttr>()) {
      if (row.getBody().getValue() != function.getSymName()) {
        rows.push_back(row);
        continue;
      }
      SmallVector<Attribute> weights(row.getWeights().getValue());
      change(weights);
      rows.push_back(
          LayerAttr::get(layers.getContext(), row.getNumber(), row.getBody(),
                         ArrayAttr::get(layers.getContext(), weights)));
    }
    layers.setTableAttr(ArrayAttr::get(layers.getContext(), rows));
  });
}

/// Number of weights of a layer's function: what is neither x, the sequences
/// nor a state, which leaves as a result. Other functions have none.
static unsigned countWeights(func::FuncOp function) {
  unsigned others = kFirstWeight + std::max(1u, function.getNumResults()) - 1;
  unsigned arguments = function.getNumArguments();
  return function.isDeclaration() || arguments < others ? 0
                                                        : arguments - others;
}

/// The function whose weight `value` is, or null.
static func::FuncOp functionOf(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return {};
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  if (!function || argument.getArgNumber() < kFirstWeight ||
      argument.getArgNumber() >= kFirstWeight + countWeights(function))
    return {};
  return function;
}

bool ssm::isWeight(Value value) {
  if (auto weight = value.getDefiningOp<WeightOp>())
    return weight->hasAttrOfType<RecipeAttr>(kRecipeAttrName);
  return bool(functionOf(value));
}

static RecipeAttr makeRecipe(ArrayRef<RecipeAttr> sources,
                             CombineRecipes combine) {
  return RecipeAttr::get(sources.front().getContext(), combine(sources));
}

/// As deriveWeight, for the weights of a program.
static Value deriveProgramWeight(ArrayRef<Value> sources, RankedTensorType type,
                                 CombineRecipes combine) {
  SmallVector<RecipeAttr> recipes;
  auto last = sources.front().getDefiningOp<WeightOp>();
  for (Value source : sources) {
    auto weight = source.getDefiningOp<WeightOp>();
    recipes.push_back(weight->getAttrOfType<RecipeAttr>(kRecipeAttrName));
    if (last->isBeforeInBlock(weight))
      last = weight;
  }
  OpBuilder builder(last);
  builder.setInsertionPointAfter(last);
  auto derived =
      WeightOp::create(builder, last.getLoc(), type, last.getNameAttr());
  derived->setAttr(kRecipeAttrName, makeRecipe(recipes, combine));
  return derived;
}

Value ssm::deriveWeight(ArrayRef<Value> sources, RankedTensorType type,
                        CombineRecipes combine) {
  func::FuncOp function = functionOf(sources.front());
  if (!function)
    return deriveProgramWeight(sources, type, combine);
  changeRows(function, [&](SmallVectorImpl<Attribute> &weights) {
    SmallVector<RecipeAttr> recipes;
    for (Value source : sources) {
      unsigned index = cast<BlockArgument>(source).getArgNumber();
      recipes.push_back(cast<RecipeAttr>(weights[index - kFirstWeight]));
    }
    weights.push_back(makeRecipe(recipes, combine));
  });
  unsigned index = kFirstWeight + countWeights(function);
  (void)function.insertArgument(index, type, {}, sources.front().getLoc());
  return function.getArgument(index);
}

/// As eraseUnusedWeights, for one function.
static void eraseUnusedWeights(func::FuncOp function) {
  BitVector unused(function.getNumArguments());
  for (unsigned index = 0; index < countWeights(function); ++index)
    if (function.getArgument(kFirstWeight + index).use_empty())
      unused.set(kFirstWeight + index);
  if (unused.none())
    return;
  changeRows(function, [&](SmallVectorImpl<Attribute> &weights) {
    SmallVector<Attribute> kept;
    for (auto [index, weight] : llvm::enumerate(weights))
      if (!unused.test(kFirstWeight + index))
        kept.push_back(weight);
    weights.assign(kept.begin(), kept.end());
  });
  (void)function.eraseArguments(unused);
}

void ssm::eraseUnusedWeights(ModuleOp module) {
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    ::eraseUnusedWeights(function);
}

SmallVector<StepAttr> ssm::concatSteps(ArrayRef<RecipeAttr> recipes) {
  SmallVector<StepAttr> steps;
  for (RecipeAttr recipe : recipes)
    llvm::append_range(steps, recipe.getSteps());
  return steps;
}

StepAttr ssm::numberStep(MLIRContext *context, Verb verb,
                         ArrayRef<int64_t> numbers) {
  return StepAttr::get(context, verb, {}, numbers, {});
}

StepAttr ssm::valueStep(MLIRContext *context, Verb verb, double value) {
  return StepAttr::get(context, verb, {}, {},
                       FloatAttr::get(Float64Type::get(context), value));
}
