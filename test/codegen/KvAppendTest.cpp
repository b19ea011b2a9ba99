//===- KvAppendTest.cpp - kern.kv_append against double loops -------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/codegen/CacheTest.h"

#include <cmath>
#include <cstring>
#include <map>

using namespace ssm;
using namespace ssm::test;

namespace {

struct Problem {
  HeadShape shape;
  int64_t ropeDims = 0; // 0: no rotation
  double theta = 10000;
  Element input = Element::F32, result = Element::F32;

  int64_t inputColumns() const {
    return (shape.heads + 2 * shape.kvHeads) * shape.headDim;
  }
  int64_t resultColumns() const { return shape.heads * shape.headDim; }
};

} // namespace

static constexpr double kQueryScale = 0.180336880;

static std::string text(const Problem &problem) {
  std::string input = rowsType(problem.inputColumns(), problem.input);
  std::string result = rowsType(problem.resultColumns(), problem.result);
  std::string cache = cacheType(problem.shape);
  std::string rope;
  if (problem.ropeDims)
    rope = " rope(<default, dims = " + std::to_string(problem.ropeDims) +
           ", theta = " + std::to_string(problem.theta) + ">)";
  return "func.func private @append(%x: " + input +
         ", %seqs: !ssm.seqs, %k: " + cache + ", %v: " + cache + ") -> (" +
         result + ", " + cache + ", " + cache +
         ") {\n  %q, %k2, %v2 = kern.kv_append %x, %seqs cache %k, %v "
         "query_scale(" +
         std::to_string(kQueryScale) + ")" + rope + " : " + input + ", " +
         cache + " -> " + result + "\n  return %q, %k2, %v2 : " + result +
         ", " + cache + ", " + cache + "\n}\n";
}

/// Dimensions of the head at `column` of a row, rotated.
static std::vector<double> rotated(const Problem &problem, const Rows &input,
                                   int64_t row, int64_t column,
                                   int64_t position) {
  std::vector<double> head;
  for (int64_t d = 0; d < problem.shape.headDim; ++d)
    head.push_back(input.get(row, column + d));
  int64_t half = problem.ropeDims / 2;
  for (int64_t i = 0; i < half; ++i) {
    double frequency =
        std::pow(problem.theta, -2.0 * double(i) / double(problem.ropeDims));
    double angle = double(position) * frequency;
    double x = head[i], y = head[i + half];
    head[i] = x * std::cos(angle) - y * std::sin(angle);
    head[i + half] = y * std::cos(angle) + x * std::sin(angle);
  }
  return head;
}

static double tolerance(Element type) {
  return type == Element::F32 ? 5e-7 : 4e-3;
}

/// Expects `pool` to hold `expected` (by index) and to be untouched elsewhere.
static void expectPool(const CachePool &pool,
                       const std::map<int64_t, double> &expected) {
  Element type = pool.shape.cache;
  CachePool fresh(pool.shape, pool.keys,
                  int64_t(pool.buffer.size()) / pool.stride);
  for (int64_t i = 0; i < int64_t(pool.buffer.size()) / sizeOf(type); ++i) {
    auto found = expected.find(i);
    if (found != expected.end())
      ASSERT_NEAR(pool.buffer.get(type, i), found->second, tolerance(type))
          << "element " << i;
    else
      ASSERT_EQ(std::memcmp(pool.buffer.data() + i * sizeOf(type),
                            fresh.buffer.data() + i * sizeOf(type),
                            sizeOf(type)),
                0)
          << "element " << i;
  }
}

static void checkCall(const ssm::test::Kernel &kernel, const Problem &problem,
                      const Sequences &sequences, int64_t pages, Order order) {
  const HeadShape &shape = problem.shape;
  std::mt19937 random(3);
  Rows input(sequences.rows(), problem.inputColumns(), problem.input);
  input.randomize(random);
  Rows result(sequences.rows(), problem.resultColumns(), problem.result);
  CachePool keys(shape, true, pages), values(shape, false, pages);
  Arguments arguments;
  arguments.rows(input)
      .seqs(sequences)
      .state(keys.buffer, keys.stride)
      .state(values.buffer, values.stride)
      .rows(result)
      .integer(input.rows);
  kernel.run(arguments, Symbols(sequences), order);

  std::map<int64_t, double> expectedKeys, expectedValues;
  for (int64_t row = 0; row < input.rows; ++row) {
    int64_t position = sequences.table().rowPosition[row];
    int64_t slot = sequences.table().slot[sequences.table().rowSequence[row]];
    int64_t page = sequences.page(slot, position / 64), token = position % 64;
    for (int64_t head = 0; head < shape.heads + shape.kvHeads; ++head) {
      std::vector<double> numbers =
          rotated(problem, input, row, head * shape.headDim, position);
      for (int64_t d = 0; d < shape.headDim; ++d)
        if (head < shape.heads)
          ASSERT_NEAR(result.get(row, head * shape.headDim + d),
                      numbers[d] * kQueryScale, tolerance(problem.result))
              << "row " << row << " head " << head << " dimension " << d;
        else
          expectedKeys[keys.index(page, head - shape.heads, token, d)] =
              numbers[d];
    }
    for (int64_t head = 0; head < shape.kvHeads; ++head)
      for (int64_t d = 0; d < shape.headDim; ++d)
        expectedValues[values.index(page, head, token, d)] = input.get(
            row, (shape.heads + shape.kvHeads + head) * shape.headDim + d);
  }
  expectPool(keys, expectedKeys);
  expectPool(values, expectedValues);
}

static void check(const Problem &problem) {
  for (const Machine &machine : testMachines()) {
    SCOPED_TRACE(machine.name + ": " + text(problem));
    ssm::test::Kernel kernel(text(problem), machine);
    ASSERT_TRUE(bool(kernel));
    Sequences batch({{1, 0, 3}, {0, 30, 37}, {2, 127, 1}, {3, 5, 70}}, 4, 3);
    for (Order order : kOrders)
      checkCall(kernel, problem, batch, batch.pageCount(), order);
    // The page of these positions is the first of the pool.
    Sequences far({{0, 1000000, 5}}, 1, 15626);
    checkCall(kernel, problem, far, 1, Order::Whole);
  }
}

TEST(KvAppend, Rotated) {
  check({{6, 2, 64, Element::F32}, 64});
  check({{2, 2, 128, Element::F32}, 128, 500000});
}

TEST(KvAppend, PartlyRotated) {
  check({{4, 1, 16, Element::F32}, 8});
  check({{4, 2, 14, Element::F32}, 14});
  check({{3, 3, 7, Element::F32}, 6});
}

TEST(KvAppend, NotRotated) { check({{4, 2, 24, Element::F32}}); }

TEST(KvAppend, HalfCache) {
  check({{6, 2, 64, Element::BF16}, 64});
  check({{2, 1, 7, Element::BF16}, 4});
  check({{4, 4, 16, Element::BF16}, 16, 10000, Element::BF16, Element::BF16});
}

TEST(KvAppend, StepMovesWhatIsNecessary) {
  Problem problem{{16, 2, 64, Element::F32}, 64};
  ssm::test::Kernel kernel(text(problem), testGpu());
  ASSERT_TRUE(bool(kernel));
  Sequences sequences({{1, 30, 1}}, 4, 3);
  checkCall(kernel, problem, sequences, sequences.pageCount(), Order::Whole);
  // Each number of a key has a sector to itself, so that a warp reads those of
  // 32 tokens in one piece.
  constexpr int64_t kSectorBytes = 32;
  int64_t kvColumns = problem.shape.kvHeads * problem.shape.headDim;
  // The block of each 16 heads reads the frequencies, of 8 bytes.
  int64_t blocks = 2, frequencies = problem.ropeDims / 2;
  expectTraffic(4 * problem.inputColumns() + 8 * blocks * frequencies,
                4 * (problem.resultColumns() + kvColumns) +
                    kSectorBytes * kvColumns);
}
