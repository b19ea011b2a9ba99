//===- ConvTest.cpp - kern.conv against double loops ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/codegen/StateTest.h"

using namespace ssm;
using namespace ssm::test;

namespace {
/// A convolution and what it has seen; every call is compared with double
/// loops.
class Convolution {
public:
  Convolution(int64_t channels, int64_t taps, const Machine &machine,
              Element inputType = Element::F32, Element type = Element::F32)
      : channels(channels), taps(taps), inputType(inputType), type(type),
        kernel(text(), machine), random(5),
        weights(randomVector(random, channels * taps)),
        biases(randomVector(random, channels)), weight(packVector(weights)),
        bias(packVector(biases)), state(4, 2 * (taps - 1) * channels) {
    state.randomize(random);
  }

  void call(std::vector<Sequence> list, Order order = Order::Whole);

private:
  std::string text() const {
    std::string x = tensor({-1, channels}, inputType),
                y = tensor({-1, channels}, type),
                s = tensor({-1, channels, taps - 1}),
                w = tensor({channels, taps}), v = tensor({channels});
    return "func.func private @conv(%x: " + x + ", %seqs: !ssm.seqs, %s: " + s +
           ", %w: " + w + ", %b: " + v + ") -> (" + y + ", " + s +
           ") {\n %y, %n = kern.conv %x, %seqs state %s weight %w columns(%b "
           ": " +
           v + ") : " + x + ", " + s + ", " + w + " -> " + y + " " +
           kSiluRegion + "\n return %y, %n : " + y + ", " + s + "\n}\n";
  }

  int64_t channels, taps;
  Element inputType, type;
  ssm::test::Kernel kernel;
  std::mt19937 random;
  std::vector<float> weights, biases;
  Buffer weight, bias;
  StatePool state;
};
} // namespace

void Convolution::call(std::vector<Sequence> list, Order order) {
  ASSERT_TRUE(bool(kernel));
  test::Sequences sequences(list);
  test::Rows input(sequences.rows(), channels, inputType, channels + 3);
  input.randomize(random);
  test::Rows result(sequences.rows(), channels, type, channels + 7);
  std::vector<std::byte> before = state.buffer.save();
  Arguments arguments;
  arguments.rows(input)
      .seqs(sequences)
      .state(state.buffer, state.stride)
      .weight(weight)
      .vector(bias)
      .rows(result)
      .integer(sequences.rows());
  kernel.run(arguments, Symbols(sequences), order);
  state.expectGapsIntact();

  int64_t copy = (taps - 1) * channels;
  for (size_t s = 0; s < list.size(); ++s)
    for (int64_t c = 0; c < channels; ++c) {
      const Sequence &sequence = list[s];
      const float *old = reinterpret_cast<const float *>(
                             before.data() + sequence.slot * state.stride) +
                         (sequence.position % 2) * copy;
      const float *left = state.slot(sequence.slot) +
                          ((sequence.position + sequence.length) % 2) * copy;
      std::vector<double> inputs;
      for (int64_t tap = 0; tap < taps - 1; ++tap)
        inputs.push_back(old[tap * channels + c]);
      for (int64_t t = 0; t < sequence.length; ++t)
        inputs.push_back(input.get(sequences.firstRow(s) + t, c));
      for (int64_t t = 0; t < sequence.length; ++t) {
        double sum = convolve(inputs, t, &weights[c], channels, taps);
        double expected = silu(sum + biases[c]);
        ASSERT_NEAR(result.get(sequences.firstRow(s) + t, c), expected,
                    resultTolerance(type) * (1 + std::abs(expected)))
            << "token " << t << " channel " << c;
      }
      for (int64_t tap = 0; tap < taps - 1; ++tap)
        ASSERT_EQ(left[tap * channels + c], inputs[sequence.length + tap]);
    }
}

TEST(Conv, SequencesOfDifferentLengths) {
  for (const Machine &machine : testMachines())
    for (int64_t channels : {5, 64, 88, 150}) {
      Convolution conv(channels, 4, machine);
      conv.call({{0, 0, 1}, {2, 7, 3}, {1, 64, 30}});
    }
}

TEST(Conv, OrderOfUnitsDoesNotMatter) {
  for (const Machine &machine : testMachines()) {
    Convolution conv(200, 4, machine);
    for (Order order : kOrders)
      conv.call({{1, 3, 10}, {3, 0, 2}}, order);
  }
}

TEST(Conv, CallsContinueEachOther) {
  for (const Machine &machine : testMachines()) {
    for (int64_t taps : {2, 3, 4}) {
      Convolution conv(24, taps, machine);
      int64_t position = 0;
      for (int64_t length : {1, 3, 64, 1, 1, 2}) {
        conv.call({{1, position, length}});
        position += length;
      }
    }
  }
}

/// Sequences that pass a multiple of 64 before K-1 rows are there.
TEST(Conv, FirstRowsBeforeBorder) {
  for (const Machine &machine : testMachines()) {
    Convolution conv(24, 4, machine);
    conv.call({{0, 63, 2}, {1, 62, 70}, {2, 61, 4}, {3, 62, 3}});
    conv.call({{0, 63, 1}, {1, 63, 66}, {2, 61, 131}, {3, 127, 4}});
  }
}

TEST(Conv, Bf16Rows) {
  for (const Machine &machine : testMachines()) {
    Convolution(88, 4, machine, Element::BF16, Element::BF16)
        .call({{0, 0, 9}, {1, 1, 2}});
    Convolution(21, 3, machine, Element::F32, Element::BF16).call({{0, 5, 9}});
  }
}

TEST(Conv, StepMovesWhatIsNecessary) {
  constexpr int64_t kChannels = 256, kTaps = 4;
  Convolution(kChannels, kTaps, testGpu()).call({{1, 3, 1}});
  // Inputs old and new, weights, bias; inputs left and the result.
  expectTraffic(4 * kChannels * (kTaps + kTaps + 1), 4 * kChannels * kTaps);
}
