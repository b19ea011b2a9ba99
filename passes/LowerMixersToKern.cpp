//===- LowerMixersToKern.cpp - Sequence mixers of the ssm dialect to kern -===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/LowerToKern.h"

using namespace mlir;
using namespace ssm;

/// The first argument: what a kernel computes, unchanged.
static Value first(OpBuilder &, Location, ValueRange values) {
  return values[0];
}

/// causal_conv1d(x, w, b) -> kern.conv x weight w columns(b) { act(sum + b) }
static LogicalResult lowerConv(CausalConv1dOp op, PatternRewriter &rewriter) {
  SmallVector<Value> columns;
  if (op.getBias())
    columns.push_back(op.getBias());
  auto conv = kern::ConvOp::create(
      rewriter, op.getLoc(), op.getResult().getType(),
      op.getNewState().getType(), op.getInput(), op.getSeqs(), op.getState(),
      op.getWeight(), columns);
  auto epilogue = [&](OpBuilder &builder, Location loc, ValueRange values) {
    Value sum = values[0];
    if (values.size() > 1)
      sum = arith::AddFOp::create(builder, loc, sum, values[1]);
    return op.getFunction()
               ? applyActivation(builder, loc, *op.getFunction(), sum)
               : sum;
  };
  fillRegion(rewriter, op.getLoc(), conv.getEpilogue(), 1 + columns.size(),
             epilogue);
  rewriter.replaceOp(op, conv);
  return success();
}

/// selective_scan(x, dt, A, B, C, D) -> kern.scan columns(D) { y + D x }
static LogicalResult lowerScan(SelectiveScanOp op, PatternRewriter &rewriter) {
  auto scan = kern::ScanOp::create(
      rewriter, op.getLoc(), op.getResult().getType(),
      op.getNewState().getType(), op.getInput(), op.getDt(), op.getA(),
      op.getB(), op.getC(), op.getSeqs(), op.getState(), op.getD(),
      ValueRange());
  fillRegion(rewriter, op.getLoc(), scan.getEpilogue(), 3,
             [](OpBuilder &builder, Location loc, ValueRange values) -> Value {
               Value skip =
                   arith::MulFOp::create(builder, loc, values[2], values[1]);
               return arith::AddFOp::create(builder, loc, values[0], skip);
             });
  rewriter.replaceOp(op, scan);
  return success();
}

/// ssd(x, dt, A, B, C, D) -> kern.ssd { dt }. Nothing reads the bias of dt yet,
/// so A, of the same type, stands in for it; --kern-fuse-dt brings the real
/// one.
static LogicalResult lowerSsd(SsdOp op, PatternRewriter &rewriter) {
  auto ssd = kern::SsdOp::create(
      rewriter, op.getLoc(), op.getResult().getType(),
      op.getNewState().getType(), op.getInput(), op.getDt(), op.getA(),
      op.getA(), op.getB(), op.getC(), op.getD(), op.getSeqs(), op.getState());
  fillRegion(rewriter, op.getLoc(), ssd.getDtValue(), 2, first);
  rewriter.replaceOp(op, ssd);
  return success();
}

/// The part of a split behind `value`, and the rope on the way, if any.
static OpResult partBehind(Value value, RopeAttr &rope) {
  if (auto op = value.getDefiningOp<RopeOp>()) {
    rope = op.getRope();
    value = op.getInput();
  }
  return value.getDefiningOp<SplitOp>() ? cast<OpResult>(value) : OpResult();
}

/// The rows that hold query, key and value of `op` side by side, or null.
static Value packedRows(AttentionOp op, RopeAttr &rope,
                        PatternRewriter &rewriter) {
  RopeAttr keyRope, valueRope;
  OpResult query = partBehind(op.getQuery(), rope);
  OpResult key = partBehind(op.getKey(), keyRope);
  OpResult value = partBehind(op.getValue(), valueRope);
  if (!query || !key || !value || keyRope != rope || valueRope)
    return {};
  unsigned number = query.getResultNumber();
  if (key.getOwner() != query.getOwner() ||
      value.getOwner() != query.getOwner() ||
      key.getResultNumber() != number + 1 ||
      value.getResultNumber() != number + 2)
    return {};
  auto split = cast<SplitOp>(query.getOwner());
  int64_t begin = 0, width = 0;
  for (auto [index, part] : llvm::enumerate(split.getParts())) {
    int64_t columns = cast<RankedTensorType>(part.getType()).getDimSize(1);
    (index < number ? begin : width) += index < number + 3 ? columns : 0;
  }
  auto type = cast<RankedTensorType>(split.getInput().getType());
  if (width == type.getDimSize(1))
    return split.getInput();
  return kern::ColumnsOp::create(
      rewriter, op.getLoc(),
      RankedTensorType::get({type.getDimSize(0), width}, type.getElementType()),
      split.getInput(), begin);
}

/// attention(rope(q), rope(k), v) of q, k, v = split(rows) ->
///     kern.kv_append rows, then kern.attention
static LogicalResult lowerAttention(AttentionOp op, PatternRewriter &rewriter) {
  constexpr double kLog2E = 1.44269504088896340736;
  RopeAttr rope;
  Value rows = packedRows(op, rope, rewriter);
  if (!rows)
    return rewriter.notifyMatchFailure(
        op, "query, key and value are no adjacent columns of one product");
  double scale = op.getScale().convertToDouble() * kLog2E;
  auto append = kern::KvAppendOp::create(
      rewriter, op.getLoc(), op.getQuery().getType(),
      op.getKeyCache().getType(), op.getValueCache().getType(), rows,
      op.getSeqs(), op.getKeyCache(), op.getValueCache(), APFloat(scale), rope);
  auto attention = kern::AttentionOp::create(
      rewriter, op.getLoc(), op.getResult().getType(),
      kern::AttentionForm::Prefill, append.getResult(), op.getSeqs(),
      append.getNewKeyCache(), append.getNewValueCache(), op.getWindowAttr());
  rewriter.replaceOp(op, {attention.getResult(), append.getNewKeyCache(),
                          append.getNewValueCache()});
  return success();
}

void ssm::populateMixersToKern(RewritePatternSet &patterns) {
  patterns.add(lowerConv);
  patterns.add(lowerScan);
  patterns.add(lowerSsd);
  patterns.add(lowerAttention);
}
