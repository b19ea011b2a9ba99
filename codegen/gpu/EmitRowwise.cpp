//===- EmitRowwise.cpp - Kernels of kern.rowwise --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block computes a group of a row: thread t has columns t, t + block, ... and
// keeps their values in registers, so each operand is read once.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Emitters.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

/// Columns of a thread, as far as the block may grow, and at most in registers.
static constexpr int64_t kThreadColumns = 4, kKeptColumns = 32;
static constexpr int64_t kMaxBlock = 512;

namespace {
class RowwiseKernel {
public:
  RowwiseKernel(TileBuilder &builder, kern::RowwiseOp op)
      : builder(builder), op(op), width(op.getResult().getType().getDimSize(1) /
                                        int64_t(op.getGroups())) {}

  KernelInfo emit(ModuleOp module, StringRef name);

private:
  /// A column of the group, and whether it exists (null: always).
  struct Place {
    Value column, mask;
  };
  bool hasStatistic() { return op.getStatistic() != kern::Statistic::None; }
  /// Visits the columns of the thread; `body` takes and gives a running value.
  Value forEachColumn(Value init,
                      function_ref<Value(Place, int64_t, Value)> body);
  Values operandsAt(ArrayRef<Rows> rows, Place place);
  /// The value of a column; `index` is its number where columns are kept.
  Value valueAt(Place place, int64_t index);
  Value sum(function_ref<Value(Place, int64_t)> term);
  void emitStatistic();
  void emitFinish();

  TileBuilder &builder;
  kern::RowwiseOp op;
  int64_t width;
  bool keeps = false;
  SmallVector<Rows> inputs; // input, then elements
  SmallVector<Value> columns;
  Rows result;
  Value scratch, firstColumn, sourceRow, resultRow, mean, rstd;
  Values kept;
};
} // namespace

KernelInfo RowwiseKernel::emit(ModuleOp module, StringRef name) {
  int64_t groups = op.getGroups();
  int64_t block = std::clamp<int64_t>(
      llvm::alignTo(llvm::divideCeil(width, kThreadColumns), tile::kWarpLanes),
      tile::kWarpLanes, kMaxBlock);
  keeps = llvm::divideCeil(width, block) <= kKeptColumns;
  KernelArgs args(builder, builder.startKernel(module, name, block));
  inputs = {args.rows(op.getInput())};
  inputs.append(args.rows(op.getElements()));
  columns = args.weights(op.getColumns());
  result = args.rows(op.getResult());
  Sequences sequences = args.sequences();
  args.integer();
  if (hasStatistic())
    scratch = builder.allocShared(builder.warps());
  Value unit = builder.blockId();
  resultRow = builder.div(unit, groups);
  firstColumn = builder.mul(builder.rem(unit, groups), width);
  sourceRow = op.getGather() ? sequences.outputRow(resultRow) : resultRow;
  mean = builder.f32(0);
  rstd = builder.f32(1);
  if (hasStatistic())
    emitStatistic();
  emitFinish();
  builder.finishKernel();
  CallSymbol rows = op.getGather() ? CallSymbol::Outputs : CallSymbol::Rows;
  return {name.str(), symbolOf(rows, op.getContext()) * groups};
}

Value RowwiseKernel::forEachColumn(
    Value init, function_ref<Value(Place, int64_t, Value)> body) {
  int64_t block = builder.block();
  Value thread = builder.threadId();
  auto placeOf = [&](Value inGroup, Value mask) {
    return Place{builder.add(firstColumn, inGroup), mask};
  };
  if (!keeps)
    return builder
        .forLoop(thread, builder.i64(width), builder.i64(block), init,
                 [&](Value inGroup, ValueRange carried) {
                   return Values{
                       body(placeOf(inGroup, {}), 0, carried.front())};
                 })
        .front();
  Value carried = init;
  for (int64_t first = 0, index = 0; first < width; first += block, ++index) {
    Value inGroup = builder.add(thread, first);
    Value mask = first + block > width ? builder.less(inGroup, width) : Value();
    carried = body(placeOf(inGroup, mask), index, carried);
  }
  return carried;
}

Values RowwiseKernel::operandsAt(ArrayRef<Rows> rows, Place place) {
  return llvm::map_to_vector<6>(rows, [&](const Rows &operand) {
    return builder.loadFloats(operand.row(builder, sourceRow), place.column, 0,
                              place.mask);
  });
}

Value RowwiseKernel::valueAt(Place place, int64_t index) {
  if (keeps && size_t(index) < kept.size())
    return kept[index];
  Value value = builder.cloneRegion(op.getValue(), operandsAt(inputs, place));
  if (keeps)
    kept.push_back(value);
  return value;
}

Value RowwiseKernel::sum(function_ref<Value(Place, int64_t)> term) {
  Value partial = forEachColumn(
      builder.f32(0), [&](Place place, int64_t index, Value carried) {
        Value value = term(place, index);
        if (place.mask)
          value = builder.select(place.mask, value, builder.f32(0));
        return builder.add(carried, value);
      });
  Value total = builder.reduceBlock(tile::Combine::Add, partial, scratch);
  return builder.div(total, builder.f32(width));
}

void RowwiseKernel::emitStatistic() {
  bool isLayer = op.getStatistic() == kern::Statistic::Layer;
  if (isLayer)
    mean =
        sum([&](Place place, int64_t index) { return valueAt(place, index); });
  Value squares = sum([&](Place place, int64_t index) {
    Value value = valueAt(place, index);
    if (isLayer)
      value = builder.sub(value, mean);
    return builder.mul(value, value);
  });
  Value variance =
      builder.add(squares, builder.f32(op.getEps().convertToDouble()));
  rstd = builder.div(builder.f32(1), builder.sqrt(variance));
}

void RowwiseKernel::emitFinish() {
  forEachColumn(builder.f32(0), [&](Place place, int64_t index, Value carried) {
    Values values = {valueAt(place, index), mean, rstd};
    values.append(operandsAt(ArrayRef<Rows>(inputs).drop_front(), place));
    for (Value vector : columns)
      values.push_back(
          builder.loadConstant(vector, place.column, 0, place.mask));
    builder.storeFloats(builder.cloneRegion(op.getFinish(), values),
                        result.row(builder, resultRow), place.column,
                        place.mask);
    return carried;
  });
}

KernelInfos ssm::gpu::emitRowwise(kern::RowwiseOp op, StringRef name,
                                  const Target &target, ModuleOp module) {
  TileBuilder builder(op.getLoc(), target);
  return SmallVector<KernelInfo>{RowwiseKernel(builder, op).emit(module, name)};
}
