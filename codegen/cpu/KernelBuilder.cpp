//===- KernelBuilder.cpp - Builds the code of CPU kernels -----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm;

static constexpr auto kNoWrap = arith::IntegerOverflowFlags::nsw;

KernelBuilder::KernelBuilder(Location loc, const Target &target)
    : ImplicitLocOpBuilder(loc, loc.getContext()), target(target) {}

Kernel KernelBuilder::startKernel(ModuleOp module, StringRef name) {
  setInsertionPointToEnd(module.getBody());
  Type pointer = pointerType(), index = getI64Type();
  FunctionType type = getFunctionType({pointer, index, index, pointer}, {});
  Kernel kernel;
  kernel.function = func::FuncOp::create(*this, name, type);
  Block *body = kernel.function.addEntryBlock();
  setInsertionPointToStart(body);
  kernel.args = body->getArgument(0);
  kernel.begin = body->getArgument(1);
  kernel.end = body->getArgument(2);
  kernel.scratch = body->getArgument(3);
  return kernel;
}

void KernelBuilder::finishKernel() { func::ReturnOp::create(*this); }

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

Type KernelBuilder::pointerType() {
  return LLVM::LLVMPointerType::get(getContext());
}

Type KernelBuilder::vectorOf(Type element, int64_t count) {
  return count ? Type(VectorType::get({count}, element)) : element;
}

Value KernelBuilder::i64(int64_t value) {
  return constant(getI64Type(), value);
}
Value KernelBuilder::i32(int64_t value) {
  return constant(getI32Type(), value);
}
Value KernelBuilder::f32(double value) { return constant(getF32Type(), value); }

/// A constant of `type`, splat for a vector.
static Value splatConstant(KernelBuilder &builder, Type type, TypedAttr value) {
  if (auto vector = dyn_cast<VectorType>(type))
    value = DenseElementsAttr::get(vector, static_cast<Attribute>(value));
  return arith::ConstantOp::create(builder, value);
}

Value KernelBuilder::constant(Type type, double value) {
  return splatConstant(*this, type,
                       getFloatAttr(getElementTypeOrSelf(type), value));
}

Value KernelBuilder::constant(Type type, int64_t value) {
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

void KernelBuilder::unify(Value &lhs, Value &rhs) {
  if (width(lhs) && !width(rhs))
    rhs = broadcast(rhs, width(lhs));
  else if (width(rhs) && !width(lhs))
    lhs = broadcast(lhs, width(rhs));
}

Value KernelBuilder::add(Value lhs, Value rhs) {
  unify(lhs, rhs);
  if (isFloat(lhs))
    return arith::AddFOp::create(*this, lhs, rhs);
  // Vectors hold bits of floats, which wrap; scalars count.
  return width(lhs) ? arith::AddIOp::create(*this, lhs, rhs)
                    : arith::AddIOp::create(*this, lhs, rhs, kNoWrap);
}

Value KernelBuilder::sub(Value lhs, Value rhs) {
  unify(lhs, rhs);
  if (isFloat(lhs))
    return arith::SubFOp::create(*this, lhs, rhs);
  return width(lhs) ? arith::SubIOp::create(*this, lhs, rhs)
                    : arith::SubIOp::create(*this, lhs, rhs, kNoWrap);
}

Value KernelBuilder::mul(Value lhs, Value rhs) {
  unify(lhs, rhs);
  if (isFloat(lhs))
    return arith::MulFOp::create(*this, lhs, rhs);
  return width(lhs) ? arith::MulIOp::create(*this, lhs, rhs)
                    : arith::MulIOp::create(*this, lhs, rhs, kNoWrap);
}

Value KernelBuilder::div(Value lhs, Value rhs) {
  unify(lhs, rhs);
  return arith::DivFOp::create(*this, lhs, rhs);
}

Value KernelBuilder::div(Value lhs, int64_t rhs) {
  if (llvm::isPowerOf2_64(rhs))
    return shiftRight(lhs, llvm::Log2_64(rhs));
  return arith::DivUIOp::create(*this, lhs, constant(lhs.getType(), rhs));
}

Value KernelBuilder::rem(Value lhs, int64_t rhs) {
  if (llvm::isPowerOf2_64(rhs))
    return bitAnd(lhs, constant(lhs.getType(), rhs - 1));
  return arith::RemUIOp::create(*this, lhs, constant(lhs.getType(), rhs));
}

Value KernelBuilder::fma(Value lhs, Value rhs, Value addend) {
  unify(lhs, rhs);
  unify(lhs, addend);
  unify(rhs, addend);
  return math::FmaOp::create(*this, lhs, rhs, addend);
}

Value KernelBuilder::neg(Value value) {
  return arith::NegFOp::create(*this, value);
}

Value KernelBuilder::abs(Value value) {
  return math::AbsFOp::create(*this, value);
}

Value KernelBuilder::sqrt(Value value) {
  return math::SqrtOp::create(*this, value);
}

Value KernelBuilder::extremum(Value lhs, Value rhs, bool wantMax) {
  unify(lhs, rhs);
  if (!isFloat(lhs))
    return wantMax ? Value(arith::MaxSIOp::create(*this, lhs, rhs))
                   : Value(arith::MinSIOp::create(*this, lhs, rhs));
  // Only with these flags one instruction on every target.
  auto flags = arith::FastMathFlags::nnan | arith::FastMathFlags::nsz;
  return wantMax ? Value(arith::MaxNumFOp::create(*this, lhs, rhs, flags))
                 : Value(arith::MinNumFOp::create(*this, lhs, rhs, flags));
}

Value KernelBuilder::min(Value lhs, Value rhs) {
  return extremum(lhs, rhs, /*wantMax=*/false);
}

Value KernelBuilder::max(Value lhs, Value rhs) {
  return extremum(lhs, rhs, /*wantMax=*/true);
}

Value KernelBuilder::atLeast(Value value, Value bound) {
  unify(value, bound);
  return select(cmp(arith::CmpFPredicate::OLT, value, bound), bound, value);
}

Value KernelBuilder::atMost(Value value, Value bound) {
  unify(value, bound);
  return select(cmp(arith::CmpFPredicate::OGT, value, bound), bound, value);
}

Value KernelBuilder::cmp(arith::CmpIPredicate predicate, Value lhs, Value rhs) {
  unify(lhs, rhs);
  return arith::CmpIOp::create(*this, predicate, lhs, rhs);
}

Value KernelBuilder::cmp(arith::CmpFPredicate predicate, Value lhs, Value rhs) {
  unify(lhs, rhs);
  return arith::CmpFOp::create(*this, predicate, lhs, rhs);
}

Value KernelBuilder::select(Value condition, Value ifTrue, Value ifFalse) {
  unify(ifTrue, ifFalse);
  return arith::SelectOp::create(*this, condition, ifTrue, ifFalse);
}

Value KernelBuilder::bitAnd(Value lhs, Value rhs) {
  unify(lhs, rhs);
  return arith::AndIOp::create(*this, lhs, rhs);
}

Value KernelBuilder::bitOr(Value lhs, Value rhs) {
  unify(lhs, rhs);
  return arith::OrIOp::create(*this, lhs, rhs);
}

Value KernelBuilder::shiftLeft(Value value, int64_t bits) {
  return arith::ShLIOp::create(*this, value, constant(value.getType(), bits));
}

Value KernelBuilder::shiftRight(Value value, int64_t bits) {
  return arith::ShRUIOp::create(*this, value, constant(value.getType(), bits));
}

Value KernelBuilder::bitcast(Value value, Type element) {
  return arith::BitcastOp::create(*this, vectorOf(element, width(value)),
                                  value);
}

Value KernelBuilder::toI64(Value value) {
  unsigned bits = value.getType().getIntOrFloatBitWidth();
  if (bits == 64)
    return value;
  if (bits > 64)
    return arith::TruncIOp::create(*this, getI64Type(), value);
  return arith::ExtSIOp::create(*this, getI64Type(), value);
}

Value KernelBuilder::broadcast(Value scalar) {
  return broadcast(scalar, lanes());
}

Value KernelBuilder::broadcast(Value scalar, int64_t count) {
  return vector::BroadcastOp::create(*this, vectorOf(scalar.getType(), count),
                                     scalar);
}

Value KernelBuilder::lane(Value vector, int64_t index) {
  return vector::ExtractOp::create(*this, vector, index);
}

Value KernelBuilder::shuffle(Value first, Value second,
                             ArrayRef<int64_t> mask) {
  return vector::ShuffleOp::create(*this, first, second, mask);
}

Value KernelBuilder::reduce(Value vector,
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

Value KernelBuilder::reduceAdd(Value vector) {
  return reduce(vector, [&](Value lhs, Value rhs) { return add(lhs, rhs); });
}

Value KernelBuilder::reduceMax(Value vector) {
  return reduce(vector, [&](Value lhs, Value rhs) { return max(lhs, rhs); });
}

Value KernelBuilder::laneNumbers(int64_t count) {
  auto numbers = llvm::to_vector(llvm::seq<int32_t>(0, count));
  return arith::ConstantOp::create(*this, getI32VectorAttr(numbers));
}

Value KernelBuilder::laneMask(Value count, int64_t lanes) {
  Value narrow = arith::TruncIOp::create(*this, getI32Type(), count);
  return cmp(arith::CmpIPredicate::slt, laneNumbers(lanes), narrow);
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

KernelBuilder::Values
KernelBuilder::forLoop(Value lower, Value upper, Value step, ValueRange inits,
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

void KernelBuilder::forLoop(Value lower, Value upper, Value step,
                            function_ref<void(Value)> body) {
  forLoop(lower, upper, step, ValueRange(), [&](Value index, ValueRange) {
    body(index);
    return Values();
  });
}

void KernelBuilder::forLoop(int64_t count, int64_t step,
                            function_ref<void(Value)> body) {
  if (count <= 0)
    return;
  if (count <= step)
    return body(i64(0));
  forLoop(i64(0), i64(count), i64(step), body);
}

void KernelBuilder::forVectors(int64_t count,
                               function_ref<void(Value, Value)> body) {
  int64_t whole = count / lanes() * lanes();
  forLoop(whole, lanes(), [&](Value offset) { body(offset, {}); });
  if (whole < count)
    body(i64(whole), i64(count - whole));
}

void KernelBuilder::forTiles(int64_t count, int64_t width,
                             function_ref<void(Value, int64_t, Value)> body) {
  int64_t tile = width * lanes(), whole = count / tile * tile;
  forLoop(whole, tile, [&](Value offset) { body(offset, width, {}); });
  int64_t rest = count - whole;
  if (rest == 0)
    return;
  int64_t last = rest % lanes();
  body(i64(whole), llvm::divideCeil(rest, lanes()), last ? i64(last) : Value());
}

void KernelBuilder::ifThen(Value condition, function_ref<void()> body) {
  ifElse(condition, body, nullptr);
}

void KernelBuilder::ifElse(Value condition, function_ref<void()> ifTrue,
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

KernelBuilder::Values KernelBuilder::ifElse(Value condition, TypeRange types,
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
