//===- Json.cpp - JSON as model files write it ----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/Json.h"

#include "runtime/Json.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/MemoryBuffer.h"
#include <nlohmann/json.hpp>

#include <limits>
#include <vector>

using namespace ssm;

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

/// Where and why `text` is no JSON, as the parser says it, or "".
static std::string syntaxError(const std::string &text) {
  try {
    Json parsed = Json::parse(text);
  } catch (const Json::exception &failure) {
    llvm::StringRef message = failure.what();
    return ": " + message.split("] ").second.str();
  }
  return "";
}

llvm::Expected<Json> ssm::parseJson(llvm::StringRef text,
                                    const std::string &place) {
  std::string strict = quoteNonFinite(text);
  ssmrt::Expected<Json> json = ssmrt::parseJson(strict, place);
  if (json)
    return *std::move(json);
  return llvm::createStringError(json.status().message + syntaxError(strict));
}

llvm::Expected<Json> ssm::parseJsonFile(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (std::error_code code = buffer.getError())
    return llvm::createStringError(path + ": " + code.message());
  return parseJson((*buffer)->getBuffer(), path.str());
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
    return ssmrt::printJson(value);
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
