//===- NormGemmTest.cpp - Norms inside products against naive loops -------===//
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

/// sum_k weight[n, k] x[k] + element, x = (v - mean) * rstd * gain with v =
/// input or, `gated`, the product of input and a row of elements.
struct Case {
  const char *statistic;
  int64_t depth, sums;
  int64_t groups = 1;
  bool gated = false;
  bool gather = false;
  bool half = false; // weights and rounded inputs in bf16
};

constexpr double kEps = 1e-5;

std::string text(const Case &test) {
  std::string depth = std::to_string(test.depth);
  std::string sums = std::to_string(test.sums);
  std::string weightElement = test.half ? "bf16" : "f32";
  std::string pair = test.half ? "8" : "4";
  std::string rows = "tensor<?x" + depth + "xf32>";
  std::string weight =
      "tensor<" + sums + "x" + depth + "x" + weightElement + ">";
  std::string result = "tensor<?x" + sums + "xf32>";
  std::string gain = "tensor<" + depth + "xf32>";
  auto entry = [&](const char *form, int64_t maxRows, int64_t columns) {
    return std::string("#kern.gemm_schedule<") + form +
           ", max_rows = " + std::to_string(maxRows) +
           ", block_rows = " + std::to_string(maxRows < 0 ? 64 : maxRows) +
           ", panel = 8, pair = " + pair +
           ", block_columns = " + std::to_string(columns) + ">";
  };
  return "func.func @f(%x: " + rows + ", %z: " + rows + ", %g: " + gain +
         ", %w: " + weight + ", %e: " + result + ") -> " + result +
         " {\n%y = kern.norm_gemm " + test.statistic +
         " %x elements(%z : " + rows + ") columns(%g : " + gain + ") groups(" +
         std::to_string(test.groups) + ") eps(1.0e-5)" +
         (test.gather ? " gather" : "") + " rounded " +
         (test.half ? "bf16" : "f32") + " gemm %w elements(%e : " + result +
         ") schedule [" + entry("stream", 1, 8) + ", " +
         entry("stream", 4, 16) + ", " + entry("stream", 16, 32) + ", " +
         entry("blocked", -1, 64) + "] : " + rows + ", " + weight + " -> " +
         result + " value {\n^bb0(%v: f32, %b: f32):\n" +
         (test.gated ? "%p = arith.mulf %v, %b : f32\nkern.yield %p : f32\n"
                     : "kern.yield %v : f32\n") +
         "} finish {\n^bb0(%v: f32, %m: f32, %r: f32, %b: f32, %c: f32):\n"
         "%0 = arith.subf %v, %m : f32\n%1 = arith.mulf %0, %r : f32\n"
         "%2 = arith.mulf %1, %c : f32\nkern.yield %2 : f32\n"
         "} epilogue {\n^bb0(%s: f32, %b: f32):\n"
         "%0 = arith.addf %s, %b : f32\nkern.yield %0 : f32\n}\n"
         "return %y : " +
         result + "\n}\n";
}

struct Operands {
  Operands(const Case &test, int64_t rows, int64_t outputs)
      : test(test), random(11), input(rows, test.depth), gate(rows, test.depth),
        elements(outputs, test.sums),
        matrix(randomVector(random, test.sums * test.depth)),
        gain(randomVector(random, test.depth)), packedGain(packVector(gain)),
        packed(packPanels(matrix, test.sums, test.depth, 8, test.half ? 8 : 4,
                          test.half ? Element::BF16 : Element::F32)) {
    input.randomize(random);
    gate.randomize(random);
    elements.randomize(random);
    for (float &value : matrix)
      value = roundTo(test.half ? Element::BF16 : Element::F32, value);
  }

  /// The input of the product, row `row`, in double precision.
  std::vector<double> normalized(int64_t row) const {
    int64_t width = test.depth / test.groups;
    std::vector<double> made(test.depth);
    bool isLayer = std::string(test.statistic) == "layer";
    for (int64_t first = 0; first < test.depth; first += width) {
      auto value = [&](int64_t i) {
        double v = input.get(row, first + i);
        return test.gated ? v * gate.get(row, first + i) : v;
      };
      double mean = 0, squares = 0;
      for (int64_t i = 0; isLayer && i < width; ++i)
        mean += value(i) / width;
      for (int64_t i = 0; i < width; ++i)
        squares += (value(i) - mean) * (value(i) - mean) / width;
      double rstd = std::string(test.statistic) == "none"
                        ? 1
                        : 1 / std::sqrt(squares + kEps);
      for (int64_t i = 0; i < width; ++i)
        made[first + i] = (value(i) - mean) * rstd * gain[first + i];
    }
    return made;
  }

  const Case test;
  std::mt19937 random;
  Rows input, gate, elements;
  std::vector<float> matrix, gain;
  Buffer packedGain, packed;
};

void check(const Case &test,
           std::vector<int64_t> counts = {67, 16, 7, 4, 3, 1}) {
  SCOPED_TRACE(std::string(test.statistic) + " K " +
               std::to_string(test.depth) + " N " + std::to_string(test.sums) +
               " groups " + std::to_string(test.groups));
  Kernel kernel(text(test), testGpu());
  if (!kernel)
    return;
  for (int64_t rows : counts) {
    Sequences sequences({{0, 0, rows}}, 4, 4,
                        test.gather ? std::vector<int32_t>{int32_t(rows - 1), 0}
                                    : std::vector<int32_t>{});
    int64_t outputs = sequences.table().outputs;
    Operands operands(test, rows, outputs);
    Rows result(outputs, test.sums);
    Arguments slots;
    slots.rows(operands.input).rows(operands.gate).vector(operands.packedGain);
    slots.weight(operands.packed).rows(operands.elements).rows(result);
    slots.seqs(sequences).integer(outputs);
    Symbols symbols(sequences);
    // The launch chooses by the rows that the product has.
    symbols.rows = outputs;
    kernel.run(slots, symbols, Order::Reverse);
    // Inputs rounded to bf16 are off by 2^-9.
    double tolerance =
        (test.half ? 1.0 / 256 : 1e-5) * std::sqrt(double(test.depth) + 8);
    for (int64_t i = 0; i < outputs; ++i) {
      std::vector<double> x =
          operands.normalized(sequences.table().outputRow[i]);
      for (int64_t n = 0; n < test.sums; ++n) {
        double expected = operands.elements.get(i, n);
        for (int64_t k = 0; k < test.depth; ++k)
          expected += x[k] * operands.matrix[n * test.depth + k];
        ASSERT_NEAR(result.get(i, n), expected, tolerance)
            << rows << " rows, row " << i << " column " << n;
      }
    }
  }
}

TEST(NormGemm, Statistics) {
  for (const char *statistic : {"none", "rms", "layer"})
    for (int64_t depth : {1, 45, 300})
      check({statistic, depth, 37});
}

TEST(NormGemm, GatedValuesInGroups) {
  for (int64_t groups : {3, 20})
    check({"rms", 60 * groups, 9, groups, true}, {65, 5, 1});
}

TEST(NormGemm, GathersOutputRows) { check({"layer", 70, 41, 1, false, true}); }

TEST(NormGemm, RoundsInputs) {
  check({"rms", 290, 33, 1, false, false, true}, {17, 4, 1});
}

} // namespace
