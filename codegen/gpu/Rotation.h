//===- Rotation.h - Rotary position embedding of a head -*- C++ -*- -------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/gpu/TileBuilder.h"
#include "dialect/Ssm.h"

namespace ssm::gpu {

/// The rotation of queries and keys of one row. Items of a head are its rotated
/// pairs, then the dimensions behind them.
class Rotation {
public:
  /// `rope` may be null: nothing is rotated.
  Rotation(TileBuilder &builder, ssm::RopeAttr rope, int64_t headDim)
      : b(builder), rope(rope), half(rope ? rope.getDims() / 2 : 0),
        count(headDim - half) {}

  int64_t items() const { return count; }
  /// Computes sines and cosines of `position` in shared memory. All threads of
  /// the block take part.
  void prepare(mlir::Value position);

  using Load = llvm::function_ref<mlir::Value(mlir::Value)>;
  using Store = llvm::function_ref<void(
      llvm::ArrayRef<mlir::Value>, TileBuilder::Values, TileBuilder::Values)>;
  /// Loads the one or two dimensions of `item` and stores them: `store` gets
  /// dimensions, numbers, and the numbers rotated.
  void apply(mlir::Value item, Load load, Store store);

private:
  TileBuilder::Values rotate(llvm::ArrayRef<mlir::Value> pair,
                             mlir::Value item);

  TileBuilder &b;
  ssm::RopeAttr rope;
  int64_t half, count;
  mlir::Value sines, cosines;
};

} // namespace ssm::gpu
