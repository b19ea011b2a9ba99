//===- EmitSsd.cpp - CPU kernel of kern.ssd -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The chunked form of the Mamba-2 recurrence (Dao and Gu, "Transformers are
// SSMs", arXiv 2405.21060, section 6) with the head dim as the vector axis. A
// unit is a block of heads of one group in one sequence. For each chunk, with
// cum the running sum of dt A (times log2 e) from the chunk's start:
//
//   S = C B^T                                     once for the block of heads
//   M[i, j] = S[i, j] 2^(cum_i - cum_j) dt_j, j <= i, plus D on the diagonal
//   y_i = 2^cum_i (C_i h) + M_i x
//   h = 2^cum_last h + sum_j B_j outer (2^(cum_last - cum_j) dt_j x_j)
//
// Chunks are aligned to absolute positions, so the first one of a call may be
// short. A state is [H][N][P].
//
//===----------------------------------------------------------------------===//

#include "codegen/VectorMath.h"
#include "codegen/cpu/Emitters.h"
#include "codegen/cpu/KernelBuilder.h"

using namespace mlir;
using namespace ssm;

/// Rows of a register block; a power of two.
static constexpr int64_t kBlockRows = 4;
/// A sequence gives about this many units, if it has the heads.
static constexpr int64_t kUnitsPerSequence = 6;
/// More heads save next to nothing on C B^T.
static constexpr int64_t kMaxUnitHeads = 8;
static constexpr int64_t kCacheLineBytes = 64;

namespace {

/// A matrix in scratch memory.
struct Scratch {
  Value pointer;
  int64_t stride;

  Value at(KernelBuilder &b, Value row, Value column) const {
    return b.at(pointer, b.add(b.mul(row, stride), column));
  }
};

class SsdEmitter {
public:
  SsdEmitter(kern::SsdOp op, const Target &target);

  KernelInfo emit(StringRef name, ModuleOp module);

private:
  using Values = KernelBuilder::Values;

  Scratch takeScratch(Value scratch, int64_t rows, int64_t columns);
  void emitUnit(Value unit);
  void emitChunk(Value sequenceRow, Value begin, Value end, Value group,
                 Value firstHead, Value endHead);
  void emitTranspose();
  void emitScores();
  void emitHead(Value head);
  void emitSteps(Value head);
  void emitMask(Value head);
  void emitTile(Value head, Value column, int64_t vectors, Value count);
  void emitOutput(Value head, Value column, int64_t vectors, Value count);
  void emitState(Value column, int64_t vectors, Value count);
  void emitStateRows(Value firstState, int64_t number, Value column,
                     int64_t vectors, Value count);
  /// sums[r][v] += sum over k < length of left(r, k) * right(v, k).
  Values accumulate(Values sums, int64_t vectors, Value length,
                    function_ref<Value(int64_t, Value)> left,
                    function_ref<Value(int64_t, Value)> right);

  Value loadScalar(const Rows &rows, Value row, Value column) {
    return b.loadFloats(b.at(rows.row(b, row), column, rows.element),
                        rows.element, 0);
  }
  /// Register `vector` of a tile, whose last one has `count` lanes.
  Value countOf(int64_t vector, int64_t vectors, Value count) {
    return vector == vectors - 1 ? count : Value();
  }
  /// Row r of the register block at `first`; rows behind the chunk repeat its
  /// last.
  Value blockRow(Value first, int64_t r) {
    return b.min(b.add(first, r), b.sub(length, 1));
  }

  kern::SsdOp op;
  KernelBuilder b;
  int64_t heads, headDim, stateDim, groups, chunk;
  int64_t groupHeads, unitHeads, groupUnits, tileVectors;

  Rows input, dt, B, C, result;
  Pool state;
  Value dtBias, A, D, table;
  int64_t scratchBytes = 0;
  Scratch transposed, scores, masked, weighted, steps, sums, decays, ages;
  /// Of the sequence, chunk and head at hand.
  Value slot, firstRow, length, groupColumn, hidden, total;
};

} // namespace

/// Registers of a tile of `vectors` in all: at most `limit`, never one alone.
static int64_t chooseTile(int64_t vectors, int64_t limit) {
  if (vectors <= limit)
    return vectors;
  return vectors % limit == 1 ? limit - 1 : limit;
}

SsdEmitter::SsdEmitter(kern::SsdOp op, const Target &target)
    : op(op), b(op.getLoc(), target) {
  RankedTensorType type = op.getState().getType();
  heads = type.getDimSize(1);
  headDim = type.getDimSize(2);
  stateDim = type.getDimSize(3);
  groups = op.getB().getType().getDimSize(1) / stateDim;
  chunk = op.getChunk();
  groupHeads = heads / groups;
  unitHeads = std::clamp<int64_t>(heads / kUnitsPerSequence, 1,
                                  std::min(groupHeads, kMaxUnitHeads));
  groupUnits = llvm::divideCeil(groupHeads, unitHeads);
  // Four rows of sums, a row of the right operand and a broadcast.
  tileVectors = chooseTile(llvm::divideCeil(headDim, b.lanes()),
                           target.registers > 16 ? 4 : 3);
}

Scratch SsdEmitter::takeScratch(Value scratch, int64_t rows, int64_t columns) {
  // Whole register blocks may be written.
  int64_t stride = llvm::alignTo(columns, 2 * b.lanes());
  Scratch matrix = {b.atByte(scratch, scratchBytes), stride};
  int64_t bytes = llvm::alignTo(rows, kBlockRows) * stride * sizeof(float);
  scratchBytes += llvm::alignTo(bytes, kCacheLineBytes);
  return matrix;
}

KernelInfo SsdEmitter::emit(StringRef name, ModuleOp module) {
  Kernel kernel = b.startKernel(module, name);
  KernelArgs args(b, kernel.args);
  input = args.rows(op.getInput());
  dt = args.rows(op.getDt());
  dtBias = args.pointer();
  A = args.pointer();
  B = args.rows(op.getB());
  C = args.rows(op.getC());
  D = args.pointer();
  table = args.pointer();
  state = args.pool();
  result = args.rows(op.getResult());
  transposed = takeScratch(kernel.scratch, stateDim, chunk);
  scores = takeScratch(kernel.scratch, chunk, chunk);
  masked = takeScratch(kernel.scratch, chunk, chunk);
  weighted = takeScratch(kernel.scratch, chunk, tileVectors * b.lanes());
  steps = takeScratch(kernel.scratch, 1, chunk);
  sums = takeScratch(kernel.scratch, 1, chunk);
  decays = takeScratch(kernel.scratch, 1, chunk);
  ages = takeScratch(kernel.scratch, 1, chunk);
  b.forLoop(kernel.begin, kernel.end, 1, [&](Value unit) { emitUnit(unit); });
  b.finishKernel();

  MLIRContext *context = op.getContext();
  KernelInfo info;
  info.name = name.str();
  info.grid = getAffineSymbolExpr(unsigned(CallSymbol::Sequences), context) *
              (groups * groupUnits);
  info.scratch = getAffineConstantExpr(scratchBytes, context);
  return info;
}

void SsdEmitter::emitUnit(Value unit) {
  Value sequence = b.div(unit, groups * groupUnits);
  Value part = b.rem(unit, groups * groupUnits);
  Value group = b.div(part, groupUnits);
  Value groupHead = b.mul(group, groupHeads);
  Value firstHead = b.add(groupHead, b.mul(b.rem(part, groupUnits), unitHeads));
  Value endHead =
      b.min(b.add(firstHead, unitHeads), b.add(groupHead, groupHeads));

  Sequences seqs(b, table);
  Value sequenceRow = seqs.firstRow(sequence);
  Value rows = b.sub(seqs.firstRow(b.add(sequence, 1)), sequenceRow);
  Value position = seqs.position(sequence);
  slot = state.slot(b, seqs.slot(sequence));
  Value firstChunk = b.div(position, chunk);
  Value endChunk = b.div(b.add(b.add(position, rows), chunk - 1), chunk);
  Value hasRows = b.cmp(arith::CmpIPredicate::sgt, rows, b.i64(0));
  endChunk = b.select(hasRows, endChunk, firstChunk);
  b.forLoop(firstChunk, endChunk, 1, [&](Value index) {
    Value border = b.sub(b.mul(index, chunk), position);
    Value begin = b.max(border, b.i64(0));
    Value end = b.min(b.add(border, chunk), rows);
    emitChunk(sequenceRow, begin, end, group, firstHead, endHead);
  });
}

void SsdEmitter::emitChunk(Value sequenceRow, Value begin, Value end,
                           Value group, Value firstHead, Value endHead) {
  firstRow = b.add(sequenceRow, begin);
  length = b.sub(end, begin);
  groupColumn = b.mul(group, stateDim);
  emitTranspose();
  emitScores();
  b.forLoop(firstHead, endHead, 1, [&](Value head) { emitHead(head); });
}

/// B^T of the chunk, whose columns are what the scores need in lanes.
void SsdEmitter::emitTranspose() {
  b.forLoop(b.i64(0), length, 1, [&](Value j) {
    Value row = b.at(B.row(b, b.add(firstRow, j)), groupColumn, B.element);
    b.forVectors(stateDim, [&](Value state, Value count) {
      Value vector =
          b.loadFloats(b.at(row, state, B.element), B.element, count);
      Value column = transposed.at(b, state, j);
      int64_t last = stateDim % b.lanes();
      for (int64_t lane = 0; lane < (count ? last : b.lanes()); ++lane)
        b.store(b.lane(vector, lane), b.at(column, lane * transposed.stride));
    });
  });
}

/// S = C B^T, the blocks that have anything on or below the diagonal.
void SsdEmitter::emitScores() {
  constexpr int64_t kVectors = 2;
  b.forLoop(b.i64(0), length, kBlockRows, [&](Value i) {
    SmallVector<Value> rows;
    for (int64_t r = 0; r < kBlockRows; ++r)
      rows.push_back(b.at(C.row(b, b.add(firstRow, blockRow(i, r))),
                          groupColumn, C.element));
    Value end = b.min(b.add(i, kBlockRows), length);
    b.forLoop(b.i64(0), end, kVectors * b.lanes(), [&](Value j) {
      Values block(kBlockRows * kVectors, b.splat(0));
      block = accumulate(
          block, kVectors, b.i64(stateDim),
          [&](int64_t r, Value k) {
            return b.loadFloats(b.at(rows[r], k, C.element), C.element, 0);
          },
          [&](int64_t v, Value k) {
            return b.load(b.at(transposed.at(b, k, j), v * b.lanes()),
                          b.vectorF32());
          });
      for (int64_t r = 0; r < kBlockRows; ++r)
        for (int64_t v = 0; v < kVectors; ++v)
          b.store(block[r * kVectors + v],
                  b.at(scores.at(b, b.add(i, r), j), v * b.lanes()));
    });
  });
}

void SsdEmitter::emitHead(Value head) {
  hidden = b.at(slot, b.mul(head, stateDim * headDim));
  emitSteps(head);
  emitMask(head);
  Value firstColumn = b.mul(head, headDim);
  b.forTiles(headDim, tileVectors,
             [&](Value column, int64_t vectors, Value count) {
               emitTile(b.add(firstColumn, column), column, vectors, count);
             });
}

/// dt of the head, its running sum times A, and the powers of both ends. Lanes
/// behind the chunk get dt 0, which is neutral.
void SsdEmitter::emitSteps(Value head) {
  Value zero = b.i64(0);
  auto vectorAt = [&](const Scratch &list, Value j) {
    return b.at(list.pointer, j);
  };
  b.forLoop(zero, length, 1, [&](Value j) {
    b.store(loadScalar(dt, b.add(firstRow, j), head), vectorAt(steps, j));
  });
  Value end = b.mul(b.div(b.add(length, b.lanes() - 1), b.lanes()), b.lanes());
  Value bias = b.broadcast(b.loadScalar(b.at(dtBias, head)));
  b.forLoop(zero, end, b.lanes(), [&](Value j) {
    Value raw = b.load(vectorAt(steps, j), b.vectorF32());
    Value value = b.cloneRegion(op.getDtValue(), {raw, bias});
    Value exists = b.laneMask(b.sub(length, j), b.lanes());
    b.store(b.select(exists, value, b.splat(0)), vectorAt(steps, j));
  });
  Value rate = b.loadScalar(b.at(A, head));
  auto addStep = [&](Value j, ValueRange carried) {
    Value sum = b.fma(b.loadScalar(vectorAt(steps, j)), rate, carried[0]);
    b.store(sum, vectorAt(sums, j));
    return Values{sum};
  };
  Value last = b.forLoop(zero, end, b.i64(1), b.f32(0), addStep)[0];
  Value lastVector = b.broadcast(last);
  total = exp2NonPositive(b, lastVector);
  b.forLoop(zero, end, b.lanes(), [&](Value j) {
    Value sum = b.load(vectorAt(sums, j), b.vectorF32());
    b.store(exp2NonPositive(b, sum), vectorAt(decays, j));
    Value age = exp2NonPositive(b, b.sub(lastVector, sum));
    Value step = b.load(vectorAt(steps, j), b.vectorF32());
    b.store(b.mul(age, step), vectorAt(ages, j));
  });
}

/// M of the head. Above the diagonal stand zeros, as far as a register block of
/// rows reaches.
void SsdEmitter::emitMask(Value head) {
  Value skip = b.loadScalar(b.at(D, head));
  b.forLoop(b.i64(0), length, 1, [&](Value i) {
    Value sum = b.broadcast(b.loadScalar(b.at(sums.pointer, i)));
    Value end = b.add(b.bitOr(i, b.i64(kBlockRows - 1)), 1);
    b.forLoop(b.i64(0), end, b.lanes(), [&](Value j) {
      // Positive exponents stand only above the diagonal.
      Value exponent = b.sub(sum, b.load(b.at(sums.pointer, j), b.vectorF32()));
      Value step = b.load(b.at(steps.pointer, j), b.vectorF32());
      Value score = b.load(scores.at(b, i, j), b.vectorF32());
      Value weight = b.mul(score, b.mul(exp2NonPositive(b, exponent), step));
      Value below = b.laneMask(b.sub(b.add(i, 1), j), b.lanes());
      b.store(b.select(below, weight, b.splat(0)), masked.at(b, i, j));
    });
    Value diagonal = masked.at(b, i, i);
    b.store(b.add(b.loadScalar(diagonal), skip), diagonal);
  });
}

void SsdEmitter::emitTile(Value inputColumn, Value column, int64_t vectors,
                          Value count) {
  emitOutput(inputColumn, column, vectors, count);
  b.forLoop(b.i64(0), length, 1, [&](Value j) {
    Value age = b.broadcast(b.loadScalar(b.at(ages.pointer, j)));
    Value row =
        b.at(input.row(b, b.add(firstRow, j)), inputColumn, input.element);
    for (int64_t v = 0; v < vectors; ++v) {
      Value x = b.loadFloats(b.at(row, v * b.lanes(), input.element),
                             input.element, countOf(v, vectors, count));
      b.store(b.mul(x, age), weighted.at(b, j, b.i64(v * b.lanes())));
    }
  });
  emitState(column, vectors, count);
}

/// y = 2^cum (C h) + M x, in one set of sums.
void SsdEmitter::emitOutput(Value inputColumn, Value column, int64_t vectors,
                            Value count) {
  Value hiddenTile = b.at(hidden, column);
  b.forLoop(b.i64(0), length, kBlockRows, [&](Value i) {
    SmallVector<Value> rowsC, rowsM, rows;
    for (int64_t r = 0; r < kBlockRows; ++r) {
      Value row = blockRow(i, r);
      rows.push_back(row);
      rowsC.push_back(
          b.at(C.row(b, b.add(firstRow, row)), groupColumn, C.element));
      rowsM.push_back(masked.at(b, row, b.i64(0)));
    }
    Values block(kBlockRows * vectors, b.splat(0));
    block = accumulate(
        block, vectors, b.i64(stateDim),
        [&](int64_t r, Value k) {
          return b.loadFloats(b.at(rowsC[r], k, C.element), C.element, 0);
        },
        [&](int64_t v, Value k) {
          Value state = b.at(hiddenTile, b.mul(k, headDim));
          return b.loadFloats(b.at(state, v * b.lanes()),
                              countOf(v, vectors, count));
        });
    for (int64_t r = 0; r < kBlockRows; ++r) {
      Value decay = b.broadcast(b.loadScalar(b.at(decays.pointer, rows[r])));
      for (int64_t v = 0; v < vectors; ++v)
        block[r * vectors + v] = b.mul(block[r * vectors + v], decay);
    }
    Value end = b.min(b.add(i, kBlockRows), length);
    block = accumulate(
        block, vectors, end,
        [&](int64_t r, Value k) { return b.loadScalar(b.at(rowsM[r], k)); },
        [&](int64_t v, Value k) {
          Value x = b.at(input.row(b, b.add(firstRow, k)), inputColumn,
                         input.element);
          return b.loadFloats(b.at(x, v * b.lanes(), input.element),
                              input.element, countOf(v, vectors, count));
        });
    for (int64_t r = 0; r < kBlockRows; ++r) {
      Value row = b.at(result.row(b, b.add(firstRow, rows[r])), inputColumn,
                       result.element);
      for (int64_t v = 0; v < vectors; ++v)
        b.storeFloats(block[r * vectors + v],
                      b.at(row, v * b.lanes(), result.element), result.element,
                      countOf(v, vectors, count));
    }
  });
}

void SsdEmitter::emitState(Value column, int64_t vectors, Value count) {
  int64_t whole = stateDim / kBlockRows * kBlockRows;
  b.forLoop(whole, kBlockRows, [&](Value first) {
    emitStateRows(first, kBlockRows, column, vectors, count);
  });
  if (whole < stateDim)
    emitStateRows(b.i64(whole), stateDim - whole, column, vectors, count);
}

void SsdEmitter::emitStateRows(Value firstState, int64_t number, Value column,
                               int64_t vectors, Value count) {
  auto stateAt = [&](int64_t r, int64_t v) {
    Value row = b.at(hidden, b.add(b.mul(firstState, headDim), column));
    return b.at(row, r * headDim + v * b.lanes());
  };
  Values block;
  for (int64_t r = 0; r < number; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      block.push_back(b.mul(
          b.loadFloats(stateAt(r, v), countOf(v, vectors, count)), total));
  Value columnB = b.add(groupColumn, firstState);
  block = accumulate(
      block, vectors, length,
      [&](int64_t r, Value k) {
        Value row = b.at(B.row(b, b.add(firstRow, k)), columnB, B.element);
        return b.loadFloats(b.at(row, r, B.element), B.element, 0);
      },
      [&](int64_t v, Value k) {
        return b.load(weighted.at(b, k, b.i64(v * b.lanes())), b.vectorF32());
      });
  for (int64_t r = 0; r < number; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      b.storeFloats(block[r * vectors + v], stateAt(r, v),
                    countOf(v, vectors, count));
}

SsdEmitter::Values
SsdEmitter::accumulate(Values sums, int64_t vectors, Value length,
                       function_ref<Value(int64_t, Value)> left,
                       function_ref<Value(int64_t, Value)> right) {
  int64_t rows = sums.size() / vectors;
  auto step = [&](Value k, ValueRange carried) {
    Values row, next;
    for (int64_t v = 0; v < vectors; ++v)
      row.push_back(right(v, k));
    for (int64_t r = 0; r < rows; ++r) {
      Value scalar = b.broadcast(left(r, k));
      for (int64_t v = 0; v < vectors; ++v)
        next.push_back(b.fma(scalar, row[v], carried[r * vectors + v]));
    }
    return next;
  };
  return b.forLoop(b.i64(0), length, b.i64(1), sums, step);
}

KernelInfos ssm::emitSsd(kern::SsdOp op, StringRef name, const Target &target,
                         ModuleOp module) {
  return SmallVector<KernelInfo>{SsdEmitter(op, target).emit(name, module)};
}
