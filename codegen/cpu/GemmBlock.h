//===- GemmBlock.h - Sums of a block of a matrix product ----*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block is some rows of the input times one panel of the weight. Its sums
// stay in registers over k, all of them or as many at a time as the target has
// registers for, and end in a tile of memory. Each sum is one chain over
// increasing k, however the block is cut, so that its bits depend on nothing
// else.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/cpu/KernelBuilder.h"

namespace ssm {

/// What is fixed about the sums of a matrix product.
struct GemmShape {
  /// Terms of a sum, columns of a panel, neighbours along k in a packed weight.
  int64_t depth, panel, pair;
  mlir::Type input, weight;
  /// Pairs of bf16 meet in the target's dot instruction.
  bool dot;

  /// Elements of one packed panel.
  int64_t panelElements() const {
    return (depth + pair - 1) / pair * pair * panel;
  }
};

/// Emits tile[r][n] = sum_k rows[r][k] * panel[n][k]. `rows` are addresses of
/// input rows. With `streamed` the weights are read once, in pieces that stay
/// in the first cache while all sums take their share.
void emitGemmBlock(KernelBuilder &builder, const GemmShape &shape,
                   mlir::Value panel, llvm::ArrayRef<mlir::Value> rows,
                   mlir::Value tile, bool streamed);

} // namespace ssm
