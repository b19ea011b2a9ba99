//===- LayerBody.cpp - Builder of one layer's function --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/LayerBody.h"

using namespace mlir;
using namespace ssm;

LayerBody::LayerBody(OpBuilder &builder, LayerOp layer, StringRef name,
                     int64_t hidden, Type matrixElement)
    : builder(builder), loc(layer.getLoc()), matrixElement(matrixElement) {
  auto type = builder.getFunctionType(
      {rows(hidden), SeqsType::get(builder.getContext())}, {});
  function = func::FuncOp::create(builder, loc, name, type);
  function.setPrivate();
  builder.setInsertionPointToStart(function.addEntryBlock());
}

void LayerBody::finish(Value result) {
  SmallVector<Value> results = {result};
  llvm::append_range(results, newStates);
  func::ReturnOp::create(builder, loc, results);
  function.setType(builder.getFunctionType(function.front().getArgumentTypes(),
                                           TypeRange(ValueRange(results))));
}

Value LayerBody::addArgument(unsigned index, Type element,
                             ArrayRef<int64_t> shape) {
  return function.front().insertArgument(
      index, RankedTensorType::get(shape, element), loc);
}

Value LayerBody::parameter(StringRef leaf, ArrayRef<int64_t> shape) {
  weights.push_back({owner, leaf.str()});
  return addArgument(1 + weights.size(), builder.getF32Type(), shape);
}

Value LayerBody::parameterIf(bool present, StringRef leaf, int64_t size) {
  return present ? parameter(leaf, {size}) : Value();
}

Value LayerBody::state(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> slots = {ShapedType::kDynamic};
  llvm::append_range(slots, shape);
  return addArgument(function.front().getNumArguments(), builder.getF32Type(),
                     slots);
}

Value LayerBody::matrix(StringRef leaf, ArrayRef<int64_t> shape) {
  weights.push_back({owner, leaf.str()});
  return addArgument(1 + weights.size(), matrixElement, shape);
}

Value LayerBody::linear(Value input, StringRef leaf, int64_t width, bool bias) {
  Value weight = matrix((leaf + ".weight").str(), {width, widthOf(input)});
  Value vector = parameterIf(bias, (leaf + ".bias").str(), width);
  return LinearOp::create(builder, loc, rows(width), input, weight, vector);
}

SmallVector<Value> LayerBody::split(Value input, ArrayRef<int64_t> widths) {
  SmallVector<Type> types;
  for (int64_t width : widths)
    types.push_back(rows(width));
  return SplitOp::create(builder, loc, types, input).getParts();
}

Value LayerBody::scale(Value input, const APFloat &factor) {
  if (factor.isExactlyValue(1.0))
    return input;
  return ScaleOp::create(builder, loc, input,
                         builder.getF64FloatAttr(factor.convertToDouble()));
}

RankedTensorType LayerBody::rows(int64_t width) {
  return RankedTensorType::get({ShapedType::kDynamic, width},
                               builder.getF32Type());
}
