//===- KernelPrice.cpp - What a kernel must move and compute --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/KernelPrice.h"

#include "codegen/gpu/Emitters.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssm::gpu;

/// Values behind the first dimension of a tensor.
static int64_t valuesPerRow(RankedTensorType type) {
  int64_t count = 1;
  for (int64_t size : type.getShape().drop_front())
    count *= size;
  return count;
}

static int64_t bytesOf(Type element) {
  return (element.getIntOrFloatBitWidth() + 7) / 8;
}

/// Bytes that a kernel moves of `value`: rows and states once per row and
/// sequence, parameters whole, tables of an embedding one line per row.
static AffineExpr bytesOf(Value value, bool isTable, AffineExpr rows,
                          AffineExpr sequences) {
  MLIRContext *context = value.getContext();
  auto type = dyn_cast<RankedTensorType>(value.getType());
  bool isCache = type && llvm::count(type.getShape(), ShapedType::kDynamic) > 1;
  if (!type || isCache)
    return getAffineConstantExpr(0, context);
  int64_t line = valuesPerRow(type) * bytesOf(type.getElementType());
  if (isTable)
    return rows * line;
  if (!type.isDynamicDim(0))
    return getAffineConstantExpr(line * type.getDimSize(0), context);
  return (type.getRank() > 2 ? sequences : rows) * line;
}

static int64_t sizeOf(Value value, unsigned dim) {
  return cast<RankedTensorType>(value.getType()).getDimSize(dim);
}

/// Operations on floats per row.
static int64_t flopPerRow(Operation *op) {
  // Multiply and add of a term.
  constexpr int64_t kTerm = 2;
  // Of a state in a recurrence: decay, input and output.
  constexpr int64_t kState = 6;
  auto product = [](Value weight) {
    return kTerm * sizeOf(weight, 0) * sizeOf(weight, 1);
  };
  auto state = [](Value state) {
    return kState * valuesPerRow(cast<RankedTensorType>(state.getType()));
  };
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case([&](kern::GemmOp gemm) { return product(gemm.getWeight()); })
      .Case([&](kern::NormGemmOp gemm) { return product(gemm.getWeight()); })
      .Case([&](kern::ConvOp conv) { return product(conv.getWeight()); })
      .Case([&](kern::ScanOp scan) { return state(scan.getState()); })
      .Case([&](kern::SsdOp ssd) { return state(ssd.getState()); })
      .Case([&](kern::SsmStepOp step) {
        return state(step.getState()) + product(step.getWeight());
      })
      .Default([](Operation *) -> int64_t { return 0; });
}

KernelPrice ssm::gpu::priceOf(Operation *op) {
  MLIRContext *context = op->getContext();
  AffineExpr rows = symbolOf(CallSymbol::Rows, context);
  AffineExpr sequences = symbolOf(CallSymbol::Sequences, context);
  AffineExpr bytes = getAffineConstantExpr(0, context);
  for (OpOperand &operand : op->getOpOperands()) {
    bool isTable = isa<kern::EmbedOp>(op) && operand.getOperandNumber() == 1;
    bytes = bytes + bytesOf(operand.get(), isTable, rows, sequences);
  }
  for (Value result : op->getResults())
    bytes = bytes + bytesOf(result, /*isTable=*/false, rows, sequences);
  return {bytes, rows * flopPerRow(op)};
}
