//===- EmitAttention.cpp - Attention over the key and value cache ---------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A unit of work attends from a tile of query rows to the pages of one key/value
// head. In the prefill form the tile is up to 64 rows of one query head, each one
// position further than the row before; in the decode form it is the query heads
// that share the key/value head, all at one position. Nothing else differs, so the
// forms agree bit for bit.
//
// Per page of 64 keys:
//
//   scores  s[r, j] = q[r] . k[j]          blocks of rows x 32 keys in registers
//   softmax m', p = 2^(s - m'), l, 2^(m - m')   row by row, masked
//   values  o[r] = 2^(m - m') o[r] + sum_j p[r, j] v[j]    blocks of rows x columns
//
// Pages start at multiples of 64 in absolute positions, and every sum runs in
// increasing order over dimensions or keys. Keys that a row does not see have
// p = 0 and add nothing, so the bits of a row do not depend on the other rows.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Emitters.h"
#include "codegen/cpu/KernelBuilder.h"
#include "codegen/cpu/VectorMath.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm;

namespace {

using Values = KernelBuilder::Values;

/// Tokens of a cache page, and of one panel of keys in it.
constexpr int64_t kPageTokens = 64;
constexpr int64_t kPanelTokens = 32;
/// Where the maximum of a row starts, and what masked scores become: 2^(s - m) of
/// a masked score is 0 even for a row that has seen no key yet.
constexpr double kNoScore = -1e30;
constexpr double kMasked = -3e38;

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

} // namespace

Shape::Shape(kern::AttentionOp op, const Target &target)
    : prefill(op.getForm() == kern::AttentionForm::Prefill),
      halfCache(op.getKeyCache().getType().getElementType().isBF16()),
      staged(prefill && halfCache), headDim(op.getHeadDim()),
      heads(op.getHeads()), kvHeads(op.getKvHeads()), group(heads / kvHeads),
      lanes(target.lanes), paddedDim(llvm::alignTo(headDim, lanes)),
      keyDim(llvm::alignTo(headDim, halfCache ? 2 : 1)),
      maxRows(prefill ? kPageTokens : group), window(op.getWindow()) {
  // A block keeps its sums, one register of keys and one number of each row in
  // registers; paired keys need two of each.
  int64_t vectors = kPanelTokens / lanes, pair = pairedKeys() ? 2 : 1;
  int64_t most = (target.registers - pair) / (vectors + pair);
  most = std::clamp<int64_t>(most, 1, 8);
  blockRows = llvm::divideCeil(maxRows, llvm::divideCeil(maxRows, most));
  if (prefill)
    blockRows = most;
  panels = blockRows == 1 ? 2 : 1;
  valueVectors = blockRows == 1 ? 2 * vectors : vectors;
  valueVectors = std::min(valueVectors, dimVectors());
}

Scratch::Scratch(const Shape &shape) {
  int64_t rows = shape.paddedRows();
  query = take(rows * shape.paddedDim);
  scores = take(rows * kPageTokens);
  outputs = take(rows * shape.paddedDim);
  maxima = take(rows);
  corrections = take(rows);
  sums = take(rows * shape.lanes);
  keys = take(shape.staged ? kPageTokens * shape.keyDim : 0);
  values = take(shape.staged ? kPageTokens * shape.paddedDim : 0);
}

namespace {

/// One page of keys and values of a head, and where it lies relative to the tile.
struct Page {
  Value keys, values;
  /// Position of the tile's first row minus that of the page's first key.
  Value distance;
  /// Keys of the page that some row of the tile sees: 0 .. count.
  Value count;
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

  KernelInfo emit(StringRef name, ModuleOp module);

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
  Values scoreBlock(Value queries, Value panel);
  void emitSoftmax(const Tile &tile, const Page &page);
  void emitValues(const Tile &tile, const Page &page);
  void valueBlock(Value row, Value firstColumn, int64_t vectors, int64_t tail,
                  const Page &page, Value firstKey, Value lastKey);
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
  Values unrolled(int64_t count, int64_t unroll, ValueRange inits,
                  llvm::function_ref<Values(Value, int64_t, ValueRange)> body);

  kern::AttentionOp op;
  KernelBuilder builder;
  Shape shape;
  Scratch scratch;
  /// Scratch memory of the running thread.
  Value base;
};

} // namespace

Values AttentionEmitter::unrolled(
    int64_t count, int64_t unroll, ValueRange inits,
    llvm::function_ref<Values(Value, int64_t, ValueRange)> body) {
  int64_t whole = count / unroll * unroll;
  Values values(inits);
  if (whole)
    values = builder.forLoop(
        builder.i64(0), builder.i64(whole), builder.i64(unroll), inits,
        [&](Value index, ValueRange carried) {
          Values next(carried);
          for (int64_t pass = 0; pass < unroll; ++pass)
            next = body(index, pass, next);
          return next;
        });
  for (int64_t pass = 0; pass < count - whole; ++pass)
    values = body(builder.i64(whole), pass, values);
  return values;
}

//===----------------------------------------------------------------------===//
// Units
//===----------------------------------------------------------------------===//

/// Later tiles see more keys: units count down, so that the longest start first.
Tile AttentionEmitter::prefillTile(Value unit, Sequences &sequences,
                                   const Rows &query, const Rows &result) {
  KernelBuilder &b = builder;
  Value units = b.mul(sequences.tiles(), shape.heads);
  Value index = b.sub(b.sub(units, 1), unit);
  Value number = b.div(index, shape.heads), head = b.rem(index, shape.heads);
  Tile tile;
  tile.sequence = sequences.tileSequence(number);
  tile.kvHead = b.div(head, shape.group);
  Value first = sequences.tileFirst(number);
  Value sequenceRow = sequences.firstRow(tile.sequence);
  Value length =
      b.sub(sequences.firstRow(b.add(tile.sequence, 1)), sequenceRow);
  tile.position = b.add(sequences.position(tile.sequence), first);
  Value room = b.sub(b.i64(kPageTokens), b.rem(tile.position, kPageTokens));
  tile.rows = b.min(b.sub(length, first), room);
  Value row = b.add(sequenceRow, first), column = b.mul(head, shape.headDim);
  tile.query = b.at(query.row(b, row), column, query.element);
  tile.queryStride = query.stride;
  tile.result = b.at(result.row(b, row), column, result.element);
  tile.resultStride = result.stride;
  return tile;
}

Tile AttentionEmitter::decodeTile(Value unit, Sequences &sequences,
                                  const Rows &query, const Rows &result) {
  KernelBuilder &b = builder;
  Tile tile;
  tile.sequence = b.div(unit, shape.kvHeads);
  tile.kvHead = b.rem(unit, shape.kvHeads);
  tile.position = sequences.position(tile.sequence);
  tile.rows = b.i64(shape.group);
  Value row = sequences.firstRow(tile.sequence);
  Value column = b.mul(tile.kvHead, shape.group * shape.headDim);
  tile.query = b.at(query.row(b, row), column, query.element);
  tile.result = b.at(result.row(b, row), column, result.element);
  tile.queryStride = tile.resultStride = b.i64(shape.headDim);
  return tile;
}

KernelInfo AttentionEmitter::emit(StringRef name, ModuleOp module) {
  KernelBuilder &b = builder;
  ssm::Kernel kernel = b.startKernel(module, name);
  base = kernel.scratch;
  KernelArgs args(b, kernel.args);
  Rows query = args.rows(op.getQuery());
  Sequences sequences = args.sequences();
  Pool keys = args.pool(), values = args.pool();
  Rows result = args.rows(op.getResult());
  b.forLoop(kernel.begin, kernel.end, 1, [&](Value unit) {
    Tile tile = shape.prefill ? prefillTile(unit, sequences, query, result)
                              : decodeTile(unit, sequences, query, result);
    emitTile(tile, sequences, keys, values);
  });
  b.finishKernel();

  MLIRContext *context = module.getContext();
  KernelInfo info;
  info.name = name.str();
  CallSymbol symbol = shape.prefill ? CallSymbol::Tiles : CallSymbol::Sequences;
  info.grid = getAffineSymbolExpr(unsigned(symbol), context) *
              (shape.prefill ? shape.heads : shape.kvHeads);
  info.scratch = getAffineConstantExpr(scratch.end * 4, context);
  return info;
}

void AttentionEmitter::emitTile(const Tile &tile, Sequences &sequences,
                                const Pool &keys, const Pool &values) {
  KernelBuilder &b = builder;
  loadQueries(tile);
  Value last = advance(b.sub(tile.rows, 1));
  Value firstPage = b.i64(0);
  if (shape.window)
    firstPage = b.div(b.max(b.sub(tile.position, *shape.window - 1), b.i64(0)),
                      kPageTokens);
  Value endPage = b.add(b.div(b.add(tile.position, last), kPageTokens), 1);
  int64_t element = shape.halfCache ? 2 : 4;
  Value keyOffset =
      b.mul(tile.kvHead, kPageTokens * shape.keyDim * element);
  Value valueOffset =
      b.mul(tile.kvHead, kPageTokens * shape.headDim * element);
  b.forLoop(firstPage, endPage, 1, [&](Value number) {
    Value index = sequences.page(tile.sequence, number);
    Page page;
    page.keys = b.atByte(keys.slot(b, index), keyOffset);
    page.values = b.atByte(values.slot(b, index), valueOffset);
    page.distance = b.sub(tile.position, b.mul(number, kPageTokens));
    page.count = b.min(b.add(b.add(page.distance, last), 1),
                       b.i64(kPageTokens));
    if (shape.staged)
      page = stage(page);
    emitScores(tile, page);
    emitSoftmax(tile, page);
    emitValues(tile, page);
  });
  storeResult(tile);
}

/// Copies the queries to scratch as f32, padded with zeros, and clears the state
/// of the rows.
void AttentionEmitter::loadQueries(const Tile &tile) {
  KernelBuilder &b = builder;
  Type element = cast<RankedTensorType>(op.getQuery().getType()).getElementType();
  Value zero = b.splat(0);
  b.forLoop(b.i64(0), tile.rows, 1, [&](Value row) {
    Value source = b.at(tile.query, b.mul(row, tile.queryStride), element);
    Value offset = b.mul(row, shape.paddedDim);
    Value query = b.at(memory(scratch.query), offset);
    Value output = b.at(memory(scratch.outputs), offset);
    for (int64_t d = 0; d < shape.paddedDim; d += shape.lanes) {
      Value count;
      if (d + shape.lanes > shape.headDim)
        count = b.i64(shape.headDim - d);
      Value part = b.loadFloats(b.at(source, d, element), element, count);
      b.store(part, b.at(query, d));
      b.store(zero, b.at(output, d));
    }
    b.store(b.f32(kNoScore), b.at(memory(scratch.maxima), row));
    b.store(zero, b.at(memory(scratch.sums), b.mul(row, shape.lanes)));
  });
}

/// Splits a register of bf16 pairs into its even and odd numbers as f32.
static std::pair<Value, Value> splitPairs(KernelBuilder &b, Value pairs) {
  Value even = b.shiftLeft(pairs, 16);
  Value odd = b.bitAnd(pairs, b.constant(pairs.getType(), int64_t(-65536)));
  return {b.bitcast(even, b.getF32Type()), b.bitcast(odd, b.getF32Type())};
}

/// Widens a page to f32 in scratch.
Page AttentionEmitter::stage(const Page &page) {
  KernelBuilder &b = builder;
  Type pairType = b.vectorOf(b.getI32Type(), shape.lanes);
  Value keys = memory(scratch.keys), values = memory(scratch.values);
  b.forLoop(shape.keyDim, 1, [&](Value pair) { // keyDim / 2 pairs in 2 panels
    Value source = b.at(page.keys, b.mul(pair, kPanelTokens), b.getI32Type());
    Value target = b.at(keys, b.mul(pair, 2 * kPanelTokens));
    for (int64_t token = 0; token < kPanelTokens; token += shape.lanes) {
      Value pairs = b.load(b.at(source, token, b.getI32Type()), pairType);
      auto [even, odd] = splitPairs(b, pairs);
      b.store(even, b.at(target, token));
      b.store(odd, b.at(target, kPanelTokens + token));
    }
  });
  Type element = b.getBF16Type();
  b.forLoop(b.i64(0), page.count, 1, [&](Value token) {
    Value source = b.at(page.values, b.mul(token, shape.headDim), element);
    Value target = b.at(values, b.mul(token, shape.paddedDim));
    for (int64_t d = 0; d < shape.paddedDim; d += shape.lanes) {
      Value count;
      if (d + shape.lanes > shape.headDim)
        count = b.i64(shape.headDim - d);
      Value part = b.loadFloats(b.at(source, d, element), element, count);
      b.store(part, b.at(target, d));
    }
  });
  Page result = page;
  result.keys = keys;
  result.values = values;
  return result;
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

void AttentionEmitter::emitScores(const Tile &tile, const Page &page) {
  KernelBuilder &b = builder;
  int64_t tokens = shape.panels * kPanelTokens;
  b.forLoop(b.i64(0), page.count, tokens, [&](Value token) {
    // Rows before this one see no key of these panels.
    Value firstRow = b.i64(0);
    if (shape.prefill) {
      Value row = b.max(b.sub(token, page.distance), b.i64(0));
      firstRow = b.mul(b.div(row, shape.blockRows), shape.blockRows);
    }
    Value panel = shape.pairedKeys()
                      ? b.at(page.keys, b.mul(token, shape.keyDim),
                             b.getBF16Type())
                      : b.at(page.keys, b.mul(token, shape.keyDim));
    b.forLoop(firstRow, tile.rows, shape.blockRows, [&](Value row) {
      Value queries =
          b.at(memory(scratch.query), b.mul(row, shape.paddedDim));
      Values scores = scoreBlock(queries, panel);
      Value target = b.at(memory(scratch.scores),
                          b.add(b.mul(row, kPageTokens), token));
      for (int64_t r = 0; r < shape.blockRows; ++r)
        for (int64_t v = 0; v < shape.scoreVectors(); ++v)
          b.store(scores[r * shape.scoreVectors() + v],
                  b.at(target, r * kPageTokens + v * shape.lanes));
    });
  });
}

/// Scores of a block of rows, [row][vector of keys].
Values AttentionEmitter::scoreBlock(Value queries, Value panel) {
  KernelBuilder &b = builder;
  int64_t vectors = shape.scoreVectors(), rows = shape.blockRows;
  int64_t perPanel = kPanelTokens / shape.lanes;
  Values sums(rows * vectors, b.splat(0));
  auto numbers = [&](Value address, int64_t dim) {
    Values result;
    for (int64_t r = 0; r < rows; ++r)
      result.push_back(b.broadcast(
          b.loadScalar(b.at(address, r * shape.paddedDim + dim))));
    return result;
  };
  auto accumulate = [&](Values &next, const Values &query, int64_t v, Value keys) {
    for (int64_t r = 0; r < rows; ++r)
      next[r * vectors + v] = b.fma(query[r], keys, next[r * vectors + v]);
  };
  // Offset of vector `v` of keys in numbers (or pairs) of 4 bytes.
  int64_t panelSize = kPanelTokens * shape.keyDim / (shape.pairedKeys() ? 2 : 1);
  auto offset = [&](int64_t v) {
    return v / perPanel * panelSize + v % perPanel * shape.lanes;
  };
  if (!shape.pairedKeys())
    return unrolled(
        shape.headDim, 4, sums, [&](Value dim, int64_t pass, ValueRange carried) {
          Values next(carried);
          Values query = numbers(b.at(queries, dim), pass);
          Value keys = b.at(panel, b.mul(dim, kPanelTokens));
          for (int64_t v = 0; v < vectors; ++v) {
            Value address = b.at(keys, pass * kPanelTokens + offset(v));
            accumulate(next, query, v, b.load(address, b.vectorF32()));
          }
          return next;
        });
  Type pairType = b.vectorOf(b.getI32Type(), shape.lanes);
  return unrolled(
      shape.keyDim / 2, 2, sums, [&](Value pair, int64_t pass, ValueRange carried) {
        Values next(carried);
        Value address = b.at(queries, b.mul(pair, 2));
        Values even = numbers(address, 2 * pass);
        Values odd = numbers(address, 2 * pass + 1);
        Value keys = b.at(panel, b.mul(pair, kPanelTokens), b.getI32Type());
        for (int64_t v = 0; v < vectors; ++v) {
          int64_t index = pass * kPanelTokens + offset(v);
          Value pairs = b.load(b.at(keys, index, b.getI32Type()), pairType);
          auto [first, second] = splitPairs(b, pairs);
          accumulate(next, even, v, first);
          accumulate(next, odd, v, second);
        }
        return next;
      });
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// Combines values pairwise until one is left.
static Value combine(Values values,
                     llvm::function_ref<Value(Value, Value)> function) {
  while (values.size() > 1) {
    Values next;
    for (size_t i = 0; i + 1 < values.size(); i += 2)
      next.push_back(function(values[i], values[i + 1]));
    if (values.size() % 2)
      next.push_back(values.back());
    values = next;
  }
  return values.front();
}

/// Replaces the scores of each row by 2^(score - maximum) and updates its
/// maximum, its sums (one per lane) and the correction of its output.
void AttentionEmitter::emitSoftmax(const Tile &tile, const Page &page) {
  KernelBuilder &b = builder;
  int64_t vectors = kPageTokens / shape.lanes;
  Type indexType = b.vectorOf(b.getI32Type(), shape.lanes);
  Value lanes = b.laneNumbers(shape.lanes), masked = b.splat(kMasked);
  auto spread = [&](Value position) {
    Value narrow = arith::TruncIOp::create(b, b.getI32Type(), position);
    return b.broadcast(narrow, shape.lanes);
  };
  b.forLoop(b.i64(0), tile.rows, 1, [&](Value row) {
    Value scores = b.at(memory(scratch.scores), b.mul(row, kPageTokens));
    // The row sees keys last - window + 1 .. last of the page.
    Value last = b.add(page.distance, advance(row));
    Value upper = spread(b.min(last, b.i64(kPageTokens))), lower;
    if (shape.window)
      lower = spread(b.max(b.sub(last, *shape.window - 1), b.i64(-1)));
    Values s;
    for (int64_t v = 0; v < vectors; ++v) {
      Value index = b.add(lanes, b.constant(indexType, v * shape.lanes));
      Value score = b.load(b.at(scores, v * shape.lanes), b.vectorF32());
      Value seen = b.cmp(arith::CmpIPredicate::sle, index, upper);
      score = b.select(seen, score, masked);
      if (shape.window) {
        Value inside = b.cmp(arith::CmpIPredicate::sge, index, lower);
        score = b.select(inside, score, masked);
      }
      s.push_back(score);
    }
    Value highest = combine(s, [&](Value x, Value y) { return b.max(x, y); });
    Value maximumAt = b.at(memory(scratch.maxima), row);
    Value before = b.loadScalar(maximumAt);
    Value maximum = b.max(before, b.reduceMax(highest));
    b.store(maximum, maximumAt);
    Value correction = exp2(b, b.sub(before, maximum));
    b.store(correction, b.at(memory(scratch.corrections), row));
    for (int64_t v = 0; v < vectors; ++v) {
      s[v] = exp2(b, b.sub(s[v], maximum));
      b.store(s[v], b.at(scores, v * shape.lanes));
    }
    Value sum = combine(s, [&](Value x, Value y) { return b.add(x, y); });
    Value sumsAt = b.at(memory(scratch.sums), b.mul(row, shape.lanes));
    Value sums = b.load(sumsAt, b.vectorF32());
    b.store(b.fma(sums, b.broadcast(correction), sum), sumsAt);
  });
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

void AttentionEmitter::emitValues(const Tile &tile, const Page &page) {
  KernelBuilder &b = builder;
  int64_t width = shape.valueVectors * shape.lanes;
  int64_t whole = shape.headDim / width;
  int64_t rest = shape.headDim - whole * width;
  auto rowBlock = [&](Value row) {
    // Keys that some row of the block sees.
    Value lastRow = b.add(row, shape.blockRows - 1);
    Value last = b.add(b.add(page.distance, advance(lastRow)), 1);
    Value endKey = b.min(last, page.count), firstKey = b.i64(0);
    if (shape.window) {
      Value first = b.add(page.distance, advance(row));
      firstKey = b.max(b.sub(first, *shape.window - 1), b.i64(0));
    }
    if (whole)
      b.forLoop(whole, 1, [&](Value index) {
        valueBlock(row, b.mul(index, width), shape.valueVectors, 0, page,
                   firstKey, endKey);
      });
    if (rest)
      valueBlock(row, b.i64(whole * width),
                 llvm::divideCeil(rest, shape.lanes), rest % shape.lanes, page,
                 firstKey, endKey);
  };
  b.forLoop(b.i64(0), tile.rows, shape.blockRows, rowBlock);
}

/// Adds the values of keys firstKey .. endKey to a block of rows x `vectors`
/// registers of columns. With `tail` the last register has so many columns.
void AttentionEmitter::valueBlock(Value row, Value firstColumn, int64_t vectors,
                                  int64_t tail, const Page &page,
                                  Value firstKey, Value endKey) {
  KernelBuilder &b = builder;
  int64_t rows = shape.blockRows;
  Type element = valueType();
  Value outputs = b.at(memory(scratch.outputs),
                       b.add(b.mul(row, shape.paddedDim), firstColumn));
  auto output = [&](int64_t r, int64_t v) {
    return b.at(outputs, r * shape.paddedDim + v * shape.lanes);
  };
  Values sums;
  for (int64_t r = 0; r < rows; ++r) {
    Value address = b.at(memory(scratch.corrections), b.add(row, r));
    Value correction = b.broadcast(b.loadScalar(address));
    for (int64_t v = 0; v < vectors; ++v)
      sums.push_back(b.mul(b.load(output(r, v), b.vectorF32()), correction));
  }
  Value weights = b.at(memory(scratch.scores), b.mul(row, kPageTokens));
  Value count = tail && !shape.staged ? b.i64(tail) : Value();
  auto addKey = [&](Value key, int64_t pass, ValueRange carried) {
    Values next(carried);
    Value weight = b.at(weights, key);
    Values factors;
    for (int64_t r = 0; r < rows; ++r)
      factors.push_back(b.broadcast(
          b.loadScalar(b.at(weight, r * kPageTokens + pass))));
    Value line = b.at(page.values,
                      b.add(b.mul(key, valueStride()), firstColumn), element);
    for (int64_t v = 0; v < vectors; ++v) {
      Value address =
          b.at(line, pass * valueStride() + v * shape.lanes, element);
      Value values = b.loadFloats(address, element,
                                  v + 1 == vectors ? count : Value());
      for (int64_t r = 0; r < rows; ++r)
        next[r * vectors + v] =
            b.fma(factors[r], values, next[r * vectors + v]);
    }
    return next;
  };
  constexpr int64_t kUnroll = 4;
  Value keys = b.sub(endKey, firstKey);
  Value middle = b.sub(endKey, b.rem(keys, kUnroll));
  sums = b.forLoop(firstKey, middle, b.i64(kUnroll), sums,
                   [&](Value key, ValueRange carried) {
                     Values next(carried);
                     for (int64_t pass = 0; pass < kUnroll; ++pass)
                       next = addKey(key, pass, next);
                     return next;
                   });
  sums = b.forLoop(middle, endKey, b.i64(1), sums,
                   [&](Value key, ValueRange carried) {
                     return addKey(key, 0, carried);
                   });
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      b.store(sums[r * vectors + v], output(r, v));
}

void AttentionEmitter::storeResult(const Tile &tile) {
  KernelBuilder &b = builder;
  Type element = cast<RankedTensorType>(op.getResult().getType()).getElementType();
  b.forLoop(b.i64(0), tile.rows, 1, [&](Value row) {
    Value sumsAt = b.at(memory(scratch.sums), b.mul(row, shape.lanes));
    Value sum = b.reduceAdd(b.load(sumsAt, b.vectorF32()));
    Value scale = b.broadcast(b.div(b.f32(1), sum));
    Value output = b.at(memory(scratch.outputs), b.mul(row, shape.paddedDim));
    Value target = b.at(tile.result, b.mul(row, tile.resultStride), element);
    for (int64_t d = 0; d < shape.paddedDim; d += shape.lanes) {
      Value count;
      if (d + shape.lanes > shape.headDim)
        count = b.i64(shape.headDim - d);
      Value values = b.mul(b.load(b.at(output, d), b.vectorF32()), scale);
      b.storeFloats(values, b.at(target, d, element), element, count);
    }
  });
}

KernelInfos ssm::emitAttention(kern::AttentionOp op, StringRef name,
                               const Target &target, ModuleOp module) {
  return SmallVector<KernelInfo>{
      AttentionEmitter(op, target).emit(name, module)};
}
