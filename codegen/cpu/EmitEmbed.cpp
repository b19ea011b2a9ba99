//===- EmitEmbed.cpp - Kernels of kern.embed ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The unit is a row of the result. A row of a table in panels lies scattered,
// one or two neighbours at a time.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Emitters.h"
#include "codegen/cpu/KernelBuilder.h"

using namespace mlir;
using namespace ssm;

namespace {
class EmbedKernel {
public:
  EmbedKernel(KernelBuilder &builder, kern::EmbedOp op)
      : builder(builder), op(op),
        tableType(cast<RankedTensorType>(op.getTable().getType())),
        width(tableType.getDimSize(1)), panel(op.getPanel()),
        pair(op.getPair()) {}

  void emit(ModuleOp module, StringRef name);

private:
  void emitPlainRow(Value entry, Value resultRow);
  void emitPanelRow(Value entry, Value resultRow);
  void storeScaled(Value value, Value resultRow, Value column,
                   Value count = {});

  KernelBuilder &builder;
  kern::EmbedOp op;
  RankedTensorType tableType;
  int64_t width, panel, pair;
  Rows result;
};
} // namespace

void EmbedKernel::emit(ModuleOp module, StringRef name) {
  Kernel kernel = builder.startKernel(module, name);
  KernelArgs slots(builder, kernel.args);
  Value tokens = slots.pointer(), table = slots.pointer();
  result = slots.rows(op.getResult());
  Type element = tableType.getElementType(), i32 = builder.getI32Type();
  int64_t paddedWidth = llvm::alignTo(width, pair);
  builder.forLoop(kernel.begin, kernel.end, 1, [&](Value row) {
    Value token = builder.loadInteger(builder.at(tokens, row, i32), i32);
    Value resultRow = result.row(builder, row);
    if (panel == 1 && pair == 1)
      return emitPlainRow(builder.at(table, builder.mul(token, width), element),
                          resultRow);
    Value first = builder.mul(builder.div(token, panel), paddedWidth * panel);
    Value inPanel = builder.mul(builder.rem(token, panel), pair);
    emitPanelRow(builder.at(table, builder.add(first, inPanel), element),
                 resultRow);
  });
  builder.finishKernel();
}

void EmbedKernel::emitPlainRow(Value entry, Value resultRow) {
  Type element = tableType.getElementType();
  int64_t lanes = builder.lanes(), whole = width / lanes * lanes;
  auto copy = [&](Value column, Value count) {
    Value value =
        builder.loadFloats(builder.at(entry, column, element), element, count);
    storeScaled(value, resultRow, column, count);
  };
  builder.forLoop(builder.i64(0), builder.i64(whole), lanes,
                  [&](Value column) { copy(column, Value()); });
  if (whole < width)
    copy(builder.i64(whole), builder.i64(width - whole));
}

void EmbedKernel::emitPanelRow(Value entry, Value resultRow) {
  Type element = tableType.getElementType();
  auto copy = [&](Value column, int64_t count) {
    Value near = builder.at(entry, builder.mul(column, panel), element);
    for (int64_t index = 0; index < count; ++index)
      storeScaled(
          builder.loadFloats(builder.at(near, index, element), element, 0),
          resultRow, builder.add(column, index));
  };
  int64_t whole = width / pair * pair;
  builder.forLoop(builder.i64(0), builder.i64(whole), pair,
                  [&](Value column) { copy(column, pair); });
  if (whole < width)
    copy(builder.i64(whole), width - whole);
}

void EmbedKernel::storeScaled(Value value, Value resultRow, Value column,
                              Value count) {
  double multiplier = op.getMultiplier().convertToDouble();
  if (multiplier != 1.0)
    value = builder.mul(value, builder.constant(value.getType(), multiplier));
  builder.storeFloats(value, builder.at(resultRow, column, result.element),
                      result.element, count);
}

KernelInfos ssm::emitEmbed(kern::EmbedOp op, StringRef name,
                           const Target &target, ModuleOp module) {
  if (op.getPanel() < 1 || op.getPair() < 1)
    return op.emitError("expected 'panel' and 'pair' to be positive, got ")
           << op.getPanel() << " and " << op.getPair();
  KernelBuilder builder(op.getLoc(), target);
  EmbedKernel(builder, op).emit(module, name);
  KernelInfo emitted;
  emitted.name = name.str();
  emitted.grid =
      getAffineSymbolExpr(unsigned(CallSymbol::Rows), op.getContext());
  emitted.scratch = getAffineConstantExpr(0, op.getContext());
  return SmallVector<KernelInfo>{emitted};
}
