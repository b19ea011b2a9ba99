//===- FuseElementwise.cpp - Rowwise kernels that feed each other ---------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// %a = kern.rowwise rms %x {f}; %b = kern.rowwise none %a {g}
//     -> %b = kern.rowwise rms %x {g of f}
// %a = kern.rowwise none %x {f}; %b = kern.rowwise rms %a {g}
//     -> %b = kern.rowwise rms %x {g, value f}
//
// Legal when nobody else reads the rows between, and one of both has no
// statistic. The choice of wanted rows (`gather`) joins the kernel that follows
// it.
//
//===----------------------------------------------------------------------===//

#include "passes/Elementwise.h"
#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace ssm {
#define GEN_PASS_DEF_FUSEELEMENTWISEPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;

static remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("fuse-elementwise").category("kern");
}

/// Form of `op`, with the rows that it gathers.
static RowwiseForm formOf(kern::RowwiseOp op, bool gather) {
  return {op.getStatistic(), int64_t(op.getGroups()),
          op.getEps().convertToDouble(), gather};
}

/// The elementwise `consumer`, whose operand `index` is what `producer` makes,
/// becomes the end of it.
static kern::RowwiseOp appendToFinish(kern::RowwiseOp producer,
                                      kern::RowwiseOp consumer, size_t index,
                                      RewriterBase &rewriter) {
  SmallVector<Value> others = without(rowsOf(consumer), index);
  size_t inner = producer.getElements().size(), outer = others.size();
  size_t innerColumns = producer.getColumns().size();
  auto value = [&](OpBuilder &builder, Location, ValueRange values) {
    return inlineRegion(builder, producer.getValue(),
                        values.take_front(1 + inner));
  };
  auto finish = [&](OpBuilder &builder, Location loc, ValueRange values) {
    ValueRange columns = values.drop_front(3 + inner + outer);
    Value made = inlineRegion(
        builder, producer.getFinish(),
        join(values.take_front(3 + inner), columns.take_front(innerColumns)));
    return inlineElementwise(builder, loc, consumer,
                             with(values.slice(3 + inner, outer), index, made),
                             columns.drop_front(innerColumns));
  };
  return createRowwise(rewriter, consumer.getLoc(), consumer.getType(),
                       producer.getInput(),
                       join(producer.getElements(), others),
                       join(producer.getColumns(), consumer.getColumns()),
                       formOf(producer, producer.getGather()), value, finish);
}

/// `producer`, without statistic or columns, becomes the beginning of
/// `consumer`, whose operand `index` it makes.
static kern::RowwiseOp prependToValue(kern::RowwiseOp producer,
                                      kern::RowwiseOp consumer, size_t index,
                                      RewriterBase &rewriter) {
  SmallVector<Value> others = without(rowsOf(consumer), index);
  SmallVector<Value> rows = rowsOf(producer);
  // The kernel reads `first`, which begins with the input, then `second`.
  bool isInput = index == 0;
  SmallVector<Value> all = isInput ? join(rows, others) : join(others, rows);
  auto rebuild = [&](OpBuilder &builder, Location loc, ValueRange values) {
    ValueRange made = isInput ? values.take_front(rows.size())
                              : values.take_back(rows.size());
    ValueRange rest = isInput ? values.drop_front(rows.size())
                              : values.drop_back(rows.size());
    return with(rest, index,
                inlineElementwise(builder, loc, producer, made, {}));
  };
  auto value = [&](OpBuilder &builder, Location loc, ValueRange values) {
    return inlineRegion(builder, consumer.getValue(),
                        rebuild(builder, loc, values));
  };
  size_t elements = all.size() - 1;
  auto finish = [&](OpBuilder &builder, Location loc, ValueRange values) {
    SmallVector<Value> arguments(values.take_front(3));
    // `finish` does not see the input; if that is what `producer` makes, its
    // other rows are of no use here.
    if (isInput)
      llvm::append_range(arguments,
                         values.slice(3 + rows.size() - 1, others.size()));
    else
      llvm::append_range(
          arguments,
          ValueRange(rebuild(builder, loc,
                             with(values.slice(3, elements), 0, values[0])))
              .drop_front());
    llvm::append_range(arguments, values.drop_front(3 + elements));
    return inlineRegion(builder, consumer.getFinish(), arguments);
  };
  return createRowwise(
      rewriter, consumer.getLoc(), consumer.getType(), all.front(),
      ValueRange(all).drop_front(), consumer.getColumns(),
      formOf(consumer, producer.getGather() || consumer.getGather()), value,
      finish);
}

/// Fuses `consumer` and the kernel that makes its operand `index`, or null.
static kern::RowwiseOp fuse(kern::RowwiseOp consumer, size_t index,
                            RewriterBase &rewriter) {
  auto producer = rowsOf(consumer)[index].getDefiningOp<kern::RowwiseOp>();
  if (!producer)
    return {};
  if (!producer->hasOneUse()) {
    remark::missed(producer.getLoc(), remarkOptions())
        << "rows have more users";
    return {};
  }
  bool alone = consumer.getElements().empty();
  if (isElementwise(consumer) && (!producer.getGather() || alone))
    return appendToFinish(producer, consumer, index, rewriter);
  bool simple = producer.getStatistic() == kern::Statistic::None &&
                producer.getColumns().empty();
  bool gathers = producer.getGather() || consumer.getGather();
  if (!simple || (gathers && !(alone && producer.getElements().empty())))
    return {};
  return prependToValue(producer, consumer, index, rewriter);
}

/// Fuses a kernel with one of its producers.
static LogicalResult fuseWithProducer(kern::RowwiseOp consumer,
                                      PatternRewriter &rewriter) {
  for (size_t index = 0; index <= consumer.getElements().size(); ++index)
    if (kern::RowwiseOp fused = fuse(consumer, index, rewriter)) {
      remark::passed(consumer.getLoc(), remarkOptions())
          << "two rowwise kernels became one";
      rewriter.replaceOp(consumer, fused);
      return success();
    }
  return rewriter.notifyMatchFailure(consumer, "no producer to fuse with");
}

namespace {
struct FuseElementwisePass
    : ssm::impl::FuseElementwisePassBase<FuseElementwisePass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add(fuseWithProducer);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
  }
};
} // namespace
