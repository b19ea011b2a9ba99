//===- AttentionStepTest.cpp - Attention that appends, against two kernels ===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// kern.attention_step gives the bits of kern.kv_append and decode attention
// behind it, in the rows and in the caches.
//
//===----------------------------------------------------------------------===//

#include "test/codegen/CacheTest.h"

using namespace ssm;
using namespace ssm::test;

namespace {

struct Case {
  HeadShape shape;
  const char *rope = ""; // of kv_append
  int64_t window = 0;
  Element rounded = Element::F32, result = Element::F32;
};

constexpr int64_t kSlots = 5, kMaxPages = 10;

int64_t queryColumns(const Case &test) {
  return test.shape.heads * test.shape.headDim;
}
int64_t inputColumns(const Case &test) {
  return (test.shape.heads + 2 * test.shape.kvHeads) * test.shape.headDim;
}

std::string function(const Case &test, const std::string &body,
                     const std::string &input, Element result) {
  return "func.func @f(%x: " + input +
         ", %s: !ssm.seqs, %k: " + cacheType(test.shape) +
         ", %v: " + cacheType(test.shape) + ") -> " +
         rowsType(queryColumns(test), result) + " {\n" + body +
         "return %y : " + rowsType(queryColumns(test), result) + "\n}\n";
}

std::string windowOf(const Case &test) {
  return test.window ? " window(" + std::to_string(test.window) + ")" : "";
}

std::string fusedText(const Case &test) {
  std::string input = rowsType(inputColumns(test), Element::F32);
  return function(test,
                  "%y, %k1, %v1 = kern.attention_step %x, %s cache %k, %v "
                  "query_scale(0.25)" +
                      std::string(test.rope) + " rounded " +
                      nameOf(test.rounded) + windowOf(test) + " : " + input +
                      ", " + cacheType(test.shape) + " -> " +
                      rowsType(queryColumns(test), test.result) + "\n",
                  input, test.result);
}

std::string appendText(const Case &test) {
  std::string input = rowsType(inputColumns(test), Element::F32);
  return function(test,
                  "%y, %k1, %v1 = kern.kv_append %x, %s cache %k, %v "
                  "query_scale(0.25)" +
                      std::string(test.rope) + " : " + input + ", " +
                      cacheType(test.shape) + " -> " +
                      rowsType(queryColumns(test), test.rounded) + "\n",
                  input, test.rounded);
}

std::string attentionText(const Case &test) {
  std::string query = rowsType(queryColumns(test), test.rounded);
  return function(test,
                  "%y = kern.attention decode %x, %s cache %k, %v" +
                      windowOf(test) + " : " + query + ", " +
                      cacheType(test.shape) + " -> " +
                      rowsType(queryColumns(test), test.result) + "\n",
                  query, test.result);
}

void run(const ssm::test::Kernel &kernel, const Rows &input,
         const Sequences &sequences, const CachePool &keys,
         const CachePool &values, const Rows &result) {
  Arguments slots;
  slots.rows(input).seqs(sequences);
  slots.state(keys.buffer, keys.stride).state(values.buffer, values.stride);
  slots.rows(result).integer(input.rows);
  kernel.run(slots, Symbols(sequences), Order::RandomSplit);
}

void check(const Case &test) {
  SCOPED_TRACE(fusedText(test));
  ssm::test::Kernel fused(fusedText(test), testGpu());
  ssm::test::Kernel append(appendText(test), testGpu());
  ssm::test::Kernel attention(attentionText(test), testGpu());
  ASSERT_TRUE(fused && append && attention);
  std::mt19937 random(2);
  // The first token of a sequence, the first of a page, one in the middle, the
  // last of a chunk and one in the third.
  Sequences sequences(
      {{1, 0, 1}, {0, 64, 1}, {2, 105, 1}, {3, 511, 1}, {4, 600, 1}}, kSlots,
      kMaxPages);
  CachePool keys(test.shape, true, sequences.pageCount());
  CachePool values(test.shape, false, sequences.pageCount());
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (const Sequence &sequence : sequences.sequences())
    for (int64_t token = 0; token < sequence.position; ++token)
      for (int64_t head = 0; head < test.shape.kvHeads; ++head)
        for (int64_t dim = 0; dim < test.shape.headDim; ++dim) {
          int64_t page = sequences.page(sequence.slot, token / 64);
          keys.set(page, head, token % 64, dim, uniform(random));
          values.set(page, head, token % 64, dim, uniform(random));
        }
  std::vector<std::byte> keysBefore = keys.buffer.save();
  std::vector<std::byte> valuesBefore = values.buffer.save();
  int64_t rows = sequences.rows();
  Rows input(rows, inputColumns(test));
  input.randomize(random);

  Rows query(rows, queryColumns(test), test.rounded);
  Rows expected(rows, queryColumns(test), test.result);
  run(append, input, sequences, keys, values, query);
  run(attention, query, sequences, keys, values, expected);
  std::vector<std::byte> keysAfter = keys.buffer.save();
  std::vector<std::byte> valuesAfter = values.buffer.save();

  keys.buffer.restore(keysBefore);
  values.buffer.restore(valuesBefore);
  Rows result(rows, queryColumns(test), test.result);
  run(fused, input, sequences, keys, values, result);
  EXPECT_TRUE(keys.buffer.save() == keysAfter);
  EXPECT_TRUE(values.buffer.save() == valuesAfter);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < queryColumns(test); ++column)
      ASSERT_EQ(result.get(row, column), expected.get(row, column))
          << "row " << row << " column " << column;
}

TEST(AttentionStep, Heads) {
  check({{4, 4, 16, Element::F32}});
  check(
      {{8, 1, 32, Element::F32}, " rope(<default, dims = 32, theta = 1.0e4>)"});
  check(
      {{6, 2, 24, Element::F32}, " rope(<default, dims = 12, theta = 1.0e4>)"});
}

TEST(AttentionStep, OddHeadDim) {
  check(
      {{2, 1, 7, Element::BF16}, " rope(<default, dims = 4, theta = 1.0e4>)"});
}

TEST(AttentionStep, HalfCacheAndRows) {
  check({{6, 2, 64, Element::BF16},
         " rope(<default, dims = 64, theta = 1.0e4>)",
         40,
         Element::BF16,
         Element::BF16});
}

} // namespace
