//===- SmallFloat.h - Formats of 16 bits and below ------------ -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace ssmrt::ptx {

enum class Rounding : uint8_t { Nearest, Zero, Down, Up, NearestAway };

inline uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
inline uint64_t bitsOf(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline double doubleOf(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

/// NaN as the machine writes it.
constexpr uint32_t kNan32 = 0x7fffffff;
constexpr uint16_t kNan16 = 0x7fff;

inline float bf16ToFloat(uint16_t bits) {
  return floatOf(uint32_t(bits) << 16);
}

inline uint16_t floatToBf16(float value) {
  const uint32_t bits = bitsOf(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return kNan16;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float f16ToFloat(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000) << 16;
  const uint32_t magnitude = bits & 0x7fff;
  if (magnitude >= 0x7c00) // infinity or NaN
    return floatOf(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  // A float whose exponent is 112 too small, subnormals included; the product
  // is exact.
  return floatOf(sign | bitsOf(floatOf(magnitude << 13) * 0x1p112f));
}

inline uint16_t floatToF16(float value) {
  const uint32_t bits = bitsOf(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return kNan16;
  if (magnitude >= 0x477ff000) // rounds to 65536 or more
    return static_cast<uint16_t>(sign | 0x7c00);
  if (magnitude < 0x38800000) { // subnormal: let the addition round
    const float shifted = floatOf(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (bitsOf(shifted) - 0x3f000000));
  }
  magnitude += 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | (magnitude - (112u << 23)) >> 13);
}

/// A binary format with a sign.
struct FloatFormat {
  int exponentBits = 0;
  int mantissaBits = 0;
  bool hasInfinity = true; ///< e4m3 has none and a single NaN
};
constexpr FloatFormat kF16 = {5, 10};
constexpr FloatFormat kBf16 = {8, 7};
constexpr FloatFormat kTf32 = {8, 10};
constexpr FloatFormat kF32 = {8, 23};
constexpr FloatFormat kE4m3 = {4, 3, false};
constexpr FloatFormat kE5m2 = {5, 2};

/// Encodes `value` with one rounding. Values too large become infinity, or the
/// largest number if `saturate`; NaN becomes all ones.
uint32_t encode(double value, const FloatFormat &format, Rounding rounding,
                bool saturate);
/// The value of `bits`.
double decode(uint32_t bits, const FloatFormat &format);

/// a * b + c of numbers with at most 24 significant bits, rounded to odd: a
/// later rounding to fewer bits is as good as one rounding of the exact value.
inline double fmaToOdd(double a, double b, double c) {
  const double product = a * b; // exact
  const double sum = product + c;
  if (!std::isfinite(sum))
    return sum;
  const double back = sum - product;
  const double rest = (product - (sum - back)) + (c - back);
  if (rest == 0 || (bitsOf(sum) & 1))
    return sum;
  return doubleOf(bitsOf(sum) + ((rest > 0) == (sum > 0) ? 1 : -1));
}

} // namespace ssmrt::ptx
