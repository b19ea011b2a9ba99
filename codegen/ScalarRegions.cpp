//===- ScalarRegions.cpp - Scalar regions on vectors ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/VectorMath.h"

#include "dialect/Kern.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssm;

/// The result of one operation of a region, on vectors of `width`.
Value CodeBuilder::cloneOperation(Operation &op, ArrayRef<Value> operands,
                                  int64_t width) {
  return llvm::TypeSwitch<Operation *, Value>(&op)
      .Case([&](arith::ConstantOp constantOp) -> Value {
        auto number = dyn_cast<FloatAttr>(constantOp.getValue());
        Type type = vectorOf(constantOp.getType(), width);
        return number ? constant(type, number.getValueAsDouble())
                      : constant(type, cast<IntegerAttr>(constantOp.getValue())
                                           .getValue()
                                           .getSExtValue());
      })
      // The exact forms are four instructions and more.
      .Case<arith::MaximumFOp, arith::MaxNumFOp>(
          [&](auto) { return atLeast(operands[0], operands[1]); })
      .Case<arith::MinimumFOp, arith::MinNumFOp>(
          [&](auto) { return atMost(operands[0], operands[1]); })
      .Case([&](math::ExpOp) { return exp(operands[0]); })
      .Case([&](math::Exp2Op) { return exp2(operands[0]); })
      .Case([&](math::Log1pOp) { return ssm::log1p(*this, operands[0]); })
      .Case([&](math::TanhOp) { return ssm::tanh(*this, operands[0]); })
      .Case([&](math::ErfOp) { return ssm::erf(*this, operands[0]); })
      .Case([&](math::RsqrtOp) { return ssm::rsqrt(*this, operands[0]); })
      .Default([&](Operation *elementwise) {
        SmallVector<Type> types;
        for (Type type : elementwise->getResultTypes())
          types.push_back(vectorOf(type, width));
        OperationState state(getLoc(), elementwise->getName(), operands, types,
                             elementwise->getAttrs());
        return create(state)->getResult(0);
      });
}

Value CodeBuilder::cloneRegion(Region &region, ArrayRef<Value> arguments) {
  auto vector = dyn_cast<VectorType>(arguments.front().getType());
  int64_t width = vector ? vector.getNumElements() : 0;
  IRMapping mapping;
  mapping.map(region.getArguments(), arguments);
  auto mapped = [&](Value value) { return mapping.lookup(value); };
  for (Operation &op : region.front().without_terminator()) {
    SmallVector<Value> operands = llvm::map_to_vector(op.getOperands(), mapped);
    mapping.map(op.getResult(0), cloneOperation(op, operands, width));
  }
  return mapped(cast<kern::YieldOp>(region.front().back()).getValue());
}
