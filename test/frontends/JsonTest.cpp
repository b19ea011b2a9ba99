//===- JsonTest.cpp - JSON as model files write it ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/Json.h"

#include <cmath>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace ssm;

static std::string errorOf(llvm::StringRef text) {
  llvm::Expected<Json> json = parseJson(text, "f");
  return json ? "" : llvm::toString(json.takeError());
}

TEST(Json, NonFiniteWords) {
  llvm::Expected<Json> json = parseJson(
      R"({"a": [0.0, Infinity], "b": -Infinity, "c": NaN,
          "d": "Infinity, \" NaN", "e": {"__float__": "Infinity"}})",
      "f");
  ASSERT_TRUE(bool(json));
  EXPECT_EQ(numberOf((*json)["a"][1]), INFINITY);
  EXPECT_EQ(numberOf((*json)["b"]), -INFINITY);
  EXPECT_TRUE(std::isnan(*numberOf((*json)["c"])));
  EXPECT_EQ((*json)["d"], "Infinity, \" NaN");
  EXPECT_EQ(numberOf((*json)["e"]), INFINITY);
  EXPECT_FALSE(numberOf((*json)["d"]));
}

TEST(Json, Printing) {
  llvm::Expected<Json> json =
      parseJson(R"([0.5, Infinity, "x", {"a": 1}])", "f");
  ASSERT_TRUE(bool(json));
  EXPECT_EQ(printJson(*json), R"([0.5, Infinity, "x", {"a":1}])");
  EXPECT_EQ(printJson(std::string(100, 'x')),
            "\"" + std::string(59, 'x') + "...");
}

TEST(Json, NegativeDuplicateKey) {
  EXPECT_EQ(errorOf(R"({"a": 1, "b": {"a": 1}})"), "");
  EXPECT_EQ(errorOf(R"({"a": 1, "a": 1})"), "f: duplicate key \"a\"");
}

TEST(Json, NegativeSyntax) {
  EXPECT_NE(errorOf("{\n \"a\" 1}").find("f: not valid JSON"),
            std::string::npos);
  EXPECT_NE(errorOf("{\n \"a\" 1}").find("line 2"), std::string::npos);
  EXPECT_NE(errorOf(""), "");
  EXPECT_NE(errorOf(std::string(100, '[')), "");
  EXPECT_EQ(errorOf("{\"a\": 1e999}"),
            "f: not valid JSON: number overflow parsing '1e999'");
}
