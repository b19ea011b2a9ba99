//===- KernelMemory.cpp - Loads, stores and ABI slots of CPU kernels ------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "runtime/SeqTable.h"

using namespace mlir;
using namespace ssm;

static constexpr int64_t kCacheLineBytes = 64;

static int64_t bytesOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  return isa<LLVM::LLVMPointerType>(element)
             ? 8
             : (element.getIntOrFloatBitWidth() + 7) / 8;
}

//===----------------------------------------------------------------------===//
// Addresses, loads, stores
//===----------------------------------------------------------------------===//

Value KernelBuilder::at(Value pointer, Value index, Type element) {
  IntegerAttr known;
  if (matchPattern(index, m_Constant(&known)))
    return at(pointer, known.getInt(), element);
  return LLVM::GEPOp::create(*this, pointerType(), element, pointer,
                             ArrayRef<LLVM::GEPArg>{index},
                             LLVM::GEPNoWrapFlags::inbounds);
}

Value KernelBuilder::at(Value pointer, int64_t index, Type element) {
  if (index == 0)
    return pointer;
  if (llvm::isInt<32>(index))
    return LLVM::GEPOp::create(
        *this, pointerType(), element, pointer,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)},
        LLVM::GEPNoWrapFlags::inbounds);
  return LLVM::GEPOp::create(*this, pointerType(), element, pointer,
                             ArrayRef<LLVM::GEPArg>{i64(index)},
                             LLVM::GEPNoWrapFlags::inbounds);
}

Value KernelBuilder::load(Value pointer, Type type, int64_t alignment) {
  return LLVM::LoadOp::create(*this, type, pointer,
                              alignment ? alignment : bytesOf(type));
}

void KernelBuilder::store(Value value, Value pointer, int64_t alignment) {
  LLVM::StoreOp::create(*this, value, pointer,
                        alignment ? alignment : bytesOf(value.getType()));
}

Value KernelBuilder::stackTile(int64_t bytes) {
  InsertionGuard guard(*this);
  auto function =
      getInsertionBlock()->getParentOp()->getParentOfType<func::FuncOp>();
  if (!function)
    function = cast<func::FuncOp>(getInsertionBlock()->getParentOp());
  setInsertionPointToStart(&function.front());
  return LLVM::AllocaOp::create(*this, pointerType(), getI8Type(), i64(bytes),
                                kCacheLineBytes);
}

void KernelBuilder::prefetch(Value pointer) {
  LLVM::Prefetch::create(*this, pointer, /*rw=*/0, /*hint=*/3, /*cache=*/1);
}

void KernelBuilder::prefetchForWrite(Value pointer) {
  LLVM::Prefetch::create(*this, pointer, /*rw=*/1, /*hint=*/3, /*cache=*/1);
}

/// How many lanes exist, when that is known now.
static std::optional<int64_t> knownCount(Value count) {
  IntegerAttr known;
  if (matchPattern(count, m_Constant(&known)))
    return known.getInt();
  return std::nullopt;
}

/// The first `count` of `width` elements, zeros behind them.
Value KernelBuilder::loadPart(Value pointer, Type element, int64_t width,
                              Value count) {
  Type type = vectorOf(element, width);
  int64_t bytes = bytesOf(element);
  if (bytes == 4 && target.maskedMemory)
    return LLVM::MaskedLoadOp::create(
        *this, type, pointer, laneMask(count, width), constant(type, 0),
        getI32IntegerAttr(static_cast<int32_t>(bytes)));
  if (std::optional<int64_t> known = knownCount(count)) {
    Value vector = constant(type, 0);
    for (int64_t i = 0; i < *known; ++i)
      vector = vector::InsertOp::create(
          *this, load(at(pointer, i, element), element), vector, i);
    return vector;
  }
  Value tile = stackTile(width * bytes);
  store(constant(type, 0), tile);
  forLoop(i64(0), count, 1, [&](Value i) {
    store(load(at(pointer, i, element), element), at(tile, i, element));
  });
  return load(tile, type);
}

void KernelBuilder::storePart(Value value, Value pointer, Value count) {
  auto type = cast<VectorType>(value.getType());
  Type element = type.getElementType();
  int64_t width = type.getNumElements(), bytes = bytesOf(element);
  if (bytes == 4 && target.maskedMemory) {
    LLVM::MaskedStoreOp::create(*this, value, pointer, laneMask(count, width),
                                static_cast<uint32_t>(bytes));
    return;
  }
  if (std::optional<int64_t> known = knownCount(count)) {
    for (int64_t i = 0; i < *known; ++i)
      store(lane(value, i), at(pointer, i, element));
    return;
  }
  Value tile = stackTile(width * bytes);
  store(value, tile);
  forLoop(i64(0), count, 1, [&](Value i) {
    store(load(at(tile, i, element), element), at(pointer, i, element));
  });
}

Value KernelBuilder::loadFloats(Value pointer, Type element, int64_t width,
                                Value count) {
  // 16-bit floats travel as integers.
  Type stored = element.isF32() ? element : Type(getI16Type());
  if (count && knownCount(count) == width)
    count = {};
  Value value = count ? loadPart(pointer, stored, width, count)
                      : load(pointer, vectorOf(stored, width));
  return widen(value, element);
}

void KernelBuilder::storeFloats(Value value, Value pointer, Type element,
                                Value count) {
  auto vector = dyn_cast<VectorType>(value.getType());
  if (count && vector && knownCount(count) == vector.getNumElements())
    count = {};
  Value narrowed = narrow(value, element);
  if (count)
    storePart(narrowed, pointer, count);
  else
    store(narrowed, pointer);
}

//===----------------------------------------------------------------------===//
// 16-bit floats
//===----------------------------------------------------------------------===//

static int64_t lanesOf(Value value) {
  auto type = dyn_cast<VectorType>(value.getType());
  return type ? type.getNumElements() : 0;
}

Value KernelBuilder::widen(Value value, Type element) {
  if (element.isF32())
    return value;
  int64_t count = lanesOf(value);
  if (element.isF16()) {
    Value half = bitcast(value, element);
    return arith::ExtFOp::create(*this, vectorOf(getF32Type(), count), half);
  }
  Value bits = bitcast(value, getI16Type());
  Value wide =
      arith::ExtUIOp::create(*this, vectorOf(getI32Type(), count), bits);
  return bitcast(shiftLeft(wide, 16), getF32Type());
}

Value KernelBuilder::narrow(Value value, Type element) {
  if (element.isF32())
    return value;
  int64_t count = lanesOf(value);
  // A scalar conversion to bf16 would call the compiler's library.
  if (element.isF16() || (target.convertBf16 && count))
    return bitcast(
        arith::TruncFOp::create(*this, vectorOf(element, count), value),
        getI16Type());
  Value bits = bitcast(value, getI32Type());
  Type type = bits.getType();
  // Round to nearest even: add half a unit, less one if the last bit kept is 0.
  Value odd = bitAnd(shiftRight(bits, 16), constant(type, 1));
  Value half = arith::AddIOp::create(*this, odd, constant(type, 0x7fff));
  Value rounded = arith::AddIOp::create(*this, bits, half);
  Value isNan = cmp(arith::CmpFPredicate::UNO, value, value);
  Value kept = select(isNan, bitOr(bits, constant(type, 0x00400000)), rounded);
  return arith::TruncIOp::create(*this, vectorOf(getI16Type(), count),
                                 shiftRight(kept, 16));
}

//===----------------------------------------------------------------------===//
// Slots of the kernel ABI
//===----------------------------------------------------------------------===//

Value Rows::row(KernelBuilder &builder, Value row) const {
  return builder.at(pointer, builder.mul(row, stride), element);
}

Value Pool::slot(KernelBuilder &builder, Value index) const {
  return builder.atByte(pointer, builder.mul(index, stride));
}

static_assert(offsetof(SeqTable, outputs) == 24 &&
                  offsetof(SeqTable, firstRow) == 32 &&
                  offsetof(SeqTable, slot) == 40 &&
                  offsetof(SeqTable, position) == 48 &&
                  offsetof(SeqTable, rowSequence) == 56 &&
                  offsetof(SeqTable, rowPosition) == 64 &&
                  offsetof(SeqTable, tileSequence) == 72 &&
                  offsetof(SeqTable, tileFirst) == 80 &&
                  offsetof(SeqTable, pages) == 88 &&
                  offsetof(SeqTable, maxPages) == 96 &&
                  offsetof(SeqTable, outputRow) == 104,
              "class Sequences reads these offsets");

Value Sequences::integer(int64_t offset) {
  return builder.load(builder.atByte(table, offset), builder.getI64Type());
}

Value Sequences::entry32(int64_t offset, Value index) {
  Value list =
      builder.load(builder.atByte(table, offset), builder.pointerType());
  Type element = builder.getI32Type();
  return builder.loadInteger(builder.at(list, index, element), element);
}

Value Sequences::entry64(int64_t offset, Value index) {
  Value list =
      builder.load(builder.atByte(table, offset), builder.pointerType());
  Type element = builder.getI64Type();
  return builder.load(builder.at(list, index, element), element);
}

Value Sequences::page(Value sequence, Value index) {
  Value row = builder.mul(sequence, integer(offsetof(SeqTable, maxPages)));
  return entry32(offsetof(SeqTable, pages), builder.add(row, index));
}

Value KernelArgs::next(Type type) {
  Value address = builder.atByte(args, 8 * slot++);
  return builder.load(address, type);
}

Value KernelArgs::pointer() { return next(builder.pointerType()); }
Value KernelArgs::integer() { return next(builder.getI64Type()); }

Rows KernelArgs::rows(Value rows) {
  auto type = cast<RankedTensorType>(rows.getType());
  Value address = pointer(), stride = integer();
  return {address, stride, type.getElementType(), type.getDimSize(1)};
}

Pool KernelArgs::pool() {
  Value address = pointer(), stride = integer();
  return {address, stride};
}
