//===- DType.cpp - Element types and their conversions --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Conversions work on bits: callers may run with denormals flushed to zero.

#include "runtime/DType.h"

#include <cstring>

namespace ssmrt {

namespace {

struct TypeRow {
  DType type;
  std::string_view name;
  int64_t size;
};

constexpr TypeRow kTypes[] = {
    {DType::Bool, "BOOL", 1},      {DType::U8, "U8", 1},
    {DType::I8, "I8", 1},          {DType::F8E4M3, "F8_E4M3", 1},
    {DType::F8E5M2, "F8_E5M2", 1}, {DType::U16, "U16", 2},
    {DType::I16, "I16", 2},        {DType::F16, "F16", 2},
    {DType::BF16, "BF16", 2},      {DType::U32, "U32", 4},
    {DType::I32, "I32", 4},        {DType::F32, "F32", 4},
    {DType::U64, "U64", 8},        {DType::I64, "I64", 8},
    {DType::F64, "F64", 8},
};

constexpr uint32_t kSignBit = 0x80000000;
constexpr uint32_t kInfinity = 0x7F800000;

bool isNan(uint32_t bits) { return (bits & ~kSignBit) > kInfinity; }

/// Whether `narrow` stands for exactly `wide`; for a NaN, any NaN does.
bool isSame(uint32_t wide, uint32_t narrow) {
  return wide == narrow || (isNan(wide) && isNan(narrow));
}

} // namespace

int64_t sizeOf(DType type) { return kTypes[static_cast<int>(type)].size; }

std::string_view nameOf(DType type) {
  return kTypes[static_cast<int>(type)].name;
}

std::optional<DType> findDType(std::string_view name) {
  for (const TypeRow &row : kTypes)
    if (row.name == name)
      return row.type;
  return std::nullopt;
}

std::optional<DType> findWeightType(std::string_view name) {
  if (name == "f32")
    return DType::F32;
  if (name == "bf16")
    return DType::BF16;
  if (name == "f16")
    return DType::F16;
  return std::nullopt;
}

bool isWeightType(DType type) {
  return type == DType::F32 || type == DType::BF16 || type == DType::F16;
}

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

float bf16ToFloat(uint16_t bits) { return floatOf(uint32_t{bits} << 16); }

float f16ToFloat(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  uint32_t exponent = (bits >> 10) & 31;
  uint32_t fraction = bits & 1023;
  if (exponent == 31)
    return floatOf(sign | kInfinity | fraction << 13);
  if (exponent == 0) {
    if (fraction == 0)
      return floatOf(sign);
    // A denormal number of f16 is a normal one of f32.
    const int shift = __builtin_clz(fraction) - 21;
    fraction = (fraction << shift) & 1023;
    exponent = static_cast<uint32_t>(1 - shift);
  }
  return floatOf(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t floatToBf16(float value) {
  uint32_t bits = bitsOf(value);
  if (isNan(bits))
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  bits += 0x7FFF + (bits >> 16 & 1);
  return static_cast<uint16_t>(bits >> 16);
}

uint16_t floatToF16(float value) {
  const uint32_t bits = bitsOf(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & ~kSignBit;
  if (magnitude > kInfinity)
    return sign | 0x7E00;
  const int exponent = static_cast<int>(magnitude >> 23) - 112;
  if (exponent >= 31)
    return sign | 0x7C00;
  // The significand with its leading one; below the normal range it is shifted
  // further. What is shifted out rounds to nearest even, and a carry walks into
  // the exponent as it should.
  uint32_t significand = (magnitude & 0x7FFFFF) | (exponent > 0 ? 0 : 0x800000);
  const int shift = exponent > 0 ? 13 : 14 - exponent;
  if (shift > 24)
    return sign;
  uint32_t result = significand >> shift;
  if (exponent > 0)
    result |= static_cast<uint32_t>(exponent) << 10;
  const uint32_t rest = significand & ((1u << shift) - 1);
  const uint32_t half = 1u << (shift - 1);
  if (rest > half || (rest == half && (result & 1)))
    ++result;
  return static_cast<uint16_t>(sign | result);
}

void widen(DType type, const void *source, int64_t count, float *target) {
  if (type == DType::F32) {
    std::memcpy(target, source, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  // Tensors of a file need not be aligned to their elements.
  const char *bytes = static_cast<const char *>(source);
  for (int64_t i = 0; i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, sizeof(bits));
    target[i] = type == DType::BF16 ? bf16ToFloat(bits) : f16ToFloat(bits);
  }
}

int64_t narrowExactly(DType type, const float *source, int64_t count,
                      void *target) {
  if (type == DType::F32) {
    std::memcpy(target, source, static_cast<size_t>(count) * sizeof(float));
    return -1;
  }
  int64_t inexact = -1;
  uint16_t *narrow = static_cast<uint16_t *>(target);
  for (int64_t i = 0; i < count; ++i) {
    const bool isBf16 = type == DType::BF16;
    narrow[i] = isBf16 ? floatToBf16(source[i]) : floatToF16(source[i]);
    const float widened =
        isBf16 ? bf16ToFloat(narrow[i]) : f16ToFloat(narrow[i]);
    if (inexact < 0 && !isSame(bitsOf(source[i]), bitsOf(widened)))
      inexact = i;
  }
  return inexact;
}

} // namespace ssmrt
