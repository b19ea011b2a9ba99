//===- EmitGemm.cpp - Kernels of kern.gemm ===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel of each entry of the schedule; its unit is a panel of the weight:
//
//   for panel, for block of rows: tile = sums (GemmBlock.h)
//                                 result = epilogue(tile, columns, elements)
//
// Rows beyond the last repeat it in the sums and have no epilogue.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Emitters.h"
#include "codegen/cpu/GemmBlock.h"

using namespace mlir;
using namespace ssm;

using Values = KernelBuilder::Values;

namespace {
/// One kernel of a product.
class GemmKernel {
public:
  GemmKernel(KernelBuilder &builder, kern::GemmOp op,
             kern::GemmScheduleAttr schedule);
  void emit(ModuleOp module, StringRef name);

private:
  void readArguments(Value args);
  void emitRows(Value panel, Value firstRow);
  void emitInstances(Value panel, Value firstRow, Value rows,
                     ArrayRef<int64_t> instances);
  void emitSums(Value panel, Value firstRow, int64_t blockRows);
  void emitEpilogue(Value panel, Value firstRow, Value rowCount);
  void emitEpilogueRow(Value panel, Value row, Value sums, int64_t columns);
  void emitResult(Value panel, Value row, Value sums, int64_t first,
                  int64_t width, Value count);
  /// Values of a column operand at the columns of a panel.
  Value loadColumns(Value column, Value panel, int64_t first, int64_t width,
                    Value count);

  KernelBuilder &builder;
  kern::GemmOp op;
  kern::GemmScheduleAttr schedule;
  GemmShape shape;
  int64_t sums, paired;
  Rows input, result;
  Value weight, rowCount, tile;
  Values columns;
  SmallVector<Rows> elements;
};
} // namespace

/// Size of dimension `dim` of a tensor value.
static int64_t size(Value tensor, unsigned dim) {
  return cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
}

static Type elementType(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getElementType();
}

GemmKernel::GemmKernel(KernelBuilder &builder, kern::GemmOp op,
                       kern::GemmScheduleAttr schedule)
    : builder(builder), op(op), schedule(schedule),
      shape{size(op.getWeight(), 1),     schedule.getPanel(),
            schedule.getPair(),          elementType(op.getInput()),
            elementType(op.getWeight()), schedule.getDot()},
      sums(size(op.getWeight(), 0)), paired(op.getPaired().value_or(0)) {}

void GemmKernel::readArguments(Value args) {
  KernelArgs slots(builder, args);
  input = slots.rows(op.getInput());
  weight = slots.pointer();
  for (size_t index = 0; index < op.getColumns().size(); ++index)
    columns.push_back(slots.pointer());
  for (Value element : op.getElements())
    elements.push_back(slots.rows(element));
  result = slots.rows(op.getResult());
  rowCount = slots.integer();
}

void GemmKernel::emit(ModuleOp module, StringRef name) {
  Kernel kernel = builder.startKernel(module, name);
  readArguments(kernel.args);
  tile = builder.stackTile(schedule.getBlockRows() * shape.panel * 4);
  builder.forLoop(kernel.begin, kernel.end, 1, [&](Value panel) {
    builder.forLoop(builder.i64(0), rowCount, schedule.getBlockRows(),
                    [&](Value firstRow) { emitRows(panel, firstRow); });
  });
  builder.finishKernel();
}

/// Sums of the rows of one block, by the smallest instance that holds them.
void GemmKernel::emitRows(Value panel, Value firstRow) {
  Value rows = builder.min(builder.sub(rowCount, firstRow),
                           builder.i64(schedule.getBlockRows()));
  SmallVector<int64_t> instances;
  if (schedule.getForm() == kern::GemmForm::Blocked)
    for (int64_t count = 1; count < schedule.getBlockRows(); count *= 2)
      instances.push_back(count);
  instances.push_back(schedule.getBlockRows());

  emitInstances(panel, firstRow, rows, instances);
  emitEpilogue(panel, firstRow, rows);
}

/// The last of `instances` (increasing) that `rows` needs.
void GemmKernel::emitInstances(Value panel, Value firstRow, Value rows,
                               ArrayRef<int64_t> instances) {
  if (instances.size() == 1)
    return emitSums(panel, firstRow, instances.front());
  ArrayRef<int64_t> smaller = instances.drop_back();
  builder.ifElse(
      builder.cmp(arith::CmpIPredicate::sgt, rows, builder.i64(smaller.back())),
      [&] { emitSums(panel, firstRow, instances.back()); },
      [&] { emitInstances(panel, firstRow, rows, smaller); });
}

void GemmKernel::emitSums(Value panel, Value firstRow, int64_t blockRows) {
  Value lastRow = builder.sub(rowCount, 1);
  Values rows;
  for (int64_t row = 0; row < blockRows; ++row)
    rows.push_back(
        input.row(builder, builder.min(builder.add(firstRow, row), lastRow)));
  Value address = builder.at(weight, builder.mul(panel, shape.panelElements()),
                             shape.weight);
  emitGemmBlock(builder, shape, address, rows, tile,
                schedule.getForm() == kern::GemmForm::Stream);
}

void GemmKernel::emitEpilogue(Value panel, Value firstRow, Value rows) {
  builder.forLoop(builder.i64(0), rows, 1, [&](Value row) {
    Value rowSums = builder.at(tile, builder.mul(row, shape.panel));
    Value resultRow = builder.add(firstRow, row);
    int64_t ragged = sums % shape.panel;
    if (ragged == 0)
      return emitEpilogueRow(panel, resultRow, rowSums, shape.panel);
    builder.ifElse(
        builder.cmp(arith::CmpIPredicate::eq, panel,
                    builder.i64(sums / shape.panel)),
        [&] { emitEpilogueRow(panel, resultRow, rowSums, ragged); },
        [&] { emitEpilogueRow(panel, resultRow, rowSums, shape.panel); });
  });
}

/// The first `count` sums of a row of the tile.
void GemmKernel::emitEpilogueRow(Value panel, Value row, Value rowSums,
                                 int64_t count) {
  int64_t lanes = builder.lanes();
  if (!paired) {
    for (int64_t first = 0; first < count; first += lanes)
      emitResult(panel, row, rowSums, first, lanes,
                 first + lanes <= count ? Value() : builder.i64(count - first));
    return;
  }
  for (int64_t group = 0; group < count; group += 2 * paired)
    for (int64_t first = 0; first < paired; first += lanes)
      emitResult(panel, row, rowSums, group + first,
                 std::min(lanes, paired - first), Value());
}

Value GemmKernel::loadColumns(Value column, Value panel, int64_t first,
                              int64_t width, Value count) {
  Value address = builder.at(column, builder.mul(panel, shape.panel));
  return builder.loadFloats(builder.at(address, first), builder.getF32Type(),
                            width, count);
}

/// Results of the `width` sums behind column `first` of the panel, of which
/// only `count` exist if it is given.
void GemmKernel::emitResult(Value panel, Value row, Value rowSums,
                            int64_t first, int64_t width, Value count) {
  Type vector = builder.vectorOf(builder.getF32Type(), width);
  SmallVector<int64_t> partners = {first};
  if (paired)
    partners.push_back(first + paired);
  Values values;
  for (int64_t partner : partners)
    values.push_back(builder.load(builder.at(rowSums, partner), vector));
  for (Value column : columns)
    for (int64_t partner : partners)
      values.push_back(loadColumns(column, panel, partner, width, count));

  int64_t resultFirst =
      paired ? first / (2 * paired) * paired + first % (2 * paired) : first;
  Value resultColumn = builder.add(
      builder.mul(panel, paired ? shape.panel / 2 : shape.panel), resultFirst);
  for (const Rows &element : elements)
    values.push_back(builder.loadFloats(
        builder.at(element.row(builder, row), resultColumn, element.element),
        element.element, width, count));
  builder.storeFloats(
      builder.cloneRegion(op.getEpilogue(), values),
      builder.at(result.row(builder, row), resultColumn, result.element),
      result.element, count);
}

/// Whether `target` can run `schedule`; says why not.
static LogicalResult checkSchedule(kern::GemmOp op, const Target &target,
                                   kern::GemmScheduleAttr schedule) {
  Type weight = elementType(op.getWeight());
  int64_t pair = weight.isF32() ? 1 : 2;
  if (schedule.getPair() != pair)
    return op.emitError("expected pair = ")
           << pair << " for weights of " << weight << ", got "
           << schedule.getPair();
  if (schedule.getPanel() < 1 || schedule.getPanel() % target.lanes)
    return op.emitError("expected panels of a multiple of ")
           << target.lanes << " columns on target '" << target.name << "', got "
           << schedule.getPanel();
  if (schedule.getBlockRows() < 1)
    return op.emitError("expected block_rows to be positive, got ")
           << schedule.getBlockRows();
  if (op.getPaired() && schedule.getPanel() % (2 * *op.getPaired()))
    return op.emitError("expected pairs of ")
           << *op.getPaired() << " columns to divide a panel of "
           << schedule.getPanel();
  if (!schedule.getDot())
    return success();
  if (!target.dotBf16 && !target.emulateDot)
    return op.emitError("target '")
           << target.name << "' has no dot of bf16 pairs";
  if (!weight.isBF16() || !elementType(op.getInput()).isBF16())
    return op.emitError("expected bf16 input and weight for dot, got ")
           << elementType(op.getInput()) << " and " << weight;
  return success();
}

KernelInfos ssm::emitGemm(kern::GemmOp op, StringRef name, const Target &target,
                          ModuleOp module) {
  if (!op.getSchedule() || op.getSchedule()->empty())
    return op.emitError("expected a schedule, run --kern-schedule-cpu first");
  SmallVector<KernelInfo> kernels;
  for (auto schedule : op.getSchedule()->getAsRange<kern::GemmScheduleAttr>()) {
    if (failed(checkSchedule(op, target, schedule)))
      return failure();
    int64_t maxRows = schedule.getMaxRows();
    std::string suffix = maxRows < 0 ? "_any" : "_m" + std::to_string(maxRows);
    KernelInfo kernel;
    kernel.name = (name + suffix).str();
    kernel.maxRows = maxRows;
    kernel.grid = getAffineConstantExpr(
        llvm::divideCeil(size(op.getWeight(), 0), schedule.getPanel()),
        op.getContext());
    kernel.scratch = getAffineConstantExpr(0, op.getContext());
    KernelBuilder builder(op.getLoc(), target);
    GemmKernel(builder, op, schedule).emit(module, kernel.name);
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}
