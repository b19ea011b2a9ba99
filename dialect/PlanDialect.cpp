//===- PlanDialect.cpp - Registration and verifiers of the plan dialect ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Plan.h"

#include "dialect/KernRecipe.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace plan;

#include "dialect/PlanDialect.cpp.inc"
#include "dialect/PlanEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/PlanAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/PlanOps.cpp.inc"

void PlanDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/PlanAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/PlanOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

using EmitError = function_ref<InFlightDiagnostic()>;

LogicalResult ArgumentAttr::verify(EmitError emitError, ArgumentKind kind,
                                   FlatSymbolRefAttr symbol, int64_t number) {
  bool needsSymbol = kind == ArgumentKind::Buffer ||
                     kind == ArgumentKind::Stride ||
                     kind == ArgumentKind::GlobalWeight;
  if (needsSymbol != bool(symbol))
    return emitError() << (needsSymbol ? "expected a symbol"
                                       : "expected no symbol")
                       << " in argument '" << stringifyArgumentKind(kind)
                       << "'";
  if (number < 0)
    return emitError() << "expected no negative number in argument '"
                       << stringifyArgumentKind(kind) << "', got " << number;
  return success();
}

LogicalResult VariantAttr::verify(EmitError emitError, StringAttr,
                                  int64_t maxRows, AffineMap grid,
                                  AffineMap scratch, int64_t block,
                                  int64_t shared) {
  if (block < 0 || shared < 0 || (shared && !block))
    return emitError() << "expected 'shared' bytes only beside a 'block', got "
                       << shared << " and " << block;
  if (maxRows != -1 && maxRows < 1)
    return emitError() << "expected 'max_rows' to be positive or -1, got "
                       << maxRows;
  for (AffineMap map : {grid, scratch})
    if (map.getNumDims() != 0 || map.getNumSymbols() != 4 ||
        map.getNumResults() != 1)
      return emitError() << "expected one expression over 4 symbols, got "
                         << AffineMapAttr::get(map);
  return success();
}

//===----------------------------------------------------------------------===//
// Parts of a program
//===----------------------------------------------------------------------===//

LogicalResult ProgramOp::verifyRegions() {
  for (FlatSymbolRefAttr name : {getStreamAttr(), getLogitsAttr()})
    if (!isa_and_nonnull<BufferOp>(lookupSymbol(name)))
      return emitOpError("expected a buffer called ") << name;
  auto tables = getBody().getOps<LayersOp>();
  if (std::distance(tables.begin(), tables.end()) != 1)
    return emitOpError("expected exactly one plan.layers");
  return success();
}

LayersOp ProgramOp::getLayers() { return *getBody().op_begin<LayersOp>(); }

LogicalResult KernelOp::verifyRegions() {
  Block &block = getBody().front();
  if (!llvm::hasSingleElement(block) ||
      !isa<kern::KernDialect>(block.front().getDialect()))
    return emitOpError("expected exactly one operation, of the kern dialect");
  return success();
}

LogicalResult WeightOp::verify() {
  auto emitError = [&] { return emitOpError(); };
  if (failed(kern::shapeOfRecipe(getRecipe().getSteps(), emitError)))
    return failure();
  if (!kern::isPacked(getRecipe()))
    return emitOpError("expected a recipe that ends in 'pack'");
  return success();
}

LogicalResult BufferOp::verify() {
  if (!isa<FloatType>(getElement()))
    return emitOpError("expected a float element type, got ") << getElement();
  if (getColumns() < 1 || getStride() < getColumns())
    return emitOpError("expected 'stride' ")
           << getStride() << " to be at least " << getColumns() << " columns";
  if (getOffset() < 0)
    return emitOpError("expected 'offset' not to be negative, got ")
           << getOffset();
  return success();
}

LogicalResult StateOp::verify() {
  size_t rank = getKind() == StateKind::Ssm2 ? 3 : 2;
  if (getShape().size() != rank)
    return emitOpError("expected a shape of rank ")
           << rank << ", got " << getShape().size();
  for (int64_t size : getShape())
    if (size < 0)
      return emitOpError("expected no negative size, got ") << size;
  if (!getElement().isF32() && !getElement().isBF16())
    return emitOpError("expected f32 or bf16 elements, got ") << getElement();
  return success();
}

int64_t StateOp::getBytes() {
  int64_t elementBytes = getElement().getIntOrFloatBitWidth() / 8;
  ArrayRef<int64_t> shape = getShape();
  switch (getKind()) {
  case StateKind::Conv:
    // A call reads one copy and writes the other.
    return 2 * shape[0] * shape[1] * elementBytes;
  case StateKind::Ssm1:
    return llvm::alignTo(shape[0], kern::ScanOp::kPanel) * shape[1] *
           elementBytes;
  case StateKind::Ssm2:
    return shape[0] * shape[1] * shape[2] * elementBytes;
  case StateKind::Key: {
    // Keys lie in panels of channel pairs when they are 16 bits wide.
    int64_t pair = 4 / elementBytes;
    return kPageTokens * shape[0] * llvm::alignTo(shape[1], pair) *
           elementBytes;
  }
  case StateKind::Value:
    return kPageTokens * shape[0] * shape[1] * elementBytes;
  }
  llvm_unreachable("unknown kind of state");
}

LogicalResult BodyOp::verifyRegions() {
  for (Region *region : {&getPrefill(), &getStep()})
    for (Operation &op : region->getOps()) {
      auto launch = dyn_cast<LaunchOp>(op);
      if (!launch) {
        InFlightDiagnostic diag = emitOpError("expected only launches");
        diag.attachNote(op.getLoc()) << "found '" << op.getName() << "'";
        return diag;
      }
      for (ArgumentAttr slot : launch.getArgs().getSlots()) {
        bool isWeight = slot.getKind() == ArgumentKind::Weight;
        bool isState = slot.getKind() == ArgumentKind::State ||
                       slot.getKind() == ArgumentKind::StateStride;
        if (isWeight && slot.getNumber() >= int64_t(getWeights()))
          return launch.emitOpError("uses weight ")
                 << slot.getNumber() << " of " << getWeights();
        if (isState && slot.getNumber() >= int64_t(getStates().size()))
          return launch.emitOpError("uses state ")
                 << slot.getNumber() << " of " << getStates().size();
      }
    }
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *program = (*this)->getParentOfType<ProgramOp>();
  if (!symbols.lookupSymbolIn<KernelOp>(program, getKernelAttr()))
    return emitOpError("names no kernel: ") << getKernelAttr();
  for (ArgumentAttr slot : getArgs().getSlots()) {
    if (!slot.getSymbol())
      continue;
    Operation *part = symbols.lookupSymbolIn(program, slot.getSymbol());
    bool isWeight = slot.getKind() == ArgumentKind::GlobalWeight;
    if (isWeight ? !isa_and_nonnull<WeightOp>(part)
                 : !isa_and_nonnull<BufferOp>(part))
      return emitOpError("names no ")
             << (isWeight ? "weight: " : "buffer: ") << slot.getSymbol();
  }
  return success();
}

LogicalResult LayersOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *program = (*this)->getParentOp();
  for (FlatSymbolRefAttr name : {getBeforeAttr(), getAfterAttr()})
    if (!symbols.lookupSymbolIn<BodyOp>(program, name))
      return emitOpError("names no body: ") << name;
  for (auto [index, row] :
       llvm::enumerate(getTable().getAsRange<ssm::LayerAttr>())) {
    auto body = symbols.lookupSymbolIn<BodyOp>(program, row.getBody());
    if (!body)
      return emitOpError("row ")
             << index << " names no body: " << row.getBody();
    if (row.getWeights().size() != body.getWeights())
      return emitOpError("row ")
             << index << " binds " << row.getWeights().size()
             << " weights, but " << row.getBody() << " takes "
             << body.getWeights();
    for (Attribute weight : row.getWeights()) {
      auto name = dyn_cast<FlatSymbolRefAttr>(weight);
      if (!name || !symbols.lookupSymbolIn<WeightOp>(program, name))
        return emitOpError("row ") << index << " names no weight: " << weight;
    }
  }
  return success();
}
