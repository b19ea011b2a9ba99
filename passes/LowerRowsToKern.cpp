//===- LowerRowsToKern.cpp - Rows of the ssm dialect to kern --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One kernel per operation; an elementwise operation is a kern.rowwise without
// statistic whose `finish` region computes it. Fusion comes later.
//
//===----------------------------------------------------------------------===//

#include "passes/LowerToKern.h"

using namespace mlir;
using namespace ssm;
using kern::Statistic;

kern::RowwiseOp ssm::createRowwise(OpBuilder &builder, Location loc,
                                   Type result, Value input,
                                   ValueRange elements, ValueRange columns,
                                   RowwiseForm form, ScalarFunction value,
                                   ScalarFunction finish) {
  auto op = kern::RowwiseOp::create(builder, loc, result, input, elements,
                                    columns, form.statistic, form.groups,
                                    APFloat(form.eps), form.gather);
  fillRegion(builder, loc, op.getValue(), 1 + elements.size(),
             [&](OpBuilder &inner, Location loc, ValueRange arguments) {
               return value ? value(inner, loc, arguments) : arguments[0];
             });
  fillRegion(builder, loc, op.getFinish(), 3 + elements.size() + columns.size(),
             finish);
  return op;
}

/// A rowwise kernel that computes `function`(input, elements..., columns...).
static Value elementwise(OpBuilder &builder, Operation *op, Value input,
                         ValueRange elements, ValueRange columns,
                         ScalarFunction function) {
  return createRowwise(builder, op->getLoc(), op->getResult(0).getType(), input,
                       elements, columns, {}, nullptr,
                       [&](OpBuilder &inner, Location loc, ValueRange values) {
                         SmallVector<Value> arguments = {values[0]};
                         llvm::append_range(arguments, values.drop_front(3));
                         return function(inner, loc, arguments);
                       });
}

static Value product(OpBuilder &builder, Location loc, Value a, Value b) {
  return arith::MulFOp::create(builder, loc, a, b);
}

/// embedding(tokens, table) -> kern.embed
static LogicalResult lowerEmbedding(EmbeddingOp op, PatternRewriter &rewriter) {
  rewriter.replaceOpWithNewOp<kern::EmbedOp>(
      op, op.getType(), op.getTokens(), op.getTable(), op.getMultiplierAttr());
  return success();
}

/// output_rows(x) -> kern.rowwise gather
static LogicalResult lowerOutputRows(OutputRowsOp op,
                                     PatternRewriter &rewriter) {
  RowwiseForm form;
  form.gather = true;
  rewriter.replaceOp(
      op, createRowwise(rewriter, op.getLoc(), op.getType(), op.getInput(), {},
                        {}, form, nullptr,
                        [](OpBuilder &, Location, ValueRange values) {
                          return values[0];
                        }));
  return success();
}

/// linear(x, w, b) -> kern.gemm x, w columns(b) { sum + b }
static LogicalResult lowerLinear(LinearOp op, PatternRewriter &rewriter) {
  SmallVector<Value> columns;
  if (op.getBias())
    columns.push_back(op.getBias());
  auto gemm = kern::GemmOp::create(rewriter, op.getLoc(), op.getType(),
                                   op.getInput(), op.getWeight(), columns, {},
                                   IntegerAttr(), ArrayAttr());
  fillRegion(rewriter, op.getLoc(), gemm.getEpilogue(), 1 + columns.size(),
             [](OpBuilder &builder, Location loc, ValueRange values) -> Value {
               if (values.size() == 1)
                 return values[0];
               return arith::AddFOp::create(builder, loc, values[0], values[1]);
             });
  rewriter.replaceOp(op, gemm);
  return success();
}

/// norm(x, w, b) -> kern.rowwise with its statistic
static LogicalResult lowerNorm(NormOp op, PatternRewriter &rewriter) {
  bool isLayerNorm = op.getKind().getKind() == NormKind::Layer1p;
  RowwiseForm form;
  form.statistic = isLayerNorm ? Statistic::Layer : Statistic::Rms;
  form.eps = op.getKind().getEps();
  SmallVector<Value> columns;
  for (Value operand : {Value(op.getWeight()), Value(op.getBias())})
    if (operand)
      columns.push_back(operand);
  auto finish = [&](OpBuilder &builder, Location loc, ValueRange values) {
    Value result = values[0], rstd = values[2];
    if (!isLayerNorm) {
      result = product(builder, loc, result, rstd);
      return columns.empty() ? result
                             : product(builder, loc, result, values[3]);
    }
    result = arith::SubFOp::create(builder, loc, result, values[1]);
    result = product(builder, loc, result, rstd);
    Value gain = arith::AddFOp::create(builder, loc, values[3],
                                       constant(builder, loc, 1));
    result = product(builder, loc, result, gain);
    return Value(arith::AddFOp::create(builder, loc, result, values[4]));
  };
  rewriter.replaceOp(op, createRowwise(rewriter, op.getLoc(), op.getType(),
                                       op.getInput(), {}, columns, form,
                                       nullptr, finish));
  return success();
}

/// gated_norm(y, z, w) -> kern.rowwise y elements(z) columns(w)
static LogicalResult lowerGatedNorm(GatedNormOp op, PatternRewriter &rewriter) {
  GateOrder order = op.getOrder();
  auto gated = [](OpBuilder &builder, Location loc, Value value, Value gate) {
    return product(builder, loc, value,
                   applyActivation(builder, loc, Activation::Silu, gate));
  };
  RowwiseForm form;
  SmallVector<Value> columns;
  if (order != GateOrder::NoNorm) {
    form = {Statistic::Rms, int64_t(op.getGroups()),
            op.getEps().convertToDouble()};
    columns.push_back(op.getWeight());
  }
  auto value = [&](OpBuilder &builder, Location loc, ValueRange values) {
    return order == GateOrder::AfterGate
               ? gated(builder, loc, values[0], values[1])
               : values[0];
  };
  auto finish = [&](OpBuilder &builder, Location loc, ValueRange values) {
    Value result = values[0];
    if (order != GateOrder::NoNorm) {
      result = product(builder, loc, result, values[2]);
      result = product(builder, loc, result, values[4]);
    }
    return order == GateOrder::AfterGate
               ? result
               : gated(builder, loc, result, values[3]);
  };
  rewriter.replaceOp(op, createRowwise(rewriter, op.getLoc(), op.getType(),
                                       op.getInput(), op.getGate(), columns,
                                       form, value, finish));
  return success();
}

/// split(x) -> kern.columns of x
static LogicalResult lowerSplit(SplitOp op, PatternRewriter &rewriter) {
  SmallVector<Value> parts;
  int64_t first = 0;
  for (Value part : op.getParts()) {
    parts.push_back(kern::ColumnsOp::create(
        rewriter, op.getLoc(), part.getType(), op.getInput(), first));
    first += cast<RankedTensorType>(part.getType()).getDimSize(1);
  }
  rewriter.replaceOp(op, parts);
  return success();
}

/// activation(x) -> kern.rowwise none
static LogicalResult lowerActivation(ActivationOp op,
                                     PatternRewriter &rewriter) {
  rewriter.replaceOp(
      op, elementwise(rewriter, op, op.getInput(), {}, {},
                      [&](OpBuilder &builder, Location loc, ValueRange values) {
                        return applyActivation(builder, loc, op.getFunction(),
                                               values[0]);
                      }));
  return success();
}

/// scale(x) -> kern.rowwise none
static LogicalResult lowerScale(ScaleOp op, PatternRewriter &rewriter) {
  double factor = op.getFactor().convertToDouble();
  rewriter.replaceOp(
      op, elementwise(rewriter, op, op.getInput(), {}, {},
                      [&](OpBuilder &builder, Location loc, ValueRange values) {
                        return product(builder, loc, values[0],
                                       constant(builder, loc, factor));
                      }));
  return success();
}

/// clamp(x) -> kern.rowwise none
static LogicalResult lowerClamp(ClampOp op, PatternRewriter &rewriter) {
  auto function = [&](OpBuilder &builder, Location loc, ValueRange values) {
    Value lower = constant(builder, loc, op.getLower().convertToDouble());
    Value result = arith::MaximumFOp::create(builder, loc, values[0], lower);
    if (op.getUpper()) {
      Value upper = constant(builder, loc, op.getUpper()->convertToDouble());
      result = arith::MinimumFOp::create(builder, loc, result, upper);
    }
    return result;
  };
  rewriter.replaceOp(
      op, elementwise(rewriter, op, op.getInput(), {}, {}, function));
  return success();
}

/// add(a, b), mul(a, b) -> kern.rowwise none a elements(b)
template <typename OpTy, typename ScalarTy>
static LogicalResult lowerBinary(OpTy op, PatternRewriter &rewriter) {
  rewriter.replaceOp(
      op, elementwise(rewriter, op, op.getLhs(), op.getRhs(), {},
                      [](OpBuilder &builder, Location loc, ValueRange values) {
                        return ScalarTy::create(builder, loc, values[0],
                                                values[1])
                            .getResult();
                      }));
  return success();
}

/// add_bias(x, b) -> kern.rowwise none x columns(b)
static LogicalResult lowerBias(BiasOp op, PatternRewriter &rewriter) {
  rewriter.replaceOp(
      op, elementwise(rewriter, op, op.getInput(), {}, op.getBias(),
                      [](OpBuilder &builder, Location loc, ValueRange values) {
                        return arith::AddFOp::create(builder, loc, values[0],
                                                     values[1])
                            .getResult();
                      }));
  return success();
}

void ssm::populateRowsToKern(RewritePatternSet &patterns) {
  patterns.add(lowerEmbedding);
  patterns.add(lowerOutputRows);
  patterns.add(lowerLinear);
  patterns.add(lowerNorm);
  patterns.add(lowerGatedNorm);
  patterns.add(lowerSplit);
  patterns.add(lowerActivation);
  patterns.add(lowerScale);
  patterns.add(lowerClamp);
  patterns.add(lowerBias);
  patterns.add(lowerBinary<AddOp, arith::AddFOp>);
  patterns.add(lowerBinary<MulOp, arith::MulFOp>);
}
