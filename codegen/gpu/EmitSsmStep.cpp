//===- EmitSsmStep.cpp - Kernel of kern.ssm_step --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Convolution and Mamba-2 recurrence of one token per sequence. A block is one
// head of one sequence and streams its state [N][P] once: a thread has a few
// neighbouring channels of every so-and-so-many-th row, so that a warp reads
// memory in one piece. Every head convolves its group's B and C but only the
// first of the group writes their convolution state, into the other of the two
// copies.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Emitters.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

/// Threads of a block that has the work for them.
static constexpr int64_t kMaxBlock = 256;
static constexpr int64_t kMostThreads = 1024;
/// Loads of a thread that are under way together.
static constexpr int64_t kUnroll = 8;

namespace {
class SsmStepKernel {
public:
  SsmStepKernel(TileBuilder &builder, kern::SsmStepOp op);

  KernelInfos emit(ModuleOp module, StringRef name);

private:
  void addArguments(tile::FuncOp function);
  void emitConv();
  void emitChannel(Value index);
  void emitState();
  Values addRow(Value row, Value old, Values sums);
  void emitResult();

  TileBuilder &b;
  kern::SsmStepOp op;
  int64_t heads, headDim, stateDim, groups, groupHeads, channels, taps;
  /// Channels of a thread, threads of a row, rows that a block has at a time.
  int64_t width, rowThreads, rowsAtOnce;

  Rows input, dt, result;
  Pool convState, state;
  Value dtBias, A, D, weight, table;
  SmallVector<Value> columns;
  /// Of the sequence and head at hand.
  Value head, row, oldState, newState, hidden, step, decay;
  /// x, B and C after the convolution, and the partial sums of the rows.
  Value convolved, partial;
  /// Of the thread: its first channel, its first row, x times dt.
  Value column, firstRow, weighted;
};
} // namespace

SsmStepKernel::SsmStepKernel(TileBuilder &builder, kern::SsmStepOp op)
    : b(builder), op(op) {
  RankedTensorType type = op.getState().getType();
  heads = type.getDimSize(1);
  headDim = type.getDimSize(2);
  stateDim = type.getDimSize(3);
  channels = op.getWeight().getType().getDimSize(0);
  taps = op.getWeight().getType().getDimSize(1);
  groups = (channels - heads * headDim) / (2 * stateDim);
  groupHeads = heads / groups;
  width = headDim % 4 == 0 ? 4 : headDim % 2 == 0 ? 2 : 1;
  rowThreads = headDim / width;
  rowsAtOnce = std::clamp<int64_t>(kMaxBlock / rowThreads, 1, stateDim);
}

void SsmStepKernel::addArguments(tile::FuncOp function) {
  KernelArgs args(b, function);
  input = args.rows(op.getInput());
  dt = args.rows(op.getDt());
  dtBias = args.weight(op.getDtBias());
  A = args.weight(op.getA());
  D = args.weight(op.getD());
  weight = args.weight(op.getWeight());
  columns = args.weights(op.getColumns());
  Sequences sequences = args.sequences();
  convState = args.pool();
  state = args.pool();
  result = args.rows(op.getResult());
  args.integer();

  Value sequence = b.div(b.blockId(), heads);
  head = b.rem(b.blockId(), heads);
  row = sequences.firstRow(sequence);
  Value slot = sequences.slot(sequence);
  Value parity = b.rem(sequences.position(sequence), 2);
  Value copies = convState.slot(b, slot, b.getF32Type());
  int64_t copy = (taps - 1) * channels;
  oldState = b.at(copies, b.mul(parity, copy));
  newState = b.at(copies, b.mul(b.sub(b.i64(1), parity), copy));
  hidden = b.at(state.slot(b, slot, b.getF32Type()),
                b.mul(head, stateDim * headDim));
}

KernelInfos SsmStepKernel::emit(ModuleOp module, StringRef name) {
  int64_t block = llvm::alignTo(rowThreads * rowsAtOnce, tile::kWarpLanes);
  if (block > kMostThreads)
    return op.emitOpError("has ")
           << headDim << " channels per head, the GPU kernel has at most "
           << kMostThreads * width;
  addArguments(b.startKernel(module, name, block));
  convolved = b.allocShared(llvm::alignTo(headDim + 2 * stateDim, 4));
  partial = b.allocShared(rowsAtOnce * headDim);
  Value raw = b.loadFloats(dt.row(b, row), head);
  Value bias = b.loadConstant(dtBias, head);
  step = b.cloneRegion(op.getDtValue(), {raw, bias});
  decay = b.exp2(b.mul(step, b.loadConstant(A, head)));
  emitConv();
  b.barrier();
  emitState();
  b.barrier();
  emitResult();
  b.finishKernel();
  AffineExpr sequences = symbolOf(CallSymbol::Sequences, op.getContext());
  return SmallVector<KernelInfo>{{name.str(), sequences * heads}};
}

void SsmStepKernel::emitConv() {
  int64_t count = headDim + 2 * stateDim;
  b.forThreads(count, [&](Value index) { emitChannel(index); });
  // The backend may read whole vectors.
  for (int64_t index = count; index < llvm::alignTo(count, 4); ++index)
    b.store(b.f32(0), convolved, b.i64(index), b.equal(b.threadId(), 0));
}

/// Convolves one of the head's x, B and C.
void SsmStepKernel::emitChannel(Value index) {
  Value group = b.div(head, groupHeads);
  Value isX = b.less(index, headDim);
  Value isB = b.less(index, headDim + stateDim);
  Value firstB = b.add(b.mul(group, stateDim), heads * headDim);
  Value inB = b.add(firstB, b.sub(index, headDim));
  Value inC = b.add(inB, groups * stateDim - stateDim);
  Value channel = b.select(isX, b.add(b.mul(head, headDim), index),
                           b.select(isB, inB, inC));
  auto tapIndex = [&](int64_t tap) { return b.add(channel, tap * channels); };
  Values inputs;
  for (int64_t tap = 0; tap < taps - 1; ++tap)
    inputs.push_back(b.load(oldState, tapIndex(tap)));
  inputs.push_back(b.loadFloats(input.row(b, row), channel));
  Values arguments;
  for (int64_t tap = 0; tap < taps; ++tap) {
    Value factor = b.loadConstant(weight, tapIndex(tap));
    arguments = {tap ? b.fma(inputs[tap], factor, arguments[0])
                     : b.mul(inputs[tap], factor)};
  }
  for (Value vector : columns)
    arguments.push_back(b.loadConstant(vector, channel));
  b.store(b.cloneRegion(op.getConvValue(), arguments), convolved, index);
  Value isWriter = b.bitOr(isX, b.equal(b.rem(head, groupHeads), 0));
  b.ifThen(isWriter, [&] {
    for (int64_t tap = 0; tap < taps - 1; ++tap)
      b.store(inputs[tap + 1], newState, tapIndex(tap));
  });
}

/// What row `row` of the state becomes, and what it adds to the sums.
Values SsmStepKernel::addRow(Value row, Value old, Values sums) {
  Value inputWeight = b.load(convolved, b.add(row, headDim));
  Value outputWeight = b.load(convolved, b.add(row, headDim + stateDim));
  Value value = b.fma(old, decay, b.mul(weighted, inputWeight));
  b.store(value, hidden, b.add(b.mul(row, headDim), column));
  return {b.fma(value, outputWeight, sums[0])};
}

void SsmStepKernel::emitState() {
  Value thread = b.threadId();
  column = b.mul(b.rem(thread, rowThreads), width);
  firstRow = b.div(thread, rowThreads);
  int64_t vector = width > 1 ? width : 0;
  auto emitRows = [&] {
    weighted = b.mul(b.load(convolved, column, vector), step);
    Type type = b.vectorOf(b.getF32Type(), vector);
    auto unrolled = [&](Value first, Value last, int64_t count, Values inits) {
      return b.forLoop(first, last, b.i64(count * rowsAtOnce), inits,
                       [&](Value row, ValueRange carried) {
                         Values sums(carried), rows, old;
                         for (int64_t i = 0; i < count; ++i) {
                           rows.push_back(b.add(row, i * rowsAtOnce));
                           Value index = b.add(b.mul(rows[i], headDim), column);
                           old.push_back(b.load(hidden, index, vector));
                         }
                         for (int64_t i = 0; i < count; ++i)
                           sums = addRow(rows[i], old[i], sums);
                         return sums;
                       });
    };
    int64_t whole = stateDim / (kUnroll * rowsAtOnce) * (kUnroll * rowsAtOnce);
    Values sums = {b.constant(type, 0)};
    if (whole)
      sums = unrolled(firstRow, b.i64(whole), kUnroll, sums);
    if (whole < stateDim)
      sums = unrolled(b.add(firstRow, whole), b.i64(stateDim), 1, sums);
    b.store(sums[0], partial, b.add(b.mul(firstRow, headDim), column));
  };
  if (rowThreads * rowsAtOnce == b.block())
    emitRows();
  else
    b.ifThen(b.less(firstRow, rowsAtOnce), emitRows);
}

void SsmStepKernel::emitResult() {
  Value skip = b.loadConstant(D, head);
  b.forThreads(headDim, [&](Value channel) {
    Value sum = b.mul(b.load(convolved, channel), skip);
    for (int64_t i = 0; i < rowsAtOnce; ++i)
      sum = b.add(sum, b.load(partial, b.add(channel, i * headDim)));
    b.storeFloats(sum, result.row(b, row),
                  b.add(b.mul(head, headDim), channel));
  });
}

KernelInfos ssm::gpu::emitSsmStep(kern::SsmStepOp op, StringRef name,
                                  const Target &target, ModuleOp module) {
  TileBuilder builder(op.getLoc(), target);
  return SsmStepKernel(builder, op).emit(module, name);
}
