//===- PairedGemm.h - Matrix products of a gate and its partner -----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace ssm {

/// Makes every paired product of `module` interleave groups of `lanes` columns,
/// its recipes with it; splits it where its halves are no multiple of that.
mlir::LogicalResult fitPairs(mlir::ModuleOp module, int64_t lanes);

/// Embeddings whose table is the weight of a matrix product take its layout:
/// panels of `panel` rows, in which as many columns lie together as `pairOf`
/// says of the element type.
void tieEmbeddings(mlir::ModuleOp module, int64_t panel,
                   llvm::function_ref<int64_t(mlir::Type)> pairOf);

} // namespace ssm
