//===- FuseEpilogues.cpp - Elementwise work at the end of kernels ---------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// %y = kern.gemm %x, %w {f}; %z = kern.rowwise none %y elements(%r) {g}
//     -> %z = kern.gemm %x, %w elements(%r) {g of f}
//
// Bias, activation, scale, residual sum and gate are computed while the sums
// are in registers. Legal pairs, when nobody else reads the rows between:
//
//   producer   column operands  element operands
//   gemm       yes (unpaired)   yes
//   conv       yes              no
//   scan       yes              yes
//
//===----------------------------------------------------------------------===//

#include "passes/Elementwise.h"
#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include "llvm/ADT/TypeSwitch.h"

namespace ssm {
#define GEN_PASS_DEF_FUSEEPILOGUESPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;

namespace {
/// A kernel with an epilogue region (sums, columns, elements).
struct Producer {
  Operation *op = nullptr;
  Region *epilogue = nullptr;
  /// Values of the epilogue that come before the column operands.
  size_t sums = 1;
  ValueRange columns, elements;
  bool takesColumns = true, takesElements = true;
  /// Values of the epilogue per column operand.
  size_t valuesPerColumn = 1;
};
} // namespace

static Producer describe(Operation *op) {
  Producer result;
  result.op = op;
  if (auto gemm = dyn_cast<kern::GemmOp>(op)) {
    result.epilogue = &gemm.getEpilogue();
    result.columns = gemm.getColumns();
    result.elements = gemm.getElements();
    if (gemm.getPaired()) {
      result.sums = result.valuesPerColumn = 2;
      result.takesColumns = false;
    }
  } else if (auto conv = dyn_cast<kern::ConvOp>(op)) {
    result.epilogue = &conv.getEpilogue();
    result.columns = conv.getColumns();
    result.takesElements = false;
  } else if (auto scan = dyn_cast<kern::ScanOp>(op)) {
    result.epilogue = &scan.getEpilogue();
    result.sums = 2;
    result.columns = scan.getColumns();
    result.elements = scan.getElements();
  }
  return result;
}

/// A copy of the kernel `op`, with other column and element operands, a result
/// of type `result` and an empty epilogue.
static Operation *rebuild(OpBuilder &builder, Operation *op, Type result,
                          ValueRange columns, ValueRange elements) {
  Location loc = op->getLoc();
  return TypeSwitch<Operation *, Operation *>(op)
      .Case([&](kern::GemmOp gemm) {
        return kern::GemmOp::create(
            builder, loc, result, gemm.getInput(), gemm.getWeight(), columns,
            elements, gemm.getPairedAttr(), gemm.getScheduleAttr());
      })
      .Case([&](kern::ConvOp conv) {
        return kern::ConvOp::create(
            builder, loc, result, conv.getState().getType(), conv.getInput(),
            conv.getSeqs(), conv.getState(), conv.getWeight(), columns);
      })
      .Case([&](kern::ScanOp scan) {
        return kern::ScanOp::create(
            builder, loc, result, scan.getState().getType(), scan.getInput(),
            scan.getDt(), scan.getA(), scan.getB(), scan.getC(), scan.getSeqs(),
            scan.getState(), columns, elements);
      });
}

/// True if the kernel `op` may move down to `consumer`: only its rows are read
/// before.
static bool canMoveTo(Operation *op, Operation *consumer) {
  return llvm::all_of(op->getUsers(), [&](Operation *user) {
    return user == consumer || (user->getBlock() == consumer->getBlock() &&
                                consumer->isBeforeInBlock(user));
  });
}

/// Why `consumer` cannot become the end of `producer`, or nothing.
static StringRef obstacle(const Producer &producer, kern::RowwiseOp consumer) {
  Value rows = producer.op->getResult(0);
  if (!rows.hasOneUse() || !canMoveTo(producer.op, consumer))
    return "rows have more users";
  if (!consumer.getColumns().empty() && !producer.takesColumns)
    return "a paired product takes no column operands of half its width";
  if (!consumer.getElements().empty() && !producer.takesElements)
    return "the producer takes no element operands";
  return {};
}

/// Index of the operand of `op` whose kernel comes last: all other operands are
/// there when it runs.
static std::optional<size_t> lastProducer(kern::RowwiseOp op) {
  std::optional<size_t> last;
  SmallVector<Value> rows = rowsOf(op);
  for (auto [index, value] : llvm::enumerate(rows)) {
    Operation *kernel = value.getDefiningOp();
    if (!isa_and_nonnull<kern::GemmOp, kern::ConvOp, kern::ScanOp>(kernel))
      continue;
    if (!last || rows[*last].getDefiningOp()->isBeforeInBlock(kernel))
      last = index;
  }
  return last;
}

static remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("fuse-epilogues").category("kern");
}

/// Makes an elementwise kernel the epilogue of the one before it.
static LogicalResult fuseEpilogue(kern::RowwiseOp consumer,
                                  PatternRewriter &rewriter) {
  if (!isElementwise(consumer))
    return rewriter.notifyMatchFailure(consumer, "has a statistic");
  std::optional<size_t> index = lastProducer(consumer);
  if (!index)
    return rewriter.notifyMatchFailure(consumer, "no producer with epilogue");
  Producer producer = describe(rowsOf(consumer)[*index].getDefiningOp());
  StringRef reason = obstacle(producer, consumer);
  if (!reason.empty()) {
    remark::missed(consumer.getLoc(), remarkOptions()) << reason;
    return rewriter.notifyMatchFailure(consumer, reason);
  }

  SmallVector<Value> others = without(rowsOf(consumer), *index);
  SmallVector<Value> columns = join(producer.columns, consumer.getColumns());
  SmallVector<Value> elements = join(producer.elements, others);
  Operation *fused =
      rebuild(rewriter, producer.op, consumer.getType(), columns, elements);
  size_t leading =
      producer.sums + producer.valuesPerColumn * producer.columns.size();
  size_t newColumns = consumer.getColumns().size();
  auto epilogue = [&](OpBuilder &builder, Location loc, ValueRange values) {
    ValueRange rest = values.drop_front(leading + newColumns);
    size_t inner = producer.elements.size();
    Value made =
        inlineRegion(builder, *producer.epilogue,
                     join(values.take_front(leading), rest.take_front(inner)));
    return inlineElementwise(builder, loc, consumer,
                             with(rest.drop_front(inner), *index, made),
                             values.slice(leading, newColumns));
  };
  fillRegion(rewriter, consumer.getLoc(), *describe(fused).epilogue,
             leading + newColumns + elements.size(), epilogue);
  remark::passed(consumer.getLoc(), remarkOptions())
      << "elementwise work joined " << fused->getName().getStringRef();
  rewriter.replaceOp(consumer, fused->getResult(0));
  for (auto [old, value] : llvm::drop_begin(
           llvm::zip(producer.op->getResults(), fused->getResults())))
    rewriter.replaceAllUsesWith(old, value);
  rewriter.eraseOp(producer.op);
  return success();
}

namespace {
struct FuseEpiloguesPass : ssm::impl::FuseEpiloguesPassBase<FuseEpiloguesPass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add(fuseEpilogue);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
  }
};
} // namespace
