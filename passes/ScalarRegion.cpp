//===- ScalarRegion.cpp - Regions of scalar operations --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/ScalarRegion.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace ssm;

void ssm::fillRegion(OpBuilder &builder, Location loc, Region &region,
                     size_t count, ScalarFunction function) {
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(count, builder.getF32Type());
  SmallVector<Location> locations(count, loc);
  Block *block = builder.createBlock(&region, {}, types, locations);
  Value value = function(builder, loc, block->getArguments());
  kern::YieldOp::create(builder, loc, value);
}

Value ssm::inlineRegion(OpBuilder &builder, Region &region,
                        ValueRange arguments) {
  Block &block = region.front();
  IRMapping mapping;
  mapping.map(block.getArguments(), arguments);
  for (Operation &op : block.without_terminator())
    builder.clone(op, mapping);
  auto yield = cast<kern::YieldOp>(block.getTerminator());
  return mapping.lookupOrDefault(yield.getValue());
}

Value ssm::constant(OpBuilder &builder, Location loc, double value) {
  return arith::ConstantOp::create(builder, loc, builder.getF32Type(),
                                   builder.getF32FloatAttr(value));
}

namespace {
/// Short names for scalar operations at one place.
struct Scalar {
  OpBuilder &builder;
  Location loc;

  Value number(double value) { return constant(builder, loc, value); }
  Value add(Value a, Value b) {
    return arith::AddFOp::create(builder, loc, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulFOp::create(builder, loc, a, b);
  }
  Value negative(Value a) { return arith::NegFOp::create(builder, loc, a); }
  Value exp(Value a) { return math::ExpOp::create(builder, loc, a); }
  Value maximum(Value a, Value b) {
    return arith::MaximumFOp::create(builder, loc, a, b);
  }
};
} // namespace

Value ssm::applyActivation(OpBuilder &builder, Location loc,
                           Activation function, Value x) {
  constexpr double kInverseSqrt2 = 0.70710678118654752440;
  constexpr double kSqrt2OverPi = 0.79788456080286535588;
  constexpr double kGeluCubic = 0.044715;
  Scalar scalar{builder, loc};
  switch (function) {
  case Activation::Silu: {
    Value below = scalar.add(scalar.number(1), scalar.exp(scalar.negative(x)));
    return arith::DivFOp::create(builder, loc, x, below);
  }
  case Activation::Gelu: {
    Value erf = math::ErfOp::create(
        builder, loc, scalar.mul(x, scalar.number(kInverseSqrt2)));
    return scalar.mul(scalar.mul(x, scalar.number(0.5)),
                      scalar.add(scalar.number(1), erf));
  }
  case Activation::GeluTanh: {
    Value cube = scalar.mul(scalar.mul(x, x), x);
    Value inner = scalar.add(x, scalar.mul(cube, scalar.number(kGeluCubic)));
    Value tanh = math::TanhOp::create(
        builder, loc, scalar.mul(inner, scalar.number(kSqrt2OverPi)));
    return scalar.mul(scalar.mul(x, scalar.number(0.5)),
                      scalar.add(scalar.number(1), tanh));
  }
  case Activation::Relu2: {
    Value positive = scalar.maximum(x, scalar.number(0));
    return scalar.mul(positive, positive);
  }
  case Activation::Softplus: {
    // max(x, 0) + log1p(exp(-|x|)) never overflows.
    Value magnitude = math::AbsFOp::create(builder, loc, x);
    Value small = math::Log1pOp::create(builder, loc,
                                        scalar.exp(scalar.negative(magnitude)));
    return scalar.add(scalar.maximum(x, scalar.number(0)), small);
  }
  }
  llvm_unreachable("unknown activation");
}
