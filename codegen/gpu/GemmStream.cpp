//===- GemmStream.cpp - Products of few rows ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block makes all sums of `block_columns` output channels. Its warps share
// them: a warp has one panel (8 channels) and every so-many-th set of pieces of
// it. Lane 8 g + r reads piece g of channel r, so a warp reads 512 bytes in one
// piece, once:
//
//   for chunk of k: shared = input rows; for set: sums += pieces * shared
//   sums over g by shuffles, over warps of a panel by shared memory; epilogue
//
// The order of a sum depends on `block_columns` and nothing else.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Gemm.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

/// Pieces of one channel that a warp reads together.
static constexpr int64_t kPieceGroups = tile::kWarpLanes / kPanelRows;
/// Loads of a thread that are under way together.
static constexpr int64_t kUnroll = 4;
/// Shared memory for the inputs of a chunk.
static constexpr int64_t kChunkBytes = 32 * 1024;
/// f32 numbers of one read of shared memory.
static constexpr int64_t kRead = 4;

namespace {
class GemmStream {
public:
  explicit GemmStream(GemmTask &task);
  void emit();

private:
  /// Stages inputs of `pieces` pieces from piece `firstPiece` on.
  void stage(Value firstPiece, int64_t pieces);
  /// Adds the terms of the staged pieces; `mask`: some may not exist.
  Values addChunk(Value firstPiece, int64_t pieces, ValueRange sums, bool mask);
  /// Adds the terms of one piece of the thread; `inChunk` is its place.
  void addPiece(Value piece, Value inChunk, bool mask,
                MutableArrayRef<Value> sums);
  /// Sums of the block in shared memory, by warp of a panel.
  void combine(ValueRange sums);
  void emitResults();
  /// Leaves the largest result of each row, of equal ones the first.
  void emitCandidates();
  Value total(Value row, Value column);

  GemmTask &task;
  TileBuilder &builder;
  const GemmShape &shape;
  int64_t rows, columns, panels, splits, chunkPieces;
  Value firstColumn, panel, split, group, channel, panelBase, staged, partial,
      madeResults;
};
} // namespace

GemmStream::GemmStream(GemmTask &task)
    : task(task), builder(task.builder), shape(task.shape),
      rows(task.schedule.getBlockRows()),
      columns(task.schedule.getBlockColumns()), panels(columns / kPanelRows),
      splits(builder.warps() / panels) {
  // A chunk is a whole number of rounds of all warps of a panel.
  int64_t round = splits * kPieceGroups;
  int64_t most = kChunkBytes / (rows * shape.pieceInputs() * sizeof(float));
  int64_t wanted = llvm::alignTo(shape.pieces(), round);
  chunkPieces =
      std::min(wanted, std::max<int64_t>(round, most / round * round));
}

void GemmStream::stage(Value firstPiece, int64_t pieces) {
  int64_t inputs = pieces * shape.pieceInputs();
  Value first = builder.mul(firstPiece, shape.pieceInputs());
  builder.forThreads(rows * inputs, [&](Value index) {
    Value row = builder.div(index, inputs), place = builder.rem(index, inputs);
    Value input = builder.add(first, place);
    Value exists = builder.both(builder.less(row, task.rowCount),
                                builder.less(input, shape.inputs));
    Value value = task.input->load(builder, row, input, exists);
    int64_t stride = chunkPieces * shape.pieceInputs();
    builder.store(value, staged, builder.add(builder.mul(row, stride), place));
  });
}

void GemmStream::addPiece(Value piece, Value inChunk, bool mask,
                          MutableArrayRef<Value> sums) {
  int64_t inputs = shape.pieceInputs();
  Value exists = mask ? builder.less(piece, shape.pieces()) : Value();
  Value index =
      builder.mul(builder.add(builder.mul(piece, kPanelRows), channel), inputs);
  Value weights =
      builder.widen(builder.loadConstant(panelBase, index, inputs, exists));
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t first = 0; first < inputs; first += kRead) {
      Value place = builder.add(builder.mul(inChunk, inputs),
                                row * chunkPieces * inputs + first);
      Value x = builder.load(staged, place, kRead);
      for (int64_t i = 0; i < kRead; ++i)
        sums[row] = builder.fma(builder.lane(weights, first + i),
                                builder.lane(x, i), sums[row]);
    }
}

Values GemmStream::addChunk(Value firstPiece, int64_t pieces, ValueRange inits,
                            bool mask) {
  int64_t round = splits * kPieceGroups;
  int64_t rounds = llvm::divideCeil(pieces, round);
  Value mine = builder.add(builder.mul(split, kPieceGroups), group);
  auto addRounds = [&](Value firstRound, int64_t count, bool mask,
                       MutableArrayRef<Value> sums) {
    for (int64_t i = 0; i < count; ++i) {
      Value inChunk =
          builder.add(builder.mul(builder.add(firstRound, i), round), mine);
      addPiece(builder.add(firstPiece, inChunk), inChunk, mask, sums);
    }
  };
  int64_t looped = (mask ? rounds - 1 : rounds) / kUnroll * kUnroll;
  Values sums(inits);
  if (looped)
    sums = builder.forLoop(builder.i64(0), builder.i64(looped),
                           builder.i64(kUnroll), sums,
                           [&](Value first, ValueRange carried) {
                             Values next(carried);
                             addRounds(first, kUnroll, false, next);
                             return next;
                           });
  for (int64_t i = looped; i < rounds; ++i)
    addRounds(builder.i64(i), 1, mask && i == rounds - 1, sums);
  return sums;
}

void GemmStream::combine(ValueRange sums) {
  // Lanes of one channel are 8 apart.
  for (auto [row, sum] : llvm::enumerate(sums)) {
    Value whole =
        builder.reduceWarp(tile::Combine::Add, sum, kPieceGroups, kPanelRows);
    Value place = builder.add(
        builder.add(builder.mul(split, rows * columns), row * columns),
        builder.add(builder.mul(panel, kPanelRows), channel));
    builder.store(whole, partial, place, builder.equal(group, 0));
  }
  builder.barrier();
}

Value GemmStream::total(Value row, Value column) {
  Value place = builder.add(builder.mul(row, columns), column);
  Value sum = builder.load(partial, place);
  for (int64_t i = 1; i < splits; ++i)
    sum = builder.add(
        sum, builder.load(partial, builder.add(place, i * rows * columns)));
  return sum;
}

void GemmStream::emitResults() {
  int64_t paired = shape.paired, results = paired ? columns / 2 : columns;
  builder.forThreads(rows * results, [&](Value index) {
    Value row = builder.div(index, results),
          inBlock = builder.rem(index, results);
    Values inColumns = {inBlock};
    if (paired) {
      Value first =
          builder.add(builder.mul(builder.div(inBlock, paired), 2 * paired),
                      builder.rem(inBlock, paired));
      inColumns = {first, builder.add(first, paired)};
    }
    Values sums, channels;
    for (Value column : inColumns) {
      sums.push_back(total(row, column));
      channels.push_back(builder.add(firstColumn, column));
    }
    Value column =
        builder.add(builder.mul(builder.blockId(), results), inBlock);
    Value exists = builder.both(builder.less(row, task.rowCount),
                                builder.less(column, shape.results()));
    builder.ifThen(exists, [&] {
      Value result =
          task.epilogue.store(builder, sums, channels, row, column, {});
      if (task.candidates)
        builder.store(result, madeResults, index);
    });
  });
}

void GemmStream::emitCandidates() {
  constexpr int64_t kLanes = tile::kWarpLanes;
  constexpr int64_t kNowhere = std::numeric_limits<int32_t>::max();
  int64_t results = shape.paired ? columns / 2 : columns;
  Value firstResult = builder.mul(builder.blockId(), results);
  Value none = builder.f32(-std::numeric_limits<double>::infinity());
  builder.barrier();
  // A warp has a row, a lane every 32nd column of it.
  Value end = builder.min(builder.i64(rows), task.rowCount);
  builder.forLoop(builder.warp(), end, builder.warps(), [&](Value row) {
    Values numbers, places;
    Value most = none;
    for (int64_t first = 0; first < results; first += kLanes) {
      Value inBlock = builder.add(builder.lane(), first);
      Value column = builder.add(firstResult, inBlock);
      Value exists = builder.both(builder.less(inBlock, results),
                                  builder.less(column, shape.results()));
      Value number = builder.load(
          madeResults, builder.add(builder.mul(row, results), inBlock), 0,
          exists);
      Value isNumber = builder.both(
          exists, builder.cmp(arith::CmpFPredicate::ORD, number, number));
      numbers.push_back(builder.select(isNumber, number, none));
      places.push_back(builder.select(
          isNumber,
          arith::TruncIOp::create(builder, builder.getI32Type(), column),
          builder.i32(kNowhere)));
      most = builder.max(most, numbers.back());
    }
    most = builder.reduceWarp(tile::Combine::Max, most);
    Value place = builder.i32(kNowhere);
    for (auto [number, itsPlace] : llvm::zip(numbers, places))
      place = builder.min(
          place,
          builder.select(builder.cmp(arith::CmpFPredicate::OEQ, number, most),
                         itsPlace, builder.i32(kNowhere)));
    place = builder.reduceWarp(tile::Combine::Min, place);
    place =
        builder.select(builder.equal(place, kNowhere), builder.i32(-1), place);
    int64_t blocks = llvm::divideCeil(shape.outputs, columns);
    Value pair = builder.mul(
        builder.add(builder.mul(row, blocks), builder.blockId()), 2);
    Value isFirst = builder.equal(builder.lane(), 0);
    builder.store(most, task.candidates, pair, isFirst);
    builder.store(place, builder.cast(task.candidates, builder.getI32Type()),
                  builder.add(pair, 1), isFirst);
  });
}

void GemmStream::emit() {
  firstColumn = builder.mul(builder.blockId(), columns);
  Value warp = builder.warp(), lane = builder.lane();
  panel = builder.rem(warp, panels);
  split = builder.div(warp, panels);
  channel = builder.rem(lane, kPanelRows);
  group = builder.div(lane, kPanelRows);
  // Warps of panels behind the last do its work again; nobody reads their sums.
  int64_t last = llvm::divideCeil(shape.outputs, kPanelRows) - 1;
  Value number =
      builder.min(builder.add(builder.mul(builder.blockId(), panels), panel),
                  builder.i64(last));
  panelBase =
      builder.at(task.weight, builder.mul(number, shape.pieces() * kPanelRows *
                                                      shape.pieceInputs()));
  staged = builder.allocShared(rows * chunkPieces * shape.pieceInputs());
  partial = builder.allocShared(splits * rows * columns);
  if (task.candidates)
    madeResults = builder.allocShared(rows * columns);
  task.input->prepare(builder, builder.i64(0), rows);

  Values sums(rows, builder.f32(0));
  int64_t whole = (shape.pieces() - 1) / chunkPieces * chunkPieces;
  auto addStaged = [&](Value first, int64_t pieces, ValueRange carried,
                       bool mask) {
    stage(first, pieces);
    builder.barrier();
    Values next = addChunk(first, pieces, carried, mask);
    builder.barrier();
    return next;
  };
  if (whole)
    sums = builder.forLoop(
        builder.i64(0), builder.i64(whole), builder.i64(chunkPieces), sums,
        [&](Value first, ValueRange carried) {
          return addStaged(first, chunkPieces, carried, false);
        });
  int64_t rest = shape.pieces() - whole;
  int64_t round = splits * kPieceGroups;
  sums = addStaged(builder.i64(whole), llvm::alignTo(rest, round), sums,
                   rest % round != 0);
  combine(sums);
  emitResults();
  if (task.candidates)
    emitCandidates();
}

void ssm::gpu::emitGemmStream(GemmTask &task) { GemmStream(task).emit(); }
