//===- StepProgramTest.cpp - The kernel that ends a step ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/StepProgram.h"
#include "TemporaryFolder.h"
#include "runtime/CallTable.h"
#include "runtime/Sampler.h"
#include "runtime/ptx/Interpreter.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>

using namespace ssmrt;

namespace {

constexpr int32_t kSpareSlot = 77;
constexpr int32_t kSparePage = 88;
constexpr int64_t kRingEntries = 3;

/// A batch of sequences whose steps end by the kernel, checked by the
/// interpreter.
class StepProgramTest : public ::testing::Test {
protected:
  void start(const std::vector<std::vector<float>> &logits,
             const std::vector<int32_t> &endTokens) {
    rows = logits;
    const int64_t vocab = static_cast<int64_t>(logits[0].size());
    const int64_t stride = vocab + 3;
    std::vector<CallPart> parts;
    sequences.resize(logits.size());
    for (size_t i = 0; i < logits.size(); ++i) {
      sequences[i].position = 63 + static_cast<int64_t>(i);
      sequences[i].slot = static_cast<int32_t>(i);
      sequences[i].pages = {4, 5};
      parts.push_back({&sequences[i], {&firstTokens[i], 1}, 1});
    }
    const CallTable call(parts, 2);
    const uint64_t table = allocate(CallTable::packedBytes(call.symbols(), 2));
    std::vector<char> bytes;
    const int64_t offset = call.pack(table, bytes);
    EXPECT_LE(static_cast<int64_t>(bytes.size()),
              CallTable::packedBytes(call.symbols(), 2));
    ASSERT_TRUE(memory.write(table, bytes.data(), bytes.size()).ok());
    std::memcpy(&seqs, bytes.data(), sizeof(seqs));
    const uint64_t matrix = allocate(4 * stride * logits.size());
    for (size_t i = 0; i < logits.size(); ++i)
      ASSERT_TRUE(
          memory.write(matrix + 4 * stride * i, logits[i].data(), 4 * vocab)
              .ok());
    const uint64_t ends = allocate(64);
    ASSERT_TRUE(
        memory.write(ends, endTokens.data(), 4 * endTokens.size()).ok());
    const uint64_t progress =
        allocate(sizeof(SequenceProgress) * logits.size());
    ASSERT_TRUE(
        memory.fill(progress, 0, sizeof(SequenceProgress) * logits.size())
            .ok());
    ring = allocate(4 * kRingEntries * logits.size());
    tokens = table + static_cast<uint64_t>(offset);
    arguments = {matrix,
                 static_cast<uint64_t>(stride),
                 static_cast<uint64_t>(vocab),
                 sizeof(float),
                 table,
                 tokens,
                 progress,
                 ring,
                 kRingEntries,
                 ends,
                 endTokens.size(),
                 kSpareSlot,
                 kSparePage};
  }

  uint64_t allocate(uint64_t bytes) { return *memory.allocate(bytes); }

  void step(uint64_t seed) {
    const ptx::Module module = *ptx::Module::parse(kStepProgram);
    const PlanKernel kernel = chooserKernel();
    ptx::Launch launch;
    launch.kernel = kernel.name;
    launch.grid.x = static_cast<uint32_t>(rows.size());
    launch.block.x = static_cast<uint32_t>(kernel.block);
    launch.parameters = {reinterpret_cast<const std::byte *>(arguments.data()),
                         8 * arguments.size()};
    ptx::Options options;
    options.seed = seed;
    const Status status = ptx::launch(module, launch, memory, options).status();
    EXPECT_TRUE(status.ok()) << status.message;
  }

  template <class T> T read(const void *array, int64_t index) {
    return read<T>(static_cast<uint64_t>(reinterpret_cast<uintptr_t>(array)),
                   index);
  }
  template <class T> T read(uint64_t array, int64_t index) {
    T value{};
    EXPECT_TRUE(memory.read(array + index * sizeof(T), &value, sizeof(T)).ok());
    return value;
  }

  ptx::DeviceMemory memory;
  std::vector<std::vector<float>> rows;
  std::vector<Sequence> sequences;
  std::vector<int32_t> firstTokens = {1, 2, 3, 4};
  std::vector<uint64_t> arguments;
  SeqTable seqs{};
  uint64_t ring = 0, tokens = 0;
};

} // namespace

TEST_F(StepProgramTest, chooses_as_the_host_does) {
  uint32_t random = 1;
  for (int64_t vocab : {1, 2, 255, 256, 257, 1000})
    for (uint64_t seed : {0, 1, 2}) {
      std::vector<std::vector<float>> logits(3, std::vector<float>(vocab));
      for (std::vector<float> &row : logits)
        for (float &value : row) {
          // Few different values: there are ties; some are no numbers.
          random = random * 1664525 + 1013904223;
          value = static_cast<float>(static_cast<int>(random >> 28) - 8);
          if ((random >> 20 & 7) == 0)
            value = NAN;
          if ((random >> 20 & 31) == 1)
            value = -INFINITY;
        }
      logits[1].assign(vocab, -INFINITY);
      logits[2][vocab - 1] = 100;
      start(logits, {});
      step(seed);
      for (int64_t i = 0; i < 3; ++i) {
        const int32_t expected = sample(logits[i].data(), vocab, {}, 0, 0);
        EXPECT_EQ(read<int32_t>(ring, i), expected < 0 ? kNoNumber : expected)
            << vocab << " " << i;
      }
    }
}

TEST_F(StepProgramTest, chooses_among_candidates) {
  const float none = -INFINITY;
  start({{0}, {0}, {0}}, {});
  // Pairs of a logit and its token: a tie, a number behind none, no number.
  struct Candidate {
    float logit;
    int32_t token;
  };
  const std::vector<Candidate> rows[] = {
      {{1, 3}, {5, 30}, {5, 64}, {2, 99}, {none, -1}},
      {{none, -1}, {none, 40}, {none, 70}, {none, -1}, {none, 130}},
      {{none, -1}, {none, -1}, {none, -1}, {none, -1}, {none, -1}}};
  const int64_t count = 5;
  const uint64_t candidates = allocate(3 * count * sizeof(Candidate));
  for (int64_t i = 0; i < 3; ++i)
    ASSERT_TRUE(memory
                    .write(candidates + i * count * sizeof(Candidate),
                           rows[i].data(), count * sizeof(Candidate))
                    .ok());
  arguments[0] = candidates;
  arguments[1] = 2 * count;
  arguments[2] = count;
  arguments[3] = sizeof(Candidate);
  step(0);
  EXPECT_EQ(read<int32_t>(ring, 0), 30);
  EXPECT_EQ(read<int32_t>(ring, 1), 40);
  EXPECT_EQ(read<int32_t>(ring, 2), kNoNumber);
  EXPECT_EQ(read<int32_t>(tokens, 0), 30);
}

TEST_F(StepProgramTest, moves_on) {
  start({{0, 5, 1}, {7, 5, 1}}, {2});
  for (int32_t i = 1; i <= 4; ++i) {
    step(0);
    for (int64_t s = 0; s < 2; ++s) {
      const int32_t token = s == 0 ? 1 : 0;
      EXPECT_EQ(read<int32_t>(ring, (i - 1) % kRingEntries * 2 + s), token);
      EXPECT_EQ(read<int32_t>(tokens, s), token);
      EXPECT_EQ(read<int64_t>(seqs.position, s), 63 + s + i);
      EXPECT_EQ(read<int64_t>(seqs.rowPosition, s), 63 + s + i);
      EXPECT_EQ(read<int32_t>(seqs.slot, s), s);
      EXPECT_EQ(read<int32_t>(seqs.pages, 2 * s), 4);
    }
  }
}

TEST_F(StepProgramTest, what_is_done_goes_to_spare_memory) {
  // The first ends by a token, the second as it has no number.
  start({{0, 5, 1}, {NAN, NAN, NAN}, {7, 5, 1}}, {9, 1});
  step(0);
  step(0);
  EXPECT_EQ(read<int32_t>(ring, 0), 1);
  EXPECT_EQ(read<int32_t>(ring, 1), kNoNumber);
  EXPECT_EQ(read<int32_t>(ring, 3), kAlreadyDone);
  EXPECT_EQ(read<int32_t>(ring, 4), kAlreadyDone);
  EXPECT_EQ(read<int32_t>(ring, 5), 0);
  EXPECT_EQ(read<int64_t>(seqs.position, 0), 64);
  EXPECT_EQ(read<int64_t>(seqs.position, 2), 67);
  for (int64_t s = 0; s < 3; ++s) {
    EXPECT_EQ(read<int32_t>(seqs.slot, s), s == 2 ? 2 : kSpareSlot);
    for (int64_t page = 0; page < 2; ++page)
      EXPECT_EQ(read<int32_t>(seqs.pages, 2 * s + page),
                s == 2 ? 4 + page : kSparePage);
  }
}

// The only judge of our PTX that is not ours, where it is on the machine.
TEST(StepProgram, assembles_without_spills) {
  std::string assembler = "ptxas";
  if (std::system("ptxas --version > /dev/null 2>&1") != 0)
    assembler = "/usr/local/cuda/bin/ptxas";
  if (std::system((assembler + " --version > /dev/null 2>&1").c_str()) != 0)
    GTEST_SKIP() << "no ptxas";
  TemporaryFolder folder;
  folder.write("step.ptx", std::string(kStepProgram));
  const std::string command =
      assembler + " -v -arch=sm_80 -o " + folder.path("cubin") + " " +
      folder.path("step.ptx") + " 2>&1 | grep -q '0 bytes stack frame, 0 " +
      "bytes spill stores'";
  EXPECT_EQ(std::system(command.c_str()), 0);
}
