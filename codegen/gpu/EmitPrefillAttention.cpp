//===- EmitPrefillAttention.cpp - Attention of tiles of rows --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block is a tile of up to 64 rows of one query head. Panels of 32 keys and
// values come to shared memory one after the other:
//
//   scores   s = q k^T     4 rows x 2 keys in the registers of a thread
//   softmax  m', p = 2^(s - m'), l, 2^(m - m')   4 threads per row
//   values   o = 2^(m - m') o + p v              4 rows x columns of a thread
//
// Every sum runs in increasing order over dimensions or keys, and keys that a
// row does not see have p = 0 and add nothing, so the bits of a row do not
// depend on the other rows.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Attention.h"
#include "runtime/SeqTable.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

static constexpr int64_t kRows = SSM_TILE_ROWS;
static constexpr int64_t kBlock = 256;
/// A thread's rows; keys of its scores; neighbouring columns of its outputs.
static constexpr int64_t kThreadRows = 4, kThreadKeys = 2, kThreadColumns = 4;
static constexpr int64_t kRowThreads = kRows / kThreadRows;
static constexpr int64_t kColumnThreads = kBlock / kRowThreads;
static_assert(kColumnThreads * kThreadKeys == kPanelTokens,
              "the block covers the scores of a panel");
/// Threads that share a row in the softmax.
static constexpr int64_t kSoftmaxThreads = kBlock / kRows;
/// Floats of a line of queries or probabilities in shared memory: with the
/// tail, neighbouring lines begin in different banks.
static constexpr int64_t kLine = kRows + 4;
static constexpr int64_t kUnroll = 4;

namespace {
class PrefillKernel : AttentionParts {
public:
  PrefillKernel(TileBuilder &builder, kern::AttentionOp op)
      : AttentionParts(builder, op),
        columns(llvm::alignTo(headDim, kColumnThreads * kThreadColumns)),
        vectors(columns / (kColumnThreads * kThreadColumns)) {}

  KernelInfo emit(ModuleOp module, StringRef name);

private:
  void allocate();
  void findTile(Sequences &sequences);
  void loadQueries();
  void loadPanel(Value keyPage, Value valuePage, Value panel);
  void emitScores();
  Values emitSoftmax(Value panel, Value maximum, Value sum);
  Values emitValues(Values outputs);
  void storeOutputs(Values outputs);

  /// Output columns of a line of values in shared memory, and a thread's
  /// vectors of them.
  int64_t columns, vectors;
  /// In shared memory: queries [d][rows], keys [d][32], values [32][columns],
  /// scores and probabilities [32][rows], and a number of each row.
  Value queryTile, keyTile, valueTile, weightTile, factors;
  /// Of the tile.
  Value sequence, head, kvHead, firstRow, rows, position;
  /// Of the thread: its first row, its place among the others of these rows.
  Value threadRow, threadColumn;
};
} // namespace

KernelInfo PrefillKernel::emit(ModuleOp module, StringRef name) {
  Sequences sequences = addArguments(b.startKernel(module, name, kBlock));
  allocate();
  findTile(sequences);
  threadRow = b.mul(b.rem(b.threadId(), kRowThreads), kThreadRows);
  threadColumn = b.div(b.threadId(), kRowThreads);
  loadQueries();

  Value last = b.add(position, b.sub(rows, 1));
  Value firstPanel = b.div(firstKey(position), kPanelTokens);
  Value endPanel = b.add(b.div(last, kPanelTokens), 1);
  Values running = {b.f32(kNoScore), b.f32(0)};
  Type columnType = b.vectorOf(b.getF32Type(), kThreadColumns);
  running.append(kThreadRows * vectors, b.constant(columnType, 0));
  running =
      b.forLoop(firstPanel, endPanel, b.i64(1), running,
                [&](Value panel, ValueRange carried) {
                  constexpr int64_t kPanels = kPageTokens / kPanelTokens;
                  Value page = sequences.page(sequence, b.div(panel, kPanels));
                  // The panel before is no longer in use.
                  b.barrier();
                  loadPanel(keys.slot(b, page, pages.element),
                            values.slot(b, page, pages.element), panel);
                  b.barrier();
                  emitScores();
                  b.barrier();
                  Values next = emitSoftmax(panel, carried[0], carried[1]);
                  b.barrier();
                  next.append(emitValues(Values(carried.drop_front(2))));
                  return next;
                });
  // The reciprocal of each row's sum, in the place of its factor.
  Value sum = b.reduceWarp(tile::Combine::Add, running[1], kSoftmaxThreads);
  b.barrier();
  b.store(b.div(b.f32(1), sum), factors, b.div(b.threadId(), kSoftmaxThreads),
          b.equal(b.rem(b.threadId(), kSoftmaxThreads), 0));
  b.barrier();
  storeOutputs(Values(ArrayRef<Value>(running).drop_front(2)));
  b.finishKernel();
  AffineExpr tiles = symbolOf(CallSymbol::Tiles, b.getContext());
  return {name.str(), tiles * heads};
}

void PrefillKernel::allocate() {
  queryTile = b.allocShared(headDim * kLine);
  keyTile = b.allocShared(headDim * kPanelTokens);
  valueTile = b.allocShared(kPanelTokens * columns);
  weightTile = b.allocShared(kPanelTokens * kLine);
  factors = b.allocShared(kRows);
}

/// Later tiles see more keys: blocks count down, so that the longest start
/// first.
void PrefillKernel::findTile(Sequences &sequences) {
  Value units = b.mul(sequences.tiles(), heads);
  Value unit = b.sub(b.sub(units, 1), b.blockId());
  Value tile = b.div(unit, heads);
  head = b.rem(unit, heads);
  kvHead = b.div(head, group);
  sequence = sequences.tileSequence(tile);
  Value first = sequences.tileFirst(tile);
  Value sequenceRow = sequences.firstRow(sequence);
  Value length = b.sub(sequences.firstRow(b.add(sequence, 1)), sequenceRow);
  firstRow = b.add(sequenceRow, first);
  position = b.add(sequences.position(sequence), first);
  Value room = b.sub(b.i64(kRows), b.rem(position, kRows));
  rows = b.min(b.sub(length, first), room);
}

/// Queries with the rows in neighbouring places; zeros behind the last row.
void PrefillKernel::loadQueries() {
  b.forThreads(kRows * headDim, [&](Value index) {
    Value row = b.div(index, headDim), dim = b.rem(index, headDim);
    Value number =
        b.loadFloats(query.row(b, b.add(firstRow, row)),
                     b.add(b.mul(head, headDim), dim), 0, b.less(row, rows));
    b.store(number, queryTile, b.add(b.mul(dim, kLine), row));
  });
}

/// Zeros where no row of the tile sees the key: nobody may have written it.
void PrefillKernel::loadPanel(Value keyPage, Value valuePage, Value panel) {
  constexpr int64_t kPanels = kPageTokens / kPanelTokens;
  Value key = b.mul(panel, kPanelTokens);
  Value count = b.sub(b.add(position, rows), key);
  Value pagePanel = b.rem(panel, kPanels);
  Value firstNumber = pages.panelIndex(b, kvHead, pagePanel);
  // In the order of the page: a line is a dimension, or a pair of them.
  b.forThreads(headDim * kPanelTokens, [&](Value index) {
    Value dim = b.div(index, kPanelTokens), token = b.rem(index, kPanelTokens);
    if (pages.pair == 2) {
      // The last one of an odd number stands in a line of its own.
      Value inPair = b.rem(index, 2);
      Value pairToken = b.rem(b.div(index, 2), kPanelTokens);
      Value pairDim = b.add(b.mul(b.div(index, 2 * kPanelTokens), 2), inPair);
      if (headDim % 2) {
        Value isSingle = b.equal(dim, headDim - 1);
        dim = b.select(isSingle, dim, pairDim);
        token = b.select(isSingle, token, pairToken);
      } else {
        dim = pairDim;
        token = pairToken;
      }
    }
    Value line = b.mul(b.div(dim, pages.pair), kPanelTokens);
    Value place =
        b.add(b.mul(b.add(line, token), pages.pair), b.rem(dim, pages.pair));
    Value number = b.loadFloats(keyPage, b.add(firstNumber, place), 0,
                                b.less(token, count));
    b.store(number, keyTile, b.add(b.mul(dim, kPanelTokens), token));
  });
  Value firstToken = b.mul(pagePanel, kPanelTokens);
  b.forThreads(kPanelTokens * columns, [&](Value index) {
    Value token = b.div(index, columns), dim = b.rem(index, columns);
    Value exists = b.less(token, count);
    if (columns != headDim)
      exists = b.both(exists, b.less(dim, headDim));
    Value source = pages.valueIndex(b, kvHead, b.add(firstToken, token), dim);
    b.store(b.loadFloats(valuePage, source, 0, exists), valueTile, index);
  });
}

void PrefillKernel::emitScores() {
  Value threadKey = b.mul(threadColumn, kThreadKeys);
  auto addDim = [&](Value dim, Values sums) {
    Value query =
        b.load(queryTile, b.add(b.mul(dim, kLine), threadRow), kThreadRows);
    Value key = b.load(keyTile, b.add(b.mul(dim, kPanelTokens), threadKey),
                       kThreadKeys);
    for (int64_t k = 0; k < kThreadKeys; ++k)
      sums[k] = b.fma(query, b.lane(key, k), sums[k]);
    return sums;
  };
  Type type = b.vectorOf(b.getF32Type(), kThreadRows);
  Values sums(kThreadKeys, b.constant(type, 0));
  int64_t whole = headDim / kUnroll * kUnroll;
  if (whole)
    sums = b.forLoop(b.i64(0), b.i64(whole), b.i64(kUnroll), sums,
                     [&](Value dim, ValueRange carried) {
                       Values next(carried);
                       for (int64_t i = 0; i < kUnroll; ++i)
                         next = addDim(b.add(dim, i), next);
                       return next;
                     });
  for (int64_t dim = whole; dim < headDim; ++dim)
    sums = addDim(b.i64(dim), sums);
  for (int64_t k = 0; k < kThreadKeys; ++k)
    b.store(sums[k], weightTile,
            b.add(b.mul(b.add(threadKey, k), kLine), threadRow));
}

/// Turns scores into probabilities; gives the row's new maximum and the sum of
/// the thread's keys.
Values PrefillKernel::emitSoftmax(Value panel, Value maximum, Value sum) {
  Value row = b.div(b.threadId(), kSoftmaxThreads);
  Value part = b.rem(b.threadId(), kSoftmaxThreads);
  Value rowPosition = b.add(position, row);
  Value begin = firstKey(rowPosition);
  Value most;
  Values scores, places;
  for (int64_t i = 0; i < kPanelTokens; i += kSoftmaxThreads) {
    Value token = b.add(part, i);
    Value key = b.add(b.mul(panel, kPanelTokens), token);
    Value isSeen = b.less(key, b.add(rowPosition, 1));
    if (window)
      isSeen = b.both(isSeen, b.less(begin, b.add(key, 1)));
    places.push_back(b.add(b.mul(token, kLine), row));
    scores.push_back(
        b.select(isSeen, b.load(weightTile, places.back()), b.f32(kMasked)));
    most = most ? b.max(most, scores.back()) : scores.back();
  }
  most = b.reduceWarp(tile::Combine::Max, most, kSoftmaxThreads);
  most = b.max(maximum, most);
  Value factor = b.exp2(b.sub(maximum, most));
  sum = b.mul(sum, factor);
  for (auto [score, place] : llvm::zip(scores, places)) {
    Value weight = b.exp2(b.sub(score, most));
    sum = b.add(sum, weight);
    b.store(weight, weightTile, place);
  }
  b.store(factor, factors, row, b.equal(part, 0));
  return {most, sum};
}

/// Outputs are [row of the thread][vector of columns].
Values PrefillKernel::emitValues(Values outputs) {
  Value factor = b.load(factors, threadRow, kThreadRows);
  for (int64_t r = 0; r < kThreadRows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value &sum = outputs[r * vectors + v];
      sum = b.mul(sum, b.lane(factor, r));
    }
  Value column = b.mul(threadColumn, kThreadColumns);
  return b.forLoop(b.i64(0), b.i64(kPanelTokens), b.i64(1), outputs,
                   [&](Value key, ValueRange carried) {
                     Values next(carried);
                     Value weight =
                         b.load(weightTile, b.add(b.mul(key, kLine), threadRow),
                                kThreadRows);
                     Value line = b.add(b.mul(key, columns), column);
                     for (int64_t v = 0; v < vectors; ++v) {
                       Value index =
                           b.add(line, v * kColumnThreads * kThreadColumns);
                       Value value = b.load(valueTile, index, kThreadColumns);
                       for (int64_t r = 0; r < kThreadRows; ++r) {
                         Value &sum = next[r * vectors + v];
                         sum = b.fma(value, b.lane(weight, r), sum);
                       }
                     }
                     return next;
                   });
}

void PrefillKernel::storeOutputs(Values outputs) {
  Value column = b.mul(threadColumn, kThreadColumns);
  Value factor = b.load(factors, threadRow, kThreadRows);
  for (int64_t r = 0; r < kThreadRows; ++r) {
    Value row = b.add(threadRow, r);
    b.ifThen(b.less(row, rows), [&] {
      Value target = result.row(b, b.add(firstRow, row));
      for (int64_t v = 0; v < vectors; ++v) {
        Value values = b.mul(outputs[r * vectors + v], b.lane(factor, r));
        for (int64_t c = 0; c < kThreadColumns; ++c) {
          Value dim = b.add(column, v * kColumnThreads * kThreadColumns + c);
          Value exists = columns == headDim ? Value() : b.less(dim, headDim);
          b.storeFloats(b.lane(values, c), target,
                        b.add(b.mul(head, headDim), dim), exists);
        }
      }
    });
  }
}

KernelInfo ssm::gpu::emitPrefillAttention(kern::AttentionOp op, StringRef name,
                                          TileBuilder &builder,
                                          ModuleOp module) {
  return PrefillKernel(builder, op).emit(module, name);
}
