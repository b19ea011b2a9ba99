//===- MathTest.cpp - Errors of the elementary functions ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A convolution with one tap of weight 1 applies a scalar region to each
// number.
//
//===----------------------------------------------------------------------===//

#include "test/codegen/KernelTest.h"

#include <cmath>
#include <limits>

using namespace ssm;
using namespace ssm::test;

static constexpr int64_t kColumns = 61; // an odd tail on every target
static constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// `region` maps f32 %v to f32 %r.
static std::vector<float> apply(const Target &target, const std::string &region,
                                const std::vector<float> &numbers) {
  std::string text =
      "func.func private @map(%x: tensor<?x61xf32>, %seqs: !ssm.seqs, "
      "%state: tensor<?x61x0xf32>, %w: tensor<61x1xf32>) -> "
      "(tensor<?x61xf32>, tensor<?x61x0xf32>) {\n"
      "  %y, %new = kern.conv %x, %seqs state %state weight %w : "
      "tensor<?x61xf32>, tensor<?x61x0xf32>, tensor<61x1xf32> -> "
      "tensor<?x61xf32> {\n  ^bb0(%v: f32):\n    " +
      region +
      "\n    kern.yield %r : f32\n  }\n"
      "  return %y, %new : tensor<?x61xf32>, tensor<?x61x0xf32>\n}\n";
  ssm::test::Kernel kernel(text, target);
  if (!kernel)
    return {};
  int64_t count = (int64_t(numbers.size()) + kColumns - 1) / kColumns;
  test::Rows input(count, kColumns), result(count, kColumns);
  for (int64_t i = 0; i < count * kColumns; ++i)
    input.set(i / kColumns, i % kColumns,
              i < int64_t(numbers.size()) ? numbers[i] : 0);
  test::Sequences sequences({{0, 0, count}});
  Buffer weight = packVector(std::vector<float>(kColumns, 1));
  Buffer state(0);
  Arguments arguments;
  arguments.rows(input)
      .seqs(sequences)
      .state(state, 0)
      .weight(weight)
      .rows(result)
      .integer(count);
  kernel.run(arguments, Symbols(sequences));
  std::vector<float> values;
  for (int64_t i = 0; i < int64_t(numbers.size()); ++i)
    values.push_back(result.get(i / kColumns, i % kColumns));
  return values;
}

/// Distance of `value` from `exact` in units of the last place of `exact`.
static double ulps(float value, double exact) {
  int exponent;
  std::frexp(exact, &exponent);
  double unit = std::ldexp(1.0, std::max(exponent - 24, -149));
  return std::abs(value - exact) / unit;
}

static std::vector<float> dense(float first, float last, int count) {
  std::vector<float> numbers;
  for (int i = 0; i <= count; ++i)
    numbers.push_back(float(first + (double(last) - first) * i / count));
  return numbers;
}

/// Numbers of all magnitudes between 2^first and 2^last.
static std::vector<float> magnitudes(int first, int last, bool isNegative) {
  std::vector<float> numbers;
  for (double e = first; e < last; e += 1e-3)
    numbers.push_back(float((isNegative ? -1 : 1) * std::exp2(e)));
  return numbers;
}

static void expectUlps(const std::string &region, double (*exact)(double),
                       std::vector<std::vector<float>> samples, double limit) {
  for (const Target &target : testTargets())
    for (const std::vector<float> &numbers : samples) {
      std::vector<float> values = apply(target, region, numbers);
      ASSERT_EQ(values.size(), numbers.size());
      double worst = 0;
      size_t place = 0;
      for (size_t i = 0; i < numbers.size(); ++i) {
        double error = ulps(values[i], exact(numbers[i]));
        if (!(error <= worst)) {
          worst = error;
          place = i;
        }
      }
      EXPECT_LE(worst, limit) << region << " of " << numbers[place] << " gave "
                              << values[place] << " on " << target.name;
      testing::Test::RecordProperty("ulps", std::to_string(worst));
    }
}

static void expectValues(const std::string &region,
                         const std::vector<float> &numbers,
                         const std::vector<float> &expected) {
  for (const Target &target : testTargets()) {
    std::vector<float> values = apply(target, region, numbers);
    ASSERT_EQ(values.size(), numbers.size());
    for (size_t i = 0; i < numbers.size(); ++i)
      if (std::isnan(expected[i]))
        EXPECT_TRUE(std::isnan(values[i])) << region << " of " << numbers[i];
      else
        EXPECT_EQ(values[i], expected[i]) << region << " of " << numbers[i];
  }
}

TEST(Math, Exp) {
  expectUlps("%r = math.exp %v : f32", std::exp,
             {dense(-87.3f, 88.7f, 400000), dense(-1, 1, 100000),
              magnitudes(-40, 6, true), magnitudes(-40, 6, false)},
             2.0);
}

TEST(Math, ExpAtTheEnds) {
  std::vector<float> values =
      apply(nativeTarget(), "%r = math.exp %v : f32",
            {-kInfinity, -1e30f, -200, kInfinity, 1e30f, 200, 0, NAN});
  for (int i = 0; i < 3; ++i)
    EXPECT_LT(std::abs(values[i]), 1e-37f);
  for (int i = 3; i < 6; ++i)
    EXPECT_GT(values[i], 3.4e38f);
  EXPECT_EQ(values[6], 1);
  EXPECT_TRUE(std::isnan(values[7]));
}

TEST(Math, Exp2) {
  expectUlps("%r = math.exp2 %v : f32", std::exp2,
             {dense(-126, 127.99f, 400000), dense(-1, 1, 100000)}, 1.5);
  expectValues(
      "%r = math.exp2 %v : f32",
      {-kInfinity, -1000, -127, 0, 1, 10, 127, 128, 1000, kInfinity, NAN},
      {0, 0, 0, 1, 2, 1024, std::exp2(127.f), kInfinity, kInfinity, kInfinity,
       NAN});
}

TEST(Math, Log1p) {
  expectUlps("%r = math.log1p %v : f32", std::log1p,
             {dense(0, 1, 400000), dense(0, 100, 100000),
              dense(-0.99f, 0, 100000), magnitudes(-140, 127, false),
              magnitudes(-140, -1, true)},
             2.0);
  expectValues("%r = math.log1p %v : f32", {0, kInfinity, NAN},
               {0, kInfinity, NAN});
}

TEST(Math, Tanh) {
  expectUlps("%r = math.tanh %v : f32", std::tanh,
             {dense(-12, 12, 400000), dense(-1, 1, 100000),
              magnitudes(-100, 20, false)},
             3.0);
  expectValues("%r = math.tanh %v : f32",
               {-kInfinity, -50, 0, 50, kInfinity, NAN},
               {-1, -1, 0, 1, 1, NAN});
}

TEST(Math, Erf) {
  expectUlps(
      "%r = math.erf %v : f32", std::erf,
      {dense(-5, 5, 400000), dense(-1, 1, 100000), magnitudes(-100, 20, false)},
      3.0);
  expectValues("%r = math.erf %v : f32",
               {-kInfinity, -50, 0, 50, kInfinity, NAN},
               {-1, -1, 0, 1, 1, NAN});
}

TEST(Math, Rsqrt) {
  expectUlps(
      "%r = math.rsqrt %v : f32", [](double x) { return 1 / std::sqrt(x); },
      {magnitudes(-120, 120, false)}, 1.5);
}

TEST(Math, Softplus) {
  expectUlps(
      "%zero = arith.constant 0.0 : f32\n"
      "    %m = arith.maximumf %v, %zero : f32\n"
      "    %a = math.absf %v : f32\n    %n = arith.negf %a : f32\n"
      "    %e = math.exp %n : f32\n    %l = math.log1p %e : f32\n"
      "    %r = arith.addf %m, %l : f32",
      [](double x) {
        return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
      },
      {dense(-80, 80, 400000)}, 4.0);
}

TEST(Math, ComparisonsAndSelects) {
  std::string region = "%c = arith.constant 2.0 : f32\n"
                       "    %t = arith.constant true\n"
                       "    %b = arith.cmpf ogt, %v, %c : f32\n"
                       "    %d = arith.andi %b, %t : i1\n"
                       "    %r = arith.select %d, %c, %v : f32";
  expectValues(region, {1, 3, -4}, {1, 2, -4});
}

TEST(Math, NanPassesBounds) {
  std::string region = "%c = arith.constant 2.0 : f32\n"
                       "    %l = arith.maximumf %v, %c : f32\n"
                       "    %u = arith.constant 5.0 : f32\n"
                       "    %r = arith.minimumf %l, %u : f32";
  expectValues(region, {1, 3, 7, NAN, kInfinity}, {2, 3, 5, NAN, 5});
}
