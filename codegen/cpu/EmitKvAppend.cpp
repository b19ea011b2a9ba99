//===- EmitKvAppend.cpp - Rotation of q and k, and writes to the cache ----===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A unit is one row. Angles are counted in turns: position times the frequency
// as a 64-bit fraction of a turn, modulo 2^64, is exact at every position. Then
//
//   q heads   rotated, times query_scale, to the result rows
//   k heads   rotated, to one lane of a panel of keys in the row's page
//   v heads   to one line of the page
//
//===----------------------------------------------------------------------===//

#include "codegen/VectorMath.h"
#include "codegen/cpu/Emitters.h"
#include "codegen/cpu/KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace ssm;

namespace {

constexpr int64_t kPageTokens = 64;
constexpr int64_t kPanelTokens = 32;

class KvAppendEmitter {
public:
  KvAppendEmitter(kern::KvAppendOp op, const Target &target)
      : op(op), builder(op.getLoc(), target) {
    RankedTensorType cache = op.getKeyCache().getType();
    kvHeads = cache.getDimSize(1);
    headDim = cache.getDimSize(3);
    heads = cast<RankedTensorType>(op.getResult().getType()).getDimSize(1) /
            headDim;
    cacheElement = cache.getElementType();
    pair = cacheElement.isF32() ? 1 : 2;
    keyDim = llvm::alignTo(headDim, pair);
    paddedDim = llvm::alignTo(headDim, target.lanes);
    if (ssm::RopeAttr rope = op.getRopeAttr())
      half = rope.getDims() / 2;
    paddedHalf = llvm::alignTo(half, target.lanes);
  }

  KernelInfo emit(StringRef name, ModuleOp module);

private:
  void emitRow(Value row, Rows input, Sequences sequences, Pool keys,
               Pool values, Rows result);
  LLVM::GlobalOp createFrequencies(StringRef name, ModuleOp module);
  void emitAngles(Value position);
  void rotateHead(Value source, Type element);
  void storeKey(Value target);
  void copyHead(Value source, Type from, Value target, Type to, double scale);

  Value sines() { return scratch; }
  Value cosines() { return builder.at(scratch, paddedHalf); }
  /// A head as f32, rotated.
  Value head() { return builder.at(scratch, 2 * paddedHalf); }
  /// The head as it goes into the cache.
  Value narrowHead() { return builder.at(scratch, 2 * paddedHalf + paddedDim); }
  int64_t scratchFloats() { return 2 * (paddedHalf + paddedDim) + 2; }

  kern::KvAppendOp op;
  KernelBuilder builder;
  int64_t heads, kvHeads, headDim, keyDim, paddedDim, pair;
  /// Rotated pairs of a head, and that rounded up to registers.
  int64_t half = 0, paddedHalf = 0;
  Type cacheElement;
  Value scratch;
  LLVM::GlobalOp frequencies;
};

} // namespace

/// The frequencies as fractions of a turn per position, times 2^64.
LLVM::GlobalOp KvAppendEmitter::createFrequencies(StringRef name,
                                                  ModuleOp module) {
  constexpr double kTwoPi = 6.283185307179586476925;
  SmallVector<int64_t> turns;
  for (double frequency : op.getRopeAttr().frequencies()) {
    double fraction = std::fmod(frequency / kTwoPi, 1.0);
    turns.push_back(int64_t(uint64_t(std::ldexp(fraction, 64))));
  }
  turns.resize(paddedHalf);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMArrayType::get(builder.getI64Type(), paddedHalf);
  return LLVM::GlobalOp::create(
      builder, type, /*isConstant=*/true, LLVM::Linkage::Internal,
      (name + ".turns").str(), builder.getI64TensorAttr(turns),
      /*alignment=*/64);
}

KernelInfo KvAppendEmitter::emit(StringRef name, ModuleOp module) {
  KernelBuilder &b = builder;
  ssm::Kernel kernel = b.startKernel(module, name);
  if (half)
    frequencies = createFrequencies(name, module);
  scratch = kernel.scratch;
  KernelArgs args(b, kernel.args);
  Rows input = args.rows(op.getInput());
  Sequences sequences = args.sequences();
  Pool keys = args.pool(), values = args.pool();
  Rows result = args.rows(op.getResult());
  b.forLoop(kernel.begin, kernel.end, 1, [&](Value row) {
    emitRow(row, input, sequences, keys, values, result);
  });
  b.finishKernel();

  MLIRContext *context = module.getContext();
  KernelInfo info;
  info.name = name.str();
  info.grid = getAffineSymbolExpr(unsigned(CallSymbol::Rows), context);
  info.scratch = getAffineConstantExpr(scratchFloats() * 4, context);
  return info;
}

void KvAppendEmitter::emitRow(Value row, Rows input, Sequences sequences,
                              Pool keys, Pool values, Rows result) {
  KernelBuilder &b = builder;
  Value sequence = sequences.rowSequence(row);
  Value position = sequences.rowPosition(row);
  Value page = sequences.page(sequence, b.div(position, kPageTokens));
  Value token = b.rem(position, kPageTokens);
  Value panel = b.div(token, kPanelTokens), lane = b.rem(token, kPanelTokens);
  if (half)
    emitAngles(position);

  Value source = input.row(b, row), target = result.row(b, row);
  b.forLoop(heads, 1, [&](Value index) {
    Value column = b.mul(index, headDim);
    rotateHead(b.at(source, column, input.element), input.element);
    copyHead(head(), b.getF32Type(), b.at(target, column, result.element),
             result.element, op.getQueryScale().convertToDouble());
  });
  // [kvHeads][panel][keyDim / pair][lane][pair]
  Value keyPage = keys.slot(b, page);
  Value keyOffset =
      b.add(b.mul(panel, keyDim * kPanelTokens), b.mul(lane, pair));
  b.forLoop(kvHeads, 1, [&](Value index) {
    Value column = b.mul(b.add(index, heads), headDim);
    rotateHead(b.at(source, column, input.element), input.element);
    Value offset = b.add(b.mul(index, keyDim * kPageTokens), keyOffset);
    storeKey(b.at(keyPage, offset, cacheElement));
  });
  // [kvHeads][token][headDim]
  Value valuePage = values.slot(b, page);
  b.forLoop(kvHeads, 1, [&](Value index) {
    Value column = b.mul(b.add(index, heads + kvHeads), headDim);
    Value offset = b.mul(b.add(b.mul(index, kPageTokens), token), headDim);
    copyHead(b.at(source, column, input.element), input.element,
             b.at(valuePage, offset, cacheElement), cacheElement, 1);
  });
}

void KvAppendEmitter::emitAngles(Value position) {
  KernelBuilder &b = builder;
  Value table = LLVM::AddressOfOp::create(b, frequencies);
  Type wide = b.vectorOf(b.getI64Type(), b.lanes());
  Value positions = b.broadcast(position);
  b.forLoop(paddedHalf, b.lanes(), [&](Value index) {
    Value turns = b.load(b.at(table, index, b.getI64Type()), wide);
    Value angle = b.shiftRight(b.mul(turns, positions), 32);
    Value narrow = arith::TruncIOp::create(
        b, b.vectorOf(b.getI32Type(), b.lanes()), angle);
    auto [sine, cosine] = sinCosOfTurns(b, narrow);
    b.store(sine, b.at(sines(), index));
    b.store(cosine, b.at(cosines(), index));
  });
}

/// Copies a head to scratch as f32 and rotates dimensions i and i + half.
void KvAppendEmitter::rotateHead(Value source, Type element) {
  KernelBuilder &b = builder;
  auto rotate = [&](Value index, int64_t width) {
    Type type = b.vectorOf(b.getF32Type(), width);
    Value second = b.add(index, half);
    Value x = b.loadFloats(b.at(source, index, element), element, width);
    Value y = b.loadFloats(b.at(source, second, element), element, width);
    Value sine = b.load(b.at(sines(), index), type);
    Value cosine = b.load(b.at(cosines(), index), type);
    b.store(b.fma(x, cosine, b.neg(b.mul(y, sine))), b.at(head(), index));
    b.store(b.fma(y, cosine, b.mul(x, sine)), b.at(head(), second));
  };
  int64_t whole = half / b.lanes() * b.lanes();
  if (whole)
    b.forLoop(whole, b.lanes(), [&](Value index) { rotate(index, b.lanes()); });
  b.forLoop(b.i64(whole), b.i64(half), 1,
            [&](Value index) { rotate(index, 0); });
  for (int64_t d = 2 * half; d < headDim; d += b.lanes()) {
    Value count = b.i64(std::min(b.lanes(), headDim - d));
    Value part = b.loadFloats(b.at(source, d, element), element, count);
    b.storeFloats(part, b.at(head(), d), count);
  }
}

/// Writes the head in scratch to one lane of a panel of keys.
void KvAppendEmitter::storeKey(Value target) {
  KernelBuilder &b = builder;
  if (pair == 1) {
    b.forLoop(b.i64(0), b.i64(headDim), 1, [&](Value dim) {
      b.store(b.loadScalar(b.at(head(), dim)),
              b.at(target, b.mul(dim, kPanelTokens)));
    });
    return;
  }
  // A pair of bf16 is written as one i32; an odd dimension is padded with zero.
  copyHead(head(), b.getF32Type(), narrowHead(), cacheElement, 1);
  if (keyDim != headDim)
    b.store(b.constant(b.getI16Type(), 0),
            b.at(narrowHead(), headDim, b.getI16Type()));
  Type i32 = b.getI32Type();
  b.forLoop(b.i64(0), b.i64(keyDim / 2), 1, [&](Value index) {
    Value numbers = b.load(b.at(narrowHead(), index, i32), i32);
    b.store(numbers, b.at(target, b.mul(index, kPanelTokens), i32), 2);
  });
}

/// Copies a head times `scale` between element types.
void KvAppendEmitter::copyHead(Value source, Type from, Value target, Type to,
                               double scale) {
  KernelBuilder &b = builder;
  auto copy = [&](Value index, Value count) {
    Value part = b.loadFloats(b.at(source, index, from), from, count);
    if (scale != 1)
      part = b.mul(part, b.splat(scale));
    b.storeFloats(part, b.at(target, index, to), to, count);
  };
  int64_t whole = headDim / b.lanes() * b.lanes();
  if (whole)
    b.forLoop(whole, b.lanes(), [&](Value index) { copy(index, {}); });
  if (whole < headDim)
    copy(b.i64(whole), b.i64(headDim - whole));
}

KernelInfos ssm::emitKvAppend(kern::KvAppendOp op, StringRef name,
                              const Target &target, ModuleOp module) {
  return SmallVector<KernelInfo>{
      KvAppendEmitter(op, target).emit(name, module)};
}
