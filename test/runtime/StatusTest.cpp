//===- StatusTest.cpp - Errors as values ----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Status.h"

#include <gtest/gtest.h>

#include <memory>

using namespace ssmrt;

namespace {

TEST(Status, success_has_no_message) {
  EXPECT_TRUE(Status().ok());
  EXPECT_TRUE(static_cast<bool>(Status()));
}

TEST(Status, failure_always_has_a_message) {
  EXPECT_EQ(error("file: broken").message, "file: broken");
  EXPECT_FALSE(error("file: broken"));
  EXPECT_FALSE(error(""));
}

TEST(Expected, holds_move_only_values) {
  Expected<std::unique_ptr<int>> value = std::make_unique<int>(3);
  ASSERT_TRUE(value);
  EXPECT_TRUE(value.status().ok());
  std::unique_ptr<int> taken = *std::move(value);
  EXPECT_EQ(*taken, 3);
}

TEST(Expected, holds_the_failure) {
  Expected<std::string> value = error("no text");
  ASSERT_FALSE(value);
  EXPECT_EQ(value.status().message, "no text");
}

TEST(Expected, success_without_a_value_is_a_failure) {
  EXPECT_FALSE(Expected<int>(Status()));
}

} // namespace
