//===- Elementwise.h - Rowwise kernels without a statistic ----------------===//
//===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "passes/LowerToKern.h"

namespace ssm {

/// True if `op` computes each element of its result from the same element of
/// its operands, for every row of the call.
bool isElementwise(kern::RowwiseOp op);

/// The input and the elements of `op`: its operands that are rows.
llvm::SmallVector<mlir::Value> rowsOf(kern::RowwiseOp op);

/// What the elementwise `op` computes of scalars that stand for its rows and
/// columns.
mlir::Value inlineElementwise(mlir::OpBuilder &builder, mlir::Location loc,
                              kern::RowwiseOp op, mlir::ValueRange rows,
                              mlir::ValueRange columns);

/// `values` without the one at `index`.
llvm::SmallVector<mlir::Value> without(mlir::ValueRange values, size_t index);

/// `values` with `value` inserted at `index`.
llvm::SmallVector<mlir::Value> with(mlir::ValueRange values, size_t index,
                                    mlir::Value value);

/// `a`, then `b`.
llvm::SmallVector<mlir::Value> join(mlir::ValueRange a, mlir::ValueRange b);

} // namespace ssm
