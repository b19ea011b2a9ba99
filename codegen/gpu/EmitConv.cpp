//===- EmitConv.cpp - Kernel of kern.conv ---------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread is one channel of one tile of rows; the last inputs stay in
// registers while time passes. Only the threads of a sequence's first tile
// touch the state, which is [2][K-1][C]: the copies that a call reads and
// writes are the same one after an even number of rows, and tiles have no
// order.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Emitters.h"
#include "runtime/SeqTable.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

static constexpr int64_t kBlock = 128;
/// Rows whose loads are under way together.
static constexpr int64_t kUnroll = 4;

namespace {
class ConvKernel {
public:
  ConvKernel(TileBuilder &builder, kern::ConvOp op)
      : b(builder), op(op), channels(op.getWeight().getType().getDimSize(0)),
        taps(op.getWeight().getType().getDimSize(1)) {}

  KernelInfo emit(ModuleOp module, StringRef name);

private:
  void emitTile(Sequences &sequences, Value tile);
  Values firstHistory();
  Values historyBefore(Value row);
  Values emitRows(Value begin, Value end, Values history);
  void writeState(Value end, Values history);

  Value loadInput(Value row) {
    return b.loadFloats(input.row(b, row), channel, 0, {},
                        tile::Cache::ReadOnly);
  }
  /// Address of an input in a copy of the state: tap `tap` of the channel.
  Value tapIndex(Value tap) { return b.add(b.mul(tap, channels), channel); }

  TileBuilder &b;
  kern::ConvOp op;
  int64_t channels, taps;
  Rows input, result;
  Pool state;
  Value weight;
  SmallVector<Value> columns;
  /// Of the sequence and channel at hand.
  Value channel, firstRow, rows, oldState, newState;
  Values weights, vectors;
};
} // namespace

KernelInfo ConvKernel::emit(ModuleOp module, StringRef name) {
  KernelArgs args(b, b.startKernel(module, name, kBlock));
  input = args.rows(op.getInput());
  Sequences sequences = args.sequences();
  state = args.pool();
  weight = args.weight(op.getWeight());
  columns = args.weights(op.getColumns());
  result = args.rows(op.getResult());
  args.integer();

  int64_t blocks = llvm::divideCeil(channels, kBlock);
  Value unit = b.blockId();
  channel = b.add(b.mul(b.rem(unit, blocks), kBlock), b.threadId());
  Value tile = b.div(unit, blocks);
  b.ifThen(b.less(channel, channels), [&] { emitTile(sequences, tile); });
  b.finishKernel();
  AffineExpr tiles = symbolOf(CallSymbol::Tiles, op.getContext());
  return {name.str(), tiles * blocks};
}

void ConvKernel::emitTile(Sequences &sequences, Value tile) {
  Value sequence = sequences.tileSequence(tile);
  firstRow = sequences.firstRow(sequence);
  rows = b.sub(sequences.firstRow(b.add(sequence, 1)), firstRow);
  Value position = sequences.position(sequence);
  Value slot = state.slot(b, sequences.slot(sequence), b.getF32Type());
  int64_t copy = (taps - 1) * channels;
  oldState = b.at(slot, b.mul(b.rem(position, 2), copy));
  newState = b.at(slot, b.mul(b.rem(b.add(position, rows), 2), copy));
  for (int64_t tap = 0; tap < taps; ++tap)
    weights.push_back(b.loadConstant(weight, tapIndex(b.i64(tap))));
  for (Value column : columns)
    vectors.push_back(b.loadConstant(column, channel));

  // A tile that begins before K-1 rows are there would need the state: the
  // first one takes its rows.
  Value begin = sequences.tileFirst(tile);
  Value border = b.add(b.add(position, begin), SSM_TILE_ROWS);
  border = b.sub(b.sub(border, b.rem(border, SSM_TILE_ROWS)), position);
  Value isFirst = b.equal(begin, 0);
  Value isShort = b.less(border, taps - 1);
  Value longer = b.select(isShort, b.add(border, SSM_TILE_ROWS), border);
  Value end = b.min(b.select(isFirst, longer, border), rows);
  b.ifElse(
      isFirst, [&] { writeState(end, emitRows(begin, end, firstHistory())); },
      [&] {
        Value isOwn = b.less(b.i64(taps - 2), begin);
        b.ifThen(isOwn, [&] { emitRows(begin, end, historyBefore(begin)); });
      });
}

Values ConvKernel::firstHistory() {
  Values history;
  for (int64_t tap = 0; tap < taps - 1; ++tap)
    history.push_back(b.load(oldState, tapIndex(b.i64(tap))));
  return history;
}

Values ConvKernel::historyBefore(Value row) {
  Values history;
  for (int64_t tap = 0; tap < taps - 1; ++tap)
    history.push_back(loadInput(b.add(firstRow, b.add(row, tap - (taps - 1)))));
  return history;
}

/// The last K-1 inputs: what the rows up to `end` have left, or rows of later
/// tiles.
void ConvKernel::writeState(Value end, Values history) {
  SmallVector<Type> types(history.size(), b.getF32Type());
  Values left = b.ifElse(
      b.less(end, rows), types, [&] { return historyBefore(rows); },
      [&] { return history; });
  for (int64_t tap = 0; tap < taps - 1; ++tap)
    b.store(left[tap], newState, tapIndex(b.i64(tap)));
}

/// Gives the last K-1 inputs.
Values ConvKernel::emitRows(Value begin, Value end, Values history) {
  auto step = [&](Value row, Value arrived, Values inputs) {
    inputs.push_back(arrived);
    Values arguments = {b.mul(inputs[0], weights[0])};
    for (int64_t tap = 1; tap < taps; ++tap)
      arguments[0] = b.fma(inputs[tap], weights[tap], arguments[0]);
    arguments.append(vectors);
    b.storeFloats(b.cloneRegion(op.getEpilogue(), arguments),
                  result.row(b, row), channel);
    inputs.erase(inputs.begin());
    return inputs;
  };
  auto unrolled = [&](Value first, Value last, int64_t count, Values inits) {
    return b.forLoop(first, last, b.i64(count), inits,
                     [&](Value t, ValueRange carried) {
                       Values inputs(carried), arrived;
                       Value row = b.add(firstRow, t);
                       for (int64_t i = 0; i < count; ++i)
                         arrived.push_back(loadInput(b.add(row, i)));
                       for (int64_t i = 0; i < count; ++i)
                         inputs = step(b.add(row, i), arrived[i], inputs);
                       return inputs;
                     });
  };
  Value middle = b.sub(end, b.rem(b.sub(end, begin), kUnroll));
  history = unrolled(begin, middle, kUnroll, history);
  return unrolled(middle, end, 1, history);
}

KernelInfos ssm::gpu::emitConv(kern::ConvOp op, StringRef name,
                               const Target &target, ModuleOp module) {
  TileBuilder builder(op.getLoc(), target);
  return SmallVector<KernelInfo>{ConvKernel(builder, op).emit(module, name)};
}
