//===- EmitAttention.cpp - Attention over the key and value cache ---------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A unit of work attends from a tile of query rows to the pages of one
// key/value head. In the prefill form the tile is up to 64 rows of one query
// head, each one position further than the row before; in the decode form it is
// the query heads that share the key/value head, all at one position. Nothing
// else differs, so the forms agree bit for bit.
//
// Per page of 64 keys:
//
//   scores  s[r, j] = q[r] . k[j]          blocks of rows x 32 keys in
//   registers softmax m', p = 2^(s - m'), l, 2^(m - m')   row by row, masked
//   values  o[r] = 2^(m - m') o[r] + sum_j p[r, j] v[j]    blocks of rows x
//   columns
//
// Pages start at multiples of 64 in absolute positions, and every sum runs in
// increasing order over dimensions or keys. Keys that a row does not see have
// p = 0 and add nothing, so the bits of a row do not depend on the other rows.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Attention.h"

using namespace mlir;
using namespace ssm;
using namespace ssm::attention;

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

//===----------------------------------------------------------------------===//
// Units
//===----------------------------------------------------------------------===//

/// Later tiles see more keys: units count down, so that the longest start
/// first.
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
  Value keyOffset = b.mul(tile.kvHead, shape.keyBytes());
  Value valueOffset = b.mul(tile.kvHead, shape.valueBytes());
  b.forLoop(firstPage, endPage, 1, [&](Value number) {
    Value index = sequences.page(tile.sequence, number);
    Page page;
    page.keys = b.atByte(keys.slot(b, index), keyOffset);
    page.values = b.atByte(values.slot(b, index), valueOffset);
    page.distance = b.sub(tile.position, b.mul(number, kPageTokens));
    page.count =
        b.min(b.add(b.add(page.distance, last), 1), b.i64(kPageTokens));
    if (shape.prefetches()) {
      Value next = b.min(b.add(number, 1), b.sub(endPage, 1));
      Value nextIndex = sequences.page(tile.sequence, next);
      page.nextKeys = b.atByte(keys.slot(b, nextIndex), keyOffset);
    }
    if (shape.staged)
      page = stage(page);
    emitScores(tile, page);
    emitSoftmax(tile, page);
    emitValues(tile, page);
  });
  storeResult(tile);
}

/// Copies the queries to scratch as f32, padded with zeros, and clears the
/// state of the rows.
void AttentionEmitter::loadQueries(const Tile &tile) {
  KernelBuilder &b = builder;
  Type element =
      cast<RankedTensorType>(op.getQuery().getType()).getElementType();
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

void AttentionEmitter::storeResult(const Tile &tile) {
  KernelBuilder &b = builder;
  Type element =
      cast<RankedTensorType>(op.getResult().getType()).getElementType();
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
