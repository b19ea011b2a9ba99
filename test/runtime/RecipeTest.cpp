//===- RecipeTest.cpp - Tests of weight recipes ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Recipe.h"
#include "TemporaryFolder.h"
#include "runtime/Checkpoint.h"
#include "runtime/ThreadPool.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace ssmrt;

namespace {

RecipeStep tensor(std::string name, std::vector<int64_t> shape) {
  return {Verb::Tensor, std::move(name), std::move(shape), 0, DType::F32};
}

RecipeStep step(Verb verb, std::vector<int64_t> numbers = {},
                double value = 0) {
  return {verb, "", std::move(numbers), value, DType::F32};
}

RecipeStep pack(DType type, std::vector<int64_t> numbers = {}) {
  return {Verb::Pack, "", std::move(numbers), 0, type};
}

/// Tensors a [4, 3] = 0..11, b [4, 3] = 100..111, v [3] = 1, 2, 3 and
/// conv [2, 1, 2] = 0..3.
class RecipeTest : public ::testing::Test {
protected:
  RecipeTest() : pool(2) {
    std::vector<float> a(12), b(12), v = {1, 2, 3}, conv = {0, 1, 2, 3};
    for (int i = 0; i < 12; ++i) {
      a[i] = static_cast<float>(i);
      b[i] = static_cast<float>(100 + i);
    }
    const uint16_t half[2] = {0x3F80, 0x4000};
    SafeTensorsWriter writer;
    writer.add("a", DType::F32, {4, 3}, a.data());
    writer.add("b", DType::F32, {4, 3}, b.data());
    writer.add("v", DType::F32, {3}, v.data());
    writer.add("conv", DType::F32, {2, 1, 2}, conv.data());
    writer.add("half", DType::BF16, {2}, half);
    writer.add("counts", DType::I64, {0}, nullptr);
    EXPECT_TRUE(writer.write(folder.path("model.safetensors")).ok());
    Expected<Checkpoint> opened = Checkpoint::open(folder.path());
    EXPECT_TRUE(opened.ok()) << opened.status().message;
    checkpoint = std::make_unique<Checkpoint>(*std::move(opened));
  }

  Status run(std::vector<RecipeStep> steps, std::vector<float> &values) {
    const Recipe recipe{std::move(steps)};
    Expected<PackedLayout> layout = layoutOf(recipe);
    if (!layout)
      return layout.status();
    std::vector<char> bytes(layout->bytes());
    if (Status status = packRecipe(recipe, *checkpoint, pool, bytes.data());
        !status)
      return status;
    values.resize(layout->bytes() / sizeOf(layout->type));
    widen(layout->type, bytes.data(), values.size(), values.data());
    return {};
  }

  std::vector<float> valuesOf(std::vector<RecipeStep> steps) {
    std::vector<float> values;
    const Status status = run(std::move(steps), values);
    EXPECT_TRUE(status.ok()) << status.message;
    return values;
  }

  std::string messageOf(std::vector<RecipeStep> steps) {
    std::vector<float> values;
    std::string message = run(std::move(steps), values).message;
    const size_t place = message.find(folder.path());
    return place == std::string::npos
               ? message
               : message.replace(place, folder.path().size(), "DIR");
  }

  TemporaryFolder folder;
  ThreadPool pool;
  std::unique_ptr<Checkpoint> checkpoint;
};

using Values = std::vector<float>;

} // namespace

TEST_F(RecipeTest, slices_and_stacks) {
  EXPECT_EQ(valuesOf({tensor("a", {4, 3}), step(Verb::Slice, {1, 2}),
                      tensor("b", {4, 3}), step(Verb::Slice, {0, 1}),
                      step(Verb::Concat, {2}), pack(DType::F32)}),
            (Values{3, 4, 5, 100, 101, 102}));
}

TEST_F(RecipeTest, interleaves) {
  EXPECT_EQ(valuesOf({tensor("a", {4, 3}), tensor("b", {4, 3}),
                      step(Verb::Interleave, {2}), step(Verb::Slice, {1, 5}),
                      pack(DType::F32)}),
            (Values{3, 4, 5, 100, 101, 102, 103, 104, 105, 6, 7, 8}));
}

TEST_F(RecipeTest, transposes) {
  EXPECT_EQ(valuesOf({tensor("conv", {2, 1, 2}), step(Verb::Transpose),
                      pack(DType::F32)}),
            (Values{0, 2, 1, 3}));
}

TEST_F(RecipeTest, computes_elements) {
  const Values values =
      valuesOf({tensor("v", {3}), step(Verb::NegExp), step(Verb::Scale, {}, 2),
                step(Verb::Add, {}, 1), pack(DType::F32)});
  ASSERT_EQ(values.size(), 3u);
  for (int i = 0; i < 3; ++i)
    EXPECT_NEAR(values[i], 1 - 2 * std::exp(i + 1.0), 1e-5);
}

TEST_F(RecipeTest, scales_columns) {
  EXPECT_EQ(
      valuesOf({tensor("a", {4, 3}), step(Verb::Slice, {1, 2}),
                tensor("v", {3}), step(Verb::ScaleColumns), pack(DType::F32)}),
      (Values{3, 8, 15}));
}

TEST_F(RecipeTest, averages_blocks_of_rows) {
  auto mean = [](int64_t count, int64_t rows, DType type) {
    return RecipeStep{Verb::Mean, "", {count, rows}, 0, type};
  };
  EXPECT_EQ(
      valuesOf({tensor("a", {4, 3}), mean(2, 1, DType::F32), pack(DType::F32)}),
      (Values{1.5, 2.5, 3.5, 7.5, 8.5, 9.5}));
  EXPECT_EQ(
      valuesOf({tensor("a", {4, 3}), mean(2, 2, DType::F32), pack(DType::F32)}),
      (Values{3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(valuesOf({tensor("a", {4, 3}), step(Verb::Add, {}, 0.001),
                      mean(4, 1, DType::BF16), pack(DType::BF16)}),
            (Values{4.5, 5.5, 6.5}));
}

TEST_F(RecipeTest, packs_panels_with_zeros) {
  // [4, 3] in panels of 3 rows and pairs of columns.
  EXPECT_EQ(valuesOf({tensor("a", {4, 3}), pack(DType::BF16, {3, 2})}),
            (Values{0, 1,  3, 4, 6, 7, 2,  0, 5, 0, 8, 0, //
                    9, 10, 0, 0, 0, 0, 11, 0, 0, 0, 0, 0}));
  EXPECT_EQ(valuesOf({tensor("a", {4, 3}), pack(DType::F32, {2, 1})}),
            (Values{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
}

TEST_F(RecipeTest, widens) {
  EXPECT_EQ(valuesOf({tensor("half", {2}), pack(DType::F32)}), (Values{1, 2}));
}

TEST_F(RecipeTest, negative_tensors) {
  EXPECT_EQ(messageOf({tensor("c", {4, 3}), pack(DType::F32)}),
            "DIR: missing tensor 'c'");
  EXPECT_EQ(messageOf({tensor("a", {3, 4}), pack(DType::F32)}),
            "DIR: shape of tensor 'a', got [4, 3], expected [3, 4]");
  EXPECT_EQ(messageOf({tensor("counts", {0}), pack(DType::F32)}),
            "tensor 'counts': shape, got [0]");
}

TEST_F(RecipeTest, negative_inexact) {
  EXPECT_EQ(messageOf({tensor("a", {4, 3}), step(Verb::Add, {}, 0.001),
                       pack(DType::BF16)}),
            "DIR: tensor 'a': value at [0, 0], got 0.001000, expected a number "
            "that BF16 holds exactly");
}

TEST_F(RecipeTest, negative_shapes) {
  EXPECT_EQ(messageOf({tensor("a", {4, 3}), tensor("v", {3}),
                       step(Verb::Concat, {2}), pack(DType::F32)}),
            "concat: got [3, 1], expected 3 columns");
  EXPECT_EQ(messageOf({tensor("a", {4, 3}), step(Verb::Slice, {2, 5}),
                       pack(DType::F32)}),
            "slice: got [2, 5] of [4, 3]");
  EXPECT_EQ(messageOf({tensor("a", {4, 3}), tensor("b", {4, 3}),
                       step(Verb::Interleave, {3}), pack(DType::F32)}),
            "interleave: got [3] of [4, 3] and [4, 3]");
  EXPECT_EQ(messageOf({tensor("a", {4, 3}), step(Verb::Mean, {2, 3}),
                       pack(DType::F32)}),
            "mean: got [2, 3] of [4, 3]");
  EXPECT_EQ(messageOf({step(Verb::Transpose), pack(DType::F32)}),
            "too few matrices on the stack");
  EXPECT_EQ(
      messageOf({tensor("a", {4, 3}), tensor("a", {4, 3}), pack(DType::F32)}),
      "pack: got 2 matrices, expected 1");
  EXPECT_EQ(messageOf({tensor("a", {4, 3})}), "recipe does not end with pack");
  EXPECT_EQ(messageOf({tensor("a", {int64_t{1} << 40, int64_t{1} << 40}),
                       pack(DType::F32)}),
            "tensor 'a': shape, got [1099511627776, 1099511627776]");
}

TEST(RandomTensor, is_a_function_of_name_and_index) {
  std::vector<float> whole(100), part(10);
  randomTensor(1, "w", {10, 10}, 0, 100, whole.data());
  randomTensor(1, "w", {10, 10}, 33, 10, part.data());
  EXPECT_EQ(Values(whole.begin() + 33, whole.begin() + 43), part);
  randomTensor(2, "w", {10, 10}, 33, 10, part.data());
  EXPECT_NE(Values(whole.begin() + 33, whole.begin() + 43), part);
}

TEST(RandomTensor, suits_every_type) {
  std::vector<float> values(64 * 64);
  uint16_t narrow[64 * 64];
  randomTensor(7, "in_proj.weight", {64, 64}, 0, 64 * 64, values.data());
  EXPECT_EQ(narrowExactly(DType::BF16, values.data(), 64 * 64, narrow), -1);
  EXPECT_EQ(narrowExactly(DType::F16, values.data(), 64 * 64, narrow), -1);
  double squares = 0;
  for (float value : values)
    squares += double(value) * value;
  const double deviation = std::sqrt(squares / values.size());
  EXPECT_GT(deviation, 0.7 / 8);
  EXPECT_LT(deviation, 1.5 / 8);
  randomTensor(7, "mixer.A_log", {64}, 0, 64, values.data());
  for (int i = 0; i < 64; ++i) {
    EXPECT_GE(std::exp(values[i]), 1.0f);
    EXPECT_LE(std::exp(values[i]), 16.0f);
  }
}

TEST(Checkpoint, reads_shards) {
  TemporaryFolder folder;
  const float one = 1, two = 2;
  SafeTensorsWriter first, second;
  first.add("a", DType::F32, {1}, &one);
  second.add("b", DType::F32, {1}, &two);
  ASSERT_TRUE(first.write(folder.path("1.safetensors")).ok());
  ASSERT_TRUE(second.write(folder.path("2.safetensors")).ok());
  auto openWith = [&](const std::string &map) {
    folder.write("model.safetensors.index.json",
                 "{\"weight_map\":" + map + "}");
    return Checkpoint::open(folder.path());
  };
  Expected<Checkpoint> good =
      openWith("{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"}");
  ASSERT_TRUE(good.ok()) << good.status().message;
  float value;
  good->read("b", {1}, 0, 1, &value);
  EXPECT_EQ(value, 2);
  EXPECT_NE(openWith("{\"b\":\"1.safetensors\"}")
                .status()
                .message.find("tensor 'b' is not in 1.safetensors"),
            std::string::npos);
  EXPECT_NE(openWith("{\"a\":\"../1.safetensors\"}")
                .status()
                .message.find("in the same folder"),
            std::string::npos);
}

TEST(Checkpoint, negative_source) {
  EXPECT_FALSE(Checkpoint::open("/nonexistent").ok());
  EXPECT_EQ(Checkpoint::open("random:x").status().message,
            "random:x: seed, got no decimal number of at most 19 digits");
}
