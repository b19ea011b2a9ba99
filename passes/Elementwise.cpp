//===- Elementwise.cpp - Rowwise kernels without a statistic --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Elementwise.h"

using namespace mlir;
using namespace ssm;

bool ssm::isElementwise(kern::RowwiseOp op) {
  return op.getStatistic() == kern::Statistic::None && !op.getGather();
}

SmallVector<Value> ssm::rowsOf(kern::RowwiseOp op) {
  return with(op.getElements(), 0, op.getInput());
}

Value ssm::inlineElementwise(OpBuilder &builder, Location loc,
                             kern::RowwiseOp op, ValueRange rows,
                             ValueRange columns) {
  SmallVector<Value> arguments = {inlineRegion(builder, op.getValue(), rows)};
  // Without a statistic the mean is 0 and rstd 1.
  arguments.push_back(constant(builder, loc, 0));
  arguments.push_back(constant(builder, loc, 1));
  llvm::append_range(arguments, rows.drop_front());
  llvm::append_range(arguments, columns);
  return inlineRegion(builder, op.getFinish(), arguments);
}

SmallVector<Value> ssm::without(ValueRange values, size_t index) {
  SmallVector<Value> result(values);
  result.erase(result.begin() + index);
  return result;
}

SmallVector<Value> ssm::with(ValueRange values, size_t index, Value value) {
  SmallVector<Value> result(values);
  result.insert(result.begin() + index, value);
  return result;
}

SmallVector<Value> ssm::join(ValueRange a, ValueRange b) {
  SmallVector<Value> result(a);
  llvm::append_range(result, b);
  return result;
}
