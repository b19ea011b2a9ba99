//===- DType.h - Element types and their conversions ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ssmrt {

/// The element types of safetensors files.
enum class DType : uint8_t {
  Bool,
  U8,
  I8,
  F8E4M3,
  F8E5M2,
  U16,
  I16,
  F16,
  BF16,
  U32,
  I32,
  F32,
  U64,
  I64,
  F64
};

/// Bytes of one element.
int64_t sizeOf(DType type);

/// The name in a safetensors header, e.g. "BF16".
std::string_view nameOf(DType type);
std::optional<DType> findDType(std::string_view name);

/// The types of weights by their names in plans: "f32", "bf16", "f16".
std::optional<DType> findWeightType(std::string_view name);

/// Whether widen() knows the type: F32, F16, BF16.
bool isWeightType(DType type);

/// Converts `count` elements exactly to f32. `type` is a weight type.
void widen(DType type, const void *source, int64_t count, float *target);

/// Converts to a weight type and returns the index of the first value that the
/// type cannot hold exactly, or -1. Later values are converted all the same. A
/// NaN stays a NaN.
int64_t narrowExactly(DType type, const float *source, int64_t count,
                      void *target);

uint32_t bitsOf(float value);
float floatOf(uint32_t bits);
float bf16ToFloat(uint16_t bits);
float f16ToFloat(uint16_t bits);
/// Rounds to the nearest, ties to even.
uint16_t floatToBf16(float value);
uint16_t floatToF16(float value);

} // namespace ssmrt
