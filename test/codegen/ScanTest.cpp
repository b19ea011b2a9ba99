//===- ScanTest.cpp - kern.scan against double loops ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Kern.h"
#include "test/codegen/StateTest.h"

using namespace ssm;
using namespace ssm::test;

namespace {
/// A scan whose epilogue is (h C + D x) * silu-like gate z, and its states.
class Scan {
public:
  Scan(int64_t channels, int64_t states, const Machine &machine,
       Element xType = Element::F32, Element type = Element::F32)
      : channels(channels), states(states), xType(xType), type(type),
        kernel(text(), machine), random(6),
        rates(randomVector(random, channels * states)),
        skips(randomVector(random, channels)),
        state(4, llvm::alignTo(channels, kPanel) * states) {
    for (float &rate : rates)
      rate = float(-std::exp(2 * rate) * 1.44269504);
    A = packPanels(rates, channels, states, kPanel, 1, Element::F32);
    D = packVector(skips);
    state.randomize(random);
  }

  void call(std::vector<Sequence> list, Order order = Order::Whole);

private:
  static constexpr int64_t kPanel = kern::ScanOp::kPanel;
  /// Index of a state in its slot.
  int64_t place(int64_t channel, int64_t n) const {
    return (channel / kPanel * states + n) * kPanel + channel % kPanel;
  }
  std::string text() const {
    std::string x = tensor({-1, channels}, xType), f = tensor({-1, channels}),
                y = tensor({-1, channels}, type),
                a = tensor({channels, states}), n = tensor({-1, states}),
                s = tensor({-1, channels, states}), v = tensor({channels});
    return "func.func private @scan(%x: " + x + ", %dt: " + x + ", %A: " + a +
           ", %B: " + n + ", %C: " + n + ", %seqs: !ssm.seqs, %s: " + s +
           ", %D: " + v + ", %z: " + f + ") -> (" + y + ", " + s +
           ") {\n %y, %t = kern.scan %x dt %dt A %A B %B C %C, %seqs state %s "
           "columns(%D : " +
           v + ") elements(%z : " + f + ") : " + x + ", " + a + ", " + n +
           ", " + n + ", " + s + " -> " + y +
           " {\n ^bb0(%h: f32, %i: f32, %d: f32, %g: f32):\n"
           "  %p = math.fma %d, %i, %h : f32\n"
           "  %r = arith.mulf %p, %g : f32\n  kern.yield %r : f32\n }\n"
           " return %y, %t : " +
           y + ", " + s + "\n}\n";
  }

  int64_t channels, states;
  Element xType, type;
  ssm::test::Kernel kernel;
  std::mt19937 random;
  std::vector<float> rates, skips; // rates [channels][states]
  Buffer A{0}, D{0};
  StatePool state;
};
} // namespace

void Scan::call(std::vector<Sequence> list, Order order) {
  ASSERT_TRUE(bool(kernel));
  test::Sequences sequences(list);
  int64_t rows = sequences.rows();
  test::Rows input(rows, channels, xType, channels + 3),
      dt(rows, channels, xType);
  test::Rows B(rows, states, Element::F32, 2 * states + 1), C(rows, states);
  test::Rows gate(rows, channels), result(rows, channels, type, channels + 5);
  for (test::Rows *each : {&input, &dt, &B, &C, &gate})
    each->randomize(random);
  for (int64_t t = 0; t < rows; ++t)
    for (int64_t c = 0; c < channels; ++c)
      dt.set(t, c, std::exp(3 * dt.get(t, c) - 2));

  std::vector<double> expected(rows * channels), expectedStates;
  for (size_t s = 0; s < list.size(); ++s)
    for (int64_t c = 0; c < channels; ++c) {
      std::vector<double> hidden;
      for (int64_t n = 0; n < states; ++n)
        hidden.push_back(state.slot(list[s].slot)[place(c, n)]);
      for (int64_t t = sequences.firstRow(s), end = t + list[s].length; t < end;
           ++t) {
        double sum = double(skips[c]) * input.get(t, c);
        for (int64_t n = 0; n < states; ++n) {
          double step = dt.get(t, c);
          hidden[n] = std::exp2(step * rates[c * states + n]) * hidden[n] +
                      step * input.get(t, c) * B.get(t, n);
          sum += hidden[n] * C.get(t, n);
        }
        expected[t * channels + c] = sum * gate.get(t, c);
      }
      expectedStates.insert(expectedStates.end(), hidden.begin(), hidden.end());
    }

  Arguments arguments;
  arguments.rows(input)
      .rows(dt)
      .weight(A)
      .rows(B)
      .rows(C)
      .seqs(sequences)
      .state(state.buffer, state.stride)
      .vector(D)
      .rows(gate)
      .rows(result)
      .integer(rows);
  kernel.run(arguments, Symbols(sequences), order);
  state.expectGapsIntact();
  expectClose(
      expected,
      [&](size_t i) { return result.get(i / channels, i % channels); },
      resultTolerance(type), "result");
  expectClose(
      expectedStates,
      [&](size_t i) {
        int64_t n = i % states, c = i / states % channels;
        return state.slot(list[i / states / channels].slot)[place(c, n)];
      },
      4e-6, "state");
}

TEST(Scan, SequencesOfDifferentLengths) {
  for (const Machine &machine : testMachines()) {
    Scan(88, 11, machine).call({{0, 0, 1}, {2, 7, 3}, {1, 64, 100}});
    Scan(48, 16, machine).call({{3, 9, 65}, {0, 2, 5}});
    Scan(5, 3, machine).call({{3, 9, 2}, {0, 2, 5}});
  }
}

TEST(Scan, OrderOfUnitsDoesNotMatter) {
  for (const Machine &machine : testMachines()) {
    Scan scan(100, 16, machine);
    for (Order order : kOrders)
      scan.call({{1, 3, 10}, {3, 0, 2}}, order);
  }
}

TEST(Scan, CallsContinueEachOther) {
  for (const Machine &machine : testMachines()) {
    Scan scan(24, 16, machine);
    int64_t position = 0;
    for (int64_t length : {1, 3, 64, 1, 130}) {
      scan.call({{1, position, length}});
      position += length;
    }
  }
}

TEST(Scan, Bf16Rows) {
  for (const Machine &machine : testMachines())
    Scan(37, 8, machine, Element::BF16, Element::BF16)
        .call({{0, 0, 9}, {1, 1, 2}});
}

TEST(Scan, StepMovesWhatIsNecessary) {
  constexpr int64_t kChannels = 96, kStates = 16;
  Scan(kChannels, kStates, testGpu()).call({{1, 3, 1}});
  // States and A, then x, dt, z and D.
  expectTraffic(4 * kChannels * (2 * kStates + 4),
                4 * kChannels * (kStates + 1));
}
