//===- PlanBuffers.h - Memory of the activations of a plan ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Plan.h"

#include "llvm/ADT/DenseMap.h"

namespace ssm {

/// A buffer of the arena. Its memory begins at `offset` bytes times the number
/// of rows that the arena is made for.
struct PlannedBuffer {
  plan::RowCount rows;
  int64_t columns;
  mlir::Type element;
  int64_t stride;
  int64_t offset;
};

/// Rows of a buffer, from column `column` on.
struct BufferView {
  unsigned buffer;
  int64_t column;
};

/// Launches in their order with the values that enter and leave them.
/// `streamIn` may be null (the embedding makes the stream), and so may
/// `streamOut` and `logits`.
struct LaunchList {
  llvm::SmallVector<mlir::Operation *> ops;
  mlir::Value streamIn, streamOut, logits;
};

/// Makes the operation whose result leaves as `streamOut` one that may write
/// over the residual stream, by a copy if nothing else does.
void makeStreamWritable(LaunchList &list, mlir::OpBuilder &builder);

/// All buffers of a program. Buffer 0 is the residual stream, buffer 1 the
/// logits; the memory of the others is shared between lists and, by first fit,
/// within one.
class BufferPlan {
public:
  BufferPlan(int64_t hidden, int64_t vocab, mlir::Type f32);

  /// Gives every rows value of `list` a place.
  void place(const LaunchList &list);

  BufferView viewOf(mlir::Value rows) const { return views.lookup(rows); }
  /// The rows that the values of an operation have.
  plan::RowCount rowsOf(mlir::Operation *op) const;

  /// Buffers, those of output rows behind all others.
  llvm::SmallVector<PlannedBuffer> finish() const;

private:
  unsigned findOrAdd(PlannedBuffer buffer);

  llvm::SmallVector<PlannedBuffer> buffers;
  llvm::DenseMap<mlir::Value, BufferView> views;
  llvm::DenseMap<mlir::Value, plan::RowCount> rowCounts;
};

/// The value whose memory `rows` views: itself unless it is columns of another.
mlir::Value viewedRows(mlir::Value rows);

/// True if `value` is rows of activations.
bool isRows(mlir::Value value);

} // namespace ssm
