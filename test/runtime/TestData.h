//===- TestData.h - Files below test/ -------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <nlohmann/json.hpp>

#include <fstream>
#include <string>

/// Path of a file below test/.
inline std::string testPath(const std::string &name) {
  return std::string(SSMC_TEST_DIR "/") + name;
}

/// A JSON file below test/; not an object if it cannot be read.
inline nlohmann::json readTestJson(const std::string &name) {
  std::ifstream file(testPath(name));
  return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
}
