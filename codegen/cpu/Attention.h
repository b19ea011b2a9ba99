//===- Attention.h - Parts of the attention kernels -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/cpu/Emitters.h"
#include "codegen/cpu/KernelBuilder.h"

#include "llvm/Support/MathExtras.h"

namespace ssm::attention {

using mlir::Type;
using mlir::Value;
using Values = KernelBuilder::Values;

/// Tokens of a cache page, and of one panel of keys in it.
inline constexpr int64_t kPageTokens = 64;
inline constexpr int64_t kPanelTokens = 32;
/// Where the maximum of a row starts, and what masked scores become: 2^(s - m)
/// of a masked score is 0 even for a row that has seen no key yet.
inline constexpr double kNoScore = -1e30;
inline constexpr double kMasked = -3e38;

/// Sizes that are known when the kernel is compiled.
struct Shape {
  Shape(kern::AttentionOp op, const Target &target);

  bool prefill;
  /// Keys and values as they lie in the pages, bf16 or f32.
  bool halfCache;
  /// The page is widened to f32 in scratch before use: pays with many rows.
  bool staged;
  int64_t headDim, heads, kvHeads, group, lanes;
  /// `headDim` rounded up to whole registers, and to whole key pairs.
  int64_t paddedDim, keyDim;
  int64_t maxRows, blockRows;
  /// Panels of keys that one block of scores covers.
  int64_t panels;
  /// Registers of output columns in one block of values.
  int64_t valueVectors;
  std::optional<int64_t> window;

  /// Reads keys as pairs of bf16 in the inner loop.
  bool pairedKeys() const { return halfCache && !staged; }
  int64_t paddedRows() const { return llvm::alignTo(maxRows, blockRows); }
  int64_t scoreVectors() const { return panels * kPanelTokens / lanes; }
  int64_t dimVectors() const { return paddedDim / lanes; }
  /// Each part of a page is fetched while the part before it is in use. The
  /// hardware does as well only where one row streams through f32 pages.
  bool prefetches() const { return !prefill && (halfCache || blockRows > 1); }
  int64_t rowBlocks() const { return paddedRows() / blockRows; }
  /// Bytes of one head in a page.
  int64_t keyBytes() const { return kPageTokens * keyDim * elementBytes(); }
  int64_t valueBytes() const { return kPageTokens * headDim * elementBytes(); }
  int64_t elementBytes() const { return halfCache ? 2 : 4; }
};

/// Parts of the scratch memory, in floats.
struct Scratch {
  explicit Scratch(const Shape &shape);

  int64_t query, scores, outputs, maxima, corrections, sums, keys, values;
  int64_t end = 0;

private:
  int64_t take(int64_t floats) {
    int64_t first = end;
    end += llvm::alignTo(floats, 16);
    return first;
  }
};

/// One page of keys and values of a head, and where it lies relative to the
/// tile.
struct Page {
  Value keys, values;
  /// Position of the tile's first row minus that of the page's first key.
  Value distance;
  /// Keys of the page that some row of the tile sees: 0 .. count.
  Value count;
  /// Keys of the page that comes after this one; where it is fetched ahead.
  Value nextKeys;
};

/// Memory that a loop brings into the cache while it computes: `lines` cache
/// lines in each of its steps. Nothing without an address.
struct Ahead {
  Value address;
  int64_t lines = 0;
};

/// The rows of a unit.
struct Tile {
  Value sequence, kvHead, position, rows;
  Value query, queryStride, result, resultStride;
};

class AttentionEmitter {
public:
  AttentionEmitter(kern::AttentionOp op, const Target &target)
      : op(op), builder(op.getLoc(), target), shape(op, target),
        scratch(shape) {}

  KernelInfo emit(llvm::StringRef name, mlir::ModuleOp module);

private:
  Tile prefillTile(Value unit, Sequences &sequences, const Rows &query,
                   const Rows &result);
  Tile decodeTile(Value unit, Sequences &sequences, const Rows &query,
                  const Rows &result);
  void emitTile(const Tile &tile, Sequences &sequences, const Pool &keys,
                const Pool &values);
  void loadQueries(const Tile &tile);
  Page stage(const Page &page);
  void emitScores(const Tile &tile, const Page &page);
  Values scoreBlock(Value queries, Value panel, const Ahead &ahead);
  void emitSoftmax(const Tile &tile, const Page &page);
  void emitValues(const Tile &tile, const Page &page);
  void valueBlock(Value row, Value firstColumn, int64_t vectors, int64_t tail,
                  const Page &page, Value firstKey, Value endKey,
                  const Ahead &ahead);
  Ahead share(Value memory, int64_t bytes, Value part, int64_t parts,
              int64_t steps);
  void prefetch(const Ahead &ahead, Value index, int64_t indexStep);
  void storeResult(const Tile &tile);

  /// Position of row `row` of a tile relative to the tile's first row.
  Value advance(Value row) { return shape.prefill ? row : builder.i64(0); }
  /// Element type of the values that `valueBlock` reads, and their row length.
  Type valueType() {
    return shape.halfCache && !shape.staged ? Type(builder.getBF16Type())
                                            : Type(builder.getF32Type());
  }
  int64_t valueStride() {
    return shape.staged ? shape.paddedDim : shape.headDim;
  }
  Value memory(int64_t offset) { return builder.at(base, offset); }
  /// 0 .. count in steps of `unroll` passes each; the body gets the loop index
  /// and the number of the pass.
  Values
  unrolled(int64_t count, int64_t unroll, mlir::ValueRange inits,
           llvm::function_ref<Values(Value, int64_t, mlir::ValueRange)> body);

  kern::AttentionOp op;
  KernelBuilder builder;
  Shape shape;
  Scratch scratch;
  /// Scratch memory of the running thread.
  Value base;
};

/// Splits a register of bf16 pairs into its even and odd numbers as f32.
std::pair<Value, Value> splitPairs(KernelBuilder &builder, Value pairs);

} // namespace ssm::attention
