//===- DTypeTest.cpp - Tests of conversions -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/DType.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace ssmrt;

TEST(DType, f16_round_trips_all_values) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float wide = f16ToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(wide))
      EXPECT_TRUE(std::isnan(f16ToFloat(floatToF16(wide))));
    else
      EXPECT_EQ(floatToF16(wide), bits) << bits;
  }
}

TEST(DType, bf16_round_trips_all_values) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float wide = bf16ToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(wide))
      EXPECT_TRUE(std::isnan(bf16ToFloat(floatToBf16(wide))));
    else
      EXPECT_EQ(floatToBf16(wide), bits) << bits;
  }
}

TEST(DType, f16_known_values) {
  EXPECT_EQ(f16ToFloat(0x3C00), 1.0f);
  EXPECT_EQ(f16ToFloat(0x7BFF), 65504.0f);
  EXPECT_EQ(f16ToFloat(0x0001), std::ldexp(1.0f, -24));
  EXPECT_EQ(f16ToFloat(0x83FF), -std::ldexp(1023.0f, -24));
}

TEST(DType, rounds_to_nearest_even) {
  EXPECT_EQ(floatToBf16(floatOf(0x3F808000)), 0x3F80);
  EXPECT_EQ(floatToBf16(floatOf(0x3F818000)), 0x3F82);
  EXPECT_EQ(floatToBf16(floatOf(0x3F808001)), 0x3F81);
  EXPECT_EQ(floatToF16(1.0f + std::ldexp(1.0f, -11)), 0x3C00);
  EXPECT_EQ(floatToF16(1.0f + std::ldexp(3.0f, -11)), 0x3C02);
  EXPECT_EQ(floatToF16(65520.0f), 0x7C00);
  EXPECT_EQ(floatToF16(std::ldexp(1.0f, -25)), 0x0000);
  EXPECT_EQ(floatToF16(std::ldexp(1.5f, -25)), 0x0001);
  EXPECT_EQ(floatToF16(2047.0f * std::ldexp(1.0f, -25)), 0x0400);
}

TEST(DType, narrowing_reports_the_first_inexact_value) {
  const float values[] = {1.0f, 0.5f, 0.1f, 0.2f,
                          std::numeric_limits<float>::quiet_NaN()};
  uint16_t narrow[5];
  EXPECT_EQ(narrowExactly(DType::BF16, values, 5, narrow), 2);
  EXPECT_EQ(narrowExactly(DType::F16, values, 2, narrow), -1);
  EXPECT_EQ(narrowExactly(DType::F16, values + 4, 1, narrow), -1);
  float wide[5];
  EXPECT_EQ(narrowExactly(DType::F32, values, 5, wide), -1);
}
