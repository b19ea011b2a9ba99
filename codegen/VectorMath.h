//===- VectorMath.h - Elementary functions on vectors ---------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Polynomial expansions on f32 scalars and vectors: no call leaves the kernel.
// The coefficients come from tools/scripts/minimax.py;
// test/codegen/MathTest.cpp holds the errors stated here. NaN stays NaN;
// subnormal results may be off.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/CodeBuilder.h"

namespace ssm {

/// 2^x. `degree` 5: 2.6 ulp, 6: 1.5 ulp. Exactly 0 below -127 and infinity from
/// 128 on.
mlir::Value exp2(CodeBuilder &builder, mlir::Value x, int degree = 6);

/// The same for x that is not positive, one instruction shorter.
mlir::Value exp2NonPositive(CodeBuilder &builder, mlir::Value x,
                            int degree = 6);

/// e^x, 2 ulp; the largest number instead of infinity.
mlir::Value exp(CodeBuilder &builder, mlir::Value x);

/// log(1 + x) for x > -1, 2 ulp.
mlir::Value log1p(CodeBuilder &builder, mlir::Value x);

/// Hyperbolic tangent, 3 ulp.
mlir::Value tanh(CodeBuilder &builder, mlir::Value x);

/// Error function, 3 ulp.
mlir::Value erf(CodeBuilder &builder, mlir::Value x);

/// Sine and cosine of an angle of `turns` (i32) / 2^32 turns, absolute error
/// 1e-7.
std::pair<mlir::Value, mlir::Value> sinCosOfTurns(CodeBuilder &builder,
                                                  mlir::Value turns);

/// 1 / sqrt(x) by square root and division, 1 ulp.
mlir::Value rsqrt(CodeBuilder &builder, mlir::Value x);

} // namespace ssm
