//===- VectorMath.cpp - Elementary functions on vectors -------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/VectorMath.h"

#include <limits>

using namespace mlir;
using namespace ssm;

/// (2^r - 1) / r on [-1/2, 1/2], lowest power first.
static constexpr double kExp2Degree5[] = {
    0.693146978, 0.240222421, 0.0555073374, 0.00967151264, 0.0013264729};
static constexpr double kExp2Degree6[] = {0.693147203,   0.240226479,
                                          0.0555033247,  0.00961843735,
                                          0.00133988744, 0.000153533628};
/// (log(1 + f) - f + f^2/2) / f^3 on [-1/4, 1/2].
static constexpr double kLog1p[] = {0.333333399,  -0.250001653, 0.199996049,
                                    -0.166552967, 0.14276239,   -0.127277784,
                                    0.117006585,  -0.09116186,  0.0376728967};
/// (tanh(x) / x - 1) / x^2 in x^2, |x| <= 0.625.
static constexpr double kTanh[] = {-0.333333308, 0.13333206,     -0.053946763,
                                   0.021700703,  -0.00817739787, 0.00214296156};
static constexpr double kTanhSplit = 0.625;
/// erf(x) / x - 1 in x^2, |x| <= kErfSplit.
static constexpr double kErfSmall[] = {0.128379148,   -0.376124847,
                                       0.112817205,   -0.0267631036,
                                       0.00498797364, -0.000596409751};
/// -log(1 - erf(x)) / x - 1, kErfSplit <= x <= 4.
static constexpr double kErfLarge[] = {
    0.12865292,    0.635133349,     0.106266558,  -0.0237875996,
    0.00365452056, -0.000325767453, 1.15271316e-5};
static constexpr double kErfSplit = 475.0 / 512;

/// sin(2 pi x) / x and (cos(2 pi x) - 1) / x^2 in x^2, |x| <= 1/8.
static constexpr double kSinOfTurns[] = {6.28318529, -41.3416615, 81.5923536,
                                         -75.393563};
static constexpr double kCosOfTurns[] = {-19.7392087, 64.9393218, -85.4432363,
                                         59.2292442};

/// Added to a float below 2^22 it leaves the nearest integer in the last bits.
static constexpr double kRoundingNumber = 12582912.0; // 1.5 * 2^23

static Value like(CodeBuilder &b, Value value, double number) {
  return b.constant(value.getType(), number);
}

static Value polynomial(CodeBuilder &b, ArrayRef<double> coefficients,
                        Value x) {
  Value sum = like(b, x, coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = b.fma(sum, x, like(b, x, coefficient));
  return sum;
}

/// 2^r times 2^n: r in [-1/2, 1/2], n in the last bits of `shifted`.
static Value scaledExp2(CodeBuilder &b, ArrayRef<double> coefficients, Value r,
                        Value shifted) {
  Value power = b.fma(polynomial(b, coefficients, r), r, like(b, r, 1.0));
  Value exponent = b.shiftLeft(b.bitcast(shifted, b.getI32Type()), 23);
  Value bits =
      arith::AddIOp::create(b, b.bitcast(power, b.getI32Type()), exponent);
  return b.bitcast(bits, b.getF32Type());
}

Value ssm::exp2NonPositive(CodeBuilder &b, Value x, int degree) {
  // At the bound r is 0 and the power 1, so the sum of the exponents is zero.
  Value bounded = b.atLeast(x, like(b, x, -127.0));
  Value rounding = like(b, x, kRoundingNumber);
  Value shifted = b.add(bounded, rounding);
  Value r = b.sub(bounded, b.sub(shifted, rounding));
  if (degree == 5)
    return scaledExp2(b, kExp2Degree5, r, shifted);
  return scaledExp2(b, kExp2Degree6, r, shifted);
}

Value ssm::exp2(CodeBuilder &b, Value x, int degree) {
  // At this bound the sum of the exponents is that of infinity.
  return exp2NonPositive(b, b.atMost(x, like(b, x, 128.0)), degree);
}

Value ssm::exp(CodeBuilder &b, Value x) {
  // Bounds just inside -127 log 2 and 128 log 2: the result is the smallest and
  // the largest number.
  Value bounded =
      b.atMost(b.atLeast(x, like(b, x, -88.029686)), like(b, x, 88.722831));
  Value rounding = like(b, x, kRoundingNumber);
  Value shifted = b.fma(bounded, like(b, x, 1.44269504), rounding);
  Value n = b.sub(shifted, rounding);
  // x log2(e) - n, with log2(e) in two parts.
  Value r = b.fma(bounded, like(b, x, 1.44269502), b.neg(n));
  r = b.fma(bounded, like(b, x, 1.92596299e-8), r);
  return scaledExp2(b, kExp2Degree6, r, shifted);
}

Value ssm::log1p(CodeBuilder &b, Value x) {
  // 1 + x = 2^k (1 + f), f in [-1/4, 1/2]: f = 2^-k x + (2^-k - 1) has one
  // rounding, because 2^-k x only changes the exponent of x.
  Type i32 = b.getI32Type();
  Value one = like(b, x, 1.0);
  Value u = b.bitcast(b.add(x, one), i32);
  Type bits = u.getType();
  Value excess = arith::SubIOp::create(b, u, b.constant(bits, 0x3f400000));
  Value exponent = b.bitAnd(excess, b.constant(bits, -0x800000));
  Value scaled = b.bitcast(
      arith::SubIOp::create(b, b.bitcast(x, i32), exponent), b.getF32Type());
  // 4 * 2^-k, a normal number for every k.
  Value scale = b.bitcast(
      arith::SubIOp::create(b, b.constant(bits, 0x40800000), exponent),
      b.getF32Type());
  Value f = b.add(scaled, b.fma(scale, like(b, x, 0.25), like(b, x, -1.0)));
  Value square = b.mul(f, f);
  Value tail = b.fma(polynomial(b, kLog1p, f), f, like(b, x, -0.5));
  Value logarithm = b.fma(tail, square, f);
  // k, from its place in the exponent.
  Value k = arith::SIToFPOp::create(b, x.getType(), exponent);
  Value sum = b.fma(k, like(b, x, 0.69314718055994531 / (1 << 23)), logarithm);
  // Infinity and NaN are their own logarithms.
  Value isFinite = b.cmp(arith::CmpFPredicate::OLT, x,
                         like(b, x, std::numeric_limits<double>::infinity()));
  return b.select(isFinite, sum, x);
}

/// Magnitude and sign of `x` put together again.
static Value withSign(CodeBuilder &b, Value magnitude, Value x) {
  Type i32 = b.getI32Type();
  Value bits = b.bitcast(x, i32);
  Value sign = b.bitAnd(bits, b.constant(bits.getType(), INT32_MIN));
  return b.bitcast(b.bitOr(b.bitcast(magnitude, i32), sign), b.getF32Type());
}

Value ssm::tanh(CodeBuilder &b, Value x) {
  Value square = b.mul(x, x);
  Value small = b.fma(b.mul(polynomial(b, kTanh, square), square), x, x);
  // 1 - 2 / (e^2|x| + 1)
  Value magnitude = b.abs(x);
  Value power = exp(b, b.add(magnitude, magnitude));
  Value one = like(b, x, 1.0);
  Value large = b.sub(one, b.div(like(b, x, 2.0), b.add(power, one)));
  Value isSmall =
      b.cmp(arith::CmpFPredicate::OLT, magnitude, like(b, x, kTanhSplit));
  return b.select(isSmall, small, withSign(b, large, x));
}

Value ssm::erf(CodeBuilder &b, Value x) {
  Value square = b.mul(x, x);
  Value small = b.fma(polynomial(b, kErfSmall, square), x, x);
  Value magnitude = b.atMost(b.abs(x), like(b, x, 4.0));
  Value tail = b.fma(polynomial(b, kErfLarge, magnitude), magnitude, magnitude);
  Value large = b.sub(like(b, x, 1.0), exp(b, b.neg(tail)));
  Value isSmall =
      b.cmp(arith::CmpFPredicate::OLT, magnitude, like(b, x, kErfSplit));
  return b.select(isSmall, small, withSign(b, large, x));
}

std::pair<Value, Value> ssm::sinCosOfTurns(CodeBuilder &b, Value turns) {
  // The nearest multiple of a quarter turn, and what is left: exact integers.
  auto integer = [&](int64_t value) {
    return b.constant(turns.getType(), value);
  };
  Value rounded = arith::AddIOp::create(b, turns, integer(1 << 29));
  Value quarter = b.shiftRight(rounded, 30);
  Value rest = arith::SubIOp::create(b, turns, b.shiftLeft(quarter, 30));
  Type floats = b.bitcast(rest, b.getF32Type()).getType();
  Value x = b.mul(arith::SIToFPOp::create(b, floats, rest),
                  b.constant(floats, 0x1p-32));
  Value square = b.mul(x, x);
  Value sine = b.mul(polynomial(b, kSinOfTurns, square), x);
  Value cosine =
      b.fma(polynomial(b, kCosOfTurns, square), square, like(b, x, 1.0));
  Value isOdd = b.cmp(arith::CmpIPredicate::ne, b.bitAnd(quarter, integer(1)),
                      integer(0));
  // Sine is negative in quarters 2 and 3, cosine in 1 and 2.
  auto negateIf = [&](Value value, Value quarter) {
    Value sign = b.shiftLeft(b.bitAnd(quarter, integer(2)), 30);
    Value bits = b.bitcast(value, b.getI32Type());
    return b.bitcast(arith::XOrIOp::create(b, bits, sign), b.getF32Type());
  };
  return {negateIf(b.select(isOdd, cosine, sine), quarter),
          negateIf(b.select(isOdd, sine, cosine), b.add(quarter, integer(1)))};
}

Value ssm::rsqrt(CodeBuilder &b, Value x) {
  return b.div(like(b, x, 1.0), b.sqrt(x));
}
