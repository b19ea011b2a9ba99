//===- RowwiseTest.cpp - Rowwise kernels against naive loops --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/codegen/KernelTest.h"

#include <cmath>

using namespace ssm;
using namespace ssm::test;

namespace {

enum class Statistic { None, Rms, Layer };

/// finish = (v - mean) * rstd * column + element, with v = input or, `gated`,
/// the product of input and element.
struct Case {
  Statistic statistic;
  int64_t width;
  int64_t groups = 1;
  bool gated = false;
  bool gather = false;
  Element input = Element::F32, result = Element::F32;
};

constexpr double kEps = 1e-5;

std::string text(const Case &test) {
  std::string width = std::to_string(test.width);
  std::string inputType =
      "tensor<?x" + width + (test.input == Element::F32 ? "xf32>" : "xbf16>");
  std::string resultType =
      "tensor<?x" + width + (test.result == Element::F32 ? "xf32>" : "xbf16>");
  std::string elementType = "tensor<?x" + width + "xf32>";
  std::string columnType = "tensor<" + width + "xf32>";
  const char *names[] = {"none", "rms", "layer"};
  return "func.func @f(%x: " + inputType + ", %e: " + elementType +
         ", %c: " + columnType + ") -> " + resultType +
         " {\n%y = kern.rowwise " + names[int(test.statistic)] +
         " %x elements(%e : " + elementType + ") columns(%c : " + columnType +
         ") groups(" + std::to_string(test.groups) + ") eps(1.0e-5)" +
         (test.gather ? " gather" : "") + " : " + inputType + " -> " +
         resultType + " value {\n^bb0(%a: f32, %b: f32):\n" +
         (test.gated ? "%p = arith.mulf %a, %b : f32\nkern.yield %p : f32\n"
                     : "kern.yield %a : f32\n") +
         "} finish {\n^bb0(%v: f32, %m: f32, %r: f32, %b: f32, %g: f32):\n"
         "%0 = arith.subf %v, %m : f32\n"
         "%1 = arith.mulf %0, %r : f32\n"
         "%2 = math.fma %1, %g, %b : f32\n"
         "kern.yield %2 : f32\n}\nreturn %y : " +
         resultType + "\n}\n";
}

/// Row `row` of the result, in double precision.
std::vector<double> expectedRow(const Case &test, const Rows &input,
                                const Rows &elements,
                                const std::vector<float> &column, int64_t row) {
  int64_t width = test.width / test.groups;
  std::vector<double> expected(test.width);
  for (int64_t first = 0; first < test.width; first += width) {
    auto value = [&](int64_t i) {
      double v = input.get(row, first + i);
      return test.gated ? v * elements.get(row, first + i) : v;
    };
    double mean = 0, squares = 0;
    for (int64_t i = 0; test.statistic == Statistic::Layer && i < width; ++i)
      mean += value(i) / width;
    for (int64_t i = 0; i < width; ++i)
      squares += (value(i) - mean) * (value(i) - mean) / width;
    double rstd =
        test.statistic == Statistic::None ? 1 : 1 / std::sqrt(squares + kEps);
    for (int64_t i = 0; i < width; ++i)
      expected[first + i] = (value(i) - mean) * rstd * column[first + i] +
                            elements.get(row, first + i);
  }
  return expected;
}

void check(const Case &test, const Machine &machine) {
  SCOPED_TRACE(machine.name + " width " + std::to_string(test.width) +
               " groups " + std::to_string(test.groups) + " statistic " +
               std::to_string(int(test.statistic)));
  Kernel kernel(text(test), machine);
  if (!kernel)
    return;
  std::mt19937 random(3);
  Sequences sequences({{1, 0, 2}, {0, 5, 3}}, 4, 4,
                      test.gather ? std::vector<int32_t>{1, 4}
                                  : std::vector<int32_t>{});
  int64_t rows = sequences.rows();
  int64_t outputs = test.gather ? sequences.table().outputs : rows;
  Rows input(rows, test.width, test.input), elements(rows, test.width);
  Rows result(outputs, test.width, test.result);
  input.randomize(random);
  elements.randomize(random);
  std::vector<float> column = randomVector(random, test.width);
  Buffer packed = packVector(column);
  Arguments slots;
  slots.rows(input).rows(elements).vector(packed).rows(result).seqs(sequences);
  slots.integer(outputs);
  kernel.run(slots, Symbols(sequences), Order::Reverse);
  double relative = test.result == Element::F32 ? 1e-5 : 1.0 / 256;
  for (int64_t i = 0; i < outputs; ++i) {
    int64_t row = test.gather ? sequences.table().outputRow[i] : i;
    std::vector<double> expected =
        expectedRow(test, input, elements, column, row);
    for (int64_t c = 0; c < test.width; ++c)
      ASSERT_NEAR(result.get(i, c), expected[c],
                  relative * std::max(1.0, std::abs(expected[c])))
          << "row " << i << " column " << c;
  }
}

TEST(Rowwise, Widths) {
  for (const Machine &machine : testMachines())
    for (Statistic statistic :
         {Statistic::None, Statistic::Rms, Statistic::Layer})
      for (int64_t width : {1, 7, 31, 64, 65, 300})
        check({statistic, width}, machine);
}

TEST(Rowwise, GatedValuesInGroups) {
  for (const Machine &machine : testMachines())
    for (Statistic statistic : {Statistic::Rms, Statistic::Layer})
      for (int64_t groups : {1, 3})
        for (int64_t width : {3, 39, 384})
          check({statistic, width, groups, true}, machine);
}

TEST(Rowwise, GathersOutputRows) {
  for (const Machine &machine : testMachines())
    check({Statistic::Rms, 45, 1, false, true}, machine);
}

TEST(Rowwise, Bf16Rows) {
  for (const Machine &machine : testMachines()) {
    check({Statistic::Rms, 45, 1, false, false, Element::F32, Element::BF16},
          machine);
    check({Statistic::Layer, 67, 1, true, false, Element::BF16, Element::BF16},
          machine);
  }
}

/// The result may replace the input: each pass reads a column before it is
/// written.
void checkInPlace(const Case &test, const Machine &machine) {
  Kernel kernel(text(test), machine);
  ASSERT_TRUE(kernel);
  std::mt19937 random(3);
  Sequences sequences({{0, 0, 3}});
  Rows input(3, test.width), elements(3, test.width), result(3, test.width);
  input.randomize(random);
  elements.randomize(random);
  Buffer packed = packVector(randomVector(random, test.width));
  for (Rows *target : {&result, &input}) {
    Arguments slots;
    slots.rows(input).rows(elements).vector(packed).rows(*target);
    kernel.run(slots.seqs(sequences).integer(3), Symbols(sequences));
  }
  for (int64_t row = 0; row < 3; ++row)
    for (int64_t column = 0; column < test.width; ++column)
      ASSERT_EQ(input.get(row, column), result.get(row, column));
}

TEST(Rowwise, InPlace) {
  for (const Machine &machine : testMachines())
    for (bool gated : {false, true})
      checkInPlace({Statistic::Rms, 53, 1, gated}, machine);
}

/// More columns than a thread keeps in registers.
TEST(Rowwise, WideRowsOnGpu) { check({Statistic::Layer, 16500}, testGpu()); }

} // namespace
