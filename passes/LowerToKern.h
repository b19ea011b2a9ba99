//===- LowerToKern.h - Patterns from ssm to kern --------------------------===//
//===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "passes/ScalarRegion.h"

#include "mlir/IR/PatternMatch.h"

namespace ssm {

/// What a rowwise kernel computes besides its regions.
struct RowwiseForm {
  kern::Statistic statistic = kern::Statistic::None;
  int64_t groups = 1;
  double eps = 0;
  bool gather = false;
};

/// A kern.rowwise whose regions `value` and `finish` fill. Null `value`: the
/// input itself.
kern::RowwiseOp createRowwise(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::Type result, mlir::Value input,
                              mlir::ValueRange elements,
                              mlir::ValueRange columns, RowwiseForm form,
                              ScalarFunction value, ScalarFunction finish);

/// Patterns for embedding, products, norms and elementwise operations.
void populateRowsToKern(mlir::RewritePatternSet &patterns);

/// Patterns for convolution, recurrences and attention.
void populateMixersToKern(mlir::RewritePatternSet &patterns);

} // namespace ssm
