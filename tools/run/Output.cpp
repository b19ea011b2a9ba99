//===- Output.cpp - What run prints ---------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/run/Output.h"
#include "runtime/Json.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace ssmrt {

namespace {

double perSecond(int64_t count, double milliseconds) {
  return milliseconds > 0 ? static_cast<double>(count) * 1000 / milliseconds
                          : 0;
}

} // namespace

Output::Output(const RunOptions &options, const Tokenizer *tokenizer,
               size_t sequences)
    : isJson(options.json), isStreaming(!options.json && sequences == 1),
      tokenizer(tokenizer), texts(sequences) {
  if (!tokenizer)
    return;
  for (size_t i = 0; i < sequences; ++i)
    streams.emplace_back(*tokenizer, options.stop);
}

void Output::emit(size_t sequence, const std::string &text) {
  texts[sequence] += text;
  if (!isStreaming)
    return;
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

bool Output::push(int64_t sequence, int32_t token) {
  if (tokenizer) {
    emit(sequence, streams[sequence].push(token));
    return !streams[sequence].stopped() && !std::ferror(stdout);
  }
  if (!isJson)
    emit(sequence,
         (texts[sequence].empty() ? "" : " ") + std::to_string(token));
  return !std::ferror(stdout);
}

Status Output::finish(const GenerationResult &result, const RunReport &report) {
  for (size_t i = 0; i < streams.size(); ++i)
    emit(i, streams[i].finish());
  if (isJson)
    printJson(result, report);
  else if (isStreaming)
    std::fputc('\n', stdout);
  else
    for (size_t i = 0; i < texts.size(); ++i)
      std::printf("[%zu] %s\n", i, texts[i].c_str());
  if (std::fflush(stdout) != 0 || std::ferror(stdout))
    return systemError("standard output", "cannot write");
  return {};
}

void Output::printJson(const GenerationResult &result,
                       const RunReport &report) const {
  auto describe = [&](size_t i) {
    Json json = {{"prompt_tokens", report.prompts[i].size()},
                 {"prompt_ids", report.prompts[i]},
                 {"tokens", result.tokens[i]},
                 {"text", texts[i]}};
    return json;
  };
  Json json = Json::object();
  if (texts.size() == 1)
    json = describe(0);
  else
    for (size_t i = 0; i < texts.size(); ++i)
      json["sequences"].push_back(describe(i));
  json["device"] = report.device;
  if (!report.deviceName.empty())
    json["device_name"] = report.deviceName;
  if (!report.deviceReason.empty())
    json["device_reason"] = report.deviceReason;
  json["precision"] = report.precision;
  json["image"] = report.image;
  json["threads"] = report.threads;
  json["launches"] = {{"prefill", report.launches.prefill},
                      {"step", report.launches.step},
                      {"chunks", report.launches.chunks}};
  json["timings"] = {{"load_ms", report.loadMs},
                     {"first_token_ms", report.firstTokenMs},
                     {"prefill_ms", result.prefillMs},
                     {"decode_ms", result.decodeMs},
                     {"prefill_tokens_per_s",
                      perSecond(result.prefillTokens, result.prefillMs)},
                     {"decode_tokens_per_s",
                      perSecond(result.decodedTokens, result.decodeMs)}};
  std::printf("%s\n", ssmrt::printJson(json, 2).c_str());
}

} // namespace ssmrt
