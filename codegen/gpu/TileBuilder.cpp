//===- TileBuilder.cpp - Builds the code of GPU kernels -------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/TileBuilder.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "runtime/SeqTable.h"

using namespace mlir;
using namespace ssm::gpu;

TileBuilder::TileBuilder(Location loc, const Target &target)
    : CodeBuilder(loc), target(target) {}

tile::FuncOp TileBuilder::startKernel(ModuleOp module, StringRef name,
                                      int64_t block, int64_t minBlocks) {
  setInsertionPointToEnd(module.getBody());
  blockThreads = block;
  auto function = tile::FuncOp::create(*this, name, block, minBlocks);
  setInsertionPointToStart(&function.getBody().emplaceBlock());
  return function;
}

void TileBuilder::finishKernel() { tile::ReturnOp::create(*this); }

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

Value TileBuilder::blockId() { return tile::BlockIdOp::create(*this); }
Value TileBuilder::threadId() { return tile::ThreadIdOp::create(*this); }
Value TileBuilder::lane() { return tile::LaneOp::create(*this); }
Value TileBuilder::warp() { return tile::WarpOp::create(*this); }

void TileBuilder::barrier() {
  tile::BarrierOp::create(*this, getI64IntegerAttr(0), IntegerAttr());
}
void TileBuilder::warpBarrier() { tile::WarpBarrierOp::create(*this); }
void TileBuilder::fence() { tile::FenceOp::create(*this); }

Value TileBuilder::shuffleXor(Value value, int64_t lanes) {
  return tile::ShuffleOp::create(*this, tile::Shuffle::Xor, value, i32(lanes));
}

Value TileBuilder::shuffleIndex(Value value, Value lane) {
  Value narrow = arith::TruncIOp::create(*this, getI32Type(), lane);
  return tile::ShuffleOp::create(*this, tile::Shuffle::Index, value, narrow);
}

Value TileBuilder::reduceWarp(tile::Combine combine, Value value, int64_t width,
                              int64_t stride) {
  if (width == 1)
    return value;
  return tile::ReduceWarpOp::create(*this, combine, value, width, stride);
}

Value TileBuilder::reduceBlock(tile::Combine combine, Value value,
                               Value scratch) {
  value = reduceWarp(combine, value);
  if (warps() == 1)
    return value;
  store(value, scratch, warp(), equal(lane(), 0));
  barrier();
  Value total = load(scratch, i64(0));
  for (int64_t warp = 1; warp < warps(); ++warp) {
    Value other = load(scratch, i64(warp));
    total = combine == tile::Combine::Add   ? add(total, other)
            : combine == tile::Combine::Max ? max(total, other)
                                            : min(total, other);
  }
  barrier();
  return total;
}

void TileBuilder::forThreads(Value count, function_ref<void(Value)> body) {
  forLoop(threadId(), count, i64(block()), body);
}

void TileBuilder::forThreads(int64_t count, function_ref<void(Value)> body) {
  if (count == block())
    return body(threadId());
  if (count < block())
    return ifThen(less(threadId(), count), [&] { body(threadId()); });
  forThreads(i64(count), body);
}

Value TileBuilder::accumulate(Value first, int64_t count, int64_t stride,
                              function_ref<Value(Value, Value)> term) {
  // Loads of a round are under way together.
  constexpr int64_t kRound = 8;
  int64_t whole = count / stride, looped = whole / kRound * kRound;
  auto addTerm = [&](Value sum, Value index, Value mask) {
    Value value = term(index, mask);
    if (mask)
      value = select(mask, value, f32(0));
    return add(sum, value);
  };
  Value sum = f32(0);
  if (looped)
    sum = forLoop(first, i64(looped * stride), i64(kRound * stride), sum,
                  [&](Value index, ValueRange carried) {
                    Value next = carried.front();
                    for (int64_t i = 0; i < kRound; ++i)
                      next = addTerm(next, add(index, i * stride), {});
                    return Values{next};
                  })
              .front();
  for (int64_t i = looped; i * stride < count; ++i) {
    Value index = add(first, i * stride);
    sum = addTerm(sum, index, i < whole ? Value() : less(index, count));
  }
  return sum;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

tile::PtrType TileBuilder::globalOf(Type element) {
  return tile::PtrType::get(getContext(), element, tile::Space::Global);
}

Value TileBuilder::allocShared(Type element, int64_t count) {
  auto type = tile::PtrType::get(getContext(), element, tile::Space::Shared);
  return tile::AllocSharedOp::create(*this, type, count);
}

Value TileBuilder::table(ArrayRef<int64_t> numbers) {
  return tile::TableOp::create(*this, globalOf(getI64Type()), numbers);
}

Value TileBuilder::at(Value pointer, Value index) {
  if (matchPattern(index, m_Zero()))
    return pointer;
  return tile::OffsetOp::create(*this, pointer, index);
}

Value TileBuilder::cast(Value pointer, Type element) {
  auto old = llvm::cast<tile::PtrType>(pointer.getType());
  auto type = tile::PtrType::get(getContext(), element, old.getSpace());
  if (type == old)
    return pointer;
  return tile::CastOp::create(*this, type, pointer);
}

Value TileBuilder::load(Value pointer, Value index, int64_t width, Value mask,
                        tile::Cache cache) {
  Type element = llvm::cast<tile::PtrType>(pointer.getType()).getElement();
  return tile::LoadOp::create(*this, width ? vectorOf(element, width) : element,
                              pointer, index, mask, cache);
}

void TileBuilder::store(Value value, Value pointer, Value index, Value mask) {
  tile::StoreOp::create(*this, value, pointer, index, mask);
}

Value TileBuilder::atomicAdd(Value value, Value pointer, Value index) {
  return tile::AtomicOp::create(*this, tile::Combine::Add, value, pointer,
                                index);
}

Value TileBuilder::loadFloats(Value pointer, Value index, int64_t width,
                              Value mask, tile::Cache cache) {
  return widen(load(pointer, index, width, mask, cache));
}

void TileBuilder::storeFloats(Value value, Value pointer, Value index,
                              Value mask) {
  Type element = llvm::cast<tile::PtrType>(pointer.getType()).getElement();
  store(narrow(value, element), pointer, index, mask);
}

/// `type` with another element.
static Type withElement(Type type, Type element) {
  auto vector = dyn_cast<VectorType>(type);
  return vector ? Type(vector.clone(element)) : element;
}

Value TileBuilder::widen(Value value) {
  if (getElementTypeOrSelf(value).isF32())
    return value;
  return arith::ExtFOp::create(
      *this, withElement(value.getType(), getF32Type()), value);
}

Value TileBuilder::narrow(Value value, Type element) {
  if (element.isF32())
    return value;
  return arith::TruncFOp::create(*this, withElement(value.getType(), element),
                                 value);
}

void TileBuilder::copyAsync(Value target, Value targetIndex, Value source,
                            Value sourceIndex, int64_t bytes, Value mask) {
  tile::CpAsyncOp::create(*this, target, targetIndex, source, sourceIndex, mask,
                          bytes);
}

void TileBuilder::commitCopies() { tile::CpAsyncCommitOp::create(*this); }

void TileBuilder::waitForCopies(int64_t pending) {
  tile::CpAsyncWaitOp::create(*this, pending);
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Value TileBuilder::elementwise(Value value,
                               function_ref<Value(Value)> function) {
  auto type = dyn_cast<VectorType>(value.getType());
  if (!type)
    return function(value);
  Value made = constant(type, 0);
  for (int64_t index = 0; index < type.getNumElements(); ++index)
    made = insert(function(lane(value, index)), made, index);
  return made;
}

Value TileBuilder::approximate(tile::Function function, Value value) {
  return elementwise(value, [&](Value scalar) -> Value {
    return tile::ApproxOp::create(*this, function, scalar);
  });
}

Value TileBuilder::exp2(Value x) {
  return approximate(tile::Function::Exp2, x);
}

Value TileBuilder::exp(Value x) {
  // Below this bound the result is 0; infinity would give a NaN.
  Type type = x.getType();
  x = atLeast(x, constant(type, -104.0));
  // x log2(e) = product + rest, with log2(e) in two parts.
  Value product = mul(x, constant(type, 1.44269502));
  Value rest = fma(x, constant(type, 1.44269502), neg(product));
  rest = fma(x, constant(type, 1.92596299e-8), rest);
  Value power = exp2(product);
  // 2^rest = 1 + rest log(2): rest is below 2^-16. Infinity has none.
  Value exact = fma(mul(power, constant(type, 0.693147181)), rest, power);
  Value isFinite = cmp(arith::CmpFPredicate::OLT, power,
                       constant(type, std::numeric_limits<double>::infinity()));
  return select(isFinite, exact, power);
}

Value TileBuilder::less(Value a, Value b) {
  return cmp(arith::CmpIPredicate::slt, a, b);
}

Value TileBuilder::equal(Value a, int64_t b) {
  return cmp(arith::CmpIPredicate::eq, a, constant(a.getType(), b));
}

//===----------------------------------------------------------------------===//
// Slots of the kernel ABI
//===----------------------------------------------------------------------===//

Value Rows::row(TileBuilder &builder, Value row) const {
  return builder.at(pointer, builder.mul(row, stride));
}

Value Pool::slot(TileBuilder &builder, Value index, Type element) const {
  return builder.cast(builder.at(pointer, builder.mul(index, stride)), element);
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
  Value fields = builder.cast(table, builder.getI64Type());
  return builder.loadConstant(fields, builder.i64(offset / 8));
}

Value Sequences::list(int64_t offset, Type element) {
  Value fields = builder.cast(table, builder.globalOf(element));
  return builder.loadConstant(fields, builder.i64(offset / 8));
}

Value Sequences::entry32(int64_t offset, Value index) {
  return builder.toI64(
      builder.loadConstant(list(offset, builder.getI32Type()), index));
}

Value Sequences::entry64(int64_t offset, Value index) {
  return builder.loadConstant(list(offset, builder.getI64Type()), index);
}

Value Sequences::page(Value sequence, Value index) {
  Value row = builder.mul(sequence, integer(offsetof(SeqTable, maxPages)));
  return entry32(offsetof(SeqTable, pages), builder.add(row, index));
}

Value KernelArgs::next(Type type) {
  return function.getBody().front().addArgument(type, builder.getLoc());
}

Value KernelArgs::integer() { return next(builder.getI64Type()); }

Value KernelArgs::scratch() {
  return next(builder.globalOf(builder.getF32Type()));
}

Value KernelArgs::weight(Value tensor) {
  return next(builder.globalOf(getElementTypeOrSelf(tensor.getType())));
}

SmallVector<Value> KernelArgs::weights(ValueRange tensors) {
  return llvm::map_to_vector(tensors,
                             [&](Value value) { return weight(value); });
}

Value KernelArgs::tokens() {
  return next(builder.globalOf(builder.getI32Type()));
}

Rows KernelArgs::rows(Value rows) {
  auto type = llvm::cast<RankedTensorType>(rows.getType());
  Value address = next(builder.globalOf(type.getElementType()));
  return {address, integer(), type.getElementType(), type.getDimSize(1)};
}

SmallVector<Rows> KernelArgs::rows(ValueRange list) {
  return llvm::map_to_vector(list, [&](Value value) { return rows(value); });
}

Pool KernelArgs::pool() {
  Value address = next(builder.globalOf(builder.getI8Type()));
  return {address, integer()};
}

Sequences KernelArgs::sequences() {
  return Sequences(builder, next(builder.globalOf(builder.getI64Type())));
}
