//===- EmitScan.cpp - Kernel of kern.scan ---------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sequential in time, parallel over channels and states: a few lanes share a
// channel and each keeps some of its states in registers. For a block of
// tokens at a time
//
//   the rows of dt, x, B and C come to shared memory, whole sectors at a time;
//   each token updates the states, and the lanes of a channel add up h C;
//   the epilogue runs over the block of results, channels in neighbouring
//   lanes.
//
// A (times log2(e)) and a state are [I/16][N][16].
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Emitters.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

/// Lanes of a channel, as far as it has states for them: eight channels of a
/// warp are a sector.
static constexpr int64_t kChannelLanes = 4;
/// States of a lane; with more, more lanes share a channel.
static constexpr int64_t kLaneStates = 16;
/// Channels of a block, and tokens that it has in shared memory.
static constexpr int64_t kBlockChannels = 32, kBlockTokens = 32;
static constexpr int64_t kPanel = kern::ScanOp::kPanel;

namespace {
class ScanKernel {
public:
  ScanKernel(TileBuilder &builder, kern::ScanOp op);

  KernelInfo emit(ModuleOp module, StringRef name);

private:
  Sequences addArguments(tile::FuncOp function);
  void loadTokens(Value token, Value count);
  Values emitToken(Value token, Values held);
  void emitEpilogue(Value token, Value count);

  /// Index of state `n` of the thread in A and in a state.
  Value stateIndex(int64_t n) {
    Value panel = b.mul(b.div(channel, kPanel), kPanel * states);
    Value row = b.mul(b.add(firstState, n), kPanel);
    return b.add(b.add(panel, row), b.rem(channel, kPanel));
  }
  /// Whether that state exists (null: all do).
  Value stateMask(int64_t n) {
    Value hasChannel = b.less(channel, channels);
    return b.both(hasChannel, b.less(b.add(firstState, n), states));
  }

  TileBuilder &b;
  kern::ScanOp op;
  int64_t channels, states;
  /// Lanes of a channel, states of a lane, states with those that only fill up.
  int64_t lanes, laneStates, paddedStates;

  Rows input, dt, B, C, result;
  SmallVector<Rows> elements;
  SmallVector<Value> columns;
  Pool state;
  Value A;
  /// In shared memory: [tokens][channels], and [tokens][states].
  Value inputs, steps, sums, rowsB, rowsC;
  /// Of the block, the thread and the sequence.
  Value firstChannel, laneChannel, channel, firstState, firstRow;
  Values decays;
};
} // namespace

ScanKernel::ScanKernel(TileBuilder &builder, kern::ScanOp op)
    : b(builder), op(op), channels(op.getA().getType().getDimSize(0)),
      states(op.getA().getType().getDimSize(1)) {
  lanes = std::min<int64_t>(kChannelLanes, llvm::PowerOf2Ceil(states));
  while (llvm::divideCeil(states, lanes) > kLaneStates &&
         lanes < tile::kWarpLanes)
    lanes *= 2;
  laneStates = llvm::divideCeil(states, lanes);
  if (laneStates > 2)
    laneStates = llvm::alignTo(laneStates, 4);
  paddedStates = lanes * laneStates;
}

Sequences ScanKernel::addArguments(tile::FuncOp function) {
  KernelArgs args(b, function);
  input = args.rows(op.getInput());
  dt = args.rows(op.getDt());
  A = args.weight(op.getA());
  B = args.rows(op.getB());
  C = args.rows(op.getC());
  Sequences sequences = args.sequences();
  state = args.pool();
  columns = args.weights(op.getColumns());
  elements = args.rows(op.getElements());
  result = args.rows(op.getResult());
  args.integer();
  return sequences;
}

KernelInfo ScanKernel::emit(ModuleOp module, StringRef name) {
  int64_t block = kBlockChannels * lanes;
  Sequences sequences = addArguments(b.startKernel(module, name, block));
  for (Value *tile : {&inputs, &steps, &sums})
    *tile = b.allocShared(kBlockTokens * kBlockChannels);
  for (Value *tile : {&rowsB, &rowsC})
    *tile = b.allocShared(kBlockTokens * paddedStates);

  int64_t blocks = llvm::divideCeil(channels, kBlockChannels);
  Value sequence = b.div(b.blockId(), blocks);
  firstChannel = b.mul(b.rem(b.blockId(), blocks), kBlockChannels);
  // Channels vary fastest within a warp.
  int64_t warpChannels = tile::kWarpLanes / lanes;
  laneChannel =
      b.add(b.mul(b.warp(), warpChannels), b.rem(b.lane(), warpChannels));
  channel = b.add(firstChannel, laneChannel);
  firstState = b.mul(b.div(b.lane(), warpChannels), laneStates);
  firstRow = sequences.firstRow(sequence);
  Value rows = b.sub(sequences.firstRow(b.add(sequence, 1)), firstRow);
  Value hidden = state.slot(b, sequences.slot(sequence), b.getF32Type());

  Values held;
  for (int64_t n = 0; n < laneStates; ++n) {
    held.push_back(b.load(hidden, stateIndex(n), 0, stateMask(n)));
    decays.push_back(b.loadConstant(A, stateIndex(n), 0, stateMask(n)));
  }
  held =
      b.forLoop(b.i64(0), rows, b.i64(kBlockTokens), held,
                [&](Value token, ValueRange carried) {
                  Value count = b.min(b.sub(rows, token), b.i64(kBlockTokens));
                  loadTokens(token, count);
                  b.barrier();
                  Values next = b.forLoop(b.i64(0), count, b.i64(1), carried,
                                          [&](Value t, ValueRange values) {
                                            return emitToken(t, Values(values));
                                          });
                  b.barrier();
                  emitEpilogue(token, count);
                  // The next tokens overwrite what the epilogue reads.
                  b.barrier();
                  return next;
                });
  for (int64_t n = 0; n < laneStates; ++n)
    b.store(held[n], hidden, stateIndex(n), stateMask(n));
  b.finishKernel();
  AffineExpr all = symbolOf(CallSymbol::Sequences, op.getContext());
  return {name.str(), all * blocks};
}

void ScanKernel::loadTokens(Value token, Value count) {
  Value first = b.add(firstRow, token);
  b.forThreads(b.mul(count, kBlockChannels), [&](Value index) {
    Value row = b.add(first, b.div(index, kBlockChannels));
    Value column = b.add(firstChannel, b.rem(index, kBlockChannels));
    Value exists =
        channels % kBlockChannels ? b.less(column, channels) : Value();
    b.store(b.loadFloats(input.row(b, row), column, 0, exists), inputs, index);
    b.store(b.loadFloats(dt.row(b, row), column, 0, exists), steps, index);
  });
  b.forThreads(b.mul(count, paddedStates), [&](Value index) {
    Value row = b.add(first, b.div(index, paddedStates));
    Value column = b.rem(index, paddedStates);
    Value exists = paddedStates == states ? Value() : b.less(column, states);
    b.store(b.loadFloats(B.row(b, row), column, 0, exists), rowsB, index);
    b.store(b.loadFloats(C.row(b, row), column, 0, exists), rowsC, index);
  });
}

Values ScanKernel::emitToken(Value token, Values held) {
  Value place = b.add(b.mul(token, kBlockChannels), laneChannel);
  Value delta = b.load(steps, place);
  Value weighted = b.mul(delta, b.load(inputs, place));
  Value firstWeight = b.add(b.mul(token, paddedStates), firstState);
  int64_t vector = std::min<int64_t>(laneStates, 4);
  Values next;
  Value sum;
  for (int64_t n = 0; n < laneStates; n += vector) {
    Value index = b.add(firstWeight, n);
    Value inputWeights = b.load(rowsB, index, vector > 1 ? vector : 0);
    Value outputWeights = b.load(rowsC, index, vector > 1 ? vector : 0);
    for (int64_t i = 0; i < vector; ++i) {
      auto element = [&](Value values) {
        return vector > 1 ? b.lane(values, i) : values;
      };
      Value factor = b.exp2(b.mul(delta, decays[n + i]));
      Value value =
          b.fma(held[n + i], factor, b.mul(weighted, element(inputWeights)));
      Value weight = element(outputWeights);
      sum = sum ? b.fma(value, weight, sum) : b.mul(value, weight);
      next.push_back(value);
    }
  }
  sum = b.reduceWarp(tile::Combine::Add, sum, lanes, tile::kWarpLanes / lanes);
  b.store(sum, sums, place, b.equal(firstState, 0));
  return next;
}

void ScanKernel::emitEpilogue(Value token, Value count) {
  b.forThreads(b.mul(count, kBlockChannels), [&](Value index) {
    Value row = b.add(b.add(firstRow, token), b.div(index, kBlockChannels));
    Value column = b.add(firstChannel, b.rem(index, kBlockChannels));
    b.ifThen(b.less(column, channels), [&] {
      Values arguments = {b.load(sums, index), b.load(inputs, index)};
      for (Value vector : columns)
        arguments.push_back(b.loadConstant(vector, column));
      for (const Rows &element : elements)
        arguments.push_back(b.loadFloats(element.row(b, row), column));
      b.storeFloats(b.cloneRegion(op.getEpilogue(), arguments),
                    result.row(b, row), column);
    });
  });
}

KernelInfos ssm::gpu::emitScan(kern::ScanOp op, StringRef name,
                               const Target &target, ModuleOp module) {
  TileBuilder builder(op.getLoc(), target);
  return SmallVector<KernelInfo>{ScanKernel(builder, op).emit(module, name)};
}
