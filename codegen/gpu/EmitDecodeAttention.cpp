//===- EmitDecodeAttention.cpp - Attention of one row per sequence --------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block is one key/value head of one sequence, with the query heads that
// share it as rows. Panels of 32 keys are dealt to its warps by their absolute
// number:
//
//   scores   lanes are keys; the queries come out of shared memory
//   softmax  the maximum over the lanes; every lane sums its own keys
//   values   lanes are dimensions; probabilities come by shuffles
//
// In the end the warps' outputs are joined in the order of the warps, so a
// row's bits depend on its position only.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/DecodeAttention.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

static constexpr int64_t kWarps = 8;
/// Registers that a lane may spend on outputs.
static constexpr int64_t kMaxOutputs = 64, kMaxRows = 16;
/// Dimensions of keys, and values, whose loads are under way together.
static constexpr int64_t kDimUnroll = 8, kKeyUnroll = 4;

void DecodeKernel::choose() {
  constexpr int64_t kLanes = tile::kWarpLanes;
  width = headDim % (4 * kLanes) == 0 ? 4 : headDim % (2 * kLanes) == 0 ? 2 : 1;
  vectors = llvm::divideCeil(headDim, kLanes * width);
  int64_t most =
      std::clamp<int64_t>(kMaxOutputs / (vectors * width), 1, kMaxRows);
  parts = llvm::divideCeil(group, most);
  rows = llvm::divideCeil(group, parts);
  queryDim = llvm::alignTo(headDim, 4);
}

KernelInfo DecodeKernel::emit(ModuleOp module, StringRef name) {
  constexpr int64_t kBlock = kWarps * tile::kWarpLanes;
  Sequences sequences = addArguments(b.startKernel(module, name, kBlock));
  queries = b.allocShared(rows * queryDim);
  maxima = b.allocShared(kWarps * rows);
  sums = b.allocShared(kWarps * rows);
  outputs = b.allocShared(kWarps * rows * headDim);

  int64_t blocks = pages.heads * parts;
  Value sequence = b.div(b.blockId(), blocks);
  Value unit = b.rem(b.blockId(), blocks);
  kvHead = b.div(unit, parts);
  firstHead = b.add(b.mul(kvHead, group), b.mul(b.rem(unit, parts), rows));
  position = sequences.position(sequence);
  begin = firstKey(position);
  Value row = sequences.firstRow(sequence);
  loadQueries(sequences, sequence, row);
  b.barrier();
  joinWarps(emitPanels(sequences, sequence), row);
  b.finishKernel();
  AffineExpr all = symbolOf(CallSymbol::Sequences, b.getContext());
  return {name.str(), all * blocks};
}

/// Rows behind the group repeat its last head.
void DecodeKernel::loadQueries(Sequences &, Value, Value row) {
  Value last = b.sub(b.mul(b.add(kvHead, 1), group), 1);
  b.forThreads(rows * queryDim, [&](Value index) {
    Value head = b.min(b.add(firstHead, b.div(index, queryDim)), last);
    Value dim = b.rem(index, queryDim);
    Value exists = queryDim == headDim ? Value() : b.less(dim, headDim);
    Value column = b.add(b.mul(head, headDim), dim);
    b.store(b.loadFloats(query.row(b, row), column, 0, exists), queries, index);
  });
}

/// Maxima, sums (of each lane) and outputs of the rows over the warp's panels.
Values DecodeKernel::emitPanels(Sequences &sequences, Value sequence) {
  Values running(rows, b.f32(kNoScore));
  running.append(rows, b.f32(0));
  running.append(rows * vectors, b.constant(vectorType(), 0));
  Value first = b.div(begin, kPanelTokens);
  Value skipped =
      b.rem(b.sub(b.add(b.warp(), kWarps), b.rem(first, kWarps)), kWarps);
  Value end = b.add(b.div(position, kPanelTokens), 1);
  return b.forLoop(b.add(first, skipped), end, b.i64(kWarps), running,
                   [&](Value panel, ValueRange carried) {
                     constexpr int64_t kPanels = kPageTokens / kPanelTokens;
                     Value page =
                         sequences.page(sequence, b.div(panel, kPanels));
                     return emitPanel(panel, page, Values(carried));
                   });
}

Values DecodeKernel::emitPanel(Value panel, Value page, Values running) {
  Value keyPage = keys.slot(b, page, pages.element);
  Value valuePage = values.slot(b, page, pages.element);
  Values scores = emitScores(keyPage, panel);
  ArrayRef<Value> old = running;
  Values nextMaxima, nextSums, weights, nextOutputs;
  for (int64_t r = 0; r < rows; ++r) {
    Value most = b.reduceWarp(tile::Combine::Max, scores[r]);
    Value maximum = b.max(old[r], most);
    Value correction = b.exp2(b.sub(old[r], maximum));
    Value weight = b.exp2(b.sub(scores[r], maximum));
    nextMaxima.push_back(maximum);
    nextSums.push_back(b.fma(old[rows + r], correction, weight));
    weights.push_back(weight);
    for (int64_t v = 0; v < vectors; ++v)
      nextOutputs.push_back(b.mul(old[2 * rows + r * vectors + v], correction));
  }
  Values next = nextMaxima;
  next.append(nextSums);
  next.append(emitValues(valuePage, panel, weights, nextOutputs));
  return next;
}

/// Scores of the lane's key; masked ones where the rows do not see it.
Values DecodeKernel::emitScores(Value keyPage, Value panel) {
  constexpr int64_t kPanels = kPageTokens / kPanelTokens;
  Value key = b.add(b.mul(panel, kPanelTokens), b.lane());
  Value isSeen =
      b.both(b.less(key, b.add(position, 1)), b.less(begin, b.add(key, 1)));
  Value first = pages.panelIndex(b, kvHead, b.rem(panel, kPanels));
  SmallVector<Type> types(rows, b.getF32Type());
  auto compute = [&] {
    int64_t whole = headDim / kDimUnroll * kDimUnroll;
    Values sums(rows, b.f32(0));
    if (whole)
      sums = b.forLoop(b.i64(0), b.i64(whole), b.i64(kDimUnroll), sums,
                       [&](Value dim, ValueRange carried) {
                         return addDims(keyPage, first, dim, kDimUnroll,
                                        Values(carried));
                       });
    if (whole < headDim)
      sums = addDims(keyPage, first, b.i64(whole), headDim - whole, sums);
    return sums;
  };
  return b.ifElse(isSeen, types, compute,
                  [&] { return Values(rows, b.f32(kMasked)); });
}

/// Adds the products of `count` dimensions from `dim` on, a multiple of
/// kDimUnroll.
Values DecodeKernel::addDims(Value keyPage, Value first, Value dim,
                             int64_t count, Values sums) {
  Values numbers;
  for (int64_t i = 0; i < count; i += pages.pair) {
    Value line = b.add(first, b.mul(b.add(dim, i), kPanelTokens));
    Value place = b.add(line, b.mul(b.lane(), pages.pair));
    if (pages.pair == 1 || i + 1 == count) {
      numbers.push_back(b.loadFloats(keyPage, place));
      continue;
    }
    Value pair = b.loadFloats(keyPage, place, 2);
    numbers.append({b.lane(pair, 0), b.lane(pair, 1)});
  }
  constexpr int64_t kWidth = 4;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < count; i += kWidth) {
      Value index = b.add(dim, r * queryDim + i);
      Value query = b.load(queries, index, kWidth);
      for (int64_t j = i; j < std::min(i + kWidth, count); ++j)
        sums[r] = b.fma(b.lane(query, j - i), numbers[j], sums[r]);
    }
  return sums;
}

/// Adds the values of the panel's keys that the rows see.
Values DecodeKernel::emitValues(Value valuePage, Value panel,
                                ArrayRef<Value> weights, Values outputs) {
  constexpr int64_t kPanels = kPageTokens / kPanelTokens;
  Value key = b.mul(panel, kPanelTokens);
  Value lower = b.max(b.sub(begin, key), b.i64(0));
  Value upper = b.min(b.sub(b.add(position, 1), key), b.i64(kPanelTokens));
  Value firstToken = b.mul(b.rem(panel, kPanels), kPanelTokens);
  auto unrolled = [&](Value first, Value last, int64_t count, Values inits) {
    return b.forLoop(
        first, last, b.i64(count), inits, [&](Value key, ValueRange carried) {
          Values next(carried);
          SmallVector<Values> lines;
          for (int64_t i = 0; i < count; ++i)
            lines.push_back(
                loadValues(valuePage, b.add(firstToken, b.add(key, i))));
          for (int64_t i = 0; i < count; ++i)
            for (int64_t r = 0; r < rows; ++r) {
              Value weight = b.shuffleIndex(weights[r], b.add(key, i));
              for (int64_t v = 0; v < vectors; ++v) {
                Value &sum = next[r * vectors + v];
                sum = b.fma(lines[i][v], weight, sum);
              }
            }
          return next;
        });
  };
  Value middle = b.sub(upper, b.rem(b.sub(upper, lower), kKeyUnroll));
  outputs = unrolled(lower, middle, kKeyUnroll, outputs);
  return unrolled(middle, upper, 1, outputs);
}

Values DecodeKernel::loadValues(Value valuePage, Value token) {
  Values line;
  for (int64_t v = 0; v < vectors; ++v)
    line.push_back(b.loadFloats(valuePage,
                                pages.valueIndex(b, kvHead, token, dimOf(v)),
                                loadWidth(), dimMask(v)));
  return line;
}

void DecodeKernel::joinWarps(Values running, Value row) {
  Value firstOfWarp = b.mul(b.warp(), rows);
  for (int64_t r = 0; r < rows; ++r) {
    Value place = b.add(firstOfWarp, r);
    Value sum = b.reduceWarp(tile::Combine::Add, running[rows + r]);
    b.store(running[r], maxima, place, b.equal(b.lane(), 0));
    b.store(sum, sums, place, b.equal(b.lane(), 0));
    for (int64_t v = 0; v < vectors; ++v)
      b.store(running[2 * rows + r * vectors + v], outputs,
              b.add(b.mul(place, headDim), dimOf(v)), dimMask(v));
  }
  b.barrier();
  Value endHead = b.mul(b.add(kvHead, 1), group);
  b.forThreads(rows * headDim, [&](Value index) {
    Value r = b.div(index, headDim), dim = b.rem(index, headDim);
    auto placeOf = [&](int64_t warp) { return b.add(r, warp * rows); };
    Value maximum = b.load(maxima, placeOf(0));
    for (int64_t warp = 1; warp < kWarps; ++warp)
      maximum = b.max(maximum, b.load(maxima, placeOf(warp)));
    Value sum = b.f32(0), output = b.f32(0);
    for (int64_t warp = 0; warp < kWarps; ++warp) {
      Value place = placeOf(warp);
      Value factor = b.exp2(b.sub(b.load(maxima, place), maximum));
      sum = b.fma(b.load(sums, place), factor, sum);
      Value part = b.load(outputs, b.add(b.mul(place, headDim), dim));
      output = b.fma(part, factor, output);
    }
    Value head = b.add(firstHead, r);
    b.storeFloats(b.div(output, sum), result.row(b, row),
                  b.add(b.mul(head, headDim), dim), b.less(head, endHead));
  });
}

KernelInfo ssm::gpu::emitDecodeAttention(kern::AttentionOp op, StringRef name,
                                         TileBuilder &builder,
                                         ModuleOp module) {
  return DecodeKernel(builder, op).emit(module, name);
}

KernelInfos ssm::gpu::emitAttention(kern::AttentionOp op, StringRef name,
                                    const Target &target, ModuleOp module) {
  TileBuilder builder(op.getLoc(), target);
  bool isDecode = op.getForm() == kern::AttentionForm::Decode;
  return SmallVector<KernelInfo>{
      isDecode ? emitDecodeAttention(op, name, builder, module)
               : emitPrefillAttention(op, name, builder, module)};
}
