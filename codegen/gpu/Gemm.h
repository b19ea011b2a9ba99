//===- Gemm.h - Parts of matrix products -*- C++ -*- ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What both forms of a product share: the shape, the packed weight, and the
// results of sums.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/gpu/Emitters.h"

namespace ssm::gpu {

/// Sizes and types of a product of `kern.gemm` or `kern.norm_gemm`.
struct GemmShape {
  /// Channels in and out; partners of a paired product (0: it is none).
  int64_t inputs, outputs, paired;
  mlir::Type weight;

  /// Input channels of a piece, and pieces of a channel.
  int64_t pieceInputs() const {
    return gpu::pieceInputs(weight.getIntOrFloatBitWidth());
  }
  int64_t pieces() const {
    return (inputs + pieceInputs() - 1) / pieceInputs();
  }
  /// Channels of the result.
  int64_t results() const { return paired ? outputs / 2 : outputs; }
};

/// What follows on the sums: operands and region of the epilogue.
struct GemmEpilogue {
  mlir::Region *region;
  llvm::SmallVector<mlir::Value> columns;
  llvm::SmallVector<Rows> elements;
  Rows result;

  /// Stores a result of row `row` at `column` of the result and returns it.
  /// `sums` holds one sum, or those of two partners, of the output channels
  /// `channels`.
  mlir::Value store(TileBuilder &builder, llvm::ArrayRef<mlir::Value> sums,
                    llvm::ArrayRef<mlir::Value> channels, mlir::Value row,
                    mlir::Value column, mlir::Value mask) const;
};

/// How the inputs of a product are made: as they are in memory, or with the
/// norm in front of them.
class GemmInput {
public:
  virtual ~GemmInput() = default;
  /// Work of the block before the sums of `rows` rows from `firstRow` on.
  virtual void prepare(TileBuilder &builder, mlir::Value firstRow,
                       int64_t rows) {}
  /// Input channel `channel` of row `row`, in f32; zero where `mask` is false.
  virtual mlir::Value load(TileBuilder &builder, mlir::Value row,
                           mlir::Value channel, mlir::Value mask) = 0;
};

/// A product under construction, in either form.
struct GemmTask {
  TileBuilder &builder;
  GemmShape shape;
  kern::GemmScheduleAttr schedule;
  mlir::Value weight;
  GemmInput *input = nullptr;
  GemmEpilogue epilogue;
  /// Rows of the product.
  mlir::Value rowCount;
  /// Where the stream form leaves the candidates of its blocks; null: nowhere.
  mlir::Value candidates = {};
};

/// Threads of a block of either form.
inline constexpr int64_t kGemmThreads = 256;

/// Up to `block_rows` rows: the weight streams through once.
void emitGemmStream(GemmTask &task);
/// Any number of rows: tiles of rows and channels in shared memory.
void emitGemmTiles(GemmTask &task);

} // namespace ssm::gpu
