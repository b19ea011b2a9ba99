//===- ExpandTile.cpp - Expand masks and reductions of warps --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// tile.load %p[%i] mask %m  ->  scf.if %m { tile.load %p[%i] } else { 0 }
// tile.reduce_warp add %v   ->  a shuffle and an addition per power of two
// tile.shuffle of i64       ->  two shuffles of i32
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/TilePasses.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace ssm::gpu {
#define GEN_PASS_DEF_EXPANDTILEPASS
#include "codegen/gpu/TilePasses.h.inc"
} // namespace ssm::gpu

using namespace mlir;

/// Masked load -> load under a condition, or zero.
static LogicalResult expandMaskedLoad(tile::LoadOp load,
                                      PatternRewriter &rewriter) {
  if (!load.getMask())
    return rewriter.notifyMatchFailure(load, "has no mask");
  Type type = load.getType();
  if (isa<tile::PtrType>(type))
    return rewriter.notifyMatchFailure(load, "a pointer has no zero");
  Location loc = load.getLoc();
  auto conditional = scf::IfOp::create(rewriter, loc, type, load.getMask(),
                                       /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(conditional.thenBlock());
  Value loaded =
      tile::LoadOp::create(rewriter, loc, type, load.getPointer(),
                           load.getIndex(), Value(), load.getCacheAttr());
  scf::YieldOp::create(rewriter, loc, loaded);
  rewriter.setInsertionPointToStart(conditional.elseBlock());
  Value zero =
      arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(type));
  scf::YieldOp::create(rewriter, loc, zero);
  rewriter.replaceOp(load, conditional);
  return success();
}

/// Masked store -> store under a condition.
static LogicalResult expandMaskedStore(tile::StoreOp store,
                                       PatternRewriter &rewriter) {
  if (!store.getMask())
    return rewriter.notifyMatchFailure(store, "has no mask");
  auto conditional =
      scf::IfOp::create(rewriter, store.getLoc(), store.getMask());
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(conditional.thenBlock());
  tile::StoreOp::create(rewriter, store.getLoc(), store.getValue(),
                        store.getPointer(), store.getIndex(), Value());
  rewriter.eraseOp(store);
  return success();
}

/// Combination of two values of type i32, i64 or f32.
static Value combine(OpBuilder &builder, Location loc, tile::Combine kind,
                     Value a, Value b) {
  bool isFloat = isa<FloatType>(a.getType());
  switch (kind) {
  case tile::Combine::Add:
    return isFloat ? Value(arith::AddFOp::create(builder, loc, a, b))
                   : Value(arith::AddIOp::create(builder, loc, a, b));
  case tile::Combine::Max:
    return isFloat ? Value(arith::MaxNumFOp::create(builder, loc, a, b))
                   : Value(arith::MaxSIOp::create(builder, loc, a, b));
  case tile::Combine::Min:
    return isFloat ? Value(arith::MinNumFOp::create(builder, loc, a, b))
                   : Value(arith::MinSIOp::create(builder, loc, a, b));
  }
  llvm_unreachable("unknown combination");
}

/// reduce_warp -> shuffles with partners of distance stride, 2 stride, ...
static LogicalResult expandReduction(tile::ReduceWarpOp reduce,
                                     PatternRewriter &rewriter) {
  Location loc = reduce.getLoc();
  Value value = reduce.getValue();
  int64_t stride = reduce.getStride();
  for (int64_t step = 1; step < int64_t(reduce.getWidth()); step *= 2) {
    Value distance = arith::ConstantOp::create(
        rewriter, loc, rewriter.getI32IntegerAttr(step * stride));
    Value other = tile::ShuffleOp::create(rewriter, loc, tile::Shuffle::Xor,
                                          value, distance);
    value = combine(rewriter, loc, reduce.getCombine(), value, other);
  }
  rewriter.replaceOp(reduce, value);
  return success();
}

/// shuffle of i64 -> shuffles of its halves
static LogicalResult splitShuffle(tile::ShuffleOp shuffle,
                                  PatternRewriter &rewriter) {
  if (!shuffle.getType().isInteger(64))
    return rewriter.notifyMatchFailure(shuffle, "is not i64");
  Location loc = shuffle.getLoc();
  Type i32 = rewriter.getI32Type(), i64 = rewriter.getI64Type();
  Value half =
      arith::ConstantOp::create(rewriter, loc, rewriter.getI64IntegerAttr(32));
  auto exchange = [&](Value part) -> Value {
    Value word = arith::TruncIOp::create(rewriter, loc, i32, part);
    Value other = tile::ShuffleOp::create(rewriter, loc, shuffle.getFrom(),
                                          word, shuffle.getLane());
    return arith::ExtUIOp::create(rewriter, loc, i64, other);
  };
  Value low = exchange(shuffle.getValue());
  Value high =
      exchange(arith::ShRUIOp::create(rewriter, loc, shuffle.getValue(), half));
  Value shifted = arith::ShLIOp::create(rewriter, loc, high, half);
  rewriter.replaceOpWithNewOp<arith::OrIOp>(shuffle, low, shifted);
  return success();
}

namespace {
struct ExpandTilePass : ssm::gpu::impl::ExpandTilePassBase<ExpandTilePass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add(expandMaskedLoad);
    patterns.add(expandMaskedStore);
    patterns.add(expandReduction);
    patterns.add(splitShuffle);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
  }
};
} // namespace
