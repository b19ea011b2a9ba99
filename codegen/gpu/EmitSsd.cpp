//===- EmitSsd.cpp - Kernel of kern.ssd -----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The chunked form of the Mamba-2 recurrence (Dao and Gu, "Transformers are
// SSMs", arXiv 2405.21060, section 6). A block is a head of one sequence, or a
// part of its channels, and walks the chunks in order with the state in shared
// memory. For each chunk, with cum the running sum of dt A (times log2 e) from
// the chunk's start:
//
//   M[i, j] = (C_i B_j) 2^(cum_i - cum_j) dt_j, j <= i, plus D on the diagonal
//   y_i = 2^cum_i (C_i h) + M_i x
//   h = 2^cum_last h + sum_j B_j outer (2^(cum_last - cum_j) dt_j x_j)
//
// Chunks are aligned to absolute positions, so the first one of a call may be
// short. A state is [H][N][P]. Rows behind the chunk and columns that only fill
// up are zero in shared memory.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Emitters.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

static constexpr int64_t kBlock = 256;
/// Neighbouring numbers of an access to shared memory.
static constexpr int64_t kWidth = 4;
/// Rows of a thread's tiles of M and y.
static constexpr int64_t kThreadRows = 2;
/// Channels of a block.
static constexpr int64_t kMaxChannels = 64;

namespace {
class SsdKernel {
public:
  SsdKernel(TileBuilder &builder, kern::SsdOp op);

  KernelInfo emit(ModuleOp module, StringRef name);

private:
  Sequences addArguments(tile::FuncOp function);
  void allocate();
  int64_t sharedFloats(int64_t chunk) const;
  void moveState(bool load);
  void emitChunk(Value begin, Value end);
  void loadChunk();
  void emitSteps();
  void emitMask();
  void emitMaskTile(Value i, Value j);
  void emitOutput();
  void emitOutputTile(Value i, Value column);
  void emitStates();
  void emitStateTile(Value state, Value column);

  Value at(Value row, int64_t stride, Value column) {
    return b.add(b.mul(row, stride), column);
  }
  Value load4(Value tile, Value index) { return b.load(tile, index, kWidth); }

  TileBuilder &b;
  kern::SsdOp op;
  int64_t heads, headDim, stateDim, groupHeads, chunk;
  /// Channels of a block, blocks of a head, rows of a tile of a chunk.
  int64_t channels, parts, rows;
  /// Floats of a line in shared memory: of x and h, of B and C, of M.
  int64_t channelLine, stateLine, maskLine;

  Rows input, dt, B, C, result;
  Pool state;
  Value dtBias, A, D;
  /// In shared memory: h [N][P], x [Q][P], B and C [Q][N], M [Q][Q], and a
  /// number of each row.
  Value hidden, inputs, rowsB, rowsC, mask, steps, sums;
  /// Of the block and the chunk at hand.
  Value head, firstChannel, slot, sequenceRow, firstRow, length;
};
} // namespace

SsdKernel::SsdKernel(TileBuilder &builder, kern::SsdOp op)
    : b(builder), op(op) {
  RankedTensorType type = op.getState().getType();
  heads = type.getDimSize(1);
  headDim = type.getDimSize(2);
  stateDim = type.getDimSize(3);
  int64_t groups = op.getB().getType().getDimSize(1) / stateDim;
  groupHeads = heads / groups;
  parts = llvm::divideCeil(headDim, kMaxChannels);
  channels = llvm::divideCeil(headDim, parts);
  channelLine = llvm::alignTo(channels, kWidth);
  // Neighbouring lines begin in different banks.
  stateLine = llvm::alignTo(stateDim, kWidth) + kWidth;
  // Parts of an aligned chunk are aligned as well.
  chunk = op.getChunk();
  while (sharedFloats(chunk) * int64_t(sizeof(float)) > b.target.sharedBytes &&
         chunk % 2 == 0)
    chunk /= 2;
  rows = llvm::alignTo(chunk, kWidth);
  maskLine = rows + kWidth;
}

int64_t SsdKernel::sharedFloats(int64_t chunk) const {
  int64_t rows = llvm::alignTo(chunk, kWidth);
  int64_t states = llvm::alignTo(stateDim, kWidth);
  return states * channelLine +
         rows * (channelLine + 2 * stateLine + rows + kWidth + 2);
}

Sequences SsdKernel::addArguments(tile::FuncOp function) {
  KernelArgs args(b, function);
  input = args.rows(op.getInput());
  dt = args.rows(op.getDt());
  dtBias = args.weight(op.getDtBias());
  A = args.weight(op.getA());
  B = args.rows(op.getB());
  C = args.rows(op.getC());
  D = args.weight(op.getD());
  Sequences sequences = args.sequences();
  state = args.pool();
  result = args.rows(op.getResult());
  args.integer();
  return sequences;
}

void SsdKernel::allocate() {
  hidden = b.allocShared(llvm::alignTo(stateDim, kWidth) * channelLine);
  inputs = b.allocShared(rows * channelLine);
  rowsB = b.allocShared(rows * stateLine);
  rowsC = b.allocShared(rows * stateLine);
  mask = b.allocShared(rows * maskLine);
  steps = b.allocShared(rows);
  sums = b.allocShared(rows);
}

KernelInfo SsdKernel::emit(ModuleOp module, StringRef name) {
  Sequences sequences = addArguments(b.startKernel(module, name, kBlock));
  allocate();
  int64_t blocks = heads * parts;
  Value sequence = b.div(b.blockId(), blocks);
  Value unit = b.rem(b.blockId(), blocks);
  head = b.div(unit, parts);
  firstChannel = b.mul(b.rem(unit, parts), channels);
  sequenceRow = sequences.firstRow(sequence);
  Value count = b.sub(sequences.firstRow(b.add(sequence, 1)), sequenceRow);
  Value position = sequences.position(sequence);
  slot = b.at(state.slot(b, sequences.slot(sequence), b.getF32Type()),
              b.mul(head, stateDim * headDim));

  moveState(/*load=*/true);
  Value endChunk = b.div(b.add(b.add(position, count), chunk - 1), chunk);
  b.forLoop(b.div(position, chunk), endChunk, 1, [&](Value index) {
    Value border = b.sub(b.mul(index, chunk), position);
    emitChunk(b.max(border, b.i64(0)), b.min(b.add(border, chunk), count));
  });
  b.barrier();
  moveState(/*load=*/false);
  b.finishKernel();
  AffineExpr all = symbolOf(CallSymbol::Sequences, op.getContext());
  return {name.str(), all * blocks};
}

/// Between memory and shared memory.
void SsdKernel::moveState(bool load) {
  int64_t states = llvm::alignTo(stateDim, kWidth);
  b.forThreads(states * channelLine, [&](Value index) {
    Value row = b.div(index, channelLine);
    Value column = b.rem(index, channelLine);
    Value channel = b.add(firstChannel, column);
    Value exists =
        b.both(b.less(column, channels),
               b.both(b.less(channel, headDim), b.less(row, stateDim)));
    Value place = at(row, headDim, channel);
    if (load)
      b.store(b.load(slot, place, 0, exists), hidden, index);
    else
      b.store(b.load(hidden, index), slot, place, exists);
  });
}

void SsdKernel::emitChunk(Value begin, Value end) {
  firstRow = b.add(sequenceRow, begin);
  length = b.sub(end, begin);
  // The chunk before is no longer in use.
  b.barrier();
  loadChunk();
  b.ifThen(b.equal(b.warp(), 0), [&] { emitSteps(); });
  b.barrier();
  emitMask();
  b.barrier();
  emitOutput();
  b.barrier();
  emitStates();
}

void SsdKernel::loadChunk() {
  b.forThreads(rows * channelLine, [&](Value index) {
    Value row = b.div(index, channelLine), column = b.rem(index, channelLine);
    Value channel = b.add(firstChannel, column);
    Value exists =
        b.both(b.less(row, length),
               b.both(b.less(column, channels), b.less(channel, headDim)));
    Value x = b.loadFloats(input.row(b, b.add(firstRow, row)),
                           b.add(b.mul(head, headDim), channel), 0, exists);
    b.store(x, inputs, index);
  });
  Value group = b.mul(b.div(head, groupHeads), stateDim);
  b.forThreads(rows * stateLine, [&](Value index) {
    Value row = b.div(index, stateLine), column = b.rem(index, stateLine);
    Value exists = b.both(b.less(row, length), b.less(column, stateDim));
    Value source = b.add(firstRow, row), place = b.add(group, column);
    b.store(b.loadFloats(B.row(b, source), place, 0, exists), rowsB, index);
    b.store(b.loadFloats(C.row(b, source), place, 0, exists), rowsC, index);
  });
}

/// dt of the chunk's rows and its running sum times A, by one warp. Rows behind
/// the chunk get dt 0, which is neutral.
void SsdKernel::emitSteps() {
  Value bias = b.loadConstant(dtBias, head), rate = b.loadConstant(A, head);
  Value zero = b.f32(0), before = zero;
  for (int64_t first = 0; first < rows; first += tile::kWarpLanes) {
    Value row = b.add(b.lane(), first);
    Value exists = b.less(row, length);
    Value raw = b.loadFloats(dt.row(b, b.add(firstRow, row)), head, 0, exists);
    Value step =
        b.select(exists, b.cloneRegion(op.getDtValue(), {raw, bias}), zero);
    // In the order of time: sums of neighbours differ by one rounding.
    Values running = b.forLoop(
        b.i64(0), b.i64(tile::kWarpLanes), b.i64(1), {before, zero},
        [&](Value index, ValueRange carried) {
          Value sum = b.fma(b.shuffleIndex(step, index), rate, carried[0]);
          Value isOwn = b.cmp(arith::CmpIPredicate::eq, b.lane(), index);
          return Values{sum, b.select(isOwn, sum, carried[1])};
        });
    before = running[0];
    Value inside =
        first + tile::kWarpLanes > rows ? b.less(row, rows) : Value();
    b.store(step, steps, row, inside);
    b.store(running[1], sums, row, inside);
  }
}

void SsdKernel::emitMask() {
  int64_t tiles = rows / kThreadRows;
  b.forThreads(tiles * tiles, [&](Value index) {
    emitMaskTile(b.mul(b.div(index, tiles), kThreadRows),
                 b.mul(b.rem(index, tiles), kThreadRows));
  });
}

/// A square of M; above the diagonal stand zeros.
void SsdKernel::emitMaskTile(Value i, Value j) {
  Type type = b.vectorOf(b.getF32Type(), kWidth);
  Values products(kThreadRows * kThreadRows, b.constant(type, 0));
  auto addStates = [&](Value n, ValueRange carried) {
    Values left, right, next(carried);
    for (int64_t t = 0; t < kThreadRows; ++t) {
      left.push_back(load4(rowsC, at(b.add(i, t), stateLine, n)));
      right.push_back(load4(rowsB, at(b.add(j, t), stateLine, n)));
    }
    for (int64_t r = 0; r < kThreadRows; ++r)
      for (int64_t c = 0; c < kThreadRows; ++c) {
        Value &sum = next[r * kThreadRows + c];
        sum = b.fma(left[r], right[c], sum);
      }
    return next;
  };
  products = b.forLoop(b.i64(0), b.i64(llvm::alignTo(stateDim, kWidth)),
                       b.i64(kWidth), products, addStates);
  Value skip = b.loadConstant(D, head);
  for (int64_t r = 0; r < kThreadRows; ++r)
    for (int64_t c = 0; c < kThreadRows; ++c) {
      Value row = b.add(i, r), column = b.add(j, c);
      // Positive exponents stand only above the diagonal.
      Value exponent = b.sub(b.load(sums, row), b.load(sums, column));
      Value factor = b.mul(b.exp2(exponent), b.load(steps, column));
      Value weight = b.mul(b.reduceAdd(products[r * kThreadRows + c]), factor);
      Value isBelow = b.less(column, row);
      Value isDiagonal = b.cmp(arith::CmpIPredicate::eq, column, row);
      weight = b.select(isBelow, weight,
                        b.select(isDiagonal, b.add(weight, skip), b.f32(0)));
      b.store(weight, mask, at(row, maskLine, column));
    }
}

void SsdKernel::emitOutput() {
  int64_t columns = channelLine / kWidth;
  b.forThreads(rows / kThreadRows * columns, [&](Value index) {
    emitOutputTile(b.mul(b.div(index, columns), kThreadRows),
                   b.mul(b.rem(index, columns), kWidth));
  });
}

/// Rows i, ... of y = 2^cum (C h) + M x, four channels of them.
void SsdKernel::emitOutputTile(Value i, Value column) {
  Type type = b.vectorOf(b.getF32Type(), kWidth);
  // sum += left[row][k..k+4] right[k..k+4][column]
  auto accumulate = [&](Value left, int64_t leftLine, Value right, Value count,
                        Values sums) {
    return b.forLoop(
        b.i64(0), count, b.i64(kWidth), sums, [&](Value k, ValueRange carried) {
          Values next(carried), factors;
          for (int64_t r = 0; r < kThreadRows; ++r)
            factors.push_back(load4(left, at(b.add(i, r), leftLine, k)));
          for (int64_t t = 0; t < kWidth; ++t) {
            Value line = load4(right, at(b.add(k, t), channelLine, column));
            for (int64_t r = 0; r < kThreadRows; ++r)
              next[r] = b.fma(line, b.lane(factors[r], t), next[r]);
          }
          return next;
        });
  };
  Values outputs(kThreadRows, b.constant(type, 0));
  outputs = accumulate(rowsC, stateLine, hidden,
                       b.i64(llvm::alignTo(stateDim, kWidth)), outputs);
  for (int64_t r = 0; r < kThreadRows; ++r)
    outputs[r] = b.mul(outputs[r], b.exp2(b.load(sums, b.add(i, r))));
  // Nothing stands behind the diagonal.
  outputs = accumulate(mask, maskLine, inputs, b.add(i, kThreadRows), outputs);
  for (int64_t r = 0; r < kThreadRows; ++r) {
    Value row = b.add(i, r);
    b.ifThen(b.less(row, length), [&] {
      Value target = result.row(b, b.add(firstRow, row));
      for (int64_t c = 0; c < kWidth; ++c) {
        Value inPart = b.add(column, c);
        Value channel = b.add(firstChannel, inPart);
        Value exists =
            b.both(b.less(inPart, channels), b.less(channel, headDim));
        b.storeFloats(b.lane(outputs[r], c), target,
                      b.add(b.mul(head, headDim), channel), exists);
      }
    });
  }
}

void SsdKernel::emitStates() {
  int64_t columns = channelLine / kWidth;
  int64_t states = llvm::alignTo(stateDim, kWidth) / kWidth;
  b.forThreads(states * columns, [&](Value index) {
    emitStateTile(b.mul(b.div(index, columns), kWidth),
                  b.mul(b.rem(index, columns), kWidth));
  });
}

/// Four states of four channels after the chunk.
void SsdKernel::emitStateTile(Value state, Value column) {
  Value total = b.load(sums, b.i64(rows - 1));
  auto placeOf = [&](int64_t n) {
    return at(b.add(state, n), channelLine, column);
  };
  Value factor = b.exp2(total);
  Values values;
  for (int64_t n = 0; n < kWidth; ++n)
    values.push_back(b.mul(load4(hidden, placeOf(n)), factor));
  values = b.forLoop(
      b.i64(0), length, b.i64(1), values, [&](Value j, ValueRange carried) {
        Value age = b.exp2(b.sub(total, b.load(sums, j)));
        Value weighted = b.mul(load4(inputs, at(j, channelLine, column)),
                               b.mul(age, b.load(steps, j)));
        Value weights = load4(rowsB, at(j, stateLine, state));
        Values next;
        for (int64_t n = 0; n < kWidth; ++n)
          next.push_back(b.fma(weighted, b.lane(weights, n), carried[n]));
        return next;
      });
  for (int64_t n = 0; n < kWidth; ++n)
    b.store(values[n], hidden, placeOf(n));
}

KernelInfos ssm::gpu::emitSsd(kern::SsdOp op, StringRef name,
                              const Target &target, ModuleOp module) {
  TileBuilder builder(op.getLoc(), target);
  return SmallVector<KernelInfo>{SsdKernel(builder, op).emit(module, name)};
}
