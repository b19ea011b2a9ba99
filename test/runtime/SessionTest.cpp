//===- SessionTest.cpp - Tests of sessions with a toy model ---------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Session.h"
#include "ToyModel.h"
#include "runtime/Generation.h"
#include "runtime/SafeTensors.h"
#include "runtime/StateFile.h"

#include <cmath>
#include <gtest/gtest.h>

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

class SessionTest : public ::testing::Test {
protected:
  void SetUp() override {
    writeToyWeights(folder);
    model = open(2);
  }

  std::shared_ptr<Model> open(int threads) {
    Expected<std::shared_ptr<Model>> opened =
        openToyModel(folder.path(), threads);
    EXPECT_TRUE(opened.ok()) << opened.status().message;
    return opened ? *opened : nullptr;
  }

  std::unique_ptr<Session> create(int64_t sequences, int64_t chunk = 128,
                                  int64_t context = 300) {
    SessionOptions options;
    options.sequences = sequences;
    options.prefillChunk = chunk;
    options.context = context;
    options.poison = true;
    Expected<std::unique_ptr<Session>> session =
        Session::create(model, options);
    EXPECT_TRUE(session.ok()) << session.status().message;
    return *std::move(session);
  }

  /// Logits of every token of one sequence, token by token.
  Rows stepAll(Session &session, int64_t sequence, const Tokens &tokens) {
    Rows rows;
    for (const int32_t &token : tokens) {
      const SequenceTokens input{sequence, {&token, 1}};
      EXPECT_TRUE(session.step({&input, 1}, LogitsMode::Last).ok());
      const float *row = session.lastLogits(sequence);
      rows.emplace_back(row, row + kToyVocab);
    }
    return rows;
  }

  /// The same by prefill of several sequences at once.
  std::vector<Rows> prefillAll(Session &session,
                               const std::vector<Tokens> &prompts) {
    std::vector<Rows> rows(prompts.size());
    session.setLogitsSink([&](int64_t sequence, int64_t, const float *row) {
      rows[sequence].emplace_back(row, row + kToyVocab);
    });
    std::vector<SequenceTokens> input;
    for (size_t i = 0; i < prompts.size(); ++i)
      input.push_back({static_cast<int64_t>(i), prompts[i]});
    const Status status = session.prefill(input, LogitsMode::All);
    EXPECT_TRUE(status.ok()) << status.message;
    return rows;
  }

  TemporaryFolder folder;
  std::shared_ptr<Model> model;
};

} // namespace

TEST_F(SessionTest, prefill_equals_steps) {
  for (size_t size : {1, 63, 64, 65, 150}) {
    const Tokens prompt = promptOf(size, 3);
    const Rows steps = stepAll(*create(1), 0, prompt);
    ASSERT_FALSE(std::isnan(steps.back()[0]));
    for (int64_t chunk : {1, 7, 64, 100, 512})
      EXPECT_EQ(prefillAll(*create(1, chunk), {prompt})[0], steps)
          << size << " tokens, chunk " << chunk;
  }
}

TEST_F(SessionTest, batch_equals_single) {
  const std::vector<Tokens> prompts = {promptOf(5, 1), promptOf(130, 2),
                                       promptOf(1, 3), promptOf(64, 4)};
  std::unique_ptr<Session> batch = create(4, 50);
  const std::vector<Rows> rows = prefillAll(*batch, prompts);
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(rows[i], prefillAll(*create(1), {prompts[i]})[0]) << i;
    EXPECT_EQ(batch->position(static_cast<int64_t>(i)),
              static_cast<int64_t>(prompts[i].size()));
  }
}

TEST_F(SessionTest, threads_do_not_change_bits) {
  const std::vector<Tokens> prompts = {promptOf(70, 1), promptOf(9, 2)};
  const std::vector<Rows> rows = prefillAll(*create(2), prompts);
  for (int threads : {1, 3}) {
    model = open(threads);
    EXPECT_EQ(prefillAll(*create(2), prompts), rows);
  }
}

TEST_F(SessionTest, cuts_at_absolute_multiples) {
  std::unique_ptr<Session> session = create(1, 100);
  std::vector<int64_t> starts;
  session->setHiddenSink([&](int64_t, int64_t position, int64_t layer,
                             const float *, int64_t, int64_t) {
    if (layer == -1)
      starts.push_back(position);
  });
  const Tokens tokens = promptOf(203, 1);
  const SequenceTokens head{0, {tokens.data(), 3}};
  const SequenceTokens tail{0, {tokens.data() + 3, 200}};
  ASSERT_TRUE(session->prefill({&head, 1}, LogitsMode::None).ok());
  ASSERT_TRUE(session->prefill({&tail, 1}, LogitsMode::None).ok());
  EXPECT_EQ(starts, (std::vector<int64_t>{0, 3, 64, 128}));
  EXPECT_EQ(session->lastLogits(0), nullptr);
  EXPECT_EQ(session->launches().chunks, 4);
}

TEST_F(SessionTest, shows_hidden_states) {
  std::unique_ptr<Session> session = create(2);
  std::vector<int64_t> layers;
  session->setHiddenSink([&](int64_t sequence, int64_t, int64_t layer,
                             const float *, int64_t count, int64_t) {
    layers.push_back(layer);
    EXPECT_EQ(count, layer == 2 ? 1 : sequence == 0 ? 3 : 5);
  });
  const Tokens first = promptOf(3, 1), second = promptOf(5, 1);
  const SequenceTokens input[] = {{0, first}, {1, second}};
  ASSERT_TRUE(session->prefill({input, 2}, LogitsMode::Last).ok());
  EXPECT_EQ(layers, (std::vector<int64_t>{-1, -1, 0, 0, 1, 1, 2, 2}));
}

TEST_F(SessionTest, reuses_a_reset_sequence) {
  std::unique_ptr<Session> session = create(2);
  const Tokens prompt = promptOf(100, 5);
  const std::vector<Rows> rows = prefillAll(*session, {prompt, prompt});
  ASSERT_TRUE(session->reset(0).ok());
  EXPECT_EQ(session->position(0), 0);
  EXPECT_EQ(session->lastLogits(0), nullptr);
  EXPECT_EQ(prefillAll(*session, {prompt})[0], rows[0]);
}

TEST_F(SessionTest, states_round_trip_through_a_file) {
  for (size_t size : {1, 64, 77}) {
    const Tokens prompt = promptOf(size, 1), rest = promptOf(20, 8);
    std::unique_ptr<Session> session = create(2);
    prefillAll(*session, {prompt, {4}});
    const std::string path = folder.path("state");
    ASSERT_TRUE(session->saveState(path, {7, -1}).ok());
    std::unique_ptr<Session> resumed = create(2, 8);
    std::vector<int32_t> next;
    const Status status = resumed->loadState(path, next);
    ASSERT_TRUE(status.ok()) << status.message;
    EXPECT_EQ(next, (std::vector<int32_t>{7, -1}));
    EXPECT_EQ(resumed->position(0), static_cast<int64_t>(size));
    EXPECT_EQ(prefillAll(*resumed, {rest, rest}),
              prefillAll(*session, {rest, rest}));
    // Saved again at once, a state is the same file.
    std::unique_ptr<Session> copy = create(2);
    ASSERT_TRUE(copy->loadState(path, next).ok());
    ASSERT_TRUE(copy->saveState(folder.path("again"), next).ok());
    EXPECT_EQ((*MappedFile::open(path))->bytes(),
              (*MappedFile::open(folder.path("again")))->bytes());
  }
}

TEST_F(SessionTest, states_have_canonical_shapes) {
  std::unique_ptr<Session> session = create(1);
  prefillAll(*session, {promptOf(5, 1)});
  ASSERT_TRUE(session->saveState(folder.path("state"), {3}).ok());
  Expected<SafeTensors> file = SafeTensors::open(folder.path("state"));
  ASSERT_TRUE(file.ok());
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(file->find("state.0.1.conv")->shape, (Shape{4, 2}));
  EXPECT_EQ(file->find("state.0.0.ssm")->shape, (Shape{4, 3}));
  EXPECT_EQ(file->find("state.0.0.k")->shape, (Shape{1, 5, 4}));
  EXPECT_EQ(file->find("state.0.0.v")->shape, (Shape{1, 5, 4}));
  EXPECT_EQ(*file->findMetadata("tokens_seen.0"), "5");
  EXPECT_EQ(*file->findMetadata("next_token.0"), "3");
}

TEST_F(SessionTest, negative_states) {
  std::unique_ptr<Session> session = create(2);
  prefillAll(*session, {promptOf(5, 1), promptOf(6, 1)});
  const std::string path = folder.path("state");
  ASSERT_TRUE(session->saveState(path, {}).ok());
  std::vector<int32_t> next;
  EXPECT_EQ(create(1)->loadState(path, next).message,
            path + ": sequences, got 2, expected 1");
  EXPECT_EQ(create(2, 128, 4)->loadState(path, next).message,
            path + ": context, got 5 tokens, supported 4");
  folder.write("other", toyArtifact());
  EXPECT_EQ(create(2)->loadState(folder.path("other"), next).message,
            folder.path("other") +
                ": format, got ssmc-artifact, expected ssmc-state");
  EXPECT_EQ(readStateSummary(folder.path("other")).status().message,
            folder.path("other") +
                ": format, got ssmc-artifact, expected ssmc-state");
  // A count that nothing in the file stands for must cost no memory.
  SafeTensorsWriter writer;
  writer.setMetadata("format", "ssmc-state");
  writer.setMetadata("version", "1");
  writer.setMetadata("sequences", "1000000");
  ASSERT_TRUE(writer.write(folder.path("many")).ok());
  EXPECT_EQ(readStateSummary(folder.path("many")).status().message,
            folder.path("many") + ": missing tokens_seen.0");
}

TEST_F(SessionTest, negative_input) {
  std::unique_ptr<Session> session = create(1, 128, 100);
  auto prefill = [&](int64_t sequence, Tokens tokens) {
    const SequenceTokens input{sequence, tokens};
    return session->prefill({&input, 1}, LogitsMode::Last).message;
  };
  EXPECT_EQ(prefill(0, {11}), "token, got 11, supported 0 to 10");
  EXPECT_EQ(prefill(0, {-1}), "token, got -1, supported 0 to 10");
  EXPECT_EQ(prefill(1, {1}), "sequence, got 1 of 1");
  EXPECT_EQ(prefill(0, {}), "sequence 0: no tokens, expected at least one");
  EXPECT_EQ(prefill(0, promptOf(101, 1)),
            "context, got 101 tokens, supported 100");
  EXPECT_EQ(prefill(0, promptOf(100, 1)), "");
}

TEST_F(SessionTest, generation_can_be_cut_anywhere) {
  const std::vector<Tokens> prompts = {promptOf(10, 1), promptOf(3, 2)};
  GenerationOptions options;
  options.count = 12;
  options.ignoreEnd = true;
  options.sampling.temperature = 1;
  std::unique_ptr<Session> whole = create(2);
  Expected<GenerationResult> expected =
      generate(*whole, prompts, options, nullptr);
  ASSERT_TRUE(expected.ok()) << expected.status().message;

  std::unique_ptr<Session> first = create(2);
  options.count = 5;
  Expected<GenerationResult> begin =
      generate(*first, prompts, options, nullptr);
  ASSERT_TRUE(begin.ok());
  ASSERT_TRUE(first->saveState(folder.path("state"), begin->nextTokens()).ok());
  std::unique_ptr<Session> second = create(2);
  std::vector<int32_t> next;
  ASSERT_TRUE(second->loadState(folder.path("state"), next).ok());
  options.count = 7;
  Expected<GenerationResult> end =
      generate(*second, {{next[0]}, {next[1]}}, options, nullptr);
  ASSERT_TRUE(end.ok());
  for (int i = 0; i < 2; ++i) {
    Tokens joined = begin->tokens[i];
    joined.insert(joined.end(), end->tokens[i].begin(), end->tokens[i].end());
    EXPECT_EQ(joined, expected->tokens[i]);
  }
}

TEST_F(SessionTest, generation_ends) {
  GenerationOptions options;
  options.count = 200;
  options.sampling.temperature = 100; // nearly uniform: 10 will come
  std::unique_ptr<Session> session = create(1);
  Expected<GenerationResult> result =
      generate(*session, {{1}}, options, nullptr);
  ASSERT_TRUE(result.ok()) << result.status().message;
  EXPECT_EQ(result->tokens[0].back(), 10);
  session = create(1);
  options.ignoreEnd = true;
  result = generate(*session, {{1}}, options,
                    [](int64_t, int32_t) { return false; });
  EXPECT_EQ(result->tokens[0].size(), 1u);
}

TEST_F(SessionTest, keeps_packed_weights) {
  setenv("XDG_CACHE_HOME", folder.path("cache").c_str(), 1);
  Expected<std::shared_ptr<Model>> first =
      openToyModel(folder.path(), 1, /*useCache=*/true);
  ASSERT_TRUE(first.ok()) << first.status().message;
  const size_t files = folder.fileCount();
  EXPECT_EQ(files, 2u);
  Expected<std::shared_ptr<Model>> second =
      openToyModel(folder.path(), 1, /*useCache=*/true);
  ASSERT_TRUE(second.ok()) << second.status().message;
  EXPECT_EQ(folder.fileCount(), files);
  const void *packed = (*second)->weights().weight(0);
  EXPECT_EQ(std::memcmp(packed, model->weights().weight(0), 176), 0);
  // Other weights in the same file name have another key.
  std::filesystem::last_write_time(
      folder.path("model.safetensors"),
      std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  ASSERT_TRUE(openToyModel(folder.path(), 1, /*useCache=*/true).ok());
  EXPECT_EQ(folder.fileCount(), files + 1);
}
