//===- SsdTest.cpp - kern.ssd and kern.ssm_step against double loops ------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/codegen/StateTest.h"

using namespace ssm;
using namespace ssm::test;

namespace {

struct Shape {
  int64_t heads, headDim, states, groups, chunk = 32, taps = 4;

  int64_t width() const { return heads * headDim; }
  int64_t groupWidth() const { return groups * states; }
  int64_t channels() const { return width() + 2 * groupWidth(); }
};

/// Weights and states of a Mamba-2 mixer, and its recurrence in double
/// precision.
class Mixer {
public:
  Mixer(const Shape &shape, const Machine &machine)
      : shape(shape), stateTolerance(machine.isGpu() ? 8e-6 : 5e-6), random(8),
        rates(randomVector(random, shape.heads)),
        skips(randomVector(random, shape.heads)),
        biases(randomVector(random, shape.heads)),
        state(4, shape.heads * shape.states * shape.headDim) {
    for (float &rate : rates)
      rate = float(-std::exp(2 * rate) * 1.44269504);
    A = packVector(rates);
    D = packVector(skips);
    bias = packVector(biases);
    state.randomize(random);
  }

  /// What a token does to the state `hidden` [N][P] of a head, and its result.
  std::vector<double> step(int64_t head, std::vector<double> &hidden, double dt,
                           const double *x, const double *B,
                           const double *C) const {
    double delta = stepOf(dt + biases[head]);
    double decay = std::exp2(delta * rates[head]);
    std::vector<double> y(shape.headDim);
    for (int64_t p = 0; p < shape.headDim; ++p) {
      y[p] = double(skips[head]) * x[p];
      for (int64_t n = 0; n < shape.states; ++n) {
        double &h = hidden[n * shape.headDim + p];
        h = decay * h + delta * x[p] * B[n];
        y[p] += h * C[n];
      }
    }
    return y;
  }
  std::vector<double> hiddenOf(int64_t slot, int64_t head) const {
    int64_t size = shape.states * shape.headDim;
    const float *first = state.slot(slot) + head * size;
    return {first, first + size};
  }
  void expectHidden(int64_t slot, int64_t head,
                    const std::vector<double> &expected) const {
    const float *first = state.slot(slot) + head * int64_t(expected.size());
    expectClose(
        expected, [&](size_t i) { return first[i]; }, stateTolerance, "state");
  }

  Shape shape;
  /// A GPU has an instruction for 2^x, of 2 ulp.
  double stateTolerance;
  std::mt19937 random;
  std::vector<float> rates, skips, biases;
  Buffer A{0}, D{0}, bias{0};
  StatePool state;
};

class Ssd : public Mixer {
public:
  Ssd(const Shape &shape, const Machine &machine, Element xType = Element::F32,
      Element type = Element::F32)
      : Mixer(shape, machine), xType(xType), type(type),
        kernel(text(), machine) {}

  void call(std::vector<Sequence> list, Order order = Order::Whole);

private:
  std::string text() const {
    std::string x = tensor({-1, shape.width()}, xType),
                y = tensor({-1, shape.width()}, type),
                dt = tensor({-1, shape.heads}), v = tensor({shape.heads}),
                g = tensor({-1, shape.groupWidth()}, xType),
                s = tensor({-1, shape.heads, shape.headDim, shape.states});
    return "func.func private @ssd(%x: " + x + ", %dt: " + dt + ", %b: " + v +
           ", %A: " + v + ", %B: " + g + ", %C: " + g + ", %D: " + v +
           ", %seqs: !ssm.seqs, %s: " + s + ") -> (" + y + ", " + s +
           ") {\n %y, %t = kern.ssd %x dt %dt, %b A %A B %B C %C D %D, %seqs "
           "state %s chunk(" +
           std::to_string(shape.chunk) + ") : " + x + ", " + dt + ", " + v +
           ", " + g + ", " + s + " -> " + y + " " + kStepRegion +
           "\n return %y, %t : " + y + ", " + s + "\n}\n";
  }

  Element xType, type;
  ssm::test::Kernel kernel;
};

/// Numbers of a row from `column` on.
std::vector<double> numbersOf(const test::Rows &rows, int64_t row,
                              int64_t column, int64_t count) {
  std::vector<double> numbers;
  for (int64_t i = 0; i < count; ++i)
    numbers.push_back(rows.get(row, column + i));
  return numbers;
}

} // namespace

void Ssd::call(std::vector<Sequence> list, Order order) {
  ASSERT_TRUE(bool(kernel));
  test::Sequences sequences(list);
  int64_t rows = sequences.rows(), P = shape.headDim, N = shape.states;
  test::Rows input(rows, shape.width(), xType, shape.channels() + 3);
  test::Rows dt(rows, shape.heads);
  test::Rows B(rows, shape.groupWidth(), xType, shape.groupWidth() + 9);
  test::Rows C(rows, shape.groupWidth(), xType);
  test::Rows result(rows, shape.width(), type, shape.width() + 5);
  for (test::Rows *each : {&input, &B, &C})
    each->randomize(random);
  dt.randomize(random, 3);

  std::vector<double> expected(rows * shape.width());
  std::vector<std::vector<double>> states;
  for (size_t s = 0; s < list.size(); ++s)
    for (int64_t head = 0; head < shape.heads; ++head) {
      int64_t group = head / (shape.heads / shape.groups);
      std::vector<double> hidden = hiddenOf(list[s].slot, head);
      for (int64_t t = sequences.firstRow(s), end = t + list[s].length; t < end;
           ++t) {
        std::vector<double> x = numbersOf(input, t, head * P, P);
        std::vector<double> y = step(head, hidden, dt.get(t, head), x.data(),
                                     numbersOf(B, t, group * N, N).data(),
                                     numbersOf(C, t, group * N, N).data());
        std::copy(y.begin(), y.end(),
                  expected.begin() + t * shape.width() + head * P);
      }
      states.push_back(hidden);
    }

  Arguments arguments;
  arguments.rows(input)
      .rows(dt)
      .vector(bias)
      .vector(A)
      .rows(B)
      .rows(C)
      .vector(D)
      .seqs(sequences)
      .state(state.buffer, state.stride)
      .rows(result)
      .integer(rows);
  kernel.run(arguments, Symbols(sequences), order);
  state.expectGapsIntact();
  expectClose(
      expected,
      [&](size_t i) {
        return result.get(i / shape.width(), i % shape.width());
      },
      resultTolerance(type), "result");
  for (size_t i = 0; i < states.size(); ++i)
    expectHidden(list[i / shape.heads].slot, i % shape.heads, states[i]);
}

TEST(Ssd, Lengths) {
  for (const Machine &machine : testMachines()) {
    Ssd ssd({6, 16, 24, 2, 32}, machine);
    for (int64_t length : {1, 3, 31, 32, 33, 100})
      ssd.call({{1, 0, length}});
  }
}

TEST(Ssd, SequencesAtDifferentPositions) {
  for (const Machine &machine : testMachines())
    Ssd({4, 32, 16, 1, 16}, machine)
        .call({{0, 0, 1}, {2, 7, 40}, {1, 16, 16}, {3, 1000, 21}});
}

TEST(Ssd, OddShapes) {
  for (const Machine &machine : testMachines()) {
    Ssd({9, 7, 13, 3, 20}, machine).call({{0, 5, 50}, {2, 0, 3}});
    Ssd({3, 20, 5, 1, 16}, machine).call({{0, 1, 40}});
    Ssd({2, 1, 1, 2, 5}, machine).call({{0, 1, 12}});
    Ssd({12, 40, 6, 1, 64}, machine).call({{0, 60, 70}});
    Ssd({1, 64, 32, 1, 16}, machine).call({{3, 8, 24}});
  }
}

TEST(Ssd, OrderOfUnitsDoesNotMatter) {
  for (const Machine &machine : testMachines()) {
    Ssd ssd({10, 8, 16, 1, 16}, machine);
    for (Order order : kOrders)
      ssd.call({{1, 3, 30}, {3, 0, 2}}, order);
  }
}

TEST(Ssd, CallsContinueEachOther) {
  for (const Machine &machine : testMachines()) {
    Ssd ssd({4, 64, 32, 1, 32}, machine);
    int64_t position = 0;
    for (int64_t length : {1, 3, 64, 1, 70}) {
      ssd.call({{1, position, length}});
      position += length;
    }
  }
}

TEST(Ssd, SplitEqualsWhole) {
  for (const Machine &machine : testMachines()) {
    // Both compare with the same recurrence; here the borders of chunks move.
    for (int64_t chunk : {16, 64}) {
      Ssd ssd({4, 16, 32, 1, chunk}, machine);
      ssd.call({{1, 0, 130}});
      for (int64_t position = 0; position < 130; position += 13)
        ssd.call({{2, position, 13}});
    }
  }
}

TEST(Ssd, Bf16Rows) {
  for (const Machine &machine : testMachines()) {
    Ssd({4, 16, 32, 2, 32}, machine, Element::F32, Element::BF16)
        .call({{1, 0, 40}});
    Ssd({4, 11, 9, 2, 32}, machine, Element::BF16, Element::BF16)
        .call({{1, 0, 40}});
  }
}

namespace {
class SsmStep : public Mixer {
public:
  SsmStep(const Shape &shape, const Machine &machine,
          Element type = Element::F32)
      : Mixer(shape, machine), type(type), kernel(text(), machine),
        weights(randomVector(random, shape.channels() * shape.taps)),
        convBiases(randomVector(random, shape.channels())),
        weight(packVector(weights)), convBias(packVector(convBiases)),
        convState(4, 2 * copySize()) {
    convState.randomize(random);
  }

  /// One token each for the sequences (slot, position).
  void call(std::vector<Sequence> list, Order order = Order::Whole);

private:
  int64_t copySize() const { return (shape.taps - 1) * shape.channels(); }
  std::string text() const {
    std::string x = tensor({-1, shape.channels()}),
                y = tensor({-1, shape.width()}, type),
                dt = tensor({-1, shape.heads}), v = tensor({shape.heads}),
                w = tensor({shape.channels(), shape.taps}),
                c = tensor({shape.channels()}),
                k = tensor({-1, shape.channels(), shape.taps - 1}),
                s = tensor({-1, shape.heads, shape.headDim, shape.states});
    return "func.func private @step(%x: " + x + ", %dt: " + dt + ", %b: " + v +
           ", %A: " + v + ", %D: " + v + ", %w: " + w + ", %c: " + c +
           ", %seqs: !ssm.seqs, %k: " + k + ", %s: " + s + ") -> (" + y + ", " +
           k + ", " + s +
           ") {\n %y, %l, %t = kern.ssm_step %x dt %dt, %b A %A D %D weight %w "
           "columns(%c : " +
           c + "), %seqs conv_state %k state %s : " + x + ", " + dt + ", " + v +
           ", " + w + ", " + k + ", " + s + " -> " + y + " conv " +
           kSiluRegion + " dt " + kStepRegion + "\n return %y, %l, %t : " + y +
           ", " + k + ", " + s + "\n}\n";
  }
  /// The convolved row of a sequence; moves `left` to the state it leaves.
  std::vector<double> convolved(const Sequence &sequence,
                                const test::Rows &input, int64_t row,
                                std::vector<float> &left) const;

  Element type;
  ssm::test::Kernel kernel;
  std::vector<float> weights, convBiases; // weights [taps][channels]
  Buffer weight, convBias;
  StatePool convState;
};
} // namespace

std::vector<double> SsmStep::convolved(const Sequence &sequence,
                                       const test::Rows &input, int64_t row,
                                       std::vector<float> &left) const {
  int64_t channels = shape.channels(), size = copySize();
  const float *old =
      convState.slot(sequence.slot) + sequence.position % 2 * size;
  left.assign(old + channels, old + size);
  std::vector<double> values;
  for (int64_t c = 0; c < channels; ++c) {
    left.push_back(input.get(row, c));
    std::vector<double> inputs;
    for (int64_t tap = 0; tap < shape.taps - 1; ++tap)
      inputs.push_back(old[tap * channels + c]);
    inputs.push_back(input.get(row, c));
    values.push_back(
        silu(convolve(inputs, 0, &weights[c], channels, shape.taps) +
             convBiases[c]));
  }
  return values;
}

void SsmStep::call(std::vector<Sequence> list, Order order) {
  ASSERT_TRUE(bool(kernel));
  test::Sequences sequences(list);
  int64_t rows = sequences.rows(), P = shape.headDim, N = shape.states;
  test::Rows input(rows, shape.channels(), Element::F32, shape.channels() + 3);
  test::Rows dt(rows, shape.heads), result(rows, shape.width(), type);
  input.randomize(random);
  dt.randomize(random, 3);

  std::vector<double> expected;
  std::vector<std::vector<double>> states;
  std::vector<std::vector<float>> left(rows);
  for (int64_t t = 0; t < rows; ++t) {
    std::vector<double> row = convolved(list[t], input, t, left[t]);
    for (int64_t head = 0; head < shape.heads; ++head) {
      int64_t group = head / (shape.heads / shape.groups);
      const double *B = &row[shape.width() + group * N];
      std::vector<double> hidden = hiddenOf(list[t].slot, head);
      std::vector<double> y = step(head, hidden, dt.get(t, head),
                                   &row[head * P], B, B + shape.groupWidth());
      expected.insert(expected.end(), y.begin(), y.end());
      states.push_back(hidden);
    }
  }

  Arguments arguments;
  arguments.rows(input)
      .rows(dt)
      .vector(bias)
      .vector(A)
      .vector(D)
      .weight(weight)
      .vector(convBias)
      .seqs(sequences)
      .state(convState.buffer, convState.stride)
      .state(state.buffer, state.stride)
      .rows(result)
      .integer(rows);
  kernel.run(arguments, Symbols(sequences), order);
  state.expectGapsIntact();
  convState.expectGapsIntact();
  expectClose(
      expected,
      [&](size_t i) {
        return result.get(i / shape.width(), i % shape.width());
      },
      resultTolerance(type), "result");
  for (size_t i = 0; i < states.size(); ++i)
    expectHidden(list[i / shape.heads].slot, i % shape.heads, states[i]);
  for (int64_t t = 0; t < rows; ++t) {
    const float *copy =
        convState.slot(list[t].slot) + (list[t].position + 1) % 2 * copySize();
    for (int64_t i = 0; i < copySize(); ++i)
      ASSERT_EQ(copy[i], left[t][i]) << "convolution state " << i;
  }
}

TEST(SsmStep, Shapes) {
  for (const Machine &machine : testMachines()) {
    SsmStep({6, 16, 24, 2}, machine).call({{0, 0, 1}, {3, 9, 1}});
    SsmStep({9, 7, 13, 3}, machine).call({{2, 5, 1}, {1, 0, 1}, {0, 8, 1}});
    SsmStep({2, 64, 128, 1}, machine).call({{1, 3, 1}});
    SsmStep({3, 1, 1, 1, 32, 3}, machine).call({{1, 3, 1}});
    SsmStep({2, 40, 6, 1, 32, 2}, machine).call({{1, 3, 1}});
  }
}

TEST(SsmStep, OrderOfUnitsDoesNotMatter) {
  for (const Machine &machine : testMachines()) {
    SsmStep step({10, 8, 16, 2}, machine);
    for (Order order : kOrders)
      step.call({{1, 3, 1}, {3, 0, 1}}, order);
  }
}

TEST(SsmStep, CallsContinueEachOther) {
  for (const Machine &machine : testMachines()) {
    SsmStep step({4, 16, 16, 1}, machine);
    for (int64_t position = 0; position < 6; ++position)
      step.call({{1, position, 1}, {0, position + 3, 1}});
  }
}

TEST(SsmStep, Bf16Result) {
  for (const Machine &machine : testMachines())
    SsmStep({4, 12, 16, 1}, machine, Element::BF16).call({{1, 3, 1}});
}

TEST(SsmStep, MovesWhatIsNecessary) {
  Shape shape{4, 64, 128, 1};
  SsmStep(shape, testGpu()).call({{1, 3, 1}});
  // Each head convolves B and C for itself; one of them writes what is left.
  int64_t state = shape.heads * shape.states * shape.headDim;
  int64_t convolved = shape.heads * (shape.headDim + 2 * shape.states);
  expectTraffic(
      4 * (state + convolved * (2 * shape.taps + 1)),
      4 * (state + shape.channels() * (shape.taps - 1) + shape.width()));
}
