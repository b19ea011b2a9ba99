//===- Json.h - JSON fields with messages ---------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Reading code states what it expects field by field and asks once at the end
// whether all of it was there: the first failure is kept, later reads return
// harmless values.

#pragma once

#include "runtime/Status.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ssmrt {

using Json = nlohmann::json;

/// Parses `text`; the failure names `place`. A key that occurs twice in an
/// object is a failure, and so is nesting deeper than 64 levels.
Expected<Json> parseJson(std::string_view text, const std::string &place);

/// The text of `value`, with U+FFFD for bytes that are not UTF-8.
std::string printJson(const Json &value, int indent = -1);

/// Collects the first failure of a document's readers.
class JsonErrors {
public:
  void report(const std::string &place, const std::string &message);
  bool ok() const { return first.ok(); }
  Status status() const { return first; }

private:
  Status first;
};

/// A value of a document and its place, e.g. "plan: bodies[2].step".
class JsonReader {
public:
  JsonReader(const Json &value, JsonErrors &errors, std::string place);

  /// The value of a key; a failure if it is missing.
  JsonReader field(std::string_view key) const;
  bool has(std::string_view key) const;

  /// Length of an array. A failure and 0 for other values.
  size_t size() const;
  JsonReader at(size_t index) const;

  bool isArray() const;
  bool isString() const;
  bool isInteger() const;

  int64_t integer(int64_t least = std::numeric_limits<int64_t>::min(),
                  int64_t most = std::numeric_limits<int64_t>::max()) const;
  double number() const;
  std::string string() const;
  std::vector<int64_t> integers(int64_t least, int64_t most) const;

  /// Reports that this value is not what it should be.
  void fail(const std::string &message) const;

  const Json &json() const { return *value; }
  JsonErrors &errorsOf() const { return *errors; }

private:
  const Json *value;
  JsonErrors *errors;
  std::string place;
};

} // namespace ssmrt
