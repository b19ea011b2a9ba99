//===- EmitConv.cpp - CPU kernel of kern.conv -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes are channels. A unit is one block of channels of one sequence; the last
// inputs stay in registers while time passes. The state of a sequence is
// [2][K-1][C]: a call reads the copy of its first position's parity and writes
// that of the position after its last.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Emitters.h"
#include "codegen/cpu/KernelBuilder.h"

using namespace mlir;
using namespace ssm;

/// Channels of a unit: no two units share a cache line of a row.
static constexpr int64_t kUnitChannels = 64;

namespace {
class ConvEmitter {
public:
  ConvEmitter(kern::ConvOp op, const Target &target)
      : op(op), b(op.getLoc(), target),
        channels(op.getWeight().getType().getDimSize(0)),
        taps(op.getWeight().getType().getDimSize(1)) {}

  KernelInfo emit(StringRef name, ModuleOp module);

private:
  void emitUnit(Value unit);
  void emitVector(Value channel, Value count);

  kern::ConvOp op;
  KernelBuilder b;
  int64_t channels, taps;

  Rows input, result;
  Pool state;
  Value table, weight;
  SmallVector<Value> columns;
  /// Of the sequence at hand.
  Value firstRow, rows, oldState, newState;
};
} // namespace

KernelInfo ConvEmitter::emit(StringRef name, ModuleOp module) {
  Kernel kernel = b.startKernel(module, name);
  KernelArgs args(b, kernel.args);
  input = args.rows(op.getInput());
  table = args.pointer();
  state = args.pool();
  weight = args.pointer();
  for (size_t i = 0; i < op.getColumns().size(); ++i)
    columns.push_back(args.pointer());
  result = args.rows(op.getResult());
  b.forLoop(kernel.begin, kernel.end, 1, [&](Value unit) { emitUnit(unit); });
  b.finishKernel();

  MLIRContext *context = op.getContext();
  KernelInfo info;
  info.name = name.str();
  info.grid = getAffineSymbolExpr(unsigned(CallSymbol::Sequences), context) *
              llvm::divideCeil(channels, kUnitChannels);
  info.scratch = getAffineConstantExpr(0, context);
  return info;
}

void ConvEmitter::emitUnit(Value unit) {
  int64_t blocks = llvm::divideCeil(channels, kUnitChannels);
  Value sequence = b.div(unit, blocks);
  Value block = b.rem(unit, blocks);

  Sequences seqs(b, table);
  firstRow = seqs.firstRow(sequence);
  rows = b.sub(seqs.firstRow(b.add(sequence, 1)), firstRow);
  Value position = seqs.position(sequence);
  Value slot = state.slot(b, seqs.slot(sequence));
  int64_t copy = (taps - 1) * channels;
  oldState = b.at(slot, b.mul(b.rem(position, 2), copy));
  newState = b.at(slot, b.mul(b.rem(b.add(position, rows), 2), copy));

  int64_t whole = channels / b.lanes() * b.lanes();
  Value first = b.mul(block, kUnitChannels);
  Value end = b.min(b.add(first, kUnitChannels), b.i64(whole));
  b.forLoop(first, end, b.lanes(),
            [&](Value channel) { emitVector(channel, {}); });
  if (whole == channels)
    return;
  Value isLast = b.cmp(arith::CmpIPredicate::eq, block, b.i64(blocks - 1));
  b.ifThen(isLast, [&] { emitVector(b.i64(whole), b.i64(channels - whole)); });
}

void ConvEmitter::emitVector(Value channel, Value count) {
  auto tapOf = [&](Value copy, int64_t tap) {
    return b.at(b.at(copy, channel), tap * channels);
  };
  SmallVector<Value> weights, vectors, history;
  for (int64_t tap = 0; tap < taps; ++tap)
    weights.push_back(b.loadFloats(tapOf(weight, tap), count));
  for (Value column : columns)
    vectors.push_back(b.loadFloats(b.at(column, channel), count));
  for (int64_t tap = 0; tap < taps - 1; ++tap)
    history.push_back(b.loadFloats(tapOf(oldState, tap), count));

  auto step = [&](Value t, ValueRange carried) {
    Value row = b.add(firstRow, t);
    KernelBuilder::Values inputs(carried);
    inputs.push_back(b.loadFloats(
        b.at(input.row(b, row), channel, input.element), input.element, count));
    SmallVector<Value> arguments = {b.mul(inputs[0], weights[0])};
    for (int64_t tap = 1; tap < taps; ++tap)
      arguments[0] = b.fma(inputs[tap], weights[tap], arguments[0]);
    arguments.append(vectors);
    b.storeFloats(b.cloneRegion(op.getEpilogue(), arguments),
                  b.at(result.row(b, row), channel, result.element),
                  result.element, count);
    inputs.erase(inputs.begin());
    return inputs;
  };
  history = b.forLoop(b.i64(0), rows, b.i64(1), history, step);
  for (int64_t tap = 0; tap < taps - 1; ++tap)
    b.storeFloats(history[tap], tapOf(newState, tap), count);
}

KernelInfos ssm::emitConv(kern::ConvOp op, StringRef name, const Target &target,
                          ModuleOp module) {
  return SmallVector<KernelInfo>{ConvEmitter(op, target).emit(name, module)};
}
