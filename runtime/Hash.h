//===- Hash.h - 64-bit hash of bytes --------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ssmrt {

/// Spreads the bits of `value` over all of the result (the finalizer of
/// SplitMix64, after G. L. Steele et al., OOPSLA 2014).
constexpr uint64_t mixBits(uint64_t value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

/// FNV-1a, continued from `seed`.
constexpr uint64_t hashBytes(std::string_view bytes,
                             uint64_t seed = 0xCBF29CE484222325) {
  uint64_t hash = seed;
  for (char byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001B3;
  }
  return hash;
}

/// Sixteen hexadecimal digits.
inline std::string toHex(uint64_t value) {
  std::string digits(16, '0');
  for (int i = 15; i >= 0; --i, value >>= 4)
    digits[i] = "0123456789abcdef"[value & 15];
  return digits;
}

} // namespace ssmrt
