//===- AttentionTest.cpp - kern.attention against double loops ------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/codegen/CacheTest.h"

#include <cmath>

using namespace ssm;
using namespace ssm::test;

namespace {

struct Problem {
  HeadShape shape;
  int64_t window = 0; // 0: none
  Element query = Element::F32, result = Element::F32;

  int64_t columns() const { return shape.heads * shape.headDim; }
};

/// Keys and values of some slots, as numbers and as pages.
class Cache {
public:
  static constexpr int64_t kSlots = 3, kMaxPages = 5;

  Cache(HeadShape shape, std::mt19937 &random, int64_t maxPages = kMaxPages)
      : keyPool(shape, true, kSlots * maxPages),
        valuePool(shape, false, kSlots * maxPages), shape(shape),
        tokens(maxPages * Sequences::kPageTokens) {
    size_t count = kSlots * tokens * shape.kvHeads * shape.headDim;
    keys = randomVector(random, count, 1.5f);
    values = randomVector(random, count);
    for (std::vector<float> *list : {&keys, &values})
      for (float &value : *list)
        value = roundTo(shape.cache, value);
  }

  size_t index(int64_t slot, int64_t position, int64_t head) const {
    return ((slot * tokens + position) * shape.kvHeads + head) * shape.headDim;
  }
  /// Writes all tokens that the rows of a call see to the pages.
  void fill(const Sequences &sequences) {
    for (const Sequence &sequence : sequences.sequences())
      for (int64_t t = 0; t < sequence.position + sequence.length; ++t)
        for (int64_t head = 0; head < shape.kvHeads; ++head)
          for (int64_t d = 0; d < shape.headDim; ++d) {
            size_t from = index(sequence.slot, t, head) + d;
            int64_t page = sequences.page(sequence.slot, t / 64);
            keyPool.set(page, head, t % 64, d, keys[from]);
            valuePool.set(page, head, t % 64, d, values[from]);
          }
  }

  CachePool keyPool, valuePool;
  std::vector<float> keys, values;

private:
  HeadShape shape;
  int64_t tokens;
};

} // namespace

static std::string text(const Problem &problem, const char *form) {
  std::string query = rowsType(problem.columns(), problem.query);
  std::string result = rowsType(problem.columns(), problem.result);
  std::string cache = cacheType(problem.shape);
  std::string window =
      problem.window ? " window(" + std::to_string(problem.window) + ")" : "";
  return "func.func private @attention(%q: " + query +
         ", %seqs: !ssm.seqs, %k: " + cache + ", %v: " + cache + ") -> " +
         result + " {\n  %o = kern.attention " + form +
         " %q, %seqs cache %k, %v" + window + " : " + query + ", " + cache +
         " -> " + result + "\n  return %o : " + result + "\n}\n";
}

static Rows run(const ssm::test::Kernel &kernel, const Problem &problem,
                const Rows &query, const Sequences &sequences,
                const Cache &cache, Order order = Order::Whole) {
  Rows result(query.rows, problem.columns(), problem.result);
  Arguments arguments;
  arguments.rows(query)
      .seqs(sequences)
      .state(cache.keyPool.buffer, cache.keyPool.stride)
      .state(cache.valuePool.buffer, cache.valuePool.stride)
      .rows(result)
      .integer(query.rows);
  kernel.run(arguments, Symbols(sequences), order);
  return result;
}

/// Output of one row and head by double loops.
static std::vector<double> expected(const Problem &problem, const Cache &cache,
                                    const Rows &query, int64_t row,
                                    int64_t slot, int64_t position,
                                    int64_t head) {
  const HeadShape &shape = problem.shape;
  int64_t d = shape.headDim, kvHead = head / (shape.heads / shape.kvHeads);
  int64_t first =
      problem.window ? std::max<int64_t>(0, position - problem.window + 1) : 0;
  std::vector<double> scores;
  double most = -INFINITY, sum = 0;
  for (int64_t j = first; j <= position; ++j) {
    const float *key = &cache.keys[cache.index(slot, j, kvHead)];
    double score = 0;
    for (int64_t i = 0; i < d; ++i)
      score += double(query.get(row, head * d + i)) * key[i];
    scores.push_back(score);
    most = std::max(most, score);
  }
  std::vector<double> output(d);
  for (int64_t j = first; j <= position; ++j) {
    const float *value = &cache.values[cache.index(slot, j, kvHead)];
    double weight = std::exp2(scores[j - first] - most);
    sum += weight;
    for (int64_t i = 0; i < d; ++i)
      output[i] += weight * value[i];
  }
  for (double &number : output)
    number /= sum;
  return output;
}

static void expectClose(const Problem &problem, const Cache &cache,
                        const Rows &query, const Sequences &sequences,
                        const Rows &result) {
  double tolerance = problem.result == Element::F32 ? 4e-6 : 4e-3;
  int64_t row = 0, d = problem.shape.headDim;
  for (const Sequence &sequence : sequences.sequences())
    for (int64_t t = 0; t < sequence.length; ++t, ++row)
      for (int64_t head = 0; head < problem.shape.heads; ++head) {
        std::vector<double> output =
            expected(problem, cache, query, row, sequence.slot,
                     sequence.position + t, head);
        for (int64_t i = 0; i < d; ++i)
          ASSERT_NEAR(result.get(row, head * d + i), output[i], tolerance)
              << "row " << row << " head " << head << " dimension " << i;
      }
}

/// Expects row `row` of `a` to have the bits of row `other` of `b`.
static void expectSameRow(const Rows &a, int64_t row, const Rows &b,
                          int64_t other) {
  for (int64_t column = 0; column < a.columns; ++column)
    ASSERT_EQ(a.get(row, column), b.get(other, column))
        << "row " << row << " column " << column;
}

/// The rows `rows` of `from`, one after the other.
static Rows selectRows(const Rows &from, const std::vector<int64_t> &rows) {
  Rows result(int64_t(rows.size()), from.columns, from.type);
  for (size_t i = 0; i < rows.size(); ++i)
    for (int64_t column = 0; column < from.columns; ++column)
      result.set(int64_t(i), column, from.get(rows[i], column));
  return result;
}

static const std::vector<Sequence> kCalls[] = {
    {{0, 0, 1}},
    {{0, 0, 3}},
    {{2, 0, 63}, {1, 5, 1}},
    {{1, 0, 64}, {0, 64, 65}},
    {{1, 37, 100}, {0, 3, 7}, {2, 130, 66}},
};

static void checkProblem(const Problem &problem, const Machine &machine) {
  SCOPED_TRACE(machine.name + ": " + text(problem, "prefill"));
  ssm::test::Kernel prefill(text(problem, "prefill"), machine);
  ssm::test::Kernel decode(text(problem, "decode"), machine);
  ASSERT_TRUE(prefill && decode);
  for (const std::vector<Sequence> &call : kCalls) {
    if (machine.isGpu() && call.front().length == 63)
      continue;
    std::mt19937 random(1);
    Cache cache(problem.shape, random);
    Sequences sequences(call, Cache::kSlots, Cache::kMaxPages);
    cache.fill(sequences);
    Rows query(sequences.rows(), problem.columns(), problem.query);
    query.randomize(random, 2 / std::sqrt(float(problem.shape.headDim)));
    Rows whole = run(prefill, problem, query, sequences, cache);
    expectClose(problem, cache, query, sequences, whole);
    for (Order order : {Order::Reverse, Order::RandomSplit}) {
      // An interpreted kernel takes its time.
      if (machine.isGpu() && query.rows > 10)
        continue;
      Rows again = run(prefill, problem, query, sequences, cache, order);
      for (int64_t row = 0; row < query.rows; ++row)
        expectSameRow(whole, row, again, row);
    }
    // Every third row of the call as a decode step, all in one batch.
    std::vector<Sequence> steps;
    std::vector<int64_t> rows;
    for (int64_t row = 0; row < query.rows; row += 3) {
      int64_t index = sequences.table().rowSequence[row];
      rows.push_back(row);
      steps.push_back(
          {call[index].slot, sequences.table().rowPosition[row], 1});
    }
    Sequences stepSequences(steps, Cache::kSlots, Cache::kMaxPages);
    Rows stepped = run(decode, problem, selectRows(query, rows), stepSequences,
                       cache, Order::RandomSplit);
    // The forms of a GPU add up in different orders.
    if (machine.isGpu())
      expectClose(problem, cache, selectRows(query, rows), stepSequences,
                  stepped);
    else
      for (size_t i = 0; i < rows.size(); ++i)
        expectSameRow(whole, rows[i], stepped, int64_t(i));
    // A row's bits do not depend on the batch.
    Sequences lastStep({steps.back()}, Cache::kSlots, Cache::kMaxPages);
    Rows alone =
        run(decode, problem, selectRows(query, {rows.back()}), lastStep, cache);
    expectSameRow(stepped, stepped.rows - 1, alone, 0);
    // The first sequence alone and in two pieces.
    int64_t length = call[0].length, cut = length / 2;
    for (int64_t begin : {int64_t(0), cut}) {
      int64_t end = begin == 0 && cut ? cut : length;
      Sequences piece({{call[0].slot, call[0].position + begin, end - begin}},
                      Cache::kSlots, Cache::kMaxPages);
      std::vector<int64_t> pieceRows;
      for (int64_t row = begin; row < end; ++row)
        pieceRows.push_back(row);
      Rows part =
          run(prefill, problem, selectRows(query, pieceRows), piece, cache);
      for (int64_t row = begin; row < end; ++row)
        expectSameRow(whole, row, part, row - begin);
    }
    if (testing::Test::HasFailure())
      return;
  }
}

static void check(const Problem &problem) {
  for (const Machine &machine : testMachines())
    checkProblem(problem, machine);
}

TEST(Attention, OneHeadPerKvHead) {
  check({{4, 4, 16, Element::F32}});
  check({{3, 3, 64, Element::F32}});
}

TEST(Attention, GroupedHeads) { check({{6, 2, 64, Element::F32}}); }

TEST(Attention, OneKvHead) { check({{7, 1, 128, Element::F32}}); }

TEST(Attention, OddHeadDim) {
  check({{6, 2, 14, Element::F32}});
  check({{2, 1, 7, Element::F32}});
}

TEST(Attention, Window) {
  check({{2, 1, 16, Element::F32}, 1});
  check({{6, 2, 16, Element::F32}, 50});
  check({{4, 1, 16, Element::F32}, 64});
  check({{4, 2, 24, Element::F32}, 100});
}

TEST(Attention, HalfCache) {
  check({{4, 4, 128, Element::BF16}});
  check({{6, 2, 64, Element::BF16}});
  check({{5, 1, 14, Element::BF16}});
  check({{4, 2, 7, Element::BF16}, 33});
}

TEST(Attention, HalfRows) {
  check({{6, 2, 64, Element::BF16}, 0, Element::BF16, Element::BF16});
  check({{2, 1, 7, Element::F32}, 0, Element::F32, Element::BF16});
}

/// Decodes rows at `positions` in one batch and each by itself: other blocks
/// share their keys, the bits are equal.
static void checkChunks(const Problem &problem,
                        const std::vector<int64_t> &positions) {
  SCOPED_TRACE(text(problem, "decode"));
  ssm::test::Kernel kernel(text(problem, "decode"), testGpu());
  ASSERT_TRUE(bool(kernel));
  int64_t maxPages = *llvm::max_element(positions) / 64 + 1;
  std::mt19937 random(1);
  Cache cache(problem.shape, random, maxPages);
  std::vector<Sequence> steps;
  for (int64_t position : positions)
    steps.push_back({int64_t(steps.size()) % Cache::kSlots, position, 1});
  Sequences batch(steps, Cache::kSlots, maxPages);
  cache.fill(batch);
  Rows query(batch.rows(), problem.columns(), problem.query);
  query.randomize(random, 2 / std::sqrt(float(problem.shape.headDim)));
  Rows whole = run(kernel, problem, query, batch, cache, Order::RandomSplit);
  expectClose(problem, cache, query, batch, whole);
  for (int64_t row = 0; row < batch.rows(); ++row) {
    Sequences step({steps[row]}, Cache::kSlots, maxPages);
    Rows alone = run(kernel, problem, selectRows(query, {row}), step, cache);
    expectSameRow(whole, row, alone, 0);
  }
}

TEST(Attention, DecodeCutsLongRows) {
  checkChunks({{2, 1, 16, Element::F32}}, {0, 255, 256, 511, 512, 1290});
  checkChunks({{6, 2, 24, Element::BF16}}, {300, 62, 1027});
  // More rounds of panels than chunks.
  checkChunks({{1, 1, 4, Element::F32}}, {2 * 32 * 256 + 5, 32 * 256 - 1});
  checkChunks({{64, 64, 4, Element::F32}}, {700, 1});
  checkChunks({{4, 2, 16, Element::F32}, 300}, {299, 800, 299 + 256});
}

TEST(Attention, DecodeMovesWhatIsNecessary) {
  for (Element type : {Element::F32, Element::BF16})
    for (int64_t chunks : {1, 2}) {
      Problem problem{{6, 2, 64, type}};
      ssm::test::Kernel kernel(text(problem, "decode"), testGpu());
      ASSERT_TRUE(bool(kernel));
      std::mt19937 random(1);
      int64_t seen = 256 * chunks, maxPages = seen / 64;
      Cache cache(problem.shape, random, maxPages);
      Sequences sequences({{1, seen - 1, 1}}, Cache::kSlots, maxPages);
      cache.fill(sequences);
      Rows query(1, problem.columns());
      query.randomize(random);
      run(kernel, problem, query, sequences, cache);
      int64_t cached = 2 * seen * problem.shape.kvHeads * problem.shape.headDim;
      int64_t row = 4 * problem.columns();
      int64_t ofChunks = chunks > 1 ? chunks * row : 0;
      expectTraffic(cached * sizeOf(type) + row + ofChunks, row + ofChunks);
    }
}
