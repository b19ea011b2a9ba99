//===- DeviceTest.cpp - The toy model on every device ---------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToyPtx.h"
#include "runtime/Generation.h"
#include "runtime/Session.h"

#include <gtest/gtest.h>
#include <set>

using namespace ssmrt;

namespace {

using Tokens = std::vector<int32_t>;
using Rows = std::vector<std::vector<float>>;

Tokens promptOf(size_t size, int seed) {
  Tokens tokens(size);
  for (size_t i = 0; i < size; ++i)
    tokens[i] = static_cast<int32_t>((i * i + i / 5 + seed) % kToyVocab);
  return tokens;
}

std::unique_ptr<Session> createSession(const std::shared_ptr<Model> &model,
                                       int64_t sequences, int64_t chunk,
                                       int64_t context) {
  SessionOptions options;
  options.sequences = sequences;
  options.prefillChunk = chunk;
  options.context = context;
  Expected<std::unique_ptr<Session>> session = Session::create(model, options);
  EXPECT_TRUE(session.ok()) << session.status().message;
  return *std::move(session);
}

/// Everything that a prefill shows: logits and hidden states.
std::vector<Rows> prefillAll(Session &session,
                             const std::vector<Tokens> &prompts) {
  std::vector<Rows> rows(prompts.size());
  session.setLogitsSink([&](int64_t sequence, int64_t, const float *row) {
    rows[sequence].emplace_back(row, row + kToyVocab);
  });
  session.setHiddenSink([&](int64_t sequence, int64_t, int64_t,
                            const float *hidden, int64_t count,
                            int64_t stride) {
    for (int64_t i = 0; i < count; ++i)
      rows[sequence].emplace_back(hidden + i * stride,
                                  hidden + i * stride + kToyWidth);
  });
  std::vector<SequenceTokens> input;
  for (size_t i = 0; i < prompts.size(); ++i)
    input.push_back({static_cast<int64_t>(i), prompts[i]});
  const Status status = session.prefill(input, LogitsMode::All);
  EXPECT_TRUE(status.ok()) << status.message;
  session.setLogitsSink(nullptr);
  session.setHiddenSink(nullptr);
  return rows;
}

class DeviceTest : public ::testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    setenv("SSMC_CUDA_DRIVER", SSMC_FAKE_CUDA_LIBRARY, 1);
    unsetenv("SSMC_FAKE_CUDA");
    writeToyWeights(folder);
    cpu = open("cpu");
    device = open();
  }

  /// The model on `kind`, with other end tokens or another image for GPUs if
  /// they are given.
  std::shared_ptr<Model> open(const std::string &kind = GetParam(),
                              const Tokens &ends = {10},
                              const ToyImage &gpuImage = toyGpuImage()) {
    ModelOptions options;
    options.weights = folder.path();
    options.useCache = false;
    options.device = kind;
    if (kind == "cpu")
      options.kernels = toyKernel;
    std::vector<ToyImage> images = {toyCpuImage(), gpuImage};
    for (ToyImage &image : images)
      image.plan["end_tokens"] = ends;
    Expected<Artifact> artifact = toyArtifactOf(images);
    EXPECT_TRUE(artifact.ok()) << artifact.status().message;
    Expected<std::shared_ptr<Model>> opened =
        Model::load(*std::move(artifact), options);
    EXPECT_TRUE(opened.ok()) << opened.status().message;
    EXPECT_EQ((*opened)->device().kind(), kind);
    EXPECT_EQ((*opened)->deviceReason(), "");
    return *opened;
  }

  static std::unique_ptr<Session> create(const std::shared_ptr<Model> &model,
                                         int64_t sequences, int64_t chunk = 128,
                                         int64_t context = 300) {
    return createSession(model, sequences, chunk, context);
  }

  /// Tokens that greedy generation yields, and the state that it leaves.
  std::pair<std::vector<Tokens>, std::string>
  generateAll(const std::shared_ptr<Model> &model,
              const std::vector<Tokens> &prompts,
              const GenerationOptions &options, const TokenCallback &callback) {
    std::unique_ptr<Session> session =
        create(model, static_cast<int64_t>(prompts.size()));
    Expected<GenerationResult> result =
        generate(*session, prompts, options, callback);
    EXPECT_TRUE(result.ok()) << result.status().message;
    if (!result)
      return {};
    const std::string path = folder.path("state");
    EXPECT_TRUE(session->saveState(path, result->nextTokens()).ok());
    return {result->tokens, std::string((*MappedFile::open(path))->bytes())};
  }

  TemporaryFolder folder;
  std::shared_ptr<Model> cpu, device;
};

} // namespace

TEST_P(DeviceTest, prefill_equals_cpu) {
  for (size_t size : {1, 63, 64, 65}) {
    const std::vector<Tokens> prompts = {promptOf(size, 3)};
    const std::vector<Rows> expected = prefillAll(*create(cpu, 1), prompts);
    for (int64_t chunk : {7, 64, 512}) {
      const std::vector<Rows> rows =
          prefillAll(*create(device, 1, chunk), prompts);
      ASSERT_EQ(rows[0].size(), expected[0].size());
      if (chunk == 512)
        EXPECT_EQ(rows, expected) << size;
      // Rows come chunk by chunk, so the last are comparable in any case.
      EXPECT_EQ(rows[0].back(), expected[0].back()) << size;
    }
  }
}

TEST_P(DeviceTest, ragged_batch_equals_cpu) {
  const std::vector<Tokens> prompts = {promptOf(5, 1), promptOf(70, 2),
                                       promptOf(1, 3), promptOf(64, 4)};
  EXPECT_EQ(prefillAll(*create(device, 4, 50), prompts),
            prefillAll(*create(cpu, 4, 50), prompts));
}

TEST_P(DeviceTest, steps_equal_cpu) {
  std::unique_ptr<Session> sessions[] = {create(cpu, 2), create(device, 2)};
  const Tokens first = promptOf(9, 1), second = promptOf(9, 2);
  for (size_t i = 0; i < first.size(); ++i) {
    // Sometimes one sequence alone.
    const size_t count = i % 3 == 2 ? 1 : 2;
    const SequenceTokens input[] = {{0, {&first[i], 1}}, {1, {&second[i], 1}}};
    for (const std::unique_ptr<Session> &session : sessions)
      ASSERT_TRUE(session->step({input, count}, LogitsMode::Last).ok());
    for (size_t s = 0; s < count; ++s) {
      const float *expected = sessions[0]->lastLogits(s);
      const float *row = sessions[1]->lastLogits(s);
      EXPECT_EQ(std::vector<float>(row, row + kToyVocab),
                std::vector<float>(expected, expected + kToyVocab));
    }
    EXPECT_EQ(sessions[1]->launches().step, sessions[0]->launches().step);
  }
}

TEST_P(DeviceTest, states_move_between_devices) {
  const Tokens prompt = promptOf(77, 1), rest = promptOf(20, 8);
  const std::shared_ptr<Model> models[] = {cpu, device};
  std::vector<std::string> files;
  std::vector<std::vector<Rows>> results;
  for (const std::shared_ptr<Model> &from : models) {
    std::unique_ptr<Session> session = create(from, 2);
    prefillAll(*session, {prompt, {4}});
    const std::string path = folder.path("state");
    ASSERT_TRUE(session->saveState(path, {7, -1}).ok());
    files.emplace_back((*MappedFile::open(path))->bytes());
    for (const std::shared_ptr<Model> &to : models) {
      std::unique_ptr<Session> resumed = create(to, 2);
      Tokens next;
      const Status status = resumed->loadState(path, next);
      ASSERT_TRUE(status.ok()) << status.message;
      EXPECT_EQ(next, (Tokens{7, -1}));
      results.push_back(prefillAll(*resumed, {rest, rest}));
    }
  }
  EXPECT_EQ(files[0], files[1]);
  for (const std::vector<Rows> &rows : results)
    EXPECT_EQ(rows, results[0]);
}

TEST_P(DeviceTest, reuses_a_reset_sequence) {
  std::unique_ptr<Session> session = create(device, 2);
  const Tokens prompt = promptOf(70, 5);
  const std::vector<Rows> rows = prefillAll(*session, {prompt, prompt});
  ASSERT_TRUE(session->reset(0).ok());
  EXPECT_EQ(prefillAll(*session, {prompt})[0], rows[0]);
}

TEST_P(DeviceTest, greedy_generation_equals_cpu) {
  const std::vector<Tokens> prompts = {promptOf(10, 1), promptOf(3, 2),
                                       promptOf(62, 6)};
  for (bool runsAhead : {false, true})
    for (bool ignoresEnd : {false, true})
      for (int64_t count : {1, 2, 7, 25}) {
        GenerationOptions options;
        options.count = count;
        options.ignoreEnd = ignoresEnd;
        options.neverStops = runsAhead;
        std::vector<Tokens> seen(prompts.size());
        const auto result = generateAll(device, prompts, options,
                                        [&](int64_t sequence, int32_t token) {
                                          seen[sequence].push_back(token);
                                          return true;
                                        });
        EXPECT_EQ(result, generateAll(cpu, prompts, options, nullptr))
            << count << runsAhead << ignoresEnd;
        EXPECT_EQ(seen, result.first);
      }
}

// A head may leave candidates, which replace a look at all logits.
TEST_P(DeviceTest, greedy_generation_uses_candidates) {
  auto openWith = [&](const char *token) {
    return open(GetParam(), {10},
                {toyPlanOfCandidates(), toyPtxOfCandidates(token), ""});
  };
  const std::vector<Tokens> prompts = {promptOf(10, 1), promptOf(3, 2)};
  GenerationOptions options;
  options.count = 7;
  options.ignoreEnd = true;
  EXPECT_EQ(generateAll(openWith("%r2"), prompts, options, nullptr),
            generateAll(cpu, prompts, options, nullptr));
  for (const Tokens &tokens :
       generateAll(openWith("3"), prompts, options, nullptr).first)
    EXPECT_EQ(Tokens(tokens.begin() + 1, tokens.end()), Tokens(6, 3));
  // The host looks at logits.
  options.sampling.temperature = 0.7f;
  EXPECT_EQ(generateAll(openWith("3"), prompts, options, nullptr),
            generateAll(cpu, prompts, options, nullptr));
}

// Steps that a GPU has begun when a sequence ends must not change its state.
TEST_P(DeviceTest, sequences_end_at_their_own_time) {
  const std::vector<Tokens> prompts = {promptOf(10, 1), promptOf(3, 2),
                                       promptOf(64, 7)};
  GenerationOptions options;
  options.count = 12;
  options.ignoreEnd = true;
  const std::vector<Tokens> all =
      generateAll(cpu, prompts, options, nullptr).first;
  options.ignoreEnd = false;
  options.neverStops = true;
  std::set<size_t> lengths;
  for (int32_t end : std::set<int32_t>(all[1].begin(), all[1].end())) {
    const auto expected =
        generateAll(open("cpu", {end}), prompts, options, nullptr);
    EXPECT_EQ(generateAll(open(GetParam(), {end}), prompts, options, nullptr),
              expected)
        << end;
    for (const Tokens &tokens : expected.first)
      lengths.insert(tokens.size());
  }
  EXPECT_GE(lengths.size(), 2u);
}

TEST_P(DeviceTest, callbacks_stop_sequences) {
  const std::vector<Tokens> prompts = {promptOf(10, 1), promptOf(3, 2)};
  GenerationOptions options;
  options.count = 9;
  options.ignoreEnd = true;
  for (size_t length : {1, 2, 5}) {
    auto generateWith = [&](const std::shared_ptr<Model> &model) {
      size_t tokens = 0;
      return generateAll(model, prompts, options,
                         [&](int64_t sequence, int32_t) {
                           return sequence != 1 || ++tokens < length;
                         });
    };
    const auto result = generateWith(device);
    EXPECT_EQ(result, generateWith(cpu));
    EXPECT_EQ(result.first[1].size(), length);
    EXPECT_EQ(result.first[0].size(), 9u);
  }
}

TEST_P(DeviceTest, context_ends_generation) {
  GenerationOptions options;
  options.count = 20;
  options.ignoreEnd = true;
  options.neverStops = true;
  for (const std::shared_ptr<Model> &model : {cpu, device}) {
    int tokens = 0;
    Expected<GenerationResult> result =
        generate(*create(model, 1, 128, 70), {promptOf(65, 1)}, options,
                 [&](int64_t, int32_t) { return ++tokens > 0; });
    EXPECT_EQ(result.status().message, "context, got 71 tokens, supported 70");
    EXPECT_EQ(tokens, 6);
  }
}

TEST_P(DeviceTest, sampling_equals_cpu) {
  GenerationOptions options;
  options.count = 12;
  options.ignoreEnd = true;
  options.sampling.temperature = 0.7f;
  options.sampling.topK = 5;
  const std::vector<Tokens> prompts = {promptOf(10, 1), promptOf(3, 2)};
  EXPECT_EQ(generateAll(device, prompts, options, nullptr),
            generateAll(cpu, prompts, options, nullptr));
}

TEST_P(DeviceTest, times_kernels) {
  std::unique_ptr<Session> session = create(device, 1);
  KernelTimes times(device->plan().kernels.size());
  session->setKernelTimes(&times);
  prefillAll(*session, {promptOf(5, 1)});
  EXPECT_EQ(times[0].launches, 1);
  EXPECT_EQ(times[1].launches, 2);
  EXPECT_GT(times[1].seconds, 0);
}

TEST(Plan, negative_candidates_without_memory) {
  nlohmann::json plan = stepsLikePrefill(toyPlanOfCandidates());
  plan["kernels"][3]["scratch"] = 8 * kToyVocab - 1;
  EXPECT_EQ(Plan::parse(plan.dump(), "p").status().message,
            "p.kernels[3].candidates: got 11, expected at most 10 pairs in the "
            "kernel's scratch");
}

INSTANTIATE_TEST_SUITE_P(, DeviceTest, ::testing::Values("ptx", "cuda"),
                         [](const auto &test) { return test.param; });
