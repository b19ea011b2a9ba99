//===- Json.cpp - JSON as model files write it ----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/Json.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/MemoryBuffer.h"
#include <nlohmann/json.hpp>

#include <limits>
#include <set>
#include <stdexcept>
#include <vector>

using namespace ssm;

static constexpr int kMaxDepth = 64;
static constexpr size_t kMaxPrintedValue = 60;

/// The word of a non-finite number that `text` begins with, or "".
static llvm::StringRef nonFiniteWord(llvm::StringRef text) {
  for (llvm::StringRef word : {"-Infinity", "Infinity", "NaN"})
    if (text.starts_with(word))
      return word;
  return "";
}

/// Replaces bare non-finite words outside strings by objects.
static std::string quoteNonFinite(llvm::StringRef text) {
  std::string result;
  result.reserve(text.size());
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString && c == '\\' && i + 1 < text.size()) {
      result += c;
      result += text[++i];
      continue;
    }
    if (c == '"')
      inString = !inString;
    llvm::StringRef word =
        inString ? llvm::StringRef() : nonFiniteWord(text.substr(i));
    if (word.empty()) {
      result += c;
      continue;
    }
    result += ("{\"__float__\":\"" + word + "\"}").str();
    i += word.size() - 1;
  }
  return result;
}

namespace {
/// Refuses what the parser would let pass: duplicate keys, deep nesting.
class StrictEvents {
public:
  bool operator()(int depth, Json::parse_event_t event, Json &value) {
    switch (event) {
    case Json::parse_event_t::object_start:
      keys.emplace_back();
      [[fallthrough]];
    case Json::parse_event_t::array_start:
      if (depth >= kMaxDepth)
        throw std::runtime_error("nesting is deeper than " +
                                 std::to_string(kMaxDepth));
      break;
    case Json::parse_event_t::object_end:
      keys.pop_back();
      break;
    case Json::parse_event_t::key: {
      std::string key = value.get<std::string>();
      if (!keys.back().insert(key).second)
        throw std::runtime_error("key \"" + key + "\" stands twice");
      break;
    }
    default:
      break;
    }
    return true;
  }

private:
  std::vector<std::set<std::string>> keys;
};
} // namespace

/// The message of nlohmann without its "[json.exception...]" tag.
static std::string plainMessage(llvm::StringRef message) {
  if (message.starts_with("["))
    message = message.split("] ").second;
  return message.str();
}

llvm::Expected<Json> ssm::parseJson(llvm::StringRef text) {
  StrictEvents events;
  try {
    return Json::parse(quoteNonFinite(text), std::ref(events));
  } catch (const std::exception &failure) {
    return llvm::createStringError(plainMessage(failure.what()));
  }
}

llvm::Expected<Json> ssm::parseJsonFile(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (std::error_code code = buffer.getError())
    return llvm::createStringError(path + ": " + code.message());
  llvm::Expected<Json> json = parseJson((*buffer)->getBuffer());
  if (json)
    return json;
  return llvm::createStringError(path + ": not valid JSON: " +
                                 llvm::toString(json.takeError()));
}

std::optional<double> ssm::numberOf(const Json &value) {
  if (value.is_number())
    return value.get<double>();
  if (!value.is_object() || value.size() != 1 || !value.contains("__float__") ||
      !value["__float__"].is_string())
    return std::nullopt;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return llvm::StringSwitch<std::optional<double>>(
             value["__float__"].get_ref<const std::string &>())
      .Case("Infinity", kInfinity)
      .Case("-Infinity", -kInfinity)
      .Case("NaN", std::numeric_limits<double>::quiet_NaN())
      .Default(std::nullopt);
}

/// As printJson, not shortened.
static std::string printWhole(const Json &value) {
  if (value.is_object() && numberOf(value))
    return value["__float__"].get<std::string>();
  if (!value.is_array())
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::vector<std::string> parts;
  for (const Json &element : value)
    parts.push_back(printWhole(element));
  return "[" + llvm::join(parts, ", ") + "]";
}

std::string ssm::printJson(const Json &value) {
  std::string text = printWhole(value);
  if (text.size() <= kMaxPrintedValue)
    return text;
  size_t end = kMaxPrintedValue;
  while (end && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end; // do not cut a UTF-8 sequence
  return text.substr(0, end) + "...";
}
