//===- RunCommand.cpp - Runs an artifact for a user -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/run/RunCommand.h"
#include "runtime/Generation.h"
#include "runtime/Guarded.h"
#include "runtime/Model.h"
#include "runtime/ModelTokenizer.h"
#include "runtime/StateFile.h"
#include "runtime/TemporaryFile.h"
#include "tools/run/Output.h"
#include "tools/run/Prompts.h"
#include "tools/run/Recorder.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <unistd.h>

namespace ssmrt {

namespace {

using Clock = std::chrono::steady_clock;

double millisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start)
      .count();
}

void showProgress(int64_t done, int64_t total) {
  const int percent = total > 0 ? static_cast<int>(100.0 * done / total) : 100;
  std::fprintf(stderr, done == total ? "\r\033[K" : "\rpacking weights %3d%%",
               percent);
}

class Run {
public:
  explicit Run(const RunOptions &options) : options(options) {}

  Status execute() {
    if (Status status = openModel(); !status)
      return status;
    if (Status status = readInput(); !status)
      return status;
    if (Status status = openSession(); !status)
      return status;
    return generateAll();
  }

private:
  Status openModel() {
    ModelOptions modelOptions;
    modelOptions.weights = options.weights;
    modelOptions.precision = options.precision;
    modelOptions.threads = options.threads;
    modelOptions.device = options.device;
    modelOptions.ptx = options.ptx;
    modelOptions.useCache = !options.noCache;
    if (!options.json && isatty(STDERR_FILENO))
      modelOptions.progress = showProgress;
    Expected<Artifact> artifact = options.artifact
                                      ? Artifact::parse(options.artifact)
                                      : Artifact::open(options.model);
    if (!artifact)
      return artifact.status();
    Expected<std::shared_ptr<Model>> opened =
        Model::load(*std::move(artifact), modelOptions);
    if (!opened)
      return opened.status();
    model = *std::move(opened);
    if (!options.json && isatty(STDERR_FILENO))
      showDevice();
    Expected<Tokenizer> read =
        openTokenizer(model->artifact(), options.weights);
    if (read)
      tokenizer.emplace(*std::move(read));
    else if (needTokenizer(options.prompts) || !options.stop.empty())
      return read.status();
    return {};
  }

  /// Says what was chosen, where there was a choice.
  void showDevice() const {
    const Device &device = model->device();
    if (model->deviceReason().empty() || !model->artifact().hasGpuImages())
      return;
    std::fprintf(stderr, "device: %s%s%s (%s)\n",
                 std::string(device.kind()).c_str(),
                 device.description().empty() ? "" : ", ",
                 device.description().c_str(), model->deviceReason().c_str());
  }

  Status readInput() {
    Expected<std::vector<std::vector<int32_t>>> read =
        readPrompts(options.prompts, tokenizer ? &*tokenizer : nullptr);
    if (!read)
      return read.status();
    prompts = *std::move(read);
    if (options.stateIn.empty()) {
      insertedTokens.resize(prompts.size());
      return {};
    }
    Expected<StateSummary> summary = readStateSummary(options.stateIn);
    if (!summary)
      return summary.status();
    state = *summary;
    if (state.sequences < 1)
      return error(options.stateIn + ": sequences, got " +
                   std::to_string(state.sequences) + ", expected at least 1");
    if (prompts.empty())
      prompts.resize(state.sequences);
    insertedTokens.resize(prompts.size());
    return {};
  }

  Status openSession() {
    size_t longest = 0;
    for (const std::vector<int32_t> &prompt : prompts)
      longest = std::max(longest, prompt.size());
    SessionOptions sessionOptions;
    sessionOptions.sequences = static_cast<int64_t>(prompts.size());
    // One more for the token that a state has not consumed yet.
    sessionOptions.context =
        options.context > 0 ? options.context
                            : state.tokensSeen + 1 +
                                  static_cast<int64_t>(longest) + options.count;
    sessionOptions.prefillChunk = options.prefillChunk;
    Expected<std::unique_ptr<Session>> created =
        Session::create(model, sessionOptions);
    if (!created)
      return created.status();
    session = *std::move(created);
    return options.stateIn.empty() ? Status{} : continueState();
  }

  /// Loads the state and puts the token that it has not consumed in front of
  /// each prompt.
  Status continueState() {
    std::vector<int32_t> next;
    if (Status status = session->loadState(options.stateIn, next); !status)
      return status;
    for (size_t i = 0; i < prompts.size(); ++i) {
      if (next[i] >= 0)
        prompts[i].insert(prompts[i].begin(), next[i]);
      insertedTokens[i] = next[i] >= 0;
      if (prompts[i].empty())
        return error(options.stateIn +
                     ": no next token, expected a prompt to go on with");
    }
    return {};
  }

  Status generateAll() {
    // What is recorded are the tokens that the user gave, if any.
    std::vector<int64_t> firsts, counts;
    RunReport report;
    report.prompts = prompts;
    for (size_t i = 0; i < prompts.size(); ++i) {
      const int64_t size = static_cast<int64_t>(prompts[i].size());
      const int64_t inserted = options.prompts.empty() ? 0 : insertedTokens[i];
      firsts.push_back(session->position(static_cast<int64_t>(i)) + inserted);
      counts.push_back(size - inserted);
    }
    const Recorder recorder(*session, firsts, counts, !options.logits.empty(),
                            !options.hidden.empty());
    GenerationOptions generation;
    generation.count = options.count;
    generation.sampling = options.sampling;
    generation.ignoreEnd = options.ignoreEnd;
    generation.neverStops = options.stop.empty();
    if (!options.logits.empty() || !options.hidden.empty())
      generation.promptLogits = LogitsMode::All;

    Output output(options, tokenizer ? &*tokenizer : nullptr, prompts.size());
    Expected<GenerationResult> result = generate(
        *session, prompts, generation, [&](int64_t sequence, int32_t token) {
          if (report.firstTokenMs == 0)
            report.firstTokenMs = millisecondsSince(start);
          return output.push(sequence, token);
        });
    if (!result)
      return error(options.model + ": " + result.status().message);
    report.device = model->device().kind();
    report.deviceName = model->device().description();
    report.deviceReason = model->deviceReason();
    report.precision = model->image().precision;
    report.image = model->image().target;
    report.threads = model->pool().threads();
    report.launches = session->launches();
    report.loadMs = model->loadMs();
    if (Status status = output.finish(*result, report); !status)
      return status;
    return writeFiles(recorder, *result);
  }

  Status writeFiles(const Recorder &recorder,
                    const GenerationResult &result) const {
    if (!options.logits.empty())
      if (Status status = recorder.writeLogits(options.logits); !status)
        return status;
    if (!options.hidden.empty())
      if (Status status = recorder.writeHidden(options.hidden); !status)
        return status;
    if (!options.stateOut.empty())
      return session->saveState(options.stateOut, result.nextTokens());
    return {};
  }

  const RunOptions &options;
  const Clock::time_point start = Clock::now();
  std::shared_ptr<Model> model;
  std::optional<Tokenizer> tokenizer;
  std::vector<std::vector<int32_t>> prompts;
  /// For each prompt 1 if a token of the state was put in front, else 0.
  std::vector<int64_t> insertedTokens;
  StateSummary state;
  std::unique_ptr<Session> session;
};

extern "C" void removeFilesAndDie(int signal) {
  removeTemporaryFiles();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

} // namespace

int runCommand(const RunOptions &options) {
  const Status status = guarded([&] { return Run(options).execute(); });
  if (status)
    return 0;
  std::fprintf(stderr, "error: %s\n", status.message.c_str());
  return 1;
}

void removeFilesOnSignals() {
  for (int signal : {SIGINT, SIGTERM, SIGHUP})
    std::signal(signal, removeFilesAndDie);
}

} // namespace ssmrt
