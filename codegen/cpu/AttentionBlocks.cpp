//===- AttentionBlocks.cpp - Scores, softmax and values of one page -------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/VectorMath.h"
#include "codegen/cpu/Attention.h"
#include "codegen/cpu/KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ssm;
using namespace ssm::attention;

static constexpr int64_t kLineBytes = 64;
/// Passes of a loop over dimensions, pairs of dimensions or keys that are
/// written one after the other.
static constexpr int64_t kUnroll = 4;
static constexpr int64_t kPairUnroll = 2;

Values AttentionEmitter::unrolled(
    int64_t count, int64_t unroll, ValueRange inits,
    llvm::function_ref<Values(Value, int64_t, ValueRange)> body) {
  int64_t whole = count / unroll * unroll;
  Values values(inits);
  if (whole)
    values =
        builder.forLoop(builder.i64(0), builder.i64(whole), builder.i64(unroll),
                        inits, [&](Value index, ValueRange carried) {
                          Values next(carried);
                          for (int64_t pass = 0; pass < unroll; ++pass)
                            next = body(index, pass, next);
                          return next;
                        });
  for (int64_t pass = 0; pass < count - whole; ++pass)
    values = body(builder.i64(whole), pass, values);
  return values;
}

std::pair<Value, Value> ssm::attention::splitPairs(KernelBuilder &b,
                                                   Value pairs) {
  Value even = b.shiftLeft(pairs, 16);
  Value odd = b.bitAnd(pairs, b.constant(pairs.getType(), int64_t(-65536)));
  return {b.bitcast(even, b.getF32Type()), b.bitcast(odd, b.getF32Type())};
}

/// Part `part` of `parts` equal parts of `bytes` of memory, for a loop of
/// `steps`.
Ahead AttentionEmitter::share(Value memory, int64_t bytes, Value part,
                              int64_t parts, int64_t steps) {
  if (steps == 0)
    return {};
  int64_t lines = llvm::divideCeil(bytes, parts * steps * kLineBytes);
  Value offset = builder.mul(part, lines * steps * kLineBytes);
  return {builder.atByte(memory, offset), lines};
}

/// Prefetches the share of the step at `index` of a loop.
void AttentionEmitter::prefetch(const Ahead &ahead, Value index,
                                int64_t indexStep) {
  if (!ahead.address)
    return;
  Value offset = builder.mul(index, ahead.lines * kLineBytes / indexStep);
  Value address = builder.atByte(ahead.address, offset);
  for (int64_t line = 0; line < ahead.lines; ++line)
    LLVM::Prefetch::create(builder, builder.atByte(address, line * kLineBytes),
                           /*rw=*/0, /*hint=*/2, /*cache=*/1);
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
    Value panel =
        shape.pairedKeys()
            ? b.at(page.keys, b.mul(token, shape.keyDim), b.getBF16Type())
            : b.at(page.keys, b.mul(token, shape.keyDim));
    b.forLoop(firstRow, tile.rows, shape.blockRows, [&](Value row) {
      Value queries = b.at(memory(scratch.query), b.mul(row, shape.paddedDim));
      Ahead ahead;
      if (shape.prefetches()) {
        Value part = b.add(b.mul(b.div(token, tokens), shape.rowBlocks()),
                           b.div(row, shape.blockRows));
        ahead = share(page.values, shape.valueBytes(), part,
                      kPageTokens / tokens * shape.rowBlocks(),
                      shape.headDim / kUnroll);
      }
      Values scores = scoreBlock(queries, panel, ahead);
      Value target =
          b.at(memory(scratch.scores), b.add(b.mul(row, kPageTokens), token));
      for (int64_t r = 0; r < shape.blockRows; ++r)
        for (int64_t v = 0; v < shape.scoreVectors(); ++v)
          b.store(scores[r * shape.scoreVectors() + v],
                  b.at(target, r * kPageTokens + v * shape.lanes));
    });
  });
}

/// Scores of a block of rows, [row][vector of keys].
Values AttentionEmitter::scoreBlock(Value queries, Value panel,
                                    const Ahead &ahead) {
  KernelBuilder &b = builder;
  int64_t vectors = shape.scoreVectors(), rows = shape.blockRows;
  int64_t perPanel = kPanelTokens / shape.lanes;
  Values sums(rows * vectors, b.splat(0));
  auto numbers = [&](Value address, int64_t dim) {
    Values result;
    for (int64_t r = 0; r < rows; ++r)
      result.push_back(
          b.broadcast(b.loadScalar(b.at(address, r * shape.paddedDim + dim))));
    return result;
  };
  auto accumulate = [&](Values &next, const Values &query, int64_t v,
                        Value keys) {
    for (int64_t r = 0; r < rows; ++r)
      next[r * vectors + v] = b.fma(query[r], keys, next[r * vectors + v]);
  };
  // Offset of vector `v` of keys in numbers (or pairs) of 4 bytes.
  int64_t panelSize =
      kPanelTokens * shape.keyDim / (shape.pairedKeys() ? 2 : 1);
  auto offset = [&](int64_t v) {
    return v / perPanel * panelSize + v % perPanel * shape.lanes;
  };
  if (!shape.pairedKeys())
    return unrolled(
        shape.headDim, kUnroll, sums,
        [&](Value dim, int64_t pass, ValueRange carried) {
          Values next(carried);
          if (pass == 0)
            prefetch(ahead, dim, kUnroll);
          Values query = numbers(b.at(queries, dim), pass);
          Value keys = b.at(panel, b.mul(dim, kPanelTokens));
          for (int64_t v = 0; v < vectors; ++v) {
            Value address = b.at(keys, pass * kPanelTokens + offset(v));
            accumulate(next, query, v, b.load(address, b.vectorF32()));
          }
          return next;
        });
  Type pairType = b.vectorOf(b.getI32Type(), shape.lanes);
  return unrolled(shape.keyDim / 2, kPairUnroll, sums,
                  [&](Value pair, int64_t pass, ValueRange carried) {
                    Values next(carried);
                    if (pass == 0)
                      prefetch(ahead, pair, kPairUnroll);
                    Value address = b.at(queries, b.mul(pair, 2));
                    Values even = numbers(address, 2 * pass);
                    Values odd = numbers(address, 2 * pass + 1);
                    Value keys =
                        b.at(panel, b.mul(pair, kPanelTokens), b.getI32Type());
                    for (int64_t v = 0; v < vectors; ++v) {
                      int64_t index = pass * kPanelTokens + offset(v);
                      Value pairs =
                          b.load(b.at(keys, index, b.getI32Type()), pairType);
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
        Ahead ahead;
        if (shape.prefetches()) {
          Value part = b.add(b.mul(b.div(row, shape.blockRows), whole), index);
          ahead = share(page.nextKeys, shape.keyBytes(), part,
                        shape.rowBlocks() * whole, kPageTokens / kUnroll);
        }
        valueBlock(row, b.mul(index, width), shape.valueVectors, 0, page,
                   firstKey, endKey, ahead);
      });
    if (rest)
      valueBlock(row, b.i64(whole * width), llvm::divideCeil(rest, shape.lanes),
                 rest % shape.lanes, page, firstKey, endKey, {});
  };
  b.forLoop(b.i64(0), tile.rows, shape.blockRows, rowBlock);
}

/// Adds the values of keys firstKey .. endKey to a block of rows x `vectors`
/// registers of columns. With `tail` the last register has so many columns.
void AttentionEmitter::valueBlock(Value row, Value firstColumn, int64_t vectors,
                                  int64_t tail, const Page &page,
                                  Value firstKey, Value endKey,
                                  const Ahead &ahead) {
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
      factors.push_back(
          b.broadcast(b.loadScalar(b.at(weight, r * kPageTokens + pass))));
    Value line = b.at(page.values,
                      b.add(b.mul(key, valueStride()), firstColumn), element);
    for (int64_t v = 0; v < vectors; ++v) {
      Value address =
          b.at(line, pass * valueStride() + v * shape.lanes, element);
      Value values =
          b.loadFloats(address, element, v + 1 == vectors ? count : Value());
      for (int64_t r = 0; r < rows; ++r)
        next[r * vectors + v] =
            b.fma(factors[r], values, next[r * vectors + v]);
    }
    return next;
  };
  Value keys = b.sub(endKey, firstKey);
  Value middle = b.sub(endKey, b.rem(keys, kUnroll));
  sums = b.forLoop(firstKey, middle, b.i64(kUnroll), sums,
                   [&](Value key, ValueRange carried) {
                     Values next(carried);
                     prefetch(ahead, key, kUnroll);
                     for (int64_t pass = 0; pass < kUnroll; ++pass)
                       next = addKey(key, pass, next);
                     return next;
                   });
  sums = b.forLoop(
      middle, endKey, b.i64(1), sums,
      [&](Value key, ValueRange carried) { return addKey(key, 0, carried); });
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      b.store(sums[r * vectors + v], output(r, v));
}
