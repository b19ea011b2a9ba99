//===- EmitAttentionStep.cpp - Appends a token and attends to it ----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernel of decode attention, whose queries are rotated on their way to
// shared memory; the key and value of the row go to their page before. The
// block whose chunk has them appends them. It has all query heads of the key,
// so nobody else reads what it appends.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/DecodeAttention.h"
#include "codegen/gpu/Rotation.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

namespace {
class AttentionStepKernel : public DecodeKernel {
public:
  AttentionStepKernel(TileBuilder &builder, kern::AttentionStepOp op)
      : DecodeKernel(builder, op), op(op),
        rotation(builder, op.getRopeAttr(), headDim) {}

  /// Whether a block has all query heads of a key.
  bool isWhole() const { return parts == 1; }

protected:
  void loadQueries(Sequences &sequences, Value sequence, Value row) override;

private:
  void rotateQueries(Value source);
  void append(Value source, Value page);

  kern::AttentionStepOp op;
  Rotation rotation;
};
} // namespace

void AttentionStepKernel::loadQueries(Sequences &sequences, Value sequence,
                                      Value row) {
  rotation.prepare(position);
  Value source = query.row(b, row);
  rotateQueries(source);
  b.ifThen(hasLast, [&] {
    append(source, sequences.page(sequence, b.div(position, kPageTokens)));
  });
}

void AttentionStepKernel::rotateQueries(Value source) {
  Value scale = b.f32(op.getQueryScale().convertToDouble());
  // Rows behind the group repeat its last head.
  Value last = b.sub(b.mul(b.add(kvHead, 1), group), 1);
  int64_t items = rotation.items();
  b.forThreads(rows * items, [&](Value index) {
    Value inBlock = b.div(index, items);
    Value column = b.mul(b.min(b.add(firstHead, inBlock), last), headDim);
    Value line = b.mul(inBlock, queryDim);
    rotation.apply(
        b.rem(index, items),
        [&](Value dim) { return b.loadFloats(source, b.add(column, dim)); },
        [&](ArrayRef<Value> dims, Values, Values rotated) {
          for (auto [dim, number] : llvm::zip(dims, rotated)) {
            Value scaled = b.mul(number, scale);
            b.store(b.widen(b.narrow(scaled, op.getRounded())), queries,
                    b.add(line, dim));
          }
        });
  });
  int64_t padding = queryDim - headDim;
  if (padding)
    b.forThreads(rows * padding, [&](Value index) {
      Value line = b.mul(b.div(index, padding), queryDim);
      Value dim = b.add(b.rem(index, padding), headDim);
      b.store(b.f32(0), queries, b.add(line, dim));
    });
}

void AttentionStepKernel::append(Value source, Value page) {
  Value keyPage = keys.slot(b, page, pages.element);
  Value valuePage = values.slot(b, page, pages.element);
  Value token = b.rem(position, kPageTokens);
  Value keyColumn = b.mul(b.add(kvHead, heads), headDim);
  Value valueColumn = b.add(keyColumn, pages.heads * headDim);
  b.forThreads(rotation.items(), [&](Value item) {
    rotation.apply(
        item,
        [&](Value dim) { return b.loadFloats(source, b.add(keyColumn, dim)); },
        [&](ArrayRef<Value> dims, Values, Values rotated) {
          for (auto [dim, number] : llvm::zip(dims, rotated))
            b.storeFloats(number, keyPage,
                          pages.keyIndex(b, kvHead, token, dim));
        });
  });
  b.forThreads(headDim, [&](Value dim) {
    b.storeFloats(b.loadFloats(source, b.add(valueColumn, dim)), valuePage,
                  pages.valueIndex(b, kvHead, token, dim));
  });
}

KernelInfos ssm::gpu::emitAttentionStep(kern::AttentionStepOp op,
                                        StringRef name, const Target &target,
                                        ModuleOp module) {
  TileBuilder builder(op.getLoc(), target);
  AttentionStepKernel kernel(builder, op);
  if (!kernel.isWhole())
    return op.emitError("expected a key's query heads to fit a block, run "
                        "--kern-fuse-step-attention for fewer");
  return SmallVector<KernelInfo>{kernel.emit(module, name)};
}
