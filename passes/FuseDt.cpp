//===- FuseDt.cpp - The value of dt inside the Mamba-2 recurrence ---------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// %dt = kern.rowwise none %raw columns(%bias) {f}; kern.ssd ... dt %dt, %a {g}
//     -> kern.ssd ... dt %raw, %bias {g of f}
//
// Bias, softplus and clamp of dt, one number per head, cost no kernel of their
// own. Legal when nobody else reads dt, it reads one rows operand and at most
// one vector, and the recurrence has no bias of dt yet.
//
//===----------------------------------------------------------------------===//

#include "passes/Elementwise.h"
#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace ssm {
#define GEN_PASS_DEF_FUSEDTPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;

/// Moves the elementwise kernel behind dt into the recurrence.
static LogicalResult fuseDt(kern::SsdOp ssd, PatternRewriter &rewriter) {
  auto producer = ssd.getDt().getDefiningOp<kern::RowwiseOp>();
  if (!producer || !isElementwise(producer))
    return rewriter.notifyMatchFailure(ssd,
                                       "dt comes from no elementwise kernel");
  auto options = remark::RemarkOpts::name("fuse-dt").category("kern");
  bool hasBias = !ssd.getDtValue().getArgument(1).use_empty();
  if (!producer->hasOneUse() || !producer.getElements().empty() ||
      producer.getColumns().size() + hasBias > 1) {
    remark::missed(ssd.getLoc(), options) << "dt needs more than one vector";
    return rewriter.notifyMatchFailure(ssd, "dt needs more than one vector");
  }
  Value bias = ssd.getDtBias();
  if (!producer.getColumns().empty())
    bias = producer.getColumns().front();
  auto fused = kern::SsdOp::create(
      rewriter, ssd.getLoc(), ssd.getResult().getType(),
      ssd.getNewState().getType(), ssd.getInput(), producer.getInput(), bias,
      ssd.getA(), ssd.getB(), ssd.getC(), ssd.getD(), ssd.getSeqs(),
      ssd.getState(), ssd.getChunkAttr());
  auto value = [&](OpBuilder &builder, Location loc, ValueRange values) {
    size_t columns = producer.getColumns().size();
    Value dt = inlineElementwise(builder, loc, producer, values.take_front(),
                                 values.slice(1, columns));
    return inlineRegion(builder, ssd.getDtValue(), {dt, values[1]});
  };
  fillRegion(rewriter, ssd.getLoc(), fused.getDtValue(), 2, value);
  remark::passed(ssd.getLoc(), options) << "dt is computed in the recurrence";
  rewriter.replaceOp(ssd, fused);
  rewriter.eraseOp(producer);
  return success();
}

namespace {
struct FuseDtPass : ssm::impl::FuseDtPassBase<FuseDtPass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add(fuseDt);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
  }
};
} // namespace
