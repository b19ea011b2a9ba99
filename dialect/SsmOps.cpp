//===- SsmOps.cpp - Verifiers and folders of the op form ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Ssm.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace ssm;

#define GET_OP_CLASSES
#include "dialect/SsmOps.cpp.inc"

/// Number of columns of rows.
static int64_t width(Value rows) {
  return cast<RankedTensorType>(rows.getType()).getDimSize(1);
}

/// Fails unless the optional operand `name` has `columns` entries.
static LogicalResult verifyVector(Operation *op, StringRef name, Value vector,
                                  int64_t columns) {
  if (!vector)
    return success();
  int64_t size = cast<RankedTensorType>(vector.getType()).getDimSize(0);
  if (size != columns)
    return op->emitOpError("expected '")
           << name << "' of " << columns << " entries, got " << size;
  return success();
}

LogicalResult LayersOp::verifySymbolUses(SymbolTableCollection &symbols) {
  for (auto [index, row] :
       llvm::enumerate(getTable().getAsRange<LayerAttr>())) {
    auto body = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(
        (*this)->getParentOp(), row.getBody());
    if (!body)
      return emitOpError("row ")
             << index << " names no function: " << row.getBody();
    ArrayRef<Type> arguments = body.getArgumentTypes();
    size_t states = body.getNumResults() - 1;
    size_t expected = arguments.size() - 2 - states;
    if (row.getWeights().size() != expected)
      return emitOpError("row ")
             << index << " binds " << row.getWeights().size()
             << " weights, but " << row.getBody() << " takes " << expected;
    if (arguments[0] != getInput().getType())
      return emitOpError("row ") << index << ": " << row.getBody()
                                 << " takes rows of " << arguments[0];
  }
  return success();
}

LogicalResult LinearOp::verify() {
  return verifyVector(*this, "bias", getBias(), width(getResult()));
}

LogicalResult MeanHeadsOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (!input.hasStaticShape() || input.getRank() < 1 || input.getRank() > 2)
    return emitOpError("expected a static matrix or vector, got ") << input;
  int64_t count = getCount(), headDim = getHeadDim();
  if (count < 1 || headDim < 1 || input.getDimSize(0) % headDim ||
      input.getDimSize(0) / headDim % count)
    return emitOpError("expected groups of ")
           << count << " heads of " << headDim << " rows, got " << input;
  SmallVector<int64_t> shape(input.getShape());
  shape.front() /= count;
  if (result.getShape() != ArrayRef(shape))
    return emitOpError("expected a result of ")
           << shape.front() << " rows, got " << result;
  return success();
}

LogicalResult NormOp::verify() {
  bool isLayerNorm = getKind().getKind() == NormKind::Layer1p;
  if (isLayerNorm && !(getWeight() && getBias()))
    return emitOpError("expected a weight and a bias for a layer norm");
  if (!isLayerNorm && getBias())
    return emitOpError("expected no bias for an RMS norm");
  if (failed(verifyVector(*this, "weight", getWeight(), width(getInput()))))
    return failure();
  return verifyVector(*this, "bias", getBias(), width(getInput()));
}

LogicalResult GatedNormOp::verify() {
  int64_t columns = width(getInput()), groups = getGroups();
  if (groups < 1 || columns % groups)
    return emitOpError("expected 'groups' ")
           << groups << " to divide " << columns << " columns";
  bool hasNorm = getOrder() != GateOrder::NoNorm;
  if (hasNorm != bool(getWeight()))
    return emitOpError(hasNorm ? "expected a weight"
                               : "expected no weight without a norm");
  return verifyVector(*this, "weight", getWeight(), columns);
}

LogicalResult SplitOp::verify() {
  int64_t sum = 0;
  for (Value part : getParts())
    sum += width(part);
  if (sum != width(getInput()))
    return emitOpError("expected parts of ")
           << width(getInput()) << " columns in all, got " << sum;
  return success();
}

OpFoldResult ScaleOp::fold(FoldAdaptor) {
  if (getFactor().convertToDouble() == 1.0)
    return getInput();
  return {};
}

LogicalResult CausalConv1dOp::verify() {
  int64_t taps = getWeight().getType().getDimSize(1);
  int64_t kept = getState().getType().getDimSize(2);
  if (kept != taps - 1)
    return emitOpError("expected a state of ")
           << taps - 1 << " inputs for " << taps << " taps, got " << kept;
  return verifyVector(*this, "bias", getBias(), width(getInput()));
}

LogicalResult SsdOp::verify() {
  int64_t heads = getHeads(), headDim = getHeadDim(), state = getStateDim();
  if (width(getInput()) != heads * headDim)
    return emitOpError("expected ")
           << heads << " heads of " << headDim << " columns of input, got "
           << width(getInput());
  int64_t columns = width(getB());
  if (columns % state || heads % (columns / state))
    return emitOpError("expected B of whole groups of ")
           << state << " columns that divide " << heads << " heads, got "
           << columns;
  return success();
}

LogicalResult RopeOp::verify() {
  int64_t headDim = getHeadDim();
  if (headDim < 1 || width(getInput()) % headDim)
    return emitOpError("expected whole heads of ")
           << headDim << " columns, got " << width(getInput());
  if (getRope().getDims() > headDim)
    return emitOpError("expected rope 'dims' ")
           << getRope().getDims() << " to be at most 'head_dim' " << headDim;
  return success();
}

LogicalResult AttentionOp::verify() {
  int64_t headDim = getHeadDim(), kvHeads = getKvHeads();
  if (width(getKey()) != kvHeads * headDim)
    return emitOpError("expected ") << kvHeads << " key heads of " << headDim
                                    << " columns, got " << width(getKey());
  if (width(getQuery()) % (kvHeads * headDim))
    return emitOpError("expected query heads in a multiple of ")
           << kvHeads << " kv heads of " << headDim << " columns, got "
           << width(getQuery()) << " columns";
  return success();
}
