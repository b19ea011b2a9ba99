//===- EmitKvAppend.cpp - Kernel of kern.kv_append ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block has some heads of one row. Angles are counted in turns: position
// times the frequency as a 64-bit fraction of a turn, modulo 2^64, is exact at
// every position. Then
//
//   q heads   rotated, times query_scale, to the result rows
//   k heads   rotated, to one lane of a panel of keys in the row's page
//   v heads   to one line of the page
//
// A page of keys is [heads][64 / 32][d / pair][32][pair], one of values
// [heads][64][d].
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Cache.h"
#include "codegen/gpu/Emitters.h"
#include "codegen/gpu/Rotation.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

static constexpr int64_t kBlock = 128;
/// Pairs or single dimensions of a thread.
static constexpr int64_t kThreadItems = 4;

namespace {
class KvAppendKernel {
public:
  KvAppendKernel(TileBuilder &builder, kern::KvAppendOp op)
      : b(builder), op(op), pages(op.getKeyCache().getType()),
        rotation(builder, op.getRopeAttr(), pages.headDim) {
    int64_t columns = op.getResult().getType().getDimSize(1);
    heads = columns / pages.headDim;
    blockHeads = std::clamp<int64_t>(kBlock * kThreadItems / rotation.items(),
                                     1, heads + 2 * pages.heads);
  }

  KernelInfo emit(ModuleOp module, StringRef name);

private:
  void emitItem(Value head, Value item);
  void storeQuery(Value head, Value dim, Value number);
  void storeKey(Value head, Value dim, Value number);
  void storeValue(Value head, Value dim, Value number);

  TileBuilder &b;
  kern::KvAppendOp op;
  CachePages pages;
  Rotation rotation;
  int64_t heads, blockHeads;

  Rows input, result;
  Value row, position, token, keyPage, valuePage;
};
} // namespace

KernelInfo KvAppendKernel::emit(ModuleOp module, StringRef name) {
  KernelArgs args(b, b.startKernel(module, name, kBlock));
  input = args.rows(op.getInput());
  Sequences sequences = args.sequences();
  Pool keys = args.pool(), values = args.pool();
  result = args.rows(op.getResult());
  args.integer();

  int64_t allHeads = heads + 2 * pages.heads;
  int64_t parts = llvm::divideCeil(allHeads, blockHeads);
  row = b.div(b.blockId(), parts);
  Value firstHead = b.mul(b.rem(b.blockId(), parts), blockHeads);
  position = sequences.rowPosition(row);
  token = b.rem(position, kPageTokens);
  Value page =
      sequences.page(sequences.rowSequence(row), b.div(position, kPageTokens));
  keyPage = keys.slot(b, page, pages.element);
  valuePage = values.slot(b, page, pages.element);
  rotation.prepare(position);
  int64_t items = rotation.items();
  b.forThreads(blockHeads * items, [&](Value index) {
    Value head = b.add(firstHead, b.div(index, items));
    b.ifThen(b.less(head, allHeads),
             [&] { emitItem(head, b.rem(index, items)); });
  });
  b.finishKernel();
  AffineExpr rows = symbolOf(CallSymbol::Rows, op.getContext());
  return {name.str(), rows * parts};
}

/// The dimensions of an item of a head.
void KvAppendKernel::emitItem(Value head, Value item) {
  Value source = input.row(b, row);
  Value column = b.mul(head, pages.headDim);
  auto load = [&](Value dim) {
    return b.loadFloats(source, b.add(column, dim));
  };
  Value isQuery = b.less(head, heads);
  Value isKey = b.less(head, heads + pages.heads);
  auto storeAll = [&](ArrayRef<Value> dims, Values numbers, Values rotated) {
    b.ifElse(
        isQuery,
        [&] {
          for (auto [dim, number] : llvm::zip(dims, rotated))
            storeQuery(head, dim, number);
        },
        [&] {
          b.ifElse(
              isKey,
              [&] {
                for (auto [dim, number] : llvm::zip(dims, rotated))
                  storeKey(b.sub(head, heads), dim, number);
              },
              [&] {
                for (auto [dim, number] : llvm::zip(dims, numbers))
                  storeValue(b.sub(head, heads + pages.heads), dim, number);
              });
        });
  };
  rotation.apply(item, load, storeAll);
}

void KvAppendKernel::storeQuery(Value head, Value dim, Value number) {
  double scale = op.getQueryScale().convertToDouble();
  b.storeFloats(scale == 1 ? number : b.mul(number, b.f32(scale)),
                result.row(b, row), b.add(b.mul(head, pages.headDim), dim));
}

void KvAppendKernel::storeKey(Value head, Value dim, Value number) {
  b.storeFloats(number, keyPage, pages.keyIndex(b, head, token, dim));
}

void KvAppendKernel::storeValue(Value head, Value dim, Value number) {
  b.storeFloats(number, valuePage, pages.valueIndex(b, head, token, dim));
}

KernelInfos ssm::gpu::emitKvAppend(kern::KvAppendOp op, StringRef name,
                                   const Target &target, ModuleOp module) {
  TileBuilder builder(op.getLoc(), target);
  return SmallVector<KernelInfo>{
      KvAppendKernel(builder, op).emit(module, name)};
}
