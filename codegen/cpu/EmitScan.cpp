//===- EmitScan.cpp - CPU kernel of kern.scan -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes are channels. A few states at a time stay in registers over a block of
// tokens; what they add to h C waits in scratch memory for the other states. A
// (times log2(e)) and a state are [I/16][N][16].
//
//===----------------------------------------------------------------------===//

#include "codegen/VectorMath.h"
#include "codegen/cpu/Emitters.h"
#include "codegen/cpu/KernelBuilder.h"

using namespace mlir;
using namespace ssm;

/// Channels of a unit: a panel of A and of a state.
static constexpr int64_t kUnitChannels = kern::ScanOp::kPanel;
/// Tokens between two loads of a state: their sums and inputs stay in L1.
static constexpr int64_t kBlockTokens = 64;
/// Largest error 2.6 ulp per factor; the sums lose as much.
static constexpr int kExpDegree = 5;

namespace {
class ScanEmitter {
public:
  ScanEmitter(kern::ScanOp op, const Target &target)
      : op(op), b(op.getLoc(), target),
        channels(op.getA().getType().getDimSize(0)),
        states(op.getA().getType().getDimSize(1)),
        // Beside the states: dt, dt x, the sum, and what the exponential needs.
        statesAtOnce(std::max<int64_t>(
            target.registers / 4 * (target.registers > 16 ? 2 : 1), 1)) {}

  KernelInfo emit(StringRef name, ModuleOp module);

private:
  void emitUnit(Value unit);
  void emitVector(Value channel, Value count);
  void emitStates(Value firstState, int64_t number, bool addsToSum);
  void emitEpilogue(ArrayRef<Value> vectors);
  Value loadRow(const Rows &rows, Value row) {
    return b.loadFloats(b.at(rows.row(b, row), channel, rows.element),
                        rows.element, count);
  }
  Value sumOf(Value token) {
    return b.at(sums, b.mul(b.sub(token, firstToken), b.lanes()));
  }

  kern::ScanOp op;
  KernelBuilder b;
  int64_t channels, states, statesAtOnce;

  Rows input, dt, B, C, result;
  SmallVector<Rows> elements;
  SmallVector<Value> columns;
  Pool state;
  Value A, table, sums;
  /// Of the sequence, vector of channels and block of tokens at hand.
  Value firstRow, rows, slot, channel, count, firstToken, endToken;
};
} // namespace

KernelInfo ScanEmitter::emit(StringRef name, ModuleOp module) {
  Kernel kernel = b.startKernel(module, name);
  KernelArgs args(b, kernel.args);
  input = args.rows(op.getInput());
  dt = args.rows(op.getDt());
  A = args.pointer();
  B = args.rows(op.getB());
  C = args.rows(op.getC());
  table = args.pointer();
  state = args.pool();
  for (size_t i = 0; i < op.getColumns().size(); ++i)
    columns.push_back(args.pointer());
  for (Value element : op.getElements())
    elements.push_back(args.rows(element));
  result = args.rows(op.getResult());
  sums = kernel.scratch;
  b.forLoop(kernel.begin, kernel.end, 1, [&](Value unit) { emitUnit(unit); });
  b.finishKernel();

  MLIRContext *context = op.getContext();
  KernelInfo info;
  info.name = name.str();
  info.grid = getAffineSymbolExpr(unsigned(CallSymbol::Sequences), context) *
              llvm::divideCeil(channels, kUnitChannels);
  info.scratch =
      getAffineConstantExpr(kBlockTokens * b.lanes() * sizeof(float), context);
  return info;
}

void ScanEmitter::emitUnit(Value unit) {
  int64_t blocks = llvm::divideCeil(channels, kUnitChannels);
  Value sequence = b.div(unit, blocks);
  Value block = b.rem(unit, blocks);
  Sequences seqs(b, table);
  firstRow = seqs.firstRow(sequence);
  rows = b.sub(seqs.firstRow(b.add(sequence, 1)), firstRow);
  slot = state.slot(b, seqs.slot(sequence));

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

void ScanEmitter::emitVector(Value channel, Value count) {
  this->channel = channel;
  this->count = count;
  SmallVector<Value> vectors;
  for (Value column : columns)
    vectors.push_back(b.loadFloats(b.at(column, channel), count));
  b.forLoop(b.i64(0), rows, kBlockTokens, [&](Value token) {
    firstToken = token;
    endToken = b.min(b.add(token, kBlockTokens), rows);
    // The first states start the sums, the others add to them.
    int64_t first = std::min(states, statesAtOnce);
    int64_t whole = states / statesAtOnce * statesAtOnce;
    emitStates(b.i64(0), first, /*addsToSum=*/false);
    if (whole > first)
      b.forLoop(b.i64(first), b.i64(whole), statesAtOnce, [&](Value state) {
        emitStates(state, statesAtOnce, /*addsToSum=*/true);
      });
    if (states > whole && whole > 0)
      emitStates(b.i64(whole), states - whole, /*addsToSum=*/true);
    emitEpilogue(vectors);
  });
}

void ScanEmitter::emitStates(Value firstState, int64_t number, bool addsToSum) {
  Value panel = b.mul(b.div(channel, kUnitChannels), kUnitChannels * states);
  Value offset = b.add(b.add(panel, b.rem(channel, kUnitChannels)),
                       b.mul(firstState, kUnitChannels));
  Value hidden = b.at(slot, offset), decay = b.at(A, offset);
  KernelBuilder::Values held;
  for (int64_t n = 0; n < number; ++n)
    held.push_back(b.loadFloats(b.at(hidden, n * kUnitChannels), count));

  auto step = [&](Value token, ValueRange carried) {
    Value row = b.add(firstRow, token);
    Value delta = loadRow(dt, row);
    Value weighted = b.mul(delta, loadRow(input, row));
    Value rowB = b.at(B.row(b, row), firstState, B.element);
    Value rowC = b.at(C.row(b, row), firstState, C.element);
    Value sum = addsToSum ? b.load(sumOf(token), b.vectorF32()) : Value();
    KernelBuilder::Values next;
    for (int64_t n = 0; n < number; ++n) {
      Value exponent =
          b.mul(delta, b.loadFloats(b.at(decay, n * kUnitChannels), count));
      Value factor = exp2NonPositive(b, exponent, kExpDegree);
      Value inputWeight = b.loadFloats(b.at(rowB, n, B.element), B.element, 0);
      Value value = b.fma(carried[n], factor, b.mul(weighted, inputWeight));
      Value outputWeight = b.loadFloats(b.at(rowC, n, C.element), C.element, 0);
      sum = sum ? b.fma(value, outputWeight, sum) : b.mul(value, outputWeight);
      next.push_back(value);
    }
    b.store(sum, sumOf(token));
    return next;
  };
  held = b.forLoop(firstToken, endToken, b.i64(1), held, step);
  for (int64_t n = 0; n < number; ++n)
    b.storeFloats(held[n], b.at(hidden, n * kUnitChannels), count);
}

void ScanEmitter::emitEpilogue(ArrayRef<Value> vectors) {
  b.forLoop(firstToken, endToken, 1, [&](Value token) {
    Value row = b.add(firstRow, token);
    SmallVector<Value> arguments = {b.load(sumOf(token), b.vectorF32()),
                                    loadRow(input, row)};
    arguments.append(vectors.begin(), vectors.end());
    for (const Rows &element : elements)
      arguments.push_back(loadRow(element, row));
    b.storeFloats(b.cloneRegion(op.getEpilogue(), arguments),
                  b.at(result.row(b, row), channel, result.element),
                  result.element, count);
  });
}

KernelInfos ssm::emitScan(kern::ScanOp op, StringRef name, const Target &target,
                          ModuleOp module) {
  return SmallVector<KernelInfo>{ScanEmitter(op, target).emit(name, module)};
}
