//===- Rotation.cpp - Rotary position embedding of a head -----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Rotation.h"

#include "codegen/VectorMath.h"

#include <cmath>

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

/// The frequencies as fractions of a turn per position, times 2^64.
static SmallVector<int64_t> turnsOf(ssm::RopeAttr rope) {
  constexpr double kTwoPi = 6.283185307179586476925;
  SmallVector<int64_t> turns;
  for (double frequency : rope.frequencies()) {
    double fraction = std::fmod(frequency / kTwoPi, 1.0);
    turns.push_back(int64_t(uint64_t(std::ldexp(fraction, 64))));
  }
  return turns;
}

void Rotation::prepare(Value position) {
  if (!half)
    return;
  sines = b.allocShared(half);
  cosines = b.allocShared(half);
  Value table = b.table(turnsOf(rope));
  b.forThreads(half, [&](Value index) {
    Value turns = b.loadConstant(table, index);
    // The product wraps around whole turns.
    Value angle = arith::MulIOp::create(b, turns, position);
    Value narrow =
        arith::TruncIOp::create(b, b.getI32Type(), b.shiftRight(angle, 32));
    auto [sine, cosine] = ssm::sinCosOfTurns(b, narrow);
    b.store(sine, sines, index);
    b.store(cosine, cosines, index);
  });
  b.barrier();
}

void Rotation::apply(Value item, Load load, Store store) {
  auto applySingle = [&](Value dim) {
    Values number = {load(dim)};
    store({dim}, number, number);
  };
  if (!half)
    return applySingle(item);
  auto applyPair = [&] {
    Value second = b.add(item, half);
    Values pair = {load(item), load(second)};
    store({item, second}, pair, rotate(pair, item));
  };
  if (count == half)
    return applyPair();
  b.ifElse(b.less(item, half), applyPair,
           [&] { applySingle(b.add(item, half)); });
}

Values Rotation::rotate(ArrayRef<Value> pair, Value item) {
  Value sine = b.load(sines, item), cosine = b.load(cosines, item);
  Value x = pair[0], y = pair[1];
  return {b.fma(x, cosine, b.neg(b.mul(y, sine))),
          b.fma(y, cosine, b.mul(x, sine))};
}
