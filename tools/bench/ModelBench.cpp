//===- ModelBench.cpp - Speed of a whole model as shares of limits --------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/bench/ModelBench.h"

#include "runtime/Model.h"
#include "runtime/Session.h"
#include "tools/bench/KernelWork.h"
#include "tools/bench/Limits.h"

#include "nlohmann/json.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <set>
#include <sys/resource.h>

using namespace ssmbench;
using namespace ssmrt;

double BenchResult::decodeShareOfMemory(double seconds) const {
  const double rate = copyRate > 0 ? copyRate : readRate;
  return rate > 0 ? double(weightBytes + stateBytes) / seconds / rate : 0;
}

double BenchResult::prefillShareOfPeak(double seconds) const {
  double peak = precision == "bf16" && dotRate > 0 ? dotRate : fmaRate;
  return peak > 0 ? prefillFlops / seconds / peak : 0;
}

/// A weight that meets rows in a matrix product: on a CPU it lies in panels, on
/// a GPU any matrix counts.
static bool isProduct(const Plan &plan, const PlanWeight &weight) {
  if (plan.isGpu)
    return weight.layout.rows > 1 && weight.layout.columns > 1;
  return weight.layout.panelRows > 0;
}

/// Sums `measure` over every use of a product's weight in one call of an entry
/// point; the embedding is a gather, not a product.
template <typename Measure>
static double sumProducts(const Plan &plan, Measure measure) {
  double sum = 0;
  for (const PlanLayer &layer : plan.layers)
    for (int64_t weight : layer.weights)
      if (isProduct(plan, plan.weights[weight]))
        sum += measure(plan.weights[weight], /*isHead=*/false);
  std::set<int64_t> head;
  for (const PlanLaunch &launch : plan.after.step)
    for (const PlanArgument &argument : launch.arguments)
      if (argument.kind == PlanArgument::Kind::GlobalWeight)
        head.insert(argument.index);
  for (int64_t weight : head)
    if (isProduct(plan, plan.weights[weight]))
      sum += measure(plan.weights[weight], /*isHead=*/true);
  return sum;
}

/// Bytes that one sequence's states move in a step: fixed ones are read and
/// written, keys and values of `context` tokens read.
static int64_t stateBytes(const Plan &plan, int64_t context) {
  int64_t sum = 0;
  for (const PlanLayer &layer : plan.layers)
    for (int64_t index : plan.bodies[layer.body].states) {
      const PlanState &state = plan.states[index];
      if (state.isPaged()) {
        sum += state.bytes / kPageTokens * context;
      } else if (state.kind == StateKind::Conv) {
        sum += state.bytes; // two copies: one is read, one written
      } else {
        sum += 2 * state.bytes;
      }
    }
  return sum;
}

static double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Tokens spread over the vocabulary, the same in every run.
static std::vector<int32_t> makePrompt(int64_t length, int64_t vocab,
                                       int64_t sequence) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < length; ++i)
    tokens.push_back(int32_t((i * 7919 + sequence * 104729 + 13) % vocab));
  return tokens;
}

namespace {
/// Times of the same work, by two clocks.
struct Times {
  std::vector<double> wall, processor;

  double bestWall() const {
    return *std::min_element(wall.begin(), wall.end());
  }
  double bestProcessor() const {
    return *std::min_element(processor.begin(), processor.end());
  }
};

/// Adds the time of its life to `times`.
class Clock {
public:
  Clock(Times &times, int threads)
      : times(times), threads(threads), wall(now()), processor(processorNow()) {
  }
  ~Clock() {
    times.wall.push_back(now() - wall);
    times.processor.push_back((processorNow() - processor) / threads);
  }
  Clock(const Clock &) = delete;
  Clock &operator=(const Clock &) = delete;

private:
  Times &times;
  int threads;
  double wall, processor;
};

/// Runs rounds of prompt and steps and keeps their times.
class Bench {
public:
  Bench(std::shared_ptr<Model> model, const BenchOptions &options)
      : model(std::move(model)), options(options),
        threads(this->model->pool().threads()) {}

  Expected<BenchResult> run();

private:
  Status startSequences(int64_t length);
  Status timePrefill(Times &prefills);
  Status timeSteps(int64_t count, Times &steps);
  Status timeGreedySteps(int64_t count, Times &steps);
  Status timeRounds(Times &prefills, Times &steps);
  Status timeCalls(KernelTimes &typical, int64_t count,
                   const std::function<Status()> &call);
  Status timeKernels(KernelTimes &prefill, KernelTimes &step);
  std::vector<SequenceTokens> each(const std::vector<std::vector<int32_t>> &);

  std::shared_ptr<Model> model;
  BenchOptions options;
  int threads;
  /// Made after the memory of the model has been measured.
  std::optional<Limits> limits;
  /// What a step reads of weights and moves of states.
  size_t stepBytes = 0;
  std::unique_ptr<Session> session;
};
} // namespace

std::vector<SequenceTokens>
Bench::each(const std::vector<std::vector<int32_t>> &tokens) {
  std::vector<SequenceTokens> parts;
  for (size_t i = 0; i < tokens.size(); ++i)
    parts.push_back({int64_t(i), {tokens[i].data(), tokens[i].size()}});
  return parts;
}

/// New sequences that have seen `length` tokens.
Status Bench::startSequences(int64_t length) {
  std::vector<std::vector<int32_t>> prompts;
  for (int64_t i = 0; i < options.batch; ++i) {
    if (Status status = session->reset(i); !status)
      return status;
    prompts.push_back(makePrompt(length, model->plan().vocab, i));
  }
  if (length == 0)
    return {};
  std::vector<SequenceTokens> parts = each(prompts);
  return session->prefill({parts.data(), parts.size()}, LogitsMode::Last);
}

Status Bench::timePrefill(Times &prefills) {
  Clock clock(prefills, threads);
  return startSequences(options.promptLength);
}

/// Steps that a device makes by itself: the time of one is that of all,
/// divided.
Status Bench::timeGreedySteps(int64_t count, Times &steps) {
  GreedySteps greedy;
  greedy.count = count;
  greedy.ignoreEnd = greedy.canRunAhead = true;
  for (int64_t i = 0; i < options.batch; ++i)
    greedy.sequences.push_back(i);
  greedy.tokens.assign(options.batch, 1);
  Times whole;
  {
    Clock clock(whole, threads);
    if (Status status = session->stepGreedy(
            greedy, [](int64_t, int32_t token) { return token >= 0; });
        !status)
      return status;
  }
  steps.wall.push_back(whole.wall.back() / double(count));
  steps.processor.push_back(whole.processor.back() / double(count));
  return {};
}

Status Bench::timeSteps(int64_t count, Times &steps) {
  if (session->choosesTokens())
    return timeGreedySteps(count, steps);
  std::vector<std::vector<int32_t>> tokens(options.batch, {1});
  for (int64_t i = 0; i < count; ++i) {
    if (limits && i % 4 == 0)
      limits->readRound(stepBytes);
    std::vector<SequenceTokens> parts = each(tokens);
    {
      Clock clock(steps, threads);
      if (Status status =
              session->step({parts.data(), parts.size()}, LogitsMode::Last);
          !status)
        return status;
    }
    for (int64_t s = 0; s < options.batch; ++s) {
      const float *logits = session->lastLogits(s);
      tokens[s][0] = int32_t(
          std::max_element(logits, logits + model->plan().vocab) - logits);
    }
  }
  return {};
}

Status Bench::timeRounds(Times &prefills, Times &steps) {
  for (int round = 0; round < options.rounds; ++round) {
    // As long as the prompt, as far as anyone wants to wait for it.
    double seconds = std::min(prefills.bestWall(), 0.5);
    for (int i = 0; limits && i < 2; ++i) {
      limits->fmaRound(seconds);
      limits->dotRound(seconds);
    }
    if (Status status = timePrefill(prefills); !status)
      return status;
    if (Status status = startSequences(options.context); !status)
      return status;
    if (Status status = timeSteps(options.generatedLength, steps); !status)
      return status;
  }
  return {};
}

/// Runs `call` some times with a clock around each launch; `typical` gets the
/// median of a kernel over the calls.
Status Bench::timeCalls(KernelTimes &typical, int64_t count,
                        const std::function<Status()> &call) {
  std::vector<KernelTimes> calls;
  for (int64_t i = 0; i < count; ++i) {
    calls.emplace_back(typical.size());
    session->setKernelTimes(&calls.back());
    Status status = call();
    session->setKernelTimes(nullptr);
    if (!status)
      return status;
  }
  for (size_t i = 0; i < typical.size() && count > 0; ++i) {
    std::vector<double> seconds;
    for (const KernelTimes &times : calls)
      seconds.push_back(times[i].seconds);
    typical[i] = {calls.front()[i].launches, median(seconds)};
  }
  return {};
}

/// Once more, one call at a time.
Status Bench::timeKernels(KernelTimes &prefill, KernelTimes &step) {
  constexpr int64_t kPrefills = 3;
  Times ignored;
  if (Status status =
          timeCalls(prefill, kPrefills, [&] { return timePrefill(ignored); });
      !status)
    return status;
  if (Status status = startSequences(options.context); !status)
    return status;
  return timeCalls(step, options.generatedLength,
                   [&] { return timeSteps(1, ignored); });
}

/// The limit that `work` needs most of, and the share that `seconds` are of it.
static void setShare(KernelShare &kernel, const KernelWork &work,
                     const BenchResult &result) {
  if (result.readRate == 0)
    return;
  bool dots = result.precision == "bf16" && result.dotRate > 0 &&
              kernel.kernel.rfind("gemm", 0) == 0;
  double compute = work.flops / (dots ? result.dotRate : result.fmaRate);
  double read = work.bytes / result.readRate;
  kernel.share = std::max(compute, read) / kernel.seconds;
  if (kernel.share > 0)
    kernel.limit = read > compute ? "read" : dots ? "bf16 dot" : "multiply-add";
}

/// Kernels of a call, sorted by time, most first.
static std::vector<KernelShare> collect(const Plan &plan,
                                        const KernelTimes &times,
                                        const Call &call,
                                        const BenchResult &limits) {
  std::vector<KernelWork> work = kernelWork(plan, call);
  std::vector<KernelShare> result;
  for (size_t i = 0; i < times.size(); ++i)
    if (times[i].launches) {
      result.push_back(
          {plan.kernels[i].name, times[i].launches, times[i].seconds, 0, ""});
      setShare(result.back(), work[i], limits);
    }
  std::sort(result.begin(), result.end(),
            [](const KernelShare &a, const KernelShare &b) {
              return a.seconds > b.seconds;
            });
  return result;
}

Expected<BenchResult> Bench::run() {
  SessionOptions sessionOptions;
  sessionOptions.sequences = options.batch;
  sessionOptions.context = std::max(options.promptLength,
                                    options.context + options.generatedLength) +
                           1;
  Expected<std::unique_ptr<Session>> created =
      Session::create(model, sessionOptions);
  if (!created)
    return created.status();
  session = std::move(*created);

  const Plan &plan = model->plan();
  BenchResult result;
  result.device = model->device().kind();
  result.deviceName = model->device().description();
  result.target = plan.target;
  result.precision = plan.precision;
  result.threads = threads;
  result.batch = options.batch;
  result.promptLength = options.promptLength;
  result.generatedLength = options.generatedLength;
  result.context = options.context;
  result.weightBytes = int64_t(sumProducts(plan, [](const PlanWeight &w, bool) {
    return double(w.layout.bytes());
  }));
  result.stateBytes = options.batch * stateBytes(plan, options.context);
  stepBytes = size_t(result.weightBytes + result.stateBytes);
  double rows = double(options.batch * options.promptLength);
  result.prefillFlops =
      sumProducts(plan, [&](const PlanWeight &w, bool isHead) {
        return 2.0 * double(w.layout.rows) * double(w.layout.columns) *
               (isHead ? double(options.batch) : rows);
      });

  Times prefills, steps;
  if (Status status = timePrefill(prefills); !status)
    return status;
  if (Status status = timeSteps(1, steps); !status)
    return status;
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  result.peakResidentBytes = int64_t(usage.ru_maxrss) * 1024;
  if (model->device().sharesHostMemory())
    limits.emplace(threads);
  Expected<double> copyRate = model->device().copyRate();
  if (!copyRate)
    return copyRate.status();
  result.copyRate = *copyRate;
  if (Status status = timeRounds(prefills, steps); !status)
    return status;
  KernelTimes prefillTimes(plan.kernels.size()), stepTimes(plan.kernels.size());
  if (Status status = timeKernels(prefillTimes, stepTimes); !status)
    return status;

  result.bestPrefill = prefills.bestWall();
  result.medianPrefill = median(prefills.wall);
  result.prefillProcessor = prefills.bestProcessor();
  result.bestStep = steps.bestWall();
  result.medianStep = median(steps.wall);
  result.stepProcessor = steps.bestProcessor();
  if (limits) {
    result.readRate = limits->bestRead;
    result.fmaRate = limits->bestFma;
    result.dotRate = limits->bestDot;
  }
  result.prefillKernels =
      collect(plan, prefillTimes,
              {Entry::Prefill, options.batch, options.promptLength, 0}, result);
  result.stepKernels =
      collect(plan, stepTimes, {Entry::Step, options.batch, 1, options.context},
              result);
  return result;
}

Expected<BenchResult> ssmbench::benchmark(std::shared_ptr<Model> model,
                                          const BenchOptions &options) {
  return Bench(std::move(model), options).run();
}

template <typename... Args>
static void print(std::string &text, const char *format, Args... args) {
  char line[256];
  std::snprintf(line, sizeof line, format, args...);
  text += line;
}

static void printKernels(std::string &text, const char *title,
                         const std::vector<KernelShare> &kernels) {
  double total = 0;
  for (const KernelShare &time : kernels)
    total += time.seconds;
  print(text, "%s\n", title);
  for (const KernelShare &time : kernels) {
    print(text, "  %-20s %8lld launches %8.2f us each %5.1f %% of the time",
          time.kernel.c_str(), static_cast<long long>(time.launches),
          1e6 * time.seconds / double(time.launches),
          100 * time.seconds / total);
    if (time.share > 0)
      print(text, ", %.0f %% of %s", 100 * time.share, time.limit.c_str());
    text += "\n";
  }
}

static void printOnGpu(std::string &text, const BenchResult &r) {
  print(text, "device: %s, %s\n", r.device.c_str(), r.deviceName.c_str());
  if (r.copyRate > 0)
    print(text, "limits: copy %.1f GB/s (read and written)\n",
          r.copyRate / 1e9);
  print(text,
        "prefill %lld tokens: %.2f ms best, %.2f ms median, %.0f tokens/s\n",
        static_cast<long long>(r.promptLength), 1e3 * r.bestPrefill,
        1e3 * r.medianPrefill,
        double(r.batch * r.promptLength) / r.bestPrefill);
  print(text, "decode: %.3f ms best, %.3f ms median, %.1f tokens/s",
        1e3 * r.bestStep, 1e3 * r.medianStep, double(r.batch) / r.bestStep);
  if (r.copyRate > 0)
    print(text, ", %.1f %% of copy", 100 * r.decodeShareOfMemory(r.bestStep));
  print(text, " (%.1f MB weights, %.1f MB states)\n",
        double(r.weightBytes) / 1e6, double(r.stateBytes) / 1e6);
}

std::string ssmbench::toText(const BenchResult &r) {
  std::string text;
  print(text, "%s, precision %s, %d threads, batch %lld\n", r.target.c_str(),
        r.precision.c_str(), r.threads, static_cast<long long>(r.batch));
  if (r.device != "cpu") {
    printOnGpu(text, r);
    printKernels(text, "prefill kernels:", r.prefillKernels);
    printKernels(text, "step kernels:", r.stepKernels);
    return text;
  }
  print(text, "limits: read %.1f GB/s, f32 multiply-add %.0f GFLOP/s",
        r.readRate / 1e9, r.fmaRate / 1e9);
  if (r.dotRate > 0)
    print(text, ", bf16 dot %.0f GFLOP/s", r.dotRate / 1e9);
  print(text,
        "\nprefill %lld tokens: %.2f ms best, %.2f ms median, %.0f tokens/s, "
        "%.1f %% of the peak (%.1f %% by processor time)\n",
        static_cast<long long>(r.promptLength), 1e3 * r.bestPrefill,
        1e3 * r.medianPrefill, double(r.batch * r.promptLength) / r.bestPrefill,
        100 * r.prefillShareOfPeak(r.bestPrefill),
        100 * r.prefillShareOfPeak(r.prefillProcessor));
  print(
      text,
      "decode: %.3f ms best, %.3f ms median, %.1f tokens/s, %.1f %% of stream "
      "read (%.1f %% by processor time; %.1f MB weights, %.1f MB states)\n",
      1e3 * r.bestStep, 1e3 * r.medianStep, double(r.batch) / r.bestStep,
      100 * r.decodeShareOfMemory(r.bestStep),
      100 * r.decodeShareOfMemory(r.stepProcessor), double(r.weightBytes) / 1e6,
      double(r.stateBytes) / 1e6);
  print(text, "peak resident memory: %.1f MB\n",
        double(r.peakResidentBytes) / 1e6);
  printKernels(text, "prefill kernels:", r.prefillKernels);
  printKernels(text, "step kernels:", r.stepKernels);
  return text;
}

static nlohmann::ordered_json
kernelsJson(const std::vector<KernelShare> &times) {
  auto list = nlohmann::ordered_json::array();
  for (const KernelShare &time : times) {
    list.push_back({{"kernel", time.kernel},
                    {"launches", time.launches},
                    {"us", 1e6 * time.seconds / double(time.launches)}});
    if (time.share > 0)
      list.back()["share"] = {{"limit", time.limit}, {"of", time.share}};
  }
  return list;
}

std::string ssmbench::toJson(const BenchResult &r) {
  nlohmann::ordered_json json;
  json["device"] = r.device;
  if (!r.deviceName.empty())
    json["device_name"] = r.deviceName;
  json["target"] = r.target;
  json["precision"] = r.precision;
  json["threads"] = r.threads;
  json["batch"] = r.batch;
  json["limits"] = {{"read_gb_per_s", r.readRate / 1e9},
                    {"fma_gflop_per_s", r.fmaRate / 1e9},
                    {"dot_gflop_per_s", r.dotRate / 1e9}};
  if (r.device != "cpu")
    json["limits"] = {{"copy_gb_per_s", r.copyRate / 1e9}};
  json["prefill"] = {
      {"tokens", r.promptLength},
      {"best_ms", 1e3 * r.bestPrefill},
      {"median_ms", 1e3 * r.medianPrefill},
      {"flops", r.prefillFlops},
      {"processor_ms", 1e3 * r.prefillProcessor},
      {"share_of_peak", r.prefillShareOfPeak(r.bestPrefill)},
      {"processor_share_of_peak", r.prefillShareOfPeak(r.prefillProcessor)}};
  json["decode"] = {
      {"context", r.context},
      {"best_ms", 1e3 * r.bestStep},
      {"median_ms", 1e3 * r.medianStep},
      {"weight_bytes", r.weightBytes},
      {"state_bytes", r.stateBytes},
      {"tokens_per_s", double(r.batch) / r.bestStep},
      {"processor_ms", 1e3 * r.stepProcessor},
      {"share_of_read", r.decodeShareOfMemory(r.bestStep)},
      {"processor_share_of_read", r.decodeShareOfMemory(r.stepProcessor)}};
  if (r.device != "cpu") {
    // Shares of limits that only a CPU has.
    for (const char *key : {"share_of_peak", "processor_share_of_peak"})
      json["prefill"].erase(key);
    for (const char *key : {"share_of_read", "processor_share_of_read"})
      json["decode"].erase(key);
    if (r.copyRate > 0)
      json["decode"]["share_of_copy"] = r.decodeShareOfMemory(r.bestStep);
  }
  json["peak_resident_bytes"] = r.peakResidentBytes;
  json["prefill_kernels"] = kernelsJson(r.prefillKernels);
  json["step_kernels"] = kernelsJson(r.stepKernels);
  return json.dump(2) + "\n";
}
