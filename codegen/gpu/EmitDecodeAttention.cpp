//===- EmitDecodeAttention.cpp - Attention of one row per sequence --------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The keys of a row are cut into chunks, by its position alone. A block has
// some chunks of one key/value head of one sequence, with the query heads that
// share it as rows; how many blocks take turns at the chunks depends on the
// number of sequences, so that a grid has about as many blocks as the chip has
// multiprocessors. Panels of 32 keys of a chunk are dealt to the block's warps:
//
//   scores   lanes are keys; the queries come out of shared memory
//   softmax  the maximum over the lanes; every lane sums its own keys
//   values   lanes are dimensions; probabilities come by shuffles
//
// In the end of a chunk the warps' outputs are joined in the order of the
// warps. A row of one chunk is done; else each chunk goes to the scratch memory
// of the kernel, and the block that arrives last joins them in their order. So
// a row's bits depend on its position only. The scratch memory of a key/value
// head's rows, in floats, `C` = mostChunks:
//
//   counter of arrived blocks [8] | maxima [C][rows] | sums [C][rows] |
//   outputs [C][rows][headDim]
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
static constexpr int64_t kDimUnroll = 16, kKeyUnroll = 8;
/// Most chunks of a row: a lane each when they are joined.
static constexpr int64_t kMostChunks = tile::kWarpLanes;
/// Floats in front of the chunks of a row in scratch memory, and what its size
/// is a multiple of: a sector.
static constexpr int64_t kSectorFloats = 8;
/// Outputs of chunks whose loads are under way together.
static constexpr int64_t kChunkUnroll = 4;

/// Quotient of numbers from 0 to 2^31 - 1; 64 bits take ten times as long.
static Value quotient(TileBuilder &b, Value lhs, Value rhs) {
  auto narrow = [&](Value value) -> Value {
    return arith::TruncIOp::create(b, b.getI32Type(), value);
  };
  Value result = arith::DivUIOp::create(b, narrow(lhs), narrow(rhs));
  return arith::ExtUIOp::create(b, b.getI64Type(), result);
}

void DecodeKernel::choose() {
  constexpr int64_t kLanes = tile::kWarpLanes;
  width = headDim % (4 * kLanes) == 0 ? 4 : headDim % (2 * kLanes) == 0 ? 2 : 1;
  vectors = llvm::divideCeil(headDim, kLanes * width);
  int64_t most =
      std::clamp<int64_t>(kMaxOutputs / (vectors * width), 1, kMaxRows);
  parts = llvm::divideCeil(group, most);
  rows = llvm::divideCeil(group, parts);
  queryDim = llvm::alignTo(headDim, 4);
  units = pages.heads * parts;
  mostChunks = std::clamp<int64_t>(
      llvm::PowerOf2Ceil(llvm::divideCeil(b.target.multiprocessors, units)), 2,
      kMostChunks);
}

int64_t DecodeKernel::scratchFloats() const {
  return llvm::alignTo(kSectorFloats + mostChunks * rows * (2 + headDim),
                       kSectorFloats);
}

void DecodeKernel::allocateShared() {
  queries = b.allocShared(rows * queryDim);
  maxima = b.allocShared(kWarps * rows);
  sums = b.allocShared(kWarps * rows);
  outputs = b.allocShared(kWarps * rows * headDim);
  factors = b.allocShared(rows * kMostChunks);
  arrivals = b.allocShared(b.getI32Type(), 1);
}

/// What the block is to do. Blocks of the first chunks come first: those that
/// have no chunk are the last.
void DecodeKernel::takeBlock(Sequences &sequences) {
  Value count = sequences.sequences();
  splits = quotient(b, b.add(count, mostChunks - 1), count);
  Value all = b.mul(count, units);
  split = quotient(b, b.blockId(), all);
  Value number = b.sub(b.blockId(), b.mul(split, all));
  sequence = b.div(number, units);
  Value unit = b.rem(number, units);
  kvHead = b.div(unit, parts);
  firstHead = b.add(b.mul(kvHead, group), b.mul(b.rem(unit, parts), rows));
  position = sequences.position(sequence);

  Value memory = b.at(scratch, b.mul(number, scratchFloats()));
  counter = b.cast(memory, b.getI32Type());
  chunkMaxima = b.at(memory, kSectorFloats);
  chunkSums = b.at(chunkMaxima, mostChunks * rows);
  chunkOutputs = b.at(chunkSums, mostChunks * rows);
}

/// A chunk has a panel for each warp, or a multiple of that.
void DecodeKernel::findChunks() {
  begin = firstKey(position);
  firstPanel = b.div(begin, kPanelTokens);
  endPanel = b.add(b.div(position, kPanelTokens), 1);
  Value rounds = b.div(b.add(b.sub(endPanel, firstPanel), kWarps - 1), kWarps);
  Value ofChunk = b.div(b.add(rounds, mostChunks - 1), mostChunks);
  chunkPanels = b.mul(ofChunk, kWarps);
  chunks = quotient(b, b.sub(b.add(rounds, ofChunk), 1), ofChunk);
  Value last = b.sub(chunks, 1);
  Value turn = quotient(b, last, splits);
  hasLast =
      b.cmp(arith::CmpIPredicate::eq, b.sub(last, b.mul(turn, splits)), split);
}

KernelInfo DecodeKernel::emit(ModuleOp module, StringRef name) {
  constexpr int64_t kBlock = kWarps * tile::kWarpLanes;
  tile::FuncOp function = b.startKernel(module, name, kBlock);
  Sequences sequences = addArguments(function);
  scratch = KernelArgs(b, function).scratch();
  allocateShared();
  takeBlock(sequences);
  findChunks();
  // All threads of a block agree on what chunks there are.
  b.ifThen(b.less(split, chunks), [&] {
    Value row = sequences.firstRow(sequence);
    loadQueries(sequences, sequence, row);
    b.barrier();
    b.forLoop(split, chunks, splits, [&](Value chunk) {
      joinWarps(emitPanels(sequences, chunk), row, chunk);
      b.barrier();
    });
    b.ifThen(b.less(b.i64(1), chunks), [&] { joinChunks(row); });
  });
  b.finishKernel();

  MLIRContext *context = b.getContext();
  AffineExpr all = symbolOf(CallSymbol::Sequences, context) * units;
  AffineExpr most = getAffineConstantExpr(mostChunks, context);
  KernelInfo kernel{
      name.str(), all * most.ceilDiv(symbolOf(CallSymbol::Sequences, context))};
  kernel.scratch = all * (scratchFloats() * int64_t(sizeof(float)));
  return kernel;
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

/// Maxima, sums (of each lane) and outputs of the rows over the warp's panels
/// of a chunk.
Values DecodeKernel::emitPanels(Sequences &sequences, Value chunk) {
  Values running(rows, b.f32(kNoScore));
  running.append(rows, b.f32(0));
  running.append(rows * vectors, b.constant(vectorType(), 0));
  Value first = b.add(firstPanel, b.mul(chunk, chunkPanels));
  Value end = b.min(b.add(first, chunkPanels), endPanel);
  return b.forLoop(b.add(first, b.warp()), end, b.i64(kWarps), running,
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

void DecodeKernel::joinWarps(Values running, Value row, Value chunk) {
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
  Value isOnly = b.equal(chunks, 1);
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
    b.ifElse(
        isOnly, [&] { storeResult(row, index, b.div(output, sum)); },
        [&] {
          Value place = b.add(b.mul(chunk, rows), r);
          b.store(output, chunkOutputs, b.add(b.mul(place, headDim), dim));
          b.store(maximum, chunkMaxima, place, b.equal(dim, 0));
          b.store(sum, chunkSums, place, b.equal(dim, 0));
        });
  });
}

/// Stores number `index` of the block's rows, one after the other.
void DecodeKernel::storeResult(Value row, Value index, Value value) {
  Value head = b.add(firstHead, b.div(index, headDim));
  Value endHead = b.mul(b.add(kvHead, 1), group);
  b.storeFloats(value, result.row(b, row),
                b.add(b.mul(head, headDim), b.rem(index, headDim)),
                b.less(head, endHead));
}

void DecodeKernel::joinChunks(Value row) {
  Value isFirst = b.equal(b.threadId(), 0);
  b.ifThen(isFirst, [&] {
    b.fence();
    Value before = b.atomicAdd(b.i32(1), counter, b.i64(0));
    b.fence();
    b.store(before, arrivals, b.i64(0));
  });
  b.barrier();
  Value before = b.toI64(b.load(arrivals, b.i64(0)));
  Value others = b.sub(b.min(splits, chunks), 1);
  b.ifThen(b.cmp(arith::CmpIPredicate::eq, before, others), [&] {
    // Each warp learns by itself what the other blocks have written.
    b.ifThen(b.equal(b.lane(), 0), [&] {
      b.atomicAdd(b.i32(0), counter, b.i64(0));
      b.fence();
    });
    b.warpBarrier();
    weighChunks();
    b.barrier();
    b.store(b.i32(0), counter, b.i64(0), isFirst);
    b.forThreads(rows * headDim, [&](Value index) {
      Value r = b.div(index, headDim), dim = b.rem(index, headDim);
      Value last = b.sub(chunks, 1);
      auto addChunks = [&](Value first, ValueRange carried) {
        Values parts;
        for (int64_t i = 0; i < kChunkUnroll; ++i) {
          Value place = b.add(b.mul(b.min(b.add(first, i), last), rows), r);
          parts.push_back(
              b.load(chunkOutputs, b.add(b.mul(place, headDim), dim)));
        }
        Value sum = carried.front();
        for (int64_t i = 0; i < kChunkUnroll; ++i) {
          Value place = b.add(b.mul(r, kMostChunks), b.add(first, i));
          sum = b.fma(parts[i], b.load(factors, place), sum);
        }
        return Values{sum};
      };
      Value sum = b.forLoop(b.i64(0), chunks, b.i64(kChunkUnroll),
                            Values{b.f32(0)}, addChunks)
                      .front();
      storeResult(row, index, sum);
    });
  });
}

/// A lane is a chunk, 0 for those behind the last.
void DecodeKernel::weighChunks() {
  Value lane = b.lane(), exists = b.less(lane, chunks);
  b.forLoop(b.warp(), b.i64(rows), kWarps, [&](Value r) {
    Value place = b.add(b.mul(lane, rows), r);
    Value maximum = b.select(exists, b.load(chunkMaxima, place, 0, exists),
                             b.f32(kNoScore));
    Value most = b.reduceWarp(tile::Combine::Max, maximum);
    Value factor = b.exp2(b.sub(maximum, most));
    Value part = b.mul(b.load(chunkSums, place, 0, exists), factor);
    Value sum = b.reduceWarp(tile::Combine::Add, part);
    b.store(b.div(factor, sum), factors, b.add(b.mul(r, kMostChunks), lane));
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
