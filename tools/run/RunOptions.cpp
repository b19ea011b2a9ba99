//===- RunOptions.cpp - Flags of run --------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/run/RunOptions.h"

#include <CLI/CLI.hpp>
#include <limits>
#include <map>
#include <memory>

namespace ssmrt {

namespace {

using Kind = PromptOption::Kind;

/// The values of the three prompt flags until their common order is known.
using PromptValues = std::map<std::string, std::vector<std::string>>;

/// Collects prompts of all kinds in the order in which they were given.
void orderPrompts(const CLI::App &app, const PromptValues &values,
                  std::vector<PromptOption> &prompts) {
  static const std::map<std::string, Kind> kinds = {
      {"--prompt", Kind::Text},
      {"--prompt-file", Kind::File},
      {"--tokens", Kind::Tokens}};
  std::map<std::string, size_t> used;
  for (const CLI::Option *option : app.parse_order()) {
    auto kind = kinds.find(option->get_name());
    if (kind == kinds.end())
      continue;
    const std::vector<std::string> &texts = values.at(kind->first);
    const size_t index = used[kind->first]++;
    if (index < texts.size())
      prompts.push_back({kind->second, texts[index]});
  }
}

} // namespace

void addRunOptions(CLI::App &app, RunOptions &options) {
  auto values = std::make_shared<PromptValues>();
  auto addPrompt = [&](const char *flag, const char *help) {
    app.add_option(flag, (*values)[flag], help)->allow_extra_args(false);
  };
  // Sums of a few of them fit 64 bits.
  constexpr int64_t kMostTokens = int64_t{1} << 40;
  const CLI::Range atLeastOne(int64_t{1}, kMostTokens);
  const CLI::Range notNegative(int64_t{0}, kMostTokens);
  // A range alone lets NaN pass.
  const CLI::Validator aNumber(
      [](const std::string &text) {
        const bool isNan =
            CLI::detail::to_lower(text).find("nan") != std::string::npos;
        return isNan ? "got " + text + ", expected a number" : std::string();
      },
      "");
  const CLI::Validator someText(
      [](const std::string &text) {
        return text.empty() ? "got an empty text" : std::string();
      },
      "");

  app.add_option("model", options.model, "what to run")->required();
  app.add_option("--weights", options.weights,
                 "folder with safetensors files, or random:SEED");
  addPrompt("--prompt", "text to continue; several make a batch");
  addPrompt("--prompt-file", "file with text to continue");
  addPrompt("--tokens", "tokens to continue: 1,2,3, or @FILE with such a list");
  app.add_option("-n", options.count, "tokens to generate")
      ->check(notNegative)
      ->capture_default_str();
  app.add_option("--device", options.device,
                 "where to run: ptx interprets code for GPUs, auto takes a GPU "
                 "if there is one (an artifact must have code for it); "
                 "SSMC_CUDA_DRIVER=FILE names its driver (default "
                 "libcuda.so.1)")
      ->check(CLI::IsMember({"auto", "cpu", "cuda", "ptx", "reference"}))
      ->capture_default_str();
  app.add_option("--ptx-seed", options.ptx.seed,
                 "with --device=ptx: order of blocks and warps");
  app.add_flag_callback(
      "--ptx-unchecked", [&options] { options.ptx.checks = false; },
      "with --device=ptx: do not look for races and unwritten memory");
  app.add_option("--threads", options.threads, "0: all that are allowed")
      ->check(CLI::Range(0, 4096));
  app.add_option("--prefill-chunk", options.prefillChunk,
                 "most tokens of one pass over a prompt")
      ->check(atLeastOne);
  app.add_option("--context", options.context,
                 "tokens that attention may look back to")
      ->check(atLeastOne);
  app.add_option("--precision", options.precision,
                 "precision of matrix products")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}))
      ->capture_default_str();
  app.add_option("--temperature", options.sampling.temperature,
                 "0: the most probable token")
      ->check(CLI::Range(0.0f, 1e6f))
      ->check(aNumber);
  app.add_option("--top-k", options.sampling.topK, "draw from the K best")
      ->check(CLI::Range(0, std::numeric_limits<int>::max()));
  app.add_option("--top-p", options.sampling.topP,
                 "draw from the best whose probabilities sum to P")
      ->check(CLI::Range(0.0f, 1.0f))
      ->check(aNumber);
  app.add_option("--seed", options.sampling.seed, "of the random numbers");
  app.add_option("--logits", options.logits,
                 "write the logits of the prompt (safetensors)");
  app.add_option("--hidden", options.hidden,
                 "write the residual stream after each layer (safetensors)");
  app.add_option("--state-in", options.stateIn, "continue from a saved state");
  app.add_option("--state-out", options.stateOut, "save the state at the end");
  app.add_option("--stop", options.stop, "end before this text")
      ->allow_extra_args(false)
      ->check(someText);
  app.add_flag("--ignore-eos", options.ignoreEnd, "go on after end tokens");
  app.add_flag("--no-cache", options.noCache,
               "do not keep packed weights for the next start");
  app.add_flag("--json", options.json, "print one JSON object");
  app.parse_complete_callback([&app, &options, values] {
    options.prompts.clear();
    orderPrompts(app, *values, options.prompts);
    if (options.prompts.empty() && options.stateIn.empty())
      throw CLI::RequiredError(
          "--prompt, --prompt-file, --tokens or --state-in");
  });
}

} // namespace ssmrt
