//===- Json.cpp - JSON fields with messages -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Json.h"

#include <nlohmann/json.hpp>
#include <set>

namespace ssmrt {

namespace {

constexpr int kDeepestNesting = 64;

const Json &nullValue() {
  static const Json value;
  return value;
}

std::string describe(const Json &value) {
  std::string text = printJson(value);
  return text.size() > 40 ? text.substr(0, 40) + "..." : text;
}

} // namespace

Expected<Json> parseJson(std::string_view text, const std::string &place) {
  std::vector<std::set<std::string>> keys;
  std::string problem;
  auto callback = [&](int depth, Json::parse_event_t event, Json &parsed) {
    if (depth > kDeepestNesting && problem.empty())
      problem = "nested deeper than " + std::to_string(kDeepestNesting);
    if (event == Json::parse_event_t::object_start)
      keys.emplace_back();
    if (event == Json::parse_event_t::object_end && !keys.empty())
      keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.empty() &&
        !keys.back().insert(parsed.get_ref<const std::string &>()).second &&
        problem.empty())
      problem = "duplicate key " + describe(parsed);
    return problem.empty();
  };
  Json value = Json::parse(text.begin(), text.end(), callback, false);
  if (!problem.empty())
    return error(place + ": " + problem);
  if (value.is_discarded())
    return error(place + ": not valid JSON");
  return value;
}

std::string printJson(const Json &value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

void JsonErrors::report(const std::string &place, const std::string &message) {
  if (first.ok())
    first = error(place + ": " + message);
}

JsonReader::JsonReader(const Json &value, JsonErrors &errors, std::string place)
    : value(&value), errors(&errors), place(std::move(place)) {}

JsonReader JsonReader::field(std::string_view key) const {
  const std::string name(key);
  if (value->is_object()) {
    auto found = value->find(name);
    if (found != value->end())
      return JsonReader(*found, *errors, place + "." + name);
    fail("missing key '" + name + "'");
  } else {
    fail("got " + describe(*value) + ", expected an object");
  }
  return JsonReader(nullValue(), *errors, place + "." + name);
}

bool JsonReader::has(std::string_view key) const {
  return value->is_object() && value->find(std::string(key)) != value->end();
}

size_t JsonReader::size() const {
  if (value->is_array())
    return value->size();
  fail("got " + describe(*value) + ", expected an array");
  return 0;
}

JsonReader JsonReader::at(size_t index) const {
  std::string inner = place + "[" + std::to_string(index) + "]";
  if (value->is_array() && index < value->size())
    return JsonReader((*value)[index], *errors, std::move(inner));
  fail("got " + describe(*value) + ", expected more than " +
       std::to_string(index) + " elements");
  return JsonReader(nullValue(), *errors, std::move(inner));
}

bool JsonReader::isArray() const { return value->is_array(); }
bool JsonReader::isString() const { return value->is_string(); }
bool JsonReader::isInteger() const { return value->is_number_integer(); }

int64_t JsonReader::integer(int64_t least, int64_t most) const {
  if (value->is_number_unsigned()) {
    uint64_t number = value->get<uint64_t>();
    if (most >= 0 && number <= static_cast<uint64_t>(most) &&
        (least <= 0 || number >= static_cast<uint64_t>(least)))
      return static_cast<int64_t>(number);
  } else if (value->is_number_integer()) {
    int64_t number = value->get<int64_t>();
    if (number >= least && number <= most)
      return number;
  }
  std::string expected = "an integer";
  if (least != std::numeric_limits<int64_t>::min())
    expected += " from " + std::to_string(least);
  if (most != std::numeric_limits<int64_t>::max())
    expected += " to " + std::to_string(most);
  fail("got " + describe(*value) + ", expected " + expected);
  return least > 0 ? least : 0;
}

double JsonReader::number() const {
  if (value->is_number())
    return value->get<double>();
  fail("got " + describe(*value) + ", expected a number");
  return 0;
}

std::string JsonReader::string() const {
  if (value->is_string())
    return value->get<std::string>();
  fail("got " + describe(*value) + ", expected a string");
  return {};
}

std::vector<int64_t> JsonReader::integers(int64_t least, int64_t most) const {
  std::vector<int64_t> numbers;
  for (size_t i = 0, end = size(); i < end; ++i)
    numbers.push_back(at(i).integer(least, most));
  return numbers;
}

void JsonReader::fail(const std::string &message) const {
  errors->report(place, message);
}

} // namespace ssmrt
