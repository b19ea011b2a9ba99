//===- GemmTiles.cpp - Products of many rows ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block makes a tile of 64 rows and 64 output channels, a thread 4 x 4 of it,
// out of shared memory. While a step of input channels is added, the weights of
// the next are on their way (cp.async) and its inputs in registers:
//
//   for step of k: start next; sums += step; store next inputs; wait; barrier
//
// Input channels of a sum are added in their order.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Gemm.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

/// Input channels of a step.
static constexpr int64_t kStep = 32;
/// Numbers between rows of inputs in shared memory: 16-byte pieces stay aligned
/// and rows fall on different banks.
static constexpr int64_t kInputStride = kStep + 4;
/// Rows and channels of a thread, and threads along the channels.
static constexpr int64_t kThreadTile = 4, kAcross = 16;
/// f32 numbers of one read of shared memory.
static constexpr int64_t kRead = 4;
/// Inputs that a thread brings per step.
static constexpr int64_t kCarried = kTileRows * kStep / kGemmThreads;

namespace {
class GemmTiles {
public:
  explicit GemmTiles(GemmTask &task)
      : task(task), builder(task.builder), shape(task.shape) {}
  void emit();

private:
  int64_t stepPieces() const { return kStep / shape.pieceInputs(); }
  int64_t weightStage() const { return kStep * kTileColumns; }
  /// Place of output channel `column` of the tile in shared memory. A thread's
  /// channels are `kAcross` places apart; partners are channels of one thread.
  Value placeOf(Value column);
  /// The `i`-th output channel of thread `across`, in the tile.
  Value columnOf(Value across, int64_t i);
  void copyWeights(Value step, Value stage);
  Values loadInputs(Value step);
  void storeInputs(ValueRange values, Value stage);
  Values addStep(Value stage, ValueRange sums);
  /// Adds the terms of piece `piece` of a step.
  Values addPiece(Value sharedInputs, Value sharedWeights, Value piece,
                  ValueRange sums);
  void emitResults(ValueRange sums);

  GemmTask &task;
  TileBuilder &builder;
  const GemmShape &shape;
  Value firstRow, firstColumn, across, down, inputs, weights;
};
} // namespace

Value GemmTiles::placeOf(Value column) {
  if (!shape.paired)
    return column;
  // [group][panel][half][4] -> [group][half][panel][4]: the channels of a group
  // of panels are two rounds of places over the threads.
  int64_t half = kPanelRows / 2, panels = kAcross / half;
  Value panel = builder.div(column, kPanelRows);
  Value upper = builder.rem(builder.div(column, half), 2);
  Value round = builder.add(builder.mul(builder.div(panel, panels), 2), upper);
  return builder.add(builder.add(builder.mul(round, kAcross),
                                 builder.mul(builder.rem(panel, panels), half)),
                     builder.rem(column, half));
}

Value GemmTiles::columnOf(Value across, int64_t i) {
  if (!shape.paired)
    return builder.add(across, i * kAcross);
  int64_t half = kPanelRows / 2, panels = kAcross / half;
  Value panel = builder.div(across, half);
  // Channels 0 and 1 of a thread are partners, and 2 and 3.
  return builder.add(
      builder.add(builder.mul(builder.add(panel, i / 2 * panels), kPanelRows),
                  i % 2 * half),
      builder.rem(across, half));
}

void GemmTiles::copyWeights(Value step, Value stage) {
  int64_t count = kTileColumns * stepPieces();
  Value firstPiece = builder.mul(step, stepPieces());
  Value shared = builder.at(weights, builder.mul(stage, weightStage()));
  builder.forThreads(count, [&](Value index) {
    // Neighbours read the channels of a panel: 128 bytes in one piece.
    Value inPanel = builder.rem(index, kPanelRows);
    Value rest = builder.div(index, kPanelRows);
    Value pieceInStep = builder.rem(rest, stepPieces());
    Value panelInTile = builder.div(rest, stepPieces());
    Value column = builder.add(builder.mul(panelInTile, kPanelRows), inPanel);
    Value piece = builder.add(firstPiece, pieceInStep);
    Value panel =
        builder.add(builder.div(firstColumn, kPanelRows), panelInTile);
    int64_t panels = llvm::divideCeil(shape.outputs, kPanelRows);
    Value exists = builder.both(builder.less(piece, shape.pieces()),
                                builder.less(panel, panels));
    Value source = builder.mul(
        builder.add(
            builder.mul(builder.add(builder.mul(panel, shape.pieces()), piece),
                        kPanelRows),
            inPanel),
        shape.pieceInputs());
    Value place =
        builder.add(builder.mul(pieceInStep, kTileColumns), placeOf(column));
    builder.copyAsync(shared, builder.mul(place, shape.pieceInputs()),
                      task.weight, source, kPieceBytes, exists);
  });
  builder.commitCopies();
}

Values GemmTiles::loadInputs(Value step) {
  Values values;
  Value thread = builder.threadId();
  Value first = builder.mul(step, kStep);
  Value lastRow = builder.sub(task.rowCount, 1);
  for (int64_t i = 0; i < kCarried; ++i) {
    Value index = builder.add(thread, i * kGemmThreads);
    // Rows behind the last repeat it: their sums are not stored.
    Value row =
        builder.min(builder.add(firstRow, builder.div(index, kStep)), lastRow);
    Value channel = builder.add(first, builder.rem(index, kStep));
    Value exists =
        shape.inputs % kStep ? builder.less(channel, shape.inputs) : Value();
    values.push_back(task.input->load(builder, row, channel, exists));
  }
  return values;
}

void GemmTiles::storeInputs(ValueRange values, Value stage) {
  Value shared =
      builder.at(inputs, builder.mul(stage, kTileRows * kInputStride));
  Value thread = builder.threadId();
  for (auto [i, value] : llvm::enumerate(values)) {
    Value index = builder.add(thread, i * kGemmThreads);
    Value place =
        builder.add(builder.mul(builder.div(index, kStep), kInputStride),
                    builder.rem(index, kStep));
    builder.store(value, shared, place);
  }
}

Values GemmTiles::addStep(Value stage, ValueRange carried) {
  Value sharedInputs =
      builder.at(inputs, builder.mul(stage, kTileRows * kInputStride));
  Value sharedWeights = builder.at(weights, builder.mul(stage, weightStage()));
  // A loop: unrolled, all pieces would be in registers at once.
  return builder.forLoop(
      builder.i64(0), builder.i64(stepPieces()), builder.i64(1), carried,
      [&](Value piece, ValueRange carried) {
        return addPiece(sharedInputs, sharedWeights, piece, carried);
      });
}

Values GemmTiles::addPiece(Value sharedInputs, Value sharedWeights, Value piece,
                           ValueRange carried) {
  Values sums(carried), columns;
  int64_t pieceInputs = shape.pieceInputs();
  for (int64_t j = 0; j < kThreadTile; ++j) {
    Value place = builder.add(builder.mul(piece, kTileColumns),
                              builder.add(across, j * kAcross));
    columns.push_back(builder.widen(builder.load(
        sharedWeights, builder.mul(place, pieceInputs), pieceInputs)));
  }
  Value firstInput = builder.mul(piece, pieceInputs);
  for (int64_t first = 0; first < pieceInputs; first += kRead)
    for (int64_t i = 0; i < kThreadTile; ++i) {
      Value row = builder.add(down, i * kAcross);
      Value x = builder.load(sharedInputs,
                             builder.add(builder.mul(row, kInputStride),
                                         builder.add(firstInput, first)),
                             kRead);
      for (int64_t j = 0; j < kThreadTile; ++j)
        for (int64_t k = 0; k < kRead; ++k)
          sums[i * kThreadTile + j] = builder.fma(
              builder.lane(x, k), builder.lane(columns[j], first + k),
              sums[i * kThreadTile + j]);
    }
  return sums;
}

void GemmTiles::emitResults(ValueRange sums) {
  int64_t partners = shape.paired ? 2 : 1;
  for (int64_t i = 0; i < kThreadTile; ++i) {
    Value row = builder.add(firstRow, builder.add(down, i * kAcross));
    Value rowExists = builder.less(row, task.rowCount);
    for (int64_t j = 0; j < kThreadTile; j += partners) {
      Values own, channels;
      for (int64_t k = j; k < j + partners; ++k) {
        own.push_back(sums[i * kThreadTile + k]);
        channels.push_back(builder.add(firstColumn, columnOf(across, k)));
      }
      Value column = channels.front();
      if (shape.paired) {
        int64_t half = kPanelRows / 2;
        column = builder.add(
            builder.mul(builder.div(channels.front(), kPanelRows), half),
            builder.rem(channels.front(), half));
      }
      Value exists =
          builder.both(rowExists, builder.less(column, shape.results()));
      builder.ifThen(exists, [&] {
        task.epilogue.store(builder, own, channels, row, column, {});
      });
    }
  }
}

void GemmTiles::emit() {
  int64_t columnTiles = llvm::divideCeil(shape.outputs, kTileColumns);
  firstColumn =
      builder.mul(builder.rem(builder.blockId(), columnTiles), kTileColumns);
  firstRow =
      builder.mul(builder.div(builder.blockId(), columnTiles), kTileRows);
  across = builder.rem(builder.threadId(), kAcross);
  down = builder.div(builder.threadId(), kAcross);
  inputs = builder.allocShared(2 * kTileRows * kInputStride);
  weights = builder.allocShared(shape.weight, 2 * weightStage());

  task.input->prepare(builder, firstRow, kTileRows);
  int64_t steps = llvm::divideCeil(shape.inputs, kStep);
  Value zero = builder.i64(0);
  copyWeights(zero, zero);
  storeInputs(loadInputs(zero), zero);
  builder.waitForCopies(0);
  builder.barrier();
  Values sums(kThreadTile * kThreadTile, builder.f32(0));
  sums = builder.forLoop(zero, builder.i64(steps - 1), builder.i64(1), sums,
                         [&](Value step, ValueRange carried) {
                           Value stage = builder.rem(step, 2),
                                 next = builder.add(step, 1);
                           Value nextStage = builder.rem(next, 2);
                           copyWeights(next, nextStage);
                           Values values = loadInputs(next);
                           Values made = addStep(stage, carried);
                           storeInputs(values, nextStage);
                           builder.waitForCopies(0);
                           builder.barrier();
                           return made;
                         });
  emitResults(addStep(builder.i64((steps - 1) % 2), sums));
}

void ssm::gpu::emitGemmTiles(GemmTask &task) { GemmTiles(task).emit(); }
