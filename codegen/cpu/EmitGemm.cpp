//===- EmitGemm.cpp - Kernels of kern.gemm --------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel of each entry of the schedule; its unit is a panel of the weight.
//
//   stream:  for block of rows: tile = all terms; result = epilogue(tile)
//   blocked: for piece of k: widen 16-bit weights
//                            for block of rows: tile += terms
//                                               last piece: result =
//                                               epilogue(tile)
//
// Rows beyond the last repeat it in the sums and have no epilogue.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Emitters.h"
#include "codegen/cpu/GemmBlock.h"

using namespace mlir;
using namespace ssm;

using Values = KernelBuilder::Values;

/// Terms of a piece of k in the blocked form: the inputs of a block of rows
/// stay in the first cache, the weights of the panel in the second.
static constexpr int64_t kPieceTerms = 1024;

namespace {
/// One kernel of a product.
class GemmKernel {
public:
  GemmKernel(KernelBuilder &builder, kern::GemmOp op,
             kern::GemmScheduleAttr schedule);
  void emit(ModuleOp module, StringRef name);

  /// Bytes of scratch memory: sums of all rows, widened weights.
  AffineExpr scratchBytes();

private:
  bool isBlocked() const {
    return schedule.getForm() == kern::GemmForm::Blocked;
  }
  /// Whether weights are widened once for all rows.
  bool widens() const { return isBlocked() && shape.pair == 2 && !shape.dot; }
  /// Terms of a piece but the last, which has the rest.
  int64_t pieceTerms() const {
    int64_t looped = std::max<int64_t>(shape.loopedTerms(), 1);
    int64_t pieces = llvm::divideCeil(looped, kPieceTerms);
    return llvm::alignTo(llvm::divideCeil(looped, pieces), shape.step);
  }
  int64_t wideBytes() const {
    return widens() ? (pieceTerms() + shape.step) * shape.panel * sizeof(float)
                    : 0;
  }
  void readArguments(Kernel &kernel);
  void emitStreamed(Value panel);
  void emitBlocked(Value panel);
  void emitPiece(Value panel, Value firstTerm, const GemmTerms &terms,
                 bool isLast);
  void prefetchResults(Value panel, Value firstRow);
  void emitInstances(Value rows, ArrayRef<int64_t> instances,
                     function_ref<void(int64_t)> emitInstance);
  Values inputRows(Value firstRow, int64_t count, Value firstTerm);
  void emitEpilogue(Value panel, Value firstRow, Value rowCount, Value sums);
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
  int64_t outputs, paired;
  Rows input, result;
  Value weight, rowCount, tile, wide;
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
      shape{size(op.getWeight(), 1),
            schedule.getPanel(),
            schedule.getPair(),
            elementType(op.getInput()),
            elementType(op.getWeight()),
            schedule.getDot(),
            schedule.getBlockRows() <= 2 ? 8 : 4},
      outputs(size(op.getWeight(), 0)), paired(op.getPaired().value_or(0)) {}

void GemmKernel::readArguments(Kernel &kernel) {
  KernelArgs slots(builder, kernel.args);
  input = slots.rows(op.getInput());
  weight = slots.pointer();
  for (size_t index = 0; index < op.getColumns().size(); ++index)
    columns.push_back(slots.pointer());
  for (Value element : op.getElements())
    elements.push_back(slots.rows(element));
  result = slots.rows(op.getResult());
  rowCount = slots.integer();
  wide = kernel.scratch;
  tile = isBlocked() ? builder.atByte(kernel.scratch, wideBytes())
                     : builder.stackTile(schedule.getBlockRows() * shape.panel *
                                         sizeof(float));
}

AffineExpr GemmKernel::scratchBytes() {
  AffineExpr rows =
      getAffineSymbolExpr(unsigned(CallSymbol::Rows), op.getContext());
  int64_t rowBytes = isBlocked() ? shape.panel * sizeof(float) : 0;
  // The last block of rows may reach beyond the last row.
  return (rows + schedule.getBlockRows()) * rowBytes + wideBytes();
}

void GemmKernel::emit(ModuleOp module, StringRef name) {
  Kernel kernel = builder.startKernel(module, name);
  readArguments(kernel);
  builder.forLoop(kernel.begin, kernel.end, 1, [&](Value panel) {
    isBlocked() ? emitBlocked(panel) : emitStreamed(panel);
  });
  builder.finishKernel();
}

/// Addresses of `count` input rows at term `firstTerm`.
Values GemmKernel::inputRows(Value firstRow, int64_t count, Value firstTerm) {
  Value lastRow = builder.sub(rowCount, 1);
  Values rows;
  for (int64_t row = 0; row < count; ++row)
    rows.push_back(builder.at(
        input.row(builder, builder.min(builder.add(firstRow, row), lastRow)),
        firstTerm, shape.input));
  return rows;
}

void GemmKernel::emitStreamed(Value panel) {
  int64_t blockRows = schedule.getBlockRows();
  Value address = builder.at(weight, builder.mul(panel, shape.panelElements()),
                             shape.weight);
  builder.forLoop(builder.i64(0), rowCount, blockRows, [&](Value firstRow) {
    emitGemmStream(builder, shape, address,
                   inputRows(firstRow, blockRows, builder.i64(0)), tile);
    emitEpilogue(
        panel, firstRow,
        builder.min(builder.sub(rowCount, firstRow), builder.i64(blockRows)),
        tile);
  });
}

void GemmKernel::emitBlocked(Value panel) {
  int64_t looped = shape.loopedTerms(), last = shape.lastTerms();
  Value zero = builder.i64(0);
  int64_t piece = pieceTerms(), before = (looped - 1) / piece * piece;
  if (looped <= piece)
    return emitPiece(panel, zero, {builder.i64(looped), last, true}, true);
  int64_t lanes = builder.lanes();
  builder.forLoop(zero, builder.mul(rowCount, shape.panel), lanes,
                  [&](Value index) {
                    builder.store(builder.splat(0.0), builder.at(tile, index));
                  });
  builder.forLoop(before, piece, [&](Value first) {
    emitPiece(panel, first, {builder.i64(piece), 0, false}, false);
  });
  emitPiece(panel, builder.i64(before),
            {builder.i64(looped - before), last, false}, true);
}

/// Adds some terms to the sums of all rows; after the last ones come the
/// results.
void GemmKernel::emitPiece(Value panel, Value firstTerm, const GemmTerms &terms,
                           bool isLast) {
  Value address =
      builder.at(builder.at(weight, builder.mul(panel, shape.panelElements()),
                            shape.weight),
                 builder.mul(firstTerm, shape.panel), shape.weight);
  GemmShape blockShape = shape;
  if (widens()) {
    widenGemmPanel(builder, shape, address,
                   builder.add(terms.looped, terms.last), wide);
    address = wide;
    blockShape.pair = 1;
    blockShape.weight = builder.getF32Type();
  }
  int64_t blockRows = schedule.getBlockRows();
  SmallVector<int64_t> instances;
  for (int64_t count = 1; count < blockRows; count *= 2)
    instances.push_back(count);
  instances.push_back(blockRows);
  builder.forLoop(builder.i64(0), rowCount, blockRows, [&](Value firstRow) {
    Value rows = builder.sub(rowCount, firstRow);
    if (isLast)
      prefetchResults(panel, firstRow);
    Value sums = builder.at(tile, builder.mul(firstRow, shape.panel));
    emitInstances(rows, instances, [&](int64_t count) {
      addGemmTerms(builder, blockShape, address,
                   inputRows(firstRow, count, firstTerm), sums, terms);
    });
    if (isLast)
      emitEpilogue(panel, firstRow, builder.min(rows, builder.i64(blockRows)),
                   sums);
  });
}

/// Asks for the lines of a block's results while its sums are made.
void GemmKernel::prefetchResults(Value panel, Value firstRow) {
  int64_t columns = paired ? shape.panel / 2 : shape.panel;
  int64_t line = 64 / (result.element.getIntOrFloatBitWidth() / 8);
  Value lastRow = builder.sub(rowCount, 1);
  for (int64_t row = 0; row < schedule.getBlockRows(); ++row)
    for (int64_t column = 0; column < columns; column += line) {
      Value resultRow = builder.min(builder.add(firstRow, row), lastRow);
      builder.prefetchForWrite(builder.at(
          result.row(builder, resultRow),
          builder.add(builder.mul(panel, columns), column), result.element));
    }
}

/// The last of `instances` (increasing) that `rows` needs.
void GemmKernel::emitInstances(Value rows, ArrayRef<int64_t> instances,
                               function_ref<void(int64_t)> emitInstance) {
  if (instances.size() == 1)
    return emitInstance(instances.front());
  ArrayRef<int64_t> smaller = instances.drop_back();
  builder.ifElse(
      builder.cmp(arith::CmpIPredicate::sgt, rows, builder.i64(smaller.back())),
      [&] { emitInstance(instances.back()); },
      [&] { emitInstances(rows, smaller, emitInstance); });
}

/// Results of `rows` rows, whose sums are at `sums`.
void GemmKernel::emitEpilogue(Value panel, Value firstRow, Value rows,
                              Value sums) {
  builder.forLoop(builder.i64(0), rows, 1, [&](Value row) {
    Value rowSums = builder.at(sums, builder.mul(row, shape.panel));
    Value resultRow = builder.add(firstRow, row);
    int64_t ragged = outputs % shape.panel;
    if (ragged == 0)
      return emitEpilogueRow(panel, resultRow, rowSums, shape.panel);
    builder.ifElse(
        builder.cmp(arith::CmpIPredicate::eq, panel,
                    builder.i64(outputs / shape.panel)),
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
    KernelBuilder builder(op.getLoc(), target);
    GemmKernel product(builder, op, schedule);
    product.emit(module, kernel.name);
    kernel.scratch = product.scratchBytes();
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}
