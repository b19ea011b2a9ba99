//===- EmitRowwise.cpp - Kernels of kern.rowwise --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The unit is a row of the result. Sums over a group run in kChains vectors,
// each in the order of the columns, then the vectors in turn and the lanes as a
// tree: the bits depend on the width of a group and nothing else.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Emitters.h"
#include "codegen/cpu/KernelBuilder.h"

using namespace mlir;
using namespace ssm;

using Values = KernelBuilder::Values;

/// Independent chains of a sum, enough to hide the latency of an addition.
static constexpr int64_t kChains = 4;

namespace {
class RowwiseKernel {
public:
  RowwiseKernel(KernelBuilder &builder, kern::RowwiseOp op)
      : builder(builder), op(op), lanes(builder.lanes()) {}

  void emit(ModuleOp module, StringRef name);
  /// Columns of a group.
  int64_t groupWidth() {
    return cast<RankedTensorType>(op.getInput().getType()).getDimSize(1) /
           op.getGroups();
  }
  /// Whether v is kept in scratch memory instead of computed for each pass.
  bool keepsValues() {
    return op.getStatistic() != kern::Statistic::None &&
           op.getValue().front().getOperations().size() > 1;
  }

private:
  void emitRow(Value row);
  void emitGroup(Value first);
  /// v of one vector of columns behind `column`; lanes behind `count` are
  /// undefined.
  Value computeValue(Value column, Value count);
  /// v of the column `offset` of the group, once the first pass is over.
  Value loadValue(Value first, Value offset, Value count);
  Values operandsAt(ArrayRef<Rows> rows, Value column, Value count);
  /// Sum over the group of what `term` gives for (offset, count).
  Value sum(function_ref<Value(Value, Value)> term);
  /// Visits the vectors of the group.
  void forEachVector(function_ref<void(Value, Value)> body);
  Value mean(Value total);
  void emitStatistic(Value first);
  void emitFinish(Value first);

  KernelBuilder &builder;
  kern::RowwiseOp op;
  int64_t lanes;
  Rows result;
  SmallVector<Rows> inputs; // input, then elements
  Values columns;
  Value scratch;
  // Of the row at hand.
  Value sourceRow, resultRow, meanOfGroup, rstd;
};
} // namespace

void RowwiseKernel::emit(ModuleOp module, StringRef name) {
  Kernel kernel = builder.startKernel(module, name);
  scratch = kernel.scratch;
  KernelArgs slots(builder, kernel.args);
  inputs.push_back(slots.rows(op.getInput()));
  for (Value element : op.getElements())
    inputs.push_back(slots.rows(element));
  for (size_t index = 0; index < op.getColumns().size(); ++index)
    columns.push_back(slots.pointer());
  result = slots.rows(op.getResult());
  Sequences sequences = slots.sequences();
  builder.forLoop(kernel.begin, kernel.end, 1, [&](Value row) {
    resultRow = row;
    sourceRow = op.getGather() ? sequences.outputRow(row) : row;
    builder.forLoop(op.getGroups() * groupWidth(), groupWidth(),
                    [&](Value first) { emitGroup(first); });
  });
  builder.finishKernel();
}

void RowwiseKernel::emitGroup(Value first) {
  meanOfGroup = builder.f32(0);
  rstd = builder.f32(1);
  if (op.getStatistic() != kern::Statistic::None)
    emitStatistic(first);
  emitFinish(first);
}

Values RowwiseKernel::operandsAt(ArrayRef<Rows> rows, Value column,
                                 Value count) {
  Values values;
  for (const Rows &operand : rows)
    values.push_back(builder.loadFloats(
        builder.at(operand.row(builder, sourceRow), column, operand.element),
        operand.element, count));
  return values;
}

Value RowwiseKernel::computeValue(Value column, Value count) {
  return builder.cloneRegion(op.getValue(), operandsAt(inputs, column, count));
}

Value RowwiseKernel::loadValue(Value first, Value offset, Value count) {
  if (!keepsValues())
    return computeValue(builder.add(first, offset), count);
  return builder.load(builder.at(scratch, offset), builder.vectorF32());
}

void RowwiseKernel::forEachVector(function_ref<void(Value, Value)> body) {
  int64_t whole = groupWidth() / lanes * lanes;
  builder.forLoop(builder.i64(0), builder.i64(whole), lanes,
                  [&](Value offset) { body(offset, Value()); });
  if (whole < groupWidth())
    body(builder.i64(whole), builder.i64(groupWidth() - whole));
}

Value RowwiseKernel::sum(function_ref<Value(Value, Value)> term) {
  int64_t width = groupWidth(), step = kChains * lanes;
  int64_t looped = width / step * step;
  Values chains = builder.forLoop(
      builder.i64(0), builder.i64(looped), builder.i64(step),
      Values(kChains, builder.splat(0)), [&](Value offset, ValueRange carried) {
        Values next;
        for (auto [index, chain] : llvm::enumerate(carried))
          next.push_back(builder.add(
              chain, term(builder.add(offset, index * lanes), Value())));
        return next;
      });
  for (int64_t offset = looped, index = 0; offset < width;
       offset += lanes, ++index) {
    int64_t left = width - offset;
    Value count = left < lanes ? builder.i64(left) : Value();
    Value value = term(builder.i64(offset), count);
    if (count)
      value = builder.select(builder.laneMask(count, lanes), value,
                             builder.splat(0));
    chains[index] = builder.add(chains[index], value);
  }
  Value total = chains.front();
  for (Value chain : ArrayRef<Value>(chains).drop_front())
    total = builder.add(total, chain);
  return builder.reduceAdd(total);
}

Value RowwiseKernel::mean(Value total) {
  return builder.div(total, builder.f32(groupWidth()));
}

void RowwiseKernel::emitStatistic(Value first) {
  if (keepsValues())
    forEachVector([&](Value offset, Value count) {
      builder.store(computeValue(builder.add(first, offset), count),
                    builder.at(scratch, offset));
    });
  if (op.getStatistic() == kern::Statistic::Layer)
    meanOfGroup = mean(sum([&](Value offset, Value count) {
      return loadValue(first, offset, count);
    }));
  Value squares = sum([&](Value offset, Value count) {
    Value value = loadValue(first, offset, count);
    if (op.getStatistic() == kern::Statistic::Layer)
      value = builder.sub(value, meanOfGroup);
    return builder.mul(value, value);
  });
  Value variance =
      builder.add(mean(squares), builder.f32(op.getEps().convertToDouble()));
  rstd = builder.div(builder.f32(1), builder.sqrt(variance));
}

void RowwiseKernel::emitFinish(Value first) {
  forEachVector([&](Value offset, Value count) {
    Value column = builder.add(first, offset);
    Values values = {loadValue(first, offset, count),
                     builder.broadcast(meanOfGroup, lanes),
                     builder.broadcast(rstd, lanes)};
    values.append(
        operandsAt(ArrayRef<Rows>(inputs).drop_front(), column, count));
    for (Value vector : columns)
      values.push_back(builder.loadFloats(builder.at(vector, column), count));
    builder.storeFloats(
        builder.cloneRegion(op.getFinish(), values),
        builder.at(result.row(builder, resultRow), column, result.element),
        result.element, count);
  });
}

KernelInfos ssm::emitRowwise(kern::RowwiseOp op, StringRef name,
                             const Target &target, ModuleOp module) {
  KernelBuilder builder(op.getLoc(), target);
  RowwiseKernel kernel(builder, op);
  kernel.emit(module, name);
  CallSymbol rows = op.getGather() ? CallSymbol::Outputs : CallSymbol::Rows;
  int64_t scratchBytes =
      kernel.keepsValues()
          ? llvm::alignTo(kernel.groupWidth(), target.lanes) * sizeof(float)
          : 0;
  KernelInfo emitted;
  emitted.name = name.str();
  emitted.grid = getAffineSymbolExpr(unsigned(rows), op.getContext());
  emitted.scratch = getAffineConstantExpr(scratchBytes, op.getContext());
  return SmallVector<KernelInfo>{emitted};
}
