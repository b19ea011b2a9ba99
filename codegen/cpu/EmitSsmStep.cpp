//===- EmitSsmStep.cpp - CPU kernel of kern.ssm_step ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Convolution and Mamba-2 recurrence of one token per sequence. A unit is one
// head of one sequence, lanes are its channels. Units of one group that follow
// each other share the convolved B and C. Every head reads the convolution
// state of B and C but only the first of its group writes it, into the other of
// the two copies.
//
//===----------------------------------------------------------------------===//

#include "codegen/VectorMath.h"
#include "codegen/cpu/Emitters.h"
#include "codegen/cpu/KernelBuilder.h"

using namespace mlir;
using namespace ssm;

/// Registers of a tile of channels: enough chains of sums.
static constexpr int64_t kTileVectors = 4;
static constexpr int64_t kCacheLineBytes = 64;

namespace {
class SsmStepEmitter {
public:
  SsmStepEmitter(kern::SsmStepOp op, const Target &target);

  KernelInfo emit(StringRef name, ModuleOp module);

private:
  Value emitUnit(Value unit, Value sharedGroup);
  void emitShared(Value group, Value isFirstHead);
  /// Convolves channels first..first+count into `target`.
  void emitConv(Value first, int64_t count, Value target, Value isWriter);
  void emitTile(Value head, Value column, int64_t vectors, Value count);
  Value takeScratch(Value scratch, int64_t floats);

  kern::SsmStepOp op;
  KernelBuilder b;
  int64_t heads, headDim, stateDim, groups, groupHeads, channels, taps;

  Rows input, dt, result;
  Pool convState, state;
  Value dtBias, A, D, weight, table;
  SmallVector<Value> columns;
  int64_t scratchBytes = 0;
  Value convolvedX, convolvedB, convolvedC;
  /// Of the sequence and head at hand.
  Value row, oldState, newState, hidden, decay, step, skip;
};
} // namespace

SsmStepEmitter::SsmStepEmitter(kern::SsmStepOp op, const Target &target)
    : op(op), b(op.getLoc(), target) {
  RankedTensorType type = op.getState().getType();
  heads = type.getDimSize(1);
  headDim = type.getDimSize(2);
  stateDim = type.getDimSize(3);
  channels = op.getWeight().getType().getDimSize(0);
  taps = op.getWeight().getType().getDimSize(1);
  groups = (channels - heads * headDim) / (2 * stateDim);
  groupHeads = heads / groups;
}

Value SsmStepEmitter::takeScratch(Value scratch, int64_t floats) {
  Value pointer = b.atByte(scratch, scratchBytes);
  int64_t padded = llvm::alignTo(floats, b.lanes()) * sizeof(float);
  scratchBytes += llvm::alignTo(padded, kCacheLineBytes);
  return pointer;
}

KernelInfo SsmStepEmitter::emit(StringRef name, ModuleOp module) {
  Kernel kernel = b.startKernel(module, name);
  KernelArgs args(b, kernel.args);
  input = args.rows(op.getInput());
  dt = args.rows(op.getDt());
  dtBias = args.pointer();
  A = args.pointer();
  D = args.pointer();
  weight = args.pointer();
  for (size_t i = 0; i < op.getColumns().size(); ++i)
    columns.push_back(args.pointer());
  table = args.pointer();
  convState = args.pool();
  state = args.pool();
  result = args.rows(op.getResult());
  convolvedX = takeScratch(kernel.scratch, headDim);
  convolvedB = takeScratch(kernel.scratch, stateDim);
  convolvedC = takeScratch(kernel.scratch, stateDim);
  b.forLoop(kernel.begin, kernel.end, b.i64(1), b.i64(-1),
            [&](Value unit, ValueRange carried) {
              return KernelBuilder::Values{emitUnit(unit, carried[0])};
            });
  b.finishKernel();

  MLIRContext *context = op.getContext();
  KernelInfo info;
  info.name = name.str();
  info.grid =
      getAffineSymbolExpr(unsigned(CallSymbol::Sequences), context) * heads;
  info.scratch = getAffineConstantExpr(scratchBytes, context);
  return info;
}

/// Returns the number of the group, counted over all sequences, whose B and C
/// are in scratch memory now.
Value SsmStepEmitter::emitUnit(Value unit, Value sharedGroup) {
  Value sequence = b.div(unit, heads), head = b.rem(unit, heads);
  Sequences seqs(b, table);
  row = seqs.firstRow(sequence);
  Value slot = seqs.slot(sequence);
  Value parity = b.rem(seqs.position(sequence), 2);
  Value convSlot = convState.slot(b, slot);
  int64_t copy = (taps - 1) * channels;
  oldState = b.at(convSlot, b.mul(parity, copy));
  newState = b.at(convSlot, b.mul(b.sub(b.i64(1), parity), copy));
  hidden = b.at(state.slot(b, slot), b.mul(head, stateDim * headDim));

  Value unitGroup = b.div(unit, groupHeads);
  Value isNew = b.cmp(arith::CmpIPredicate::ne, unitGroup, sharedGroup);
  Value isFirstHead =
      b.cmp(arith::CmpIPredicate::eq, b.rem(head, groupHeads), b.i64(0));
  b.ifThen(isNew, [&] { emitShared(b.div(head, groupHeads), isFirstHead); });
  emitConv(b.mul(head, headDim), headDim, convolvedX, {});

  Value raw =
      b.loadFloats(b.at(dt.row(b, row), head, dt.element), dt.element, 0);
  Value bias = b.loadScalar(b.at(dtBias, head));
  // On vectors, as the prefill does it.
  step = b.cloneRegion(op.getDtValue(), {b.broadcast(raw), b.broadcast(bias)});
  Value rate = b.broadcast(b.loadScalar(b.at(A, head)));
  decay = exp2NonPositive(b, b.mul(step, rate));
  skip = b.broadcast(b.loadScalar(b.at(D, head)));
  b.forTiles(headDim, kTileVectors,
             [&](Value column, int64_t vectors, Value count) {
               emitTile(head, column, vectors, count);
             });
  return unitGroup;
}

void SsmStepEmitter::emitShared(Value group, Value isFirstHead) {
  Value firstB = b.add(b.mul(group, stateDim), heads * headDim);
  emitConv(firstB, stateDim, convolvedB, isFirstHead);
  emitConv(b.add(firstB, groups * stateDim), stateDim, convolvedC, isFirstHead);
}

void SsmStepEmitter::emitConv(Value first, int64_t count, Value target,
                              Value isWriter) {
  b.forVectors(count, [&](Value offset, Value lanes) {
    Value channel = b.add(first, offset);
    auto tapOf = [&](Value copy, int64_t tap) {
      return b.at(b.at(copy, channel), tap * channels);
    };
    SmallVector<Value> inputs;
    for (int64_t tap = 0; tap < taps - 1; ++tap)
      inputs.push_back(b.loadFloats(tapOf(oldState, tap), lanes));
    inputs.push_back(b.loadFloats(
        b.at(input.row(b, row), channel, input.element), input.element, lanes));
    SmallVector<Value> arguments;
    for (int64_t tap = 0; tap < taps; ++tap) {
      Value factor = b.loadFloats(tapOf(weight, tap), lanes);
      arguments = {tap ? b.fma(inputs[tap], factor, arguments[0])
                       : b.mul(inputs[tap], factor)};
    }
    for (Value column : columns)
      arguments.push_back(b.loadFloats(b.at(column, channel), lanes));
    b.store(b.cloneRegion(op.getConvValue(), arguments), b.at(target, offset));
    auto writeState = [&] {
      for (int64_t tap = 0; tap < taps - 1; ++tap)
        b.storeFloats(inputs[tap + 1], tapOf(newState, tap), lanes);
    };
    if (isWriter)
      b.ifThen(isWriter, writeState);
    else
      writeState();
  });
}

void SsmStepEmitter::emitTile(Value head, Value column, int64_t vectors,
                              Value count) {
  auto countOf = [&](int64_t v) { return v == vectors - 1 ? count : Value(); };
  KernelBuilder::Values inputs, weighted, sums;
  for (int64_t v = 0; v < vectors; ++v) {
    Value x =
        b.load(b.at(b.at(convolvedX, column), v * b.lanes()), b.vectorF32());
    weighted.push_back(b.mul(x, step));
    sums.push_back(b.mul(x, skip));
  }
  auto addState = [&](Value n, ValueRange carried) {
    Value inputWeight = b.broadcast(b.loadScalar(b.at(convolvedB, n)));
    Value outputWeight = b.broadcast(b.loadScalar(b.at(convolvedC, n)));
    Value stateRow = b.at(b.at(hidden, b.mul(n, headDim)), column);
    KernelBuilder::Values next;
    for (int64_t v = 0; v < vectors; ++v) {
      Value address = b.at(stateRow, v * b.lanes());
      Value old = b.loadFloats(address, countOf(v));
      Value value = b.fma(old, decay, b.mul(weighted[v], inputWeight));
      b.storeFloats(value, address, countOf(v));
      next.push_back(b.fma(value, outputWeight, carried[v]));
    }
    return next;
  };
  sums = b.forLoop(b.i64(0), b.i64(stateDim), b.i64(1), sums, addState);
  Value first = b.add(b.mul(head, headDim), column);
  for (int64_t v = 0; v < vectors; ++v)
    b.storeFloats(sums[v],
                  b.at(b.at(result.row(b, row), first, result.element),
                       v * b.lanes(), result.element),
                  result.element, countOf(v));
}

KernelInfos ssm::emitSsmStep(kern::SsmStepOp op, StringRef name,
                             const Target &target, ModuleOp module) {
  return SmallVector<KernelInfo>{SsmStepEmitter(op, target).emit(name, module)};
}
