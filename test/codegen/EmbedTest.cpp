//===- EmbedTest.cpp - Embedding kernels ----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/codegen/KernelTest.h"

using namespace ssm;
using namespace ssm::test;

namespace {

struct Case {
  Element table;
  int64_t vocabulary, width;
  bool panels;
  double multiplier = 1;
  Element result = Element::F32;
};

const char *nameOf(Element type) {
  return type == Element::F32 ? "f32" : type == Element::BF16 ? "bf16" : "f16";
}

void check(const Case &test, const Machine &machine) {
  SCOPED_TRACE(machine.name + " " + nameOf(test.table) + " width " +
               std::to_string(test.width) + (test.panels ? " panels" : ""));
  std::string tableType = "tensor<" + std::to_string(test.vocabulary) + "x" +
                          std::to_string(test.width) + "x" +
                          nameOf(test.table) + ">";
  std::string resultType = "tensor<?x" + std::to_string(test.width) + "x" +
                           nameOf(test.result) + ">";
  int64_t pair = machine.pair(test.table);
  std::string layout =
      test.panels ? " {panel = " + std::to_string(machine.panel) +
                        " : i64, pair = " + std::to_string(pair) + " : i64}"
                  : "";
  Kernel kernel("func.func @f(%t: tensor<?xi32>, %w: " + tableType + ") -> " +
                    resultType + " {\n%y = kern.embed %t, %w times " +
                    std::to_string(test.multiplier) + layout + " : " +
                    tableType + " -> " + resultType +
                    "\nreturn %y : " + resultType + "\n}\n",
                machine);
  if (!kernel)
    return;
  std::mt19937 random(5);
  std::vector<float> matrix =
      randomVector(random, test.vocabulary * test.width);
  Buffer table = test.panels ? packPanels(matrix, test.vocabulary, test.width,
                                          machine.panel, pair, test.table)
                             : packPlain(matrix, test.table);
  std::vector<int32_t> tokens = {int32_t(test.vocabulary - 1), 0, 1,
                                 int32_t(test.vocabulary / 2), 0};
  Buffer tokenBuffer(tokens.size() * sizeof(int32_t));
  std::copy(tokens.begin(), tokens.end(), tokenBuffer.as<int32_t>());
  int64_t rows = tokens.size();
  Rows result(rows, test.width, test.result);
  Arguments slots;
  slots.tokens(tokenBuffer).weight(table).rows(result).integer(rows);
  kernel.run(slots, Symbols(rows), Order::Reverse);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < test.width; ++column) {
      float entry =
          roundTo(test.table, matrix[tokens[row] * test.width + column]);
      ASSERT_EQ(result.get(row, column),
                roundTo(test.result, entry * float(test.multiplier)))
          << "row " << row << " column " << column;
    }
}

TEST(Embed, Tables) {
  for (const Machine &machine : testMachines())
    for (Element table : {Element::F32, Element::BF16, Element::F16})
      for (bool panels : {false, true})
        for (int64_t width : {1, 31, 64})
          check({table, 71, width, panels}, machine);
}

TEST(Embed, Multiplier) {
  for (const Machine &machine : testMachines())
    for (bool panels : {false, true}) {
      check({Element::BF16, 40, 33, panels, 12.5}, machine);
      check({Element::BF16, 40, 33, panels, 0.75, Element::BF16}, machine);
    }
}

} // namespace
