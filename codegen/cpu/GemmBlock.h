//===- GemmBlock.h - Sums of a block of a matrix product ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block is some rows of the input times one panel of the weight. Its sums
// stay in registers over k, as many at a time as the target has registers for,
// and end in a tile of memory. Each sum is one chain over increasing k, however
// the block is cut, so that its bits depend on nothing else.
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
  /// Terms of one pass of the innermost loop.
  int64_t step;

  /// Terms that the innermost loop adds; the others follow it.
  int64_t loopedTerms() const { return depth / step * step; }
  int64_t lastTerms() const { return depth % step; }
  /// Elements of one packed panel.
  int64_t panelElements() const {
    return (depth + pair - 1) / pair * pair * panel;
  }
};

/// Consecutive terms of the sums of a block.
struct GemmTerms {
  /// A multiple of the step (i64), and less than a step after these.
  mlir::Value looped;
  int64_t last;
  /// The sums begin here; otherwise the tile holds those of earlier terms.
  bool first;
  /// Distance in terms of weights that are fetched meanwhile; 0: none are.
  int64_t ahead = 0;
};

/// Emits tile[r][n] += sum_k rows[r][k] * panel[k][n] over `terms`; `rows` and
/// `panel` are addresses of the first of these terms.
void addGemmTerms(KernelBuilder &builder, const GemmShape &shape,
                  mlir::Value panel, llvm::ArrayRef<mlir::Value> rows,
                  mlir::Value tile, const GemmTerms &terms);

/// Emits all terms of a block so that its weights come from memory once: in
/// pieces that stay in the first cache while all sums take their share.
void emitGemmStream(KernelBuilder &builder, const GemmShape &shape,
                    mlir::Value panel, llvm::ArrayRef<mlir::Value> rows,
                    mlir::Value tile);

/// Widens `terms` (i64) terms of a panel of pairs to f32 rows of one term each;
/// an odd number is rounded up.
void widenGemmPanel(KernelBuilder &builder, const GemmShape &shape,
                    mlir::Value panel, mlir::Value terms, mlir::Value wide);

} // namespace ssm
