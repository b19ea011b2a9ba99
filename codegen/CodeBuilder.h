//===- CodeBuilder.h - Short forms for scalar and vector code -------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the kernels of all targets consist of: arithmetic on scalars and
// one-dimensional vectors, structured control flow, and copies of the scalar
// regions of kern operations.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace ssm {

/// An OpBuilder with short forms for what kernels consist of. Arithmetic works
/// on scalars and vectors alike and picks the float or integer operation by
/// type; an operand that is a scalar beside a vector is broadcast.
class CodeBuilder : public mlir::ImplicitLocOpBuilder {
public:
  explicit CodeBuilder(mlir::Location loc);
  virtual ~CodeBuilder() = default;

  //===--------------------------------------------------------------------===//
  // Types and constants
  //===--------------------------------------------------------------------===//

  /// `count` elements; a scalar when `count` is 0.
  mlir::Type vectorOf(mlir::Type element, int64_t count);
  mlir::Value i64(int64_t value);
  mlir::Value i32(int64_t value);
  mlir::Value f32(double value);
  /// Constant of a float or integer type, splat for a vector.
  mlir::Value constant(mlir::Type type, double value);
  mlir::Value constant(mlir::Type type, int64_t value);
  mlir::Value constant(mlir::Type type, int value) {
    return constant(type, static_cast<int64_t>(value));
  }

  //===--------------------------------------------------------------------===//
  // Arithmetic
  //===--------------------------------------------------------------------===//

  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs);
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs);
  mlir::Value add(mlir::Value lhs, int64_t rhs) {
    return add(lhs, constant(lhs.getType(), rhs));
  }
  mlir::Value sub(mlir::Value lhs, int64_t rhs) {
    return sub(lhs, constant(lhs.getType(), rhs));
  }
  mlir::Value mul(mlir::Value lhs, int64_t rhs) {
    return mul(lhs, constant(lhs.getType(), rhs));
  }
  /// Float quotient.
  mlir::Value div(mlir::Value lhs, mlir::Value rhs);
  /// Quotient and remainder of integers that are not negative; shifts and masks
  /// for powers of two.
  mlir::Value div(mlir::Value lhs, int64_t rhs);
  mlir::Value rem(mlir::Value lhs, int64_t rhs);
  /// lhs * rhs + addend in one rounding.
  mlir::Value fma(mlir::Value lhs, mlir::Value rhs, mlir::Value addend);
  mlir::Value neg(mlir::Value value);
  mlir::Value abs(mlir::Value value);
  mlir::Value sqrt(mlir::Value value);
  /// One instruction each; for floats what a NaN gives is not defined.
  mlir::Value min(mlir::Value lhs, mlir::Value rhs);
  mlir::Value max(mlir::Value lhs, mlir::Value rhs);
  /// max and min of a value and a bound, where a NaN in `value` stays one.
  mlir::Value atLeast(mlir::Value value, mlir::Value bound);
  mlir::Value atMost(mlir::Value value, mlir::Value bound);
  mlir::Value cmp(mlir::arith::CmpIPredicate predicate, mlir::Value lhs,
                  mlir::Value rhs);
  mlir::Value cmp(mlir::arith::CmpFPredicate predicate, mlir::Value lhs,
                  mlir::Value rhs);
  mlir::Value select(mlir::Value condition, mlir::Value ifTrue,
                     mlir::Value ifFalse);
  mlir::Value bitAnd(mlir::Value lhs, mlir::Value rhs);
  mlir::Value bitOr(mlir::Value lhs, mlir::Value rhs);
  mlir::Value shiftLeft(mlir::Value value, int64_t bits);
  mlir::Value shiftRight(mlir::Value value, int64_t bits); // logical
  /// Same bits, as `element` (scalar type) in each lane.
  mlir::Value bitcast(mlir::Value value, mlir::Type element);
  /// Sign extension (or truncation) of an integer to i64.
  mlir::Value toI64(mlir::Value value);

  mlir::Value broadcast(mlir::Value scalar, int64_t count);
  /// Lane `index` of a vector.
  mlir::Value lane(mlir::Value vector, int64_t index);
  /// `vector` with `scalar` in lane `index`.
  mlir::Value insert(mlir::Value scalar, mlir::Value vector, int64_t index);
  mlir::Value shuffle(mlir::Value first, mlir::Value second,
                      llvm::ArrayRef<int64_t> mask);
  /// Sum or maximum of all lanes: halves are combined lane by lane until one is
  /// left, so the order is fixed.
  mlir::Value reduceAdd(mlir::Value vector);
  mlir::Value reduceMax(mlir::Value vector);
  /// Vector i32 <0, 1, ...>.
  mlir::Value laneNumbers(int64_t count);
  /// Mask vector i1: lane number < `count` (i64).
  mlir::Value laneMask(mlir::Value count, int64_t lanes);

  //===--------------------------------------------------------------------===//
  // Control flow
  //===--------------------------------------------------------------------===//

  using Values = llvm::SmallVector<mlir::Value>;
  /// for (i = lower; i < upper; i += step) with loop-carried values.
  Values
  forLoop(mlir::Value lower, mlir::Value upper, mlir::Value step,
          mlir::ValueRange inits,
          llvm::function_ref<Values(mlir::Value, mlir::ValueRange)> body);
  void forLoop(mlir::Value lower, mlir::Value upper, mlir::Value step,
               llvm::function_ref<void(mlir::Value)> body);
  void forLoop(mlir::Value lower, mlir::Value upper, int64_t step,
               llvm::function_ref<void(mlir::Value)> body) {
    forLoop(lower, upper, constant(lower.getType(), step), body);
  }
  /// A loop over 0..count of known length; one pass needs no loop.
  void forLoop(int64_t count, int64_t step,
               llvm::function_ref<void(mlir::Value)> body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
  void ifElse(mlir::Value condition, llvm::function_ref<void()> ifTrue,
              llvm::function_ref<void()> ifFalse);
  Values ifElse(mlir::Value condition, mlir::TypeRange types,
                llvm::function_ref<Values()> ifTrue,
                llvm::function_ref<Values()> ifFalse);

  //===--------------------------------------------------------------------===//
  // Regions
  //===--------------------------------------------------------------------===//

  /// Clones a scalar region of a kern operation onto `arguments` (all scalars
  /// or all vectors of one length) and returns what it yields. Operations of
  /// `math` become the expansions of VectorMath.h.
  mlir::Value cloneRegion(mlir::Region &region,
                          llvm::ArrayRef<mlir::Value> arguments);

  //===--------------------------------------------------------------------===//
  // What targets have instructions for
  //===--------------------------------------------------------------------===//

  /// 2^x and e^x as a target computes them best; by default the polynomials of
  /// VectorMath.h.
  virtual mlir::Value exp2(mlir::Value x);
  virtual mlir::Value exp(mlir::Value x);

protected:
  void unify(mlir::Value &lhs, mlir::Value &rhs);

private:
  mlir::Value extremum(mlir::Value lhs, mlir::Value rhs, bool wantMax);
  mlir::Value reduce(mlir::Value vector,
                     llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)>);
  mlir::Value cloneOperation(mlir::Operation &op,
                             llvm::ArrayRef<mlir::Value> operands,
                             int64_t width);
};

} // namespace ssm
