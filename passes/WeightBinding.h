//===- WeightBinding.h - Weights of layers and programs -------------------===//
//===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A weight is an argument of a layer's function, bound by the rows of the layer
// tables that name the function, or the result of an ssm.weight. Passes that
// change what a weight holds change its recipe in every row.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Kern.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace ssm {

/// Name of the attribute of an ssm.weight that holds its recipe.
constexpr llvm::StringLiteral kRecipeAttrName = "recipe";

/// True if `value` stands for a weight that recipes make.
bool isWeight(mlir::Value value);

/// Steps of the recipe of a new weight, given the recipes of its sources.
using CombineRecipes = llvm::function_ref<llvm::SmallVector<kern::StepAttr>(
    llvm::ArrayRef<kern::RecipeAttr>)>;

/// A new weight of `type` beside the weights `sources`, which belong to one
/// function or program. `combine` makes its recipe, once per layer.
mlir::Value deriveWeight(llvm::ArrayRef<mlir::Value> sources,
                         mlir::RankedTensorType type, CombineRecipes combine);

/// Removes the weights of layers that nothing reads.
void eraseUnusedWeights(mlir::ModuleOp module);

/// Steps of all `recipes`, one after the other.
llvm::SmallVector<kern::StepAttr>
concatSteps(llvm::ArrayRef<kern::RecipeAttr> recipes);

/// A step with numbers, e.g. `concat [3]`.
kern::StepAttr numberStep(mlir::MLIRContext *context, kern::Verb verb,
                          llvm::ArrayRef<int64_t> numbers);

/// A step with a real number, e.g. `scale by 2.0`.
kern::StepAttr valueStep(mlir::MLIRContext *context, kern::Verb verb,
                         double value);

} // namespace ssm
