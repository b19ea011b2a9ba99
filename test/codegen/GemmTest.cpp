//===- GemmTest.cpp - Matrix products against naive loops -----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/codegen/KernelTest.h"

#include <cmath>
#include <cstring>

using namespace ssm;
using namespace ssm::test;

namespace {

/// One product: types, sizes, and what follows it.
struct Product {
  Element input, weight, result = Element::F32;
  int64_t depth, sums;
  int64_t paired = 0;
  bool epilogue = false; // silu(sum + column) + element
  bool dot = false;
  int64_t blockColumns = 8; // of a GPU
};

const char *nameOf(Element type) {
  return type == Element::F32 ? "f32" : type == Element::BF16 ? "bf16" : "f16";
}

std::string schedule(const Product &product, const Machine &machine) {
  std::string text;
  std::string blockColumns =
      machine.isGpu()
          ? ", block_columns = " + std::to_string(product.blockColumns)
          : "";
  auto entry = [&](const char *form, int64_t maxRows, int64_t blockRows) {
    text += std::string(text.empty() ? "" : ", ") + "#kern.gemm_schedule<" +
            form + ", max_rows = " + std::to_string(maxRows) +
            ", block_rows = " + std::to_string(blockRows) +
            ", panel = " + std::to_string(machine.panel) +
            ", pair = " + std::to_string(machine.pair(product.weight)) +
            ", dot = " + (product.dot ? "true" : "false") + blockColumns + ">";
  };
  if (machine.isGpu()) {
    for (int64_t rows : {1, 4, 16})
      entry("stream", rows, rows);
    entry("blocked", -1, 64);
    return "[" + text + "]";
  }
  for (int64_t rows : {1, 2, 4, 8})
    entry("stream", rows, rows);
  entry("blocked", -1, machine.cpu.lanes == 8 ? 6 : product.dot ? 8 : 12);
  return "[" + text + "]";
}

std::string text(const Product &product, const Machine &machine) {
  int64_t width = product.paired ? product.sums / 2 : product.sums;
  auto tensor = [](std::string shape, Element type) {
    return "tensor<" + shape + "x" + nameOf(type) + ">";
  };
  std::string input =
      tensor("?x" + std::to_string(product.depth), product.input);
  std::string weight =
      tensor(std::to_string(product.sums) + "x" + std::to_string(product.depth),
             product.weight);
  std::string result = tensor("?x" + std::to_string(width), product.result);
  std::string element = tensor("?x" + std::to_string(width), Element::F32);
  std::string column = tensor(std::to_string(product.sums), Element::F32);
  std::string operands, arguments, epilogue;
  if (product.epilogue) {
    arguments = ", %c: " + column + ", %e: " + element;
    operands = " columns(%c : " + column + ") elements(%e : " + element + ")";
  }
  std::string parameters =
      product.paired
          ? (product.epilogue ? "%a: f32, %u: f32, %ca: f32, %cu: f32, %e0: f32"
                              : "%a: f32, %u: f32")
          : (product.epilogue ? "%a: f32, %ca: f32, %e0: f32" : "%a: f32");
  std::string value = "%a";
  if (product.epilogue) {
    epilogue = "%s = arith.addf %a, %ca : f32\n";
    value = "%r";
    std::string gated = "%s";
    if (product.paired) {
      epilogue += "%v = arith.addf %u, %cu : f32\n"
                  "%g = arith.mulf %s, %v : f32\n";
      gated = "%g";
    }
    epilogue += "%r = arith.addf " + gated + ", %e0 : f32\n";
  } else if (product.paired) {
    epilogue = "%r = arith.mulf %a, %u : f32\n";
    value = "%r";
  }
  std::string paired =
      product.paired ? " paired(" + std::to_string(product.paired) + ")" : "";
  return "func.func @f(%x: " + input + ", %w: " + weight + arguments + ") -> " +
         result + " {\n%y = kern.gemm %x, %w" + operands + paired +
         " schedule " + schedule(product, machine) + " : " + input + ", " +
         weight + " -> " + result + " {\n^bb0(" + parameters + "):\n" +
         epilogue + "kern.yield " + value + " : f32\n}\nreturn %y : " + result +
         "\n}\n";
}

/// Operands of a product for up to `rows` rows, and the expected results.
struct Operands {
  Operands(const Product &product, const Machine &machine, int64_t rows)
      : product(product), random(17), input(rows, product.depth, product.input),
        elements(rows, width()),
        matrix(randomVector(random, product.sums * product.depth)),
        columns(randomVector(random, product.sums)),
        packedColumns(packVector(columns)),
        packed(packPanels(matrix, product.sums, product.depth, machine.panel,
                          machine.pair(product.weight), product.weight)) {
    input.randomize(random);
    elements.randomize(random);
    for (float &value : matrix)
      value = roundTo(product.weight, value);
  }

  int64_t width() const {
    return product.paired ? product.sums / 2 : product.sums;
  }

  double sum(int64_t row, int64_t column) const {
    double total = 0;
    for (int64_t k = 0; k < product.depth; ++k)
      total += double(input.get(row, k)) * matrix[column * product.depth + k];
    return total + (product.epilogue ? columns[column] : 0.0);
  }

  double expected(int64_t row, int64_t column) const {
    int64_t g = product.paired;
    double value = g ? sum(row, column / g * 2 * g + column % g) *
                           sum(row, column / g * 2 * g + g + column % g)
                     : sum(row, column);
    return value + (product.epilogue ? elements.get(row, column) : 0.0);
  }

  Arguments arguments(const Rows &result, int64_t rows) const {
    Arguments slots;
    slots.rows(input).weight(packed);
    if (product.epilogue)
      slots.vector(packedColumns).rows(elements);
    slots.rows(result).integer(rows);
    return slots;
  }

  const Product product;
  std::mt19937 random;
  Rows input, elements;
  std::vector<float> matrix, columns;
  Buffer packedColumns, packed;
};

/// Room for rounding: in sums of `depth` products below 1, and in the result.
double tolerance(const Product &product, double value) {
  double sums = 1e-6 * std::sqrt(double(product.depth) + 1) * 4;
  double rounding =
      product.result == Element::BF16 ? std::abs(value) / 256 : 0.0;
  return sums * (1 + (product.paired ? std::abs(value) : 0.0)) + rounding +
         1e-6;
}

/// Runs `product` for several numbers of rows; every row must be right and, on
/// a CPU, have the bits that it has in the call with most rows.
void check(const Product &product, const Machine &machine,
           std::vector<int64_t> counts = {65, 64, 13, 9, 8, 7, 5, 4, 3, 2, 1}) {
  SCOPED_TRACE(machine.name + " " + nameOf(product.input) + " x " +
               nameOf(product.weight) + " K " + std::to_string(product.depth) +
               " N " + std::to_string(product.sums) + " paired " +
               std::to_string(product.paired) + (product.dot ? " dot" : ""));
  Kernel kernel(text(product, machine), machine);
  if (!kernel)
    return;
  int64_t most = counts.front();
  Operands operands(product, machine, most);
  Rows all(most, operands.width(), product.result);
  for (int64_t rows : counts) {
    Rows result(rows, operands.width(), product.result);
    Order order = rows == most ? Order::Whole : Order::RandomSplit;
    kernel.run(operands.arguments(rows == most ? all : result, rows),
               Symbols(rows), order);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < operands.width(); ++column) {
        if (rows != most && !machine.isGpu()) {
          ASSERT_EQ(result.get(row, column), all.get(row, column))
              << rows << " rows, row " << row << " column " << column;
          continue;
        }
        double expected = operands.expected(row, column);
        ASSERT_NEAR((rows == most ? all : result).get(row, column), expected,
                    tolerance(product, expected))
            << rows << " rows, row " << row << " column " << column;
      }
  }
}

constexpr std::pair<int64_t, int64_t> kSizes[] = {
    {1, 1}, {3, 31}, {44, 32}, {128, 33}, {129, 300}};

class GemmTypes : public testing::TestWithParam<std::pair<Element, Element>> {};

TEST_P(GemmTypes, OddSizes) {
  for (const Machine &machine : testMachines())
    for (auto [depth, sums] : kSizes)
      check({GetParam().first, GetParam().second, Element::F32, depth, sums},
            machine);
}

TEST_P(GemmTypes, ColumnsAndElements) {
  for (const Machine &machine : testMachines())
    check({GetParam().first, GetParam().second, Element::BF16, 37, 75, 0, true},
          machine);
}

TEST_P(GemmTypes, Pairs) {
  for (const Machine &machine : testMachines())
    for (int64_t granule : machine.isGpu()
                               ? std::vector<int64_t>{4}
                               : std::vector<int64_t>{machine.panel / 2, 4, 1})
      check({GetParam().first, GetParam().second, Element::F32, 37,
             machine.panel * 2 + 2 * granule, granule, true},
            machine, {13, 4, 1});
}

INSTANTIATE_TEST_SUITE_P(
    , GemmTypes,
    testing::Values(std::pair(Element::F32, Element::F32),
                    std::pair(Element::F32, Element::BF16),
                    std::pair(Element::BF16, Element::BF16),
                    std::pair(Element::F32, Element::F16),
                    std::pair(Element::BF16, Element::F32)));

TEST(Gemm, Dot) {
  for (const Machine &machine : testMachines()) {
    if (!machine.cpu.dotBf16 && !machine.cpu.emulateDot)
      continue;
    for (auto [depth, sums] : kSizes)
      check({Element::BF16, Element::BF16, Element::F32, depth, sums, 0, false,
             true},
            machine);
    check(
        {Element::BF16, Element::BF16, Element::BF16, 301, 96, 16, true, true},
        machine);
  }
}

/// Panels longer than the piece that a stream of several blocks reads at a
/// time.
TEST(Gemm, LongSums) {
  for (const Machine &machine : testMachines())
    for (Element weight : {Element::F32, Element::BF16})
      check({Element::F32, weight, Element::F32, 1037, 40}, machine,
            {14, 12, 8, 7, 4, 1});
}

/// Warps of a block share its columns in other ways.
TEST(Gemm, BlockColumnsOfGpu) {
  for (int64_t columns : {16, 32, 64})
    for (Element weight : {Element::F32, Element::BF16})
      for (int64_t paired : {0, 4})
        check({Element::F32, weight, Element::F32, 301, 72, paired, true, false,
               columns},
              testGpu(), {16, 4, 3, 1});
}

/// Partners meet in a thread of the tiles too: in both rounds of its channels
/// and beyond the first tile.
TEST(Gemm, PairedTilesOfGpu) {
  for (Element weight : {Element::F32, Element::BF16})
    check({Element::F32, weight, Element::F32, 40, 184, 4, true, false},
          testGpu(), {65, 17});
}

/// A stream reads each weight once, and everything in whole sectors.
TEST(Gemm, StreamMovesWhatIsNecessary) {
  Product product{Element::F32, Element::BF16, Element::F32, 512, 256};
  product.blockColumns = 32;
  Kernel kernel(text(product, testGpu()), testGpu());
  ASSERT_TRUE(kernel);
  Operands operands(product, testGpu(), 1);
  Rows result(1, operands.width());
  kernel.run(operands.arguments(result, 1), Symbols(1));
  int64_t blocks = product.sums / product.blockColumns;
  int64_t necessary =
      2 * product.sums * product.depth + 4 * product.depth * blocks;
  constexpr int64_t kSectorBytes = 32;
  const ssmrt::ptx::Traffic &reads = lastCounters().globalReads;
  EXPECT_EQ(int64_t(reads.bytes), necessary);
  EXPECT_LE(int64_t(reads.transactions) * kSectorBytes, necessary * 105 / 100);
  EXPECT_EQ(int64_t(lastCounters().globalWrites.transactions) * kSectorBytes,
            4 * product.sums);
}

/// A residual that the result replaces.
TEST(Gemm, ResultInPlaceOfElement) {
  Product product{Element::F32, Element::F32, Element::F32, 24, 33, 0, true};
  for (const Machine &machine : {Machine(nativeTarget()), testGpu()}) {
    Kernel kernel(text(product, machine), machine);
    ASSERT_TRUE(kernel);
    for (int64_t rows : {1, 3, 7, 9}) {
      Operands operands(product, machine, rows);
      Rows separate(rows, operands.width());
      kernel.run(operands.arguments(separate, rows), Symbols(rows));
      kernel.run(operands.arguments(operands.elements, rows), Symbols(rows));
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < operands.width(); ++column)
          ASSERT_EQ(operands.elements.get(row, column),
                    separate.get(row, column));
    }
  }
}

/// A candidate as a block leaves it.
struct Candidate {
  float number;
  int32_t column;
};

/// The largest number of a row from column `begin` on, of equal ones the first.
Candidate largest(const Rows &rows, int64_t row, int64_t begin, int64_t end) {
  Candidate best{-INFINITY, -1};
  for (int64_t column = begin; column < end; ++column) {
    float number = rows.get(row, column);
    if (!std::isnan(number) && (best.column < 0 || number > best.number))
      best = {number, int32_t(column)};
  }
  return best;
}

void checkCandidates(Product product) {
  SCOPED_TRACE(std::to_string(product.sums) + " sums in blocks of " +
               std::to_string(product.blockColumns));
  Kernel kernel(text(product, testGpu()), testGpu(), /*makeLogits=*/true);
  ASSERT_TRUE(bool(kernel));
  std::mt19937 random(5);
  // Few different numbers: there are ties. Some are no numbers, and the last
  // block has none.
  std::vector<float> matrix(size_t(product.sums * product.depth));
  for (float &value : matrix)
    value = float(int(random() % 3) - 1);
  int64_t lastBlock =
      (product.sums - 1) / product.blockColumns * product.blockColumns;
  for (int64_t sum = 0; sum < product.sums; ++sum)
    if (sum % 7 == 2 || sum >= lastBlock)
      matrix[size_t(sum * product.depth)] = NAN;
  Buffer weight =
      packPanels(matrix, product.sums, product.depth, testGpu().panel,
                 testGpu().pair(product.weight), product.weight);
  for (int64_t rows : {1, 3, 4, 16}) {
    Rows input(rows, product.depth), result(rows, product.sums);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t k = 0; k < product.depth; ++k)
        input.set(row, k, row == 2 ? -INFINITY : float(random() % 3));
    Arguments slots;
    slots.rows(input).weight(weight).rows(result).integer(rows);
    kernel.run(slots, Symbols(rows), Order::RandomSplit);
    int64_t blocks =
        (product.sums + product.blockColumns - 1) / product.blockColumns;
    const Candidate *found =
        reinterpret_cast<const Candidate *>(lastScratch().data());
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t block = 0; block < blocks; ++block, ++found) {
        int64_t begin = block * product.blockColumns;
        Candidate expected =
            largest(result, row, begin,
                    std::min(begin + product.blockColumns, product.sums));
        ASSERT_EQ(found->column, expected.column) << row << " " << block;
        ASSERT_EQ(found->number, expected.number) << row << " " << block;
      }
  }
}

TEST(Gemm, LeavesCandidatesOfLogits) {
  constexpr std::pair<int64_t, int64_t> kBlocks[] = {
      {8, 65}, {16, 8}, {32, 200}, {64, 1}, {64, 130}};
  for (auto [columns, sums] : kBlocks) {
    Product product{Element::F32, Element::F32, Element::F32, 3, sums};
    product.blockColumns = columns;
    checkCandidates(product);
  }
}

} // namespace
