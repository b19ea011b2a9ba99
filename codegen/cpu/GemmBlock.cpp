//===- GemmBlock.cpp - Sums of a block of a matrix product ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/GemmBlock.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

using namespace mlir;
using namespace ssm;

using Values = KernelBuilder::Values;

/// Bytes of a piece of a panel that is read several times while it is near.
static constexpr int64_t kPieceBytes = 8 * 1024;

/// Distance of prefetches where weights are widened on their way: the loop is
/// too long for the processor to ask for enough lines by itself.
static constexpr int64_t kAheadBytes = 3 * 1024;

namespace {
/// Sums that are in registers together: some rows times some vectors of
/// columns.
class RegisterBlock {
public:
  RegisterBlock(KernelBuilder &builder, const GemmShape &shape,
                ArrayRef<Value> rows, int64_t vectors)
      : builder(builder), shape(shape), rows(rows), vectors(vectors),
        lanes(builder.lanes()) {}

  Values zeros() { return Values(rows.size() * vectors, builder.splat(0.0)); }
  Values loadSums(Value tile);
  void storeSums(ValueRange sums, Value tile);

  /// Adds terms; `panel` is the address of the block's first column.
  Values addTerms(Value panel, const GemmTerms &terms, Values sums);
  /// One vector of weights of the second or first of two terms.
  Value weights(Value near, int64_t offset, int64_t half, int64_t vector);

private:
  void addPair(Value panel, Value k, int64_t offset, int64_t terms,
               Values &sums);
  /// Asks for the weights of this block in one step of terms.
  void fetch(Value near);
  void addDots(Value weights, Value k, int64_t offset, int64_t terms,
               Values &sums);
  Value dot(Value sum, Value weights, Value inputs);
  /// A pair of inputs in all lanes: two f32, or both as bf16 in one dword.
  Values loadInputs(Value row, int64_t terms);
  /// Dword vector of bf16 pairs -> the first or second of each, as f32.
  Value halves(Value pairs, int64_t half);
  /// A pair of bf16 as one i32; the missing second of a single one is zero.
  Value loadPair(Value pointer, int64_t terms);

  KernelBuilder &builder;
  const GemmShape &shape;
  ArrayRef<Value> rows;
  int64_t vectors, lanes;
};
} // namespace

Values RegisterBlock::loadSums(Value tile) {
  Values sums;
  for (size_t row = 0; row < rows.size(); ++row)
    for (int64_t vector = 0; vector < vectors; ++vector)
      sums.push_back(
          builder.load(builder.at(tile, row * shape.panel + vector * lanes),
                       builder.vectorF32()));
  return sums;
}

void RegisterBlock::storeSums(ValueRange sums, Value tile) {
  for (auto [index, sum] : llvm::enumerate(sums)) {
    int64_t row = index / vectors, vector = index % vectors;
    builder.store(sum, builder.at(tile, row * shape.panel + vector * lanes));
  }
}

Values RegisterBlock::addTerms(Value panel, const GemmTerms &terms,
                               Values sums) {
  sums = builder.forLoop(
      builder.i64(0), terms.looped, builder.i64(shape.step), sums,
      [&](Value k, ValueRange carried) {
        Values next(carried);
        if (terms.ahead)
          fetch(builder.at(
              panel, builder.mul(builder.add(k, terms.ahead), shape.panel),
              shape.weight));
        for (int64_t offset = 0; offset < shape.step; offset += 2)
          addPair(panel, k, offset, 2, next);
        return next;
      });
  for (int64_t offset = 0; offset < terms.last; offset += 2)
    addPair(panel, terms.looped, offset,
            std::min<int64_t>(2, terms.last - offset), sums);
  return sums;
}

void RegisterBlock::fetch(Value near) {
  int64_t bytes = shape.weight.getIntOrFloatBitWidth() / 8;
  int64_t line = 64 / bytes;
  for (int64_t term = 0; term < shape.step; term += shape.pair)
    for (int64_t column = 0; column < vectors * lanes * shape.pair;
         column += line)
      builder.prefetch(
          builder.at(near, term * shape.panel + column, shape.weight));
}

Value RegisterBlock::halves(Value pairs, int64_t half) {
  Value bits =
      half == 0 ? builder.shiftLeft(pairs, 16)
                : builder.bitAnd(pairs, builder.constant(pairs.getType(),
                                                         int64_t(0xffff0000)));
  return vector::BitCastOp::create(builder, builder.vectorF32(), bits);
}

Value RegisterBlock::weights(Value near, int64_t offset, int64_t half,
                             int64_t vector) {
  int64_t column = vector * lanes;
  if (shape.pair == 1)
    return builder.load(
        builder.at(near, (offset + half) * shape.panel + column, shape.weight),
        builder.vectorF32());
  Value address =
      builder.at(near, offset * shape.panel + 2 * column, shape.weight);
  if (shape.weight.isBF16())
    return halves(
        builder.load(address, builder.vectorOf(builder.getI32Type(), lanes), 2),
        half);
  Value pairs =
      builder.load(address, builder.vectorOf(shape.weight, 2 * lanes));
  SmallVector<int64_t> mask;
  for (int64_t lane = 0; lane < lanes; ++lane)
    mask.push_back(2 * lane + half);
  return builder.widen(builder.shuffle(pairs, pairs, mask), shape.weight);
}

Value RegisterBlock::loadPair(Value pointer, int64_t terms) {
  Type i32 = builder.getI32Type();
  if (terms == 2)
    return builder.load(pointer, i32, 2);
  return arith::ExtUIOp::create(builder, i32,
                                builder.load(pointer, builder.getI16Type()));
}

Values RegisterBlock::loadInputs(Value row, int64_t terms) {
  if (shape.input.isBF16())
    return {builder.broadcast(loadPair(row, terms), lanes)};
  Values pair;
  for (int64_t half = 0; half < terms; ++half)
    pair.push_back(
        builder.broadcast(builder.loadScalar(builder.at(row, half)), lanes));
  return pair;
}

Value RegisterBlock::dot(Value sum, Value weights, Value inputs) {
  if (!builder.target.emulateDot) {
    Type pairs = builder.vectorOf(builder.getBF16Type(), 2 * lanes);
    return x86vector::DotBF16Op::create(
        builder, sum.getType(), sum,
        vector::BitCastOp::create(builder, pairs, weights),
        vector::BitCastOp::create(builder, pairs, inputs));
  }
  for (int64_t half : {0, 1})
    sum = builder.fma(halves(weights, half), halves(inputs, half), sum);
  return sum;
}

void RegisterBlock::addDots(Value near, Value k, int64_t offset, int64_t terms,
                            Values &sums) {
  Values weights;
  for (int64_t vector = 0; vector < vectors; ++vector)
    weights.push_back(
        builder.load(builder.at(near, offset * shape.panel + 2 * vector * lanes,
                                shape.weight),
                     builder.vectorOf(builder.getI32Type(), lanes), 2));
  for (auto [row, pointer] : llvm::enumerate(rows)) {
    Value address =
        builder.at(builder.at(pointer, k, shape.input), offset, shape.input);
    Value pair = builder.broadcast(loadPair(address, terms), lanes);
    for (int64_t vector = 0; vector < vectors; ++vector) {
      Value &sum = sums[row * vectors + vector];
      sum = dot(sum, weights[vector], pair);
    }
  }
}

/// Adds terms `k + offset` and, with two `terms`, the next one.
void RegisterBlock::addPair(Value panel, Value k, int64_t offset, int64_t terms,
                            Values &sums) {
  Value near = builder.at(panel, builder.mul(k, shape.panel), shape.weight);
  if (shape.dot)
    return addDots(near, k, offset, terms, sums);
  SmallVector<Values> pairs;
  for (Value row : rows)
    pairs.push_back(loadInputs(
        builder.at(builder.at(row, k, shape.input), offset, shape.input),
        terms));
  for (int64_t half = 0; half < terms; ++half) {
    Values column;
    for (int64_t vector = 0; vector < vectors; ++vector)
      column.push_back(weights(near, offset, half, vector));
    for (size_t row = 0; row < rows.size(); ++row) {
      Value input =
          shape.input.isBF16() ? halves(pairs[row][0], half) : pairs[row][half];
      for (int64_t vector = 0; vector < vectors; ++vector) {
        Value &sum = sums[row * vectors + vector];
        sum = builder.fma(input, column[vector], sum);
      }
    }
  }
}

namespace {
/// A register block of the size that the target's registers allow.
struct BlockSize {
  int64_t rows, vectors;
};
} // namespace

/// Most columns first, then as many rows as leave at least two vectors: each
/// vector of weights meets all rows, each broadcast input all vectors.
static BlockSize chooseBlock(const Target &target, int64_t rows,
                             int64_t panel) {
  int64_t all = panel / target.lanes;
  for (;; rows = (rows + 1) / 2)
    for (int64_t vectors = all; vectors >= 1; --vectors) {
      bool fits = (rows + 1) * vectors + 1 <= target.registers;
      if (all % vectors == 0 && fits && (vectors > 1 || all == 1 || rows == 1))
        return {rows, vectors};
    }
}

/// Visits all register blocks of a tile: `body(block, panel, tile)`, the
/// addresses moved to the first column and row of the block.
static void
forEachBlock(KernelBuilder &builder, const GemmShape &shape, BlockSize size,
             Value panel, ArrayRef<Value> rows, Value tile,
             function_ref<void(RegisterBlock &, Value, Value)> body) {
  int64_t columns = size.vectors * builder.lanes();
  builder.forLoop(shape.panel, columns, [&](Value column) {
    Value near =
        builder.at(panel, builder.mul(column, shape.pair), shape.weight);
    for (size_t first = 0; first < rows.size(); first += size.rows) {
      RegisterBlock block(builder, shape,
                          rows.slice(first).take_front(size.rows),
                          size.vectors);
      body(block, near,
           builder.at(builder.at(tile, column), first * shape.panel));
    }
  });
}

void ssm::addGemmTerms(KernelBuilder &builder, const GemmShape &shape,
                       Value panel, ArrayRef<Value> rows, Value tile,
                       const GemmTerms &terms) {
  BlockSize size = chooseBlock(builder.target, rows.size(), shape.panel);
  GemmTerms part = terms;
  forEachBlock(builder, shape, size, panel, rows, tile,
               [&](RegisterBlock &block, Value panel, Value tile) {
                 Values sums =
                     terms.first ? block.zeros() : block.loadSums(tile);
                 block.storeSums(block.addTerms(panel, part, sums), tile);
                 part.ahead = 0; // the other rows meet the same weights
               });
}

void ssm::emitGemmStream(KernelBuilder &builder, const GemmShape &shape,
                         Value panel, ArrayRef<Value> rows, Value tile) {
  BlockSize size = chooseBlock(builder.target, rows.size(), shape.panel);
  bool whole = size.rows == int64_t(rows.size()) &&
               size.vectors * builder.lanes() == shape.panel;
  int64_t looped = shape.loopedTerms();
  int64_t piece =
      kPieceBytes * shape.pair / (4 * shape.panel) / shape.step * shape.step;
  Value zero = builder.i64(0);
  bool widens = shape.pair == 2 && !shape.dot;
  int64_t ahead = widens ? kAheadBytes / (2 * shape.panel) : 0;
  if (whole || looped <= piece)
    return addGemmTerms(builder, shape, panel, rows, tile,
                        {builder.i64(looped), shape.lastTerms(), true, ahead});
  auto addFrom = [&](Value first, const GemmTerms &terms) {
    Values near;
    for (Value row : rows)
      near.push_back(builder.at(row, first, shape.input));
    Value weights =
        builder.at(panel, builder.mul(first, shape.panel), shape.weight);
    addGemmTerms(builder, shape, weights, near, tile, terms);
  };
  addFrom(zero, {zero, 0, true});
  builder.forLoop(looped, piece, [&](Value first) {
    Value rest = builder.sub(builder.i64(looped), first);
    addFrom(first, {builder.min(rest, builder.i64(piece)), 0, false, piece});
  });
  if (shape.lastTerms())
    addFrom(builder.i64(looped), {zero, shape.lastTerms(), false});
}

void ssm::widenGemmPanel(KernelBuilder &builder, const GemmShape &shape,
                         Value panel, Value terms, Value wide) {
  int64_t lanes = builder.lanes(), vectors = shape.panel / lanes;
  RegisterBlock block(builder, shape, {}, vectors);
  builder.forLoop(builder.i64(0), terms, 2, [&](Value k) {
    Value first = builder.mul(k, shape.panel);
    Value from = builder.at(panel, first, shape.weight);
    Value to = builder.at(wide, first);
    for (int64_t vector = 0; vector < vectors; ++vector)
      for (int64_t half : {0, 1})
        builder.store(block.weights(from, 0, half, vector),
                      builder.at(to, half * shape.panel + vector * lanes));
  });
}
