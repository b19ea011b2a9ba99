//===- Report.cpp - What an import understood, printed --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/Frontend.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace ssm;

namespace {
struct CountRow {
  llvm::StringRef name;
  uint64_t ParameterCount::*member;
};
} // namespace

static constexpr CountRow kCountRows[] = {
    {"mamba", &ParameterCount::mamba},
    {"mamba2", &ParameterCount::mamba2},
    {"attention", &ParameterCount::attention},
    {"mlp", &ParameterCount::mlp},
    {"experts", &ParameterCount::experts},
    {"embedding", &ParameterCount::embedding},
    {"head", &ParameterCount::head},
    {"final norm", &ParameterCount::finalNorm}};

/// 1234567 as "1,234,567".
static std::string grouped(uint64_t value) {
  std::string digits = std::to_string(value);
  for (size_t i = digits.size(); i > 3; i -= 3)
    digits.insert(i - 3, ",");
  return digits;
}

static std::string joinNumbers(llvm::ArrayRef<int64_t> values) {
  std::vector<std::string> parts;
  for (int64_t value : values)
    parts.push_back(std::to_string(value));
  return llvm::join(parts, ", ");
}

static void printRow(llvm::raw_ostream &os, llvm::StringRef name,
                     const llvm::Twine &value) {
  os << llvm::formatv("{0,-11} ", name) << value << "\n";
}

/// Prints runs of equal layers as one line each.
static void printLayers(const ImportReport &report, llvm::raw_ostream &os) {
  os << "layers\n";
  for (size_t first = 0, last; first < report.layers.size(); first = last) {
    const ImportReport::Layer &layer = report.layers[first];
    last = first + 1;
    while (last < report.layers.size() &&
           report.layers[last].blocks == layer.blocks)
      ++last;
    std::string range = last - first == 1
                            ? std::to_string(first)
                            : llvm::formatv("{0}-{1}", first, last - 1).str();
    os << llvm::formatv("  {0,-7} {1,-2} {2}\n", range, layer.letters,
                        layer.prefixes.front());
    for (const std::string &block : layer.blocks)
      os << "             " << block << "\n";
  }
}

void ssm::printExplain(const ImportReport &report, llvm::raw_ostream &os) {
  std::string family = report.family.empty() ? "" : " (" + report.family + ")";
  printRow(os, "source", report.source + family + " " + report.path);
  printRow(os, "model", report.name);
  if (report.layers.empty())
    return printRow(os, "form", "below block form: taken as it is");
  printRow(os, "width",
           llvm::formatv("hidden {0}, vocabulary {1}{2}", report.hidden,
                         report.vocab, report.tied ? ", tied head" : "")
               .str());
  if (!report.pattern.empty())
    printRow(os, "pattern", report.pattern);
  printLayers(report, os);
  printRow(os, "parameters", grouped(report.parameters.total()));
  for (const CountRow &row : kCountRows)
    if (uint64_t count = report.parameters.*row.member)
      os << llvm::formatv("  {0,-11} {1,18}\n", row.name, grouped(count));
  printRow(os, "weights",
           report.weights + (report.weightsReason.empty()
                                 ? ""
                                 : " (" + report.weightsReason + ")"));
  for (const std::string &file : report.weightFiles)
    printRow(os, "file", file);
  printRow(os, "tokenizer",
           report.tokenizer.empty() ? "none found" : report.tokenizer);
  std::string endTokens = joinNumbers(report.endTokens);
  if (!report.endTokensSource.empty())
    endTokens += " (" + report.endTokensSource + ")";
  printRow(os, "end tokens", endTokens.empty() ? "none" : endTokens);
  for (const std::string &note : report.notes)
    printRow(os, "note", note);
  if (report.ignoredKeys.empty())
    return;
  os << "ignored keys (no influence on the model)\n";
  for (const ImportReport::IgnoredKey &ignored : report.ignoredKeys)
    os << "  " << ignored.key << ": " << ignored.value << "\n";
}

llvm::json::Value ssm::toJson(const ImportReport &report) {
  llvm::json::Array layers, ignoredKeys;
  for (const ImportReport::Layer &layer : report.layers)
    layers.push_back(
        llvm::json::Object{{"number", layer.number},
                           {"letters", layer.letters},
                           {"prefixes", llvm::json::Array(layer.prefixes)},
                           {"blocks", llvm::json::Array(layer.blocks)}});
  for (const ImportReport::IgnoredKey &ignored : report.ignoredKeys)
    ignoredKeys.push_back(
        llvm::json::Object{{"key", ignored.key}, {"value", ignored.value}});
  llvm::json::Object parameters{{"total", report.parameters.total()}};
  for (const CountRow &row : kCountRows)
    if (uint64_t count = report.parameters.*row.member)
      parameters[row.name] = count;
  return llvm::json::Object{
      {"path", report.path},
      {"source", report.source},
      {"family", report.family},
      {"name", report.name},
      {"hidden", report.hidden},
      {"vocab", report.vocab},
      {"tied", report.tied},
      {"weights", report.weights},
      {"weights_reason", report.weightsReason},
      {"pattern", report.pattern},
      {"layers", std::move(layers)},
      {"parameters", std::move(parameters)},
      {"ignored_keys", std::move(ignoredKeys)},
      {"notes", llvm::json::Array(report.notes)},
      {"weight_files", llvm::json::Array(report.weightFiles)},
      {"tokenizer", report.tokenizer},
      {"end_tokens", llvm::json::Array(report.endTokens)},
      {"end_tokens_source", report.endTokensSource}};
}
