//===- CodeBuilder.cpp - Short forms for scalar and vector code -----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/CodeBuilder.h"

#include "codegen/VectorMath.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm;

static constexpr auto kNoWrap = arith::IntegerOverflowFlags::nsw;

CodeBuilder::CodeBuilder(Location loc)
    : ImplicitLocOpBuilder(loc, loc.getContext()) {}

//===----------------------------------------------------------------------===//
// Types and constants
//===----------------------------------------------------------------------===//

/// Number of lanes; 0 for a scalar.
static int64_t width(Value value) {
  auto type = dyn_cast<VectorType>(value.getType());
  return type ? type.getNumElements() : 0;
}

static bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

Type CodeBuilder::vectorOf(Type element, int64_t count) {
  return count ? Type(VectorType::get({count}, element)) : element;
}

Value CodeBuilder::i64(int64_t value) { return constant(getI64Type(), value); }
Value CodeBuilder::i32(int64_t value) { return constant(getI32Type(), value); }
Value CodeBuilder::f32(double value) { return constant(getF32Type(), value); }

/// A constant of `type`, splat for a vector.
static Value splatConstant(CodeBuilder &builder, Type type, TypedAttr value) {
  if (auto vector = dyn_cast<VectorType>(type))
    value = DenseElementsAttr::get(vector, static_cast<Attribute>(value));
  return arith::ConstantOp::create(builder, value);
}

Value CodeBuilder::constant(Type type, double value) {
  return splatConstant(*this, type,
                       getFloatAttr(getElementTypeOrSelf(type), value));
}

Value CodeBuilder::constant(Type type, int64_t value) {
  Type element = getElementTypeOrSelf(type);
  if (isa<FloatType>(element))
    return constant(type, static_cast<double>(value));
  APInt bits(element.getIntOrFloatBitWidth(), value, /*isSigned=*/true,
             /*implicitTrunc=*/true);
  return splatConstant(*this, type, getIntegerAttr(element, bits));
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

void CodeBuilder::unify(Value &lhs, Value &rhs) {
  if (width(lhs) && !width(rhs))
    rhs = broadcast(rhs, width(lhs));
  else if (width(rhs) && !width(lhs))
    lhs = broadcast(lhs, width(rhs));
}

Value CodeBuilder::add(Value lhs, Value rhs) {
  unify(lhs, rhs);
  if (isFloat(lhs))
    return arith::AddFOp::create(*this, lhs, rhs);
  // Vectors hold bits of floats, which wrap; scalars count.
  return width(lhs) ? arith::AddIOp::create(*this, lhs, rhs)
                    : arith::AddIOp::create(*this, lhs, rhs, kNoWrap);
}

Value CodeBuilder::sub(Value lhs, Value rhs) {
  unify(lhs, rhs);
  if (isFloat(lhs))
    return arith::SubFOp::create(*this, lhs, rhs);
  return width(lhs) ? arith::SubIOp::create(*this, lhs, rhs)
                    : arith::SubIOp::create(*this, lhs, rhs, kNoWrap);
}

Value CodeBuilder::mul(Value lhs, Value rhs) {
  unify(lhs, rhs);
  if (isFloat(lhs))
    return arith::MulFOp::create(*this, lhs, rhs);
  return width(lhs) ? arith::MulIOp::create(*this, lhs, rhs)
                    : arith::MulIOp::create(*this, lhs, rhs, kNoWrap);
}

Value CodeBuilder::div(Value lhs, Value rhs) {
  unify(lhs, rhs);
  return arith::DivFOp::create(*this, lhs, rhs);
}

Value CodeBuilder::div(Value lhs, int64_t rhs) {
  if (llvm::isPowerOf2_64(rhs))
    return shiftRight(lhs, llvm::Log2_64(rhs));
  return arith::DivUIOp::create(*this, lhs, constant(lhs.getType(), rhs));
}

Value CodeBuilder::rem(Value lhs, int64_t rhs) {
  if (llvm::isPowerOf2_64(rhs))
    return bitAnd(lhs, constant(lhs.getType(), rhs - 1));
  return arith::RemUIOp::create(*this, lhs, constant(lhs.getType(), rhs));
}

Value CodeBuilder::fma(Value lhs, Value rhs, Value addend) {
  unify(lhs, rhs);
  unify(lhs, addend);
  unify(rhs, addend);
  return math::FmaOp::create(*this, lhs, rhs, addend);
}

Value CodeBuilder::neg(Value value) {
  return arith::NegFOp::create(*this, value);
}

Value CodeBuilder::abs(Value value) {
  return math::AbsFOp::create(*this, value);
}

Value CodeBuilder::sqrt(Value value) {
  return math::SqrtOp::create(*this, value);
}

Value CodeBuilder::extremum(Value lhs, Value rhs, bool wantMax) {
  unify(lhs, rhs);
  if (!isFloat(lhs))
    return wantMax ? Value(arith::MaxSIOp::create(*this, lhs, rhs))
                   : Value(arith::MinSIOp::create(*this, lhs, rhs));
  // Only with these flags one instruction on every target.
  auto flags = arith::FastMathFlags::nnan | arith::FastMathFlags::nsz;
  return wantMax ? Value(arith::MaxNumFOp::create(*this, lhs, rhs, flags))
                 : Value(arith::MinNumFOp::create(*this, lhs, rhs, flags));
}

Value CodeBuilder::min(Value lhs, Value rhs) {
  return extremum(lhs, rhs, /*wantMax=*/false);
}

Value CodeBuilder::max(Value lhs, Value rhs) {
  return extremum(lhs, rhs, /*wantMax=*/true);
}

Value CodeBuilder::atLeast(Value value, Value bound) {
  unify(value, bound);
  return select(cmp(arith::CmpFPredicate::OLT, value, bound), bound, value);
}

Value CodeBuilder::atMost(Value value, Value bound) {
  unify(value, bound);
  return select(cmp(arith::CmpFPredicate::OGT, value, bound), bound, value);
}

Value CodeBuilder::cmp(arith::CmpIPredicate predicate, Value lhs, Value rhs) {
  unify(lhs, rhs);
  return arith::CmpIOp::create(*this, predicate, lhs, rhs);
}

Value CodeBuilder::cmp(arith::CmpFPredicate predicate, Value lhs, Value rhs) {
  unify(lhs, rhs);
  return arith::CmpFOp::create(*this, predicate, lhs, rhs);
}

Value CodeBuilder::select(Value condition, Value ifTrue, Value ifFalse) {
  unify(ifTrue, ifFalse);
  return arith::SelectOp::create(*this, condition, ifTrue, ifFalse);
}

Value CodeBuilder::bitAnd(Value lhs, Value rhs) {
  unify(lhs, rhs);
  return arith::AndIOp::create(*this, lhs, rhs);
}

Value CodeBuilder::bitOr(Value lhs, Value rhs) {
  unify(lhs, rhs);
  return arith::OrIOp::create(*this, lhs, rhs);
}

Value CodeBuilder::shiftLeft(Value value, int64_t bits) {
  return arith::ShLIOp::create(*this, value, constant(value.getType(), bits));
}

Value CodeBuilder::shiftRight(Value value, int64_t bits) {
  return arith::ShRUIOp::create(*this, value, constant(value.getType(), bits));
}

Value CodeBuilder::bitcast(Value value, Type element) {
  return arith::BitcastOp::create(*this, vectorOf(element, width(value)),
                                  value);
}

Value CodeBuilder::toI64(Value value) {
  unsigned bits = value.getType().getIntOrFloatBitWidth();
  if (bits == 64)
    return value;
  if (bits > 64)
    return arith::TruncIOp::create(*this, getI64Type(), value);
  return arith::ExtSIOp::create(*this, getI64Type(), value);
}

Value CodeBuilder::broadcast(Value scalar, int64_t count) {
  return vector::BroadcastOp::create(*this, vectorOf(scalar.getType(), count),
                                     scalar);
}

Value CodeBuilder::lane(Value vector, int64_t index) {
  return vector::ExtractOp::create(*this, vector, index);
}

Value CodeBuilder::insert(Value scalar, Value vector, int64_t index) {
  return vector::InsertOp::create(*this, scalar, vector, index);
}

Value CodeBuilder::shuffle(Value first, Value second, ArrayRef<int64_t> mask) {
  return vector::ShuffleOp::create(*this, first, second, mask);
}

Value CodeBuilder::reduce(Value vector,
                          function_ref<Value(Value, Value)> combine) {
  while (width(vector) > 1) {
    int64_t count = width(vector), half = count / 2;
    auto lower = llvm::to_vector(llvm::seq<int64_t>(0, half));
    auto upper = llvm::to_vector(llvm::seq<int64_t>(count - half, count));
    Value sum =
        combine(shuffle(vector, vector, lower), shuffle(vector, vector, upper));
    if (count % 2) {
      // The middle lane joins the first.
      Value first = combine(lane(sum, 0), lane(vector, half));
      sum = vector::InsertOp::create(*this, first, sum, 0);
    }
    vector = sum;
  }
  return lane(vector, 0);
}

Value CodeBuilder::reduceAdd(Value vector) {
  return reduce(vector, [&](Value lhs, Value rhs) { return add(lhs, rhs); });
}

Value CodeBuilder::reduceMax(Value vector) {
  return reduce(vector, [&](Value lhs, Value rhs) { return max(lhs, rhs); });
}

Value CodeBuilder::laneNumbers(int64_t count) {
  auto numbers = llvm::to_vector(llvm::seq<int32_t>(0, count));
  return arith::ConstantOp::create(*this, getI32VectorAttr(numbers));
}

Value CodeBuilder::laneMask(Value count, int64_t lanes) {
  Value narrow = arith::TruncIOp::create(*this, getI32Type(), count);
  return cmp(arith::CmpIPredicate::slt, laneNumbers(lanes), narrow);
}

Value CodeBuilder::exp2(Value x) { return ssm::exp2(*this, x); }

Value CodeBuilder::exp(Value x) { return ssm::exp(*this, x); }

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

CodeBuilder::Values
CodeBuilder::forLoop(Value lower, Value upper, Value step, ValueRange inits,
                     function_ref<Values(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(
      *this, lower, upper, step, inits,
      [&](OpBuilder &inner, Location loc, Value index, ValueRange carried) {
        InsertionGuard guard(*this);
        restoreInsertionPoint(inner.saveInsertionPoint());
        Values next = body(index, carried);
        scf::YieldOp::create(*this, next);
      });
  return Values(loop.getResults());
}

void CodeBuilder::forLoop(Value lower, Value upper, Value step,
                          function_ref<void(Value)> body) {
  forLoop(lower, upper, step, ValueRange(), [&](Value index, ValueRange) {
    body(index);
    return Values();
  });
}

void CodeBuilder::forLoop(int64_t count, int64_t step,
                          function_ref<void(Value)> body) {
  if (count <= 0)
    return;
  if (count <= step)
    return body(i64(0));
  forLoop(i64(0), i64(count), i64(step), body);
}

void CodeBuilder::ifThen(Value condition, function_ref<void()> body) {
  ifElse(condition, body, nullptr);
}

void CodeBuilder::ifElse(Value condition, function_ref<void()> ifTrue,
                         function_ref<void()> ifFalse) {
  auto conditional =
      scf::IfOp::create(*this, condition, static_cast<bool>(ifFalse));
  InsertionGuard guard(*this);
  setInsertionPoint(conditional.thenBlock()->getTerminator());
  ifTrue();
  if (!ifFalse)
    return;
  setInsertionPoint(conditional.elseBlock()->getTerminator());
  ifFalse();
}

CodeBuilder::Values CodeBuilder::ifElse(Value condition, TypeRange types,
                                        function_ref<Values()> ifTrue,
                                        function_ref<Values()> ifFalse) {
  auto conditional = scf::IfOp::create(*this, types, condition,
                                       /*withElseRegion=*/true);
  InsertionGuard guard(*this);
  setInsertionPointToStart(conditional.thenBlock());
  scf::YieldOp::create(*this, ifTrue());
  setInsertionPointToStart(conditional.elseBlock());
  scf::YieldOp::create(*this, ifFalse());
  return Values(conditional.getResults());
}
