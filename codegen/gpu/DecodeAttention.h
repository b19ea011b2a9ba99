//===- DecodeAttention.h - Attention of one row per sequence -*- C++ -*- --===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/gpu/Attention.h"

namespace ssm::gpu {

/// The kernel of one row per sequence; see EmitDecodeAttention.cpp.
class DecodeKernel : protected AttentionParts {
public:
  /// `op` is a kern.attention or kern.attention_step.
  template <typename OpTy>
  DecodeKernel(TileBuilder &builder, OpTy op) : AttentionParts(builder, op) {
    choose();
  }
  virtual ~DecodeKernel() = default;

  KernelInfo emit(mlir::ModuleOp module, llvm::StringRef name);

protected:
  /// Makes `queries` of row `row` of the call; a barrier follows.
  virtual void loadQueries(Sequences &sequences, mlir::Value sequence,
                           mlir::Value row);

  /// Rows of a block, blocks of a group, floats of a query in shared memory.
  int64_t rows, parts, queryDim;
  mlir::Value queries, kvHead, firstHead, position;

private:
  /// Chooses how the block shares the work.
  void choose();
  TileBuilder::Values emitPanels(Sequences &sequences, mlir::Value sequence);
  TileBuilder::Values emitPanel(mlir::Value panel, mlir::Value page,
                                TileBuilder::Values running);
  TileBuilder::Values emitScores(mlir::Value keyPage, mlir::Value panel);
  TileBuilder::Values addDims(mlir::Value keyPage, mlir::Value first,
                              mlir::Value dim, int64_t count,
                              TileBuilder::Values sums);
  TileBuilder::Values emitValues(mlir::Value valuePage, mlir::Value panel,
                                 llvm::ArrayRef<mlir::Value> weights,
                                 TileBuilder::Values outputs);
  TileBuilder::Values loadValues(mlir::Value valuePage, mlir::Value token);
  void joinWarps(TileBuilder::Values running, mlir::Value row);

  /// Dimension of value `index` of a lane, where it exists.
  mlir::Value dimOf(int64_t vector) {
    return b.mul(b.add(b.lane(), vector * tile::kWarpLanes), width);
  }
  mlir::Value dimMask(int64_t vector) {
    bool isWhole = (vector + 1) * tile::kWarpLanes * width <= headDim;
    return isWhole ? mlir::Value() : b.less(dimOf(vector), headDim);
  }
  mlir::Type vectorType() { return b.vectorOf(b.getF32Type(), loadWidth()); }
  int64_t loadWidth() { return width > 1 ? width : 0; }

  /// Neighbouring dimensions of a lane, and how many times.
  int64_t width, vectors;
  mlir::Value maxima, sums, outputs, begin;
};

} // namespace ssm::gpu
