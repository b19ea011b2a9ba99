//===- KernEntry.h - The launches of kern form, as read -------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Plan.h"
#include "passes/PlanBuffers.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace ssm {

/// What a weight or state value stands for: the n-th weight or state of a
/// layer, or a weight outside the layers by its recipe.
struct Binding {
  plan::ArgumentKind kind;
  int64_t number = 0;
  kern::RecipeAttr recipe;
};

/// A state of a layer, by the operation that updates it.
struct StateUse {
  plan::StateKind kind;
  mlir::RankedTensorType type;

  bool operator==(const StateUse &other) const {
    return kind == other.kind && type == other.type;
  }
};

/// The launches of one entry of a body and what their values stand for.
struct KernEntry {
  LaunchList list;
  llvm::DenseMap<mlir::Value, Binding> bindings;
  llvm::SmallVector<StateUse> states;
  size_t weights = 0;
};

/// True if `value` is a state or a cache.
bool isState(mlir::Value value);

/// The layer table of a program.
mlir::FailureOr<LayersOp> layersOf(ProgramOp program);

/// Reads the function of a layer.
mlir::FailureOr<KernEntry> readBody(mlir::func::FuncOp function);

/// Reads what a program runs before and after its layers.
mlir::LogicalResult readProgram(ProgramOp program, KernEntry &before,
                                KernEntry &after);

} // namespace ssm
