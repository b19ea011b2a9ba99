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
  /// Makes `queries` of row `row` of the call; a barrier follows. All threads
  /// of the block take part.
  virtual void loadQueries(Sequences &sequences, mlir::Value sequence,
                           mlir::Value row);

  /// Rows of a block, blocks of a group, floats of a query in shared memory.
  int64_t rows, parts, queryDim;
  mlir::Value queries, kvHead, firstHead, position;
  /// Whether the row's own token is in one of the block's chunks.
  mlir::Value hasLast;

private:
  /// Chooses how the block shares the work.
  void choose();
  void allocateShared();
  void takeBlock(Sequences &sequences);
  void findChunks();
  TileBuilder::Values emitPanels(Sequences &sequences, mlir::Value chunk);
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
  void joinWarps(TileBuilder::Values running, mlir::Value row,
                 mlir::Value chunk);
  /// Joins the chunks in the block that comes last.
  void joinChunks(mlir::Value row);
  /// The part of a chunk in a row's result, by row and chunk.
  void weighChunks();
  /// Floats of scratch memory of a key/value head's rows.
  int64_t scratchFloats() const;
  void storeResult(mlir::Value row, mlir::Value index, mlir::Value value);

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
  /// Blocks of a sequence that have work of their own, and the most chunks that
  /// the keys of a row are cut into.
  int64_t units, mostChunks;
  mlir::Value maxima, sums, outputs, factors, arrivals;
  /// Number of the sequence; the block's place among those that share a row's
  /// chunks, and their number.
  mlir::Value sequence, split, splits;
  /// First key and panel, the panel behind the last; panels of a chunk, and the
  /// number of chunks.
  mlir::Value begin, firstPanel, endPanel, chunkPanels, chunks;
  /// The kernel's memory, and what of it the blocks of a row share; see
  /// EmitDecodeAttention.cpp.
  mlir::Value scratch, counter, chunkMaxima, chunkSums, chunkOutputs;
};

} // namespace ssm::gpu
