//===- Report.cpp - What ptx-run prints -----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ptx-run/Report.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

namespace ptxrun {

namespace {

using ssmrt::ptx::Counters;
using ssmrt::ptx::DeviceMemory;
using ssmrt::ptx::Traffic;

Expected<const Buffer *> findBuffer(const Arguments &arguments,
                                    std::string_view name) {
  if (const Buffer *buffer = arguments.find(name))
    return buffer;
  return ssmrt::error("no buffer '" + std::string(name) + "'");
}

nlohmann::ordered_json toJson(const Traffic &traffic, bool shared) {
  return {{"requests", traffic.requests},
          {"bytes", traffic.bytes},
          {shared ? "passes" : "sectors", traffic.transactions}};
}

std::string toText(const char *name, const Traffic &traffic, bool shared) {
  return std::string(name) + ": " + std::to_string(traffic.requests) +
         " requests, " + std::to_string(traffic.bytes) + " bytes, " +
         std::to_string(traffic.transactions) +
         (shared ? " passes\n" : " sectors\n");
}

} // namespace

Expected<std::string> printBuffer(const Arguments &arguments,
                                  std::string_view range,
                                  const DeviceMemory &memory) {
  const size_t open = range.find('[');
  Expected<const Buffer *> buffer =
      findBuffer(arguments, range.substr(0, open));
  if (!buffer)
    return buffer.status();
  Expected<std::vector<std::byte>> bytes = read(**buffer, memory);
  if (!bytes)
    return bytes.status();
  size_t from = 0;
  size_t to = (*buffer)->count;
  if (open != std::string_view::npos) {
    const std::string text(range.substr(open + 1));
    char *end = nullptr;
    from = std::strtoull(text.c_str(), &end, 10);
    to = *end == ':' ? std::strtoull(end + 1, &end, 10) : from + 1;
    if (*end != ']' || to > (*buffer)->count || from > to)
      return ssmrt::error("bad range '" + std::string(range) + "' of " +
                          std::to_string((*buffer)->count) + " elements");
  }
  std::string line = (*buffer)->name + ":";
  const size_t size = sizeOf((*buffer)->type);
  for (size_t i = from; i < to; ++i)
    line += " " + print((*buffer)->type, bytes->data() + i * size);
  return line;
}

Status compareBuffer(const Arguments &arguments, std::string_view expectation,
                     double tolerance, const DeviceMemory &memory) {
  const size_t equals = expectation.find('=');
  if (equals == std::string_view::npos)
    return ssmrt::error("expected NAME=CONTENT, got '" +
                        std::string(expectation) + "'");
  Expected<const Buffer *> buffer =
      findBuffer(arguments, expectation.substr(0, equals));
  if (!buffer)
    return buffer.status();
  Expected<std::vector<std::byte>> bytes = read(**buffer, memory);
  if (!bytes)
    return bytes.status();
  std::vector<std::byte> wanted(bytes->size());
  bool written = true;
  if (Status status = fill((*buffer)->type, expectation.substr(equals + 1),
                           wanted, written);
      !status)
    return status;
  const size_t size = sizeOf((*buffer)->type);
  for (size_t i = 0; i < (*buffer)->count; ++i) {
    const double got = load((*buffer)->type, bytes->data() + i * size);
    const double want = load((*buffer)->type, wanted.data() + i * size);
    const bool equal =
        got == want || (std::isnan(got) && std::isnan(want)) ||
        std::fabs(got - want) <= tolerance + tolerance * std::fabs(want);
    if (!equal)
      return ssmrt::error((*buffer)->name + "[" + std::to_string(i) + "] is " +
                          print((*buffer)->type, bytes->data() + i * size) +
                          ", expected " +
                          print((*buffer)->type, wanted.data() + i * size));
  }
  return {};
}

Status saveBuffer(const Arguments &arguments, std::string_view target,
                  const DeviceMemory &memory) {
  const size_t equals = target.find('=');
  Expected<const Buffer *> buffer =
      findBuffer(arguments, target.substr(0, equals));
  if (!buffer)
    return buffer.status();
  Expected<std::vector<std::byte>> bytes = read(**buffer, memory);
  if (!bytes)
    return bytes.status();
  const std::string path(
      equals == std::string_view::npos ? "" : target.substr(equals + 1));
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(bytes->data()),
             static_cast<std::streamsize>(bytes->size()));
  file.close();
  if (!file)
    return ssmrt::error("cannot write '" + path + "'");
  return {};
}

std::string printCounters(const Counters &counters) {
  std::string text =
      "instructions: " + std::to_string(counters.warpInstructions) + " warp, " +
      std::to_string(counters.threadInstructions) + " thread\n";
  for (size_t i = 0; i < ssmrt::ptx::kClasses; ++i)
    if (counters.classes[i])
      text += "  " + std::string(nameOf(static_cast<ssmrt::ptx::Class>(i))) +
              ": " + std::to_string(counters.classes[i]) + "\n";
  text += toText("global reads", counters.globalReads, false);
  text += toText("global writes", counters.globalWrites, false);
  text += toText("shared reads", counters.sharedReads, true);
  text += toText("shared writes", counters.sharedWrites, true);
  text += "bank conflicts: " + std::to_string(counters.bankConflicts) + "\n";
  if (counters.asyncBytes)
    text += "async bytes: " + std::to_string(counters.asyncBytes) + "\n";
  if (counters.tensorFlop)
    text += "tensor flop: " + std::to_string(counters.tensorFlop) + "\n";
  return text;
}

std::string printJson(const Counters &counters) {
  nlohmann::ordered_json json;
  json["warp_instructions"] = counters.warpInstructions;
  json["thread_instructions"] = counters.threadInstructions;
  for (size_t i = 0; i < ssmrt::ptx::kClasses; ++i)
    json["classes"][std::string(nameOf(static_cast<ssmrt::ptx::Class>(i)))] =
        counters.classes[i];
  json["global_reads"] = toJson(counters.globalReads, false);
  json["global_writes"] = toJson(counters.globalWrites, false);
  json["shared_reads"] = toJson(counters.sharedReads, true);
  json["shared_writes"] = toJson(counters.sharedWrites, true);
  json["bank_conflicts"] = counters.bankConflicts;
  json["async_bytes"] = counters.asyncBytes;
  json["tensor_flop"] = counters.tensorFlop;
  json["accesses"] = nlohmann::ordered_json::array();
  for (const ssmrt::ptx::AccessCount &access : counters.accesses) {
    nlohmann::ordered_json row = {
        {"line", access.line},
        {"space", access.shared ? "shared" : "global"},
        {"write", access.write}};
    row.update(toJson(access.traffic, access.shared));
    json["accesses"].push_back(std::move(row));
  }
  return json.dump(2);
}

std::string printKernels(const ssmrt::ptx::Module &module) {
  std::string text;
  for (const ssmrt::ptx::Kernel &kernel : module.kernels()) {
    text += kernel.name + ": " + std::to_string(kernel.parameters.size()) +
            " parameters in " + std::to_string(kernel.parameterBytes) +
            " bytes, ";
    if (kernel.requiredBlock.x)
      text += "block " + std::to_string(kernel.requiredBlock.x) + "," +
              std::to_string(kernel.requiredBlock.y) + "," +
              std::to_string(kernel.requiredBlock.z) + ", ";
    text += std::to_string(kernel.sharedBytes) + " bytes shared, " +
            std::to_string(kernel.localBytes) + " bytes local\n";
  }
  return text;
}

} // namespace ptxrun
