//===- SmallFloat.cpp - Formats of 16 bits and below ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/SmallFloat.h"

namespace ssmrt::ptx {

namespace {

/// `scaled` to an integer.
double roundInteger(double scaled, bool negative, Rounding rounding) {
  switch (rounding) {
  case Rounding::Nearest:
    return std::nearbyint(scaled);
  case Rounding::Zero:
    return std::floor(scaled);
  case Rounding::Down:
    return negative ? std::ceil(scaled) : std::floor(scaled);
  case Rounding::Up:
    return negative ? std::floor(scaled) : std::ceil(scaled);
  case Rounding::NearestAway:
    return std::floor(scaled + 0.5);
  }
  return scaled;
}

} // namespace

uint32_t encode(double value, const FloatFormat &format, Rounding rounding,
                bool saturate) {
  const int bits = 1 + format.exponentBits + format.mantissaBits;
  const uint32_t sign = std::signbit(value) ? uint32_t(1) << (bits - 1) : 0;
  const uint32_t allOnes = (uint32_t(1) << (bits - 1)) - 1;
  const uint32_t infinity = ((uint32_t(1) << format.exponentBits) - 1)
                            << format.mantissaBits;
  // The largest number: below infinity, or below the one NaN of e4m3.
  const uint32_t largest = format.hasInfinity ? infinity - 1 : allOnes - 1;
  if (std::isnan(value))
    return allOnes;
  double magnitude = std::fabs(value);
  const int bias = (1 << (format.exponentBits - 1)) - 1;
  uint32_t result = 0;
  if (std::isinf(magnitude)) {
    result = largest + 1;
  } else if (magnitude > 0) {
    int exponent = 0;
    std::frexp(magnitude, &exponent); // magnitude in [2^(e-1), 2^e)
    int biased = exponent - 1 + bias;
    if (biased < 1)
      biased = 1; // subnormal numbers share the exponent of the smallest
    const double scaled =
        std::ldexp(magnitude, format.mantissaBits - (biased - bias));
    const double rounded = roundInteger(scaled, sign != 0, rounding);
    // A carry out of the mantissa increments the exponent by itself.
    const double code =
        std::ldexp(double(biased - 1), format.mantissaBits) + rounded;
    result = code > largest ? largest + 1 : static_cast<uint32_t>(code);
  }
  if (result > largest) {
    const bool towardZero = rounding == Rounding::Zero ||
                            (rounding == Rounding::Down && sign == 0) ||
                            (rounding == Rounding::Up && sign != 0);
    result = saturate || (towardZero && !std::isinf(magnitude)) ? largest
             : format.hasInfinity                               ? infinity
                                                                : allOnes;
  }
  return sign | result;
}

double decode(uint32_t bits, const FloatFormat &format) {
  const uint32_t mantissa = bits & ((uint32_t(1) << format.mantissaBits) - 1);
  const uint32_t ones = (uint32_t(1) << format.exponentBits) - 1;
  const uint32_t exponent = bits >> format.mantissaBits & ones;
  const bool negative = bits >> (format.mantissaBits + format.exponentBits) & 1;
  const int bias = (1 << (format.exponentBits - 1)) - 1;
  double value;
  if (exponent == ones && format.hasInfinity)
    value = mantissa ? NAN : INFINITY;
  else if (exponent == ones && !format.hasInfinity &&
           mantissa == (uint32_t(1) << format.mantissaBits) - 1)
    value = NAN;
  else if (exponent == 0)
    value = std::ldexp(double(mantissa), 1 - bias - format.mantissaBits);
  else
    value = std::ldexp(double(mantissa | uint32_t(1) << format.mantissaBits),
                       static_cast<int>(exponent) - bias - format.mantissaBits);
  return negative ? -value : value;
}

} // namespace ssmrt::ptx
