//===- ScalarRegion.h - Regions of scalar operations ----------------------===//
//===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Kern.h"

namespace ssm {

/// Computes the value of a scalar region from its arguments.
using ScalarFunction = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

/// Fills the empty `region` with a block of `count` f32 arguments that yields
/// what `function` computes.
void fillRegion(mlir::OpBuilder &builder, mlir::Location loc,
                mlir::Region &region, size_t count, ScalarFunction function);

/// Clones the operations of the scalar `region` and returns what it yields of
/// `arguments`.
mlir::Value inlineRegion(mlir::OpBuilder &builder, mlir::Region &region,
                         mlir::ValueRange arguments);

/// An f32 constant.
mlir::Value constant(mlir::OpBuilder &builder, mlir::Location loc,
                     double value);

/// `function` of a scalar.
mlir::Value applyActivation(mlir::OpBuilder &builder, mlir::Location loc,
                            Activation function, mlir::Value x);

} // namespace ssm
