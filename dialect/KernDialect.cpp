//===- KernDialect.cpp - Registration and verifiers of the kern dialect ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Kern.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace kern;

/// The name of a recipe step, if it has one.
static ParseResult parseStepName(AsmParser &parser, StringAttr &name) {
  std::string text;
  if (succeeded(parser.parseOptionalString(&text)))
    name = StringAttr::get(parser.getContext(), text);
  return success();
}
static void printStepName(AsmPrinter &printer, StringAttr name) {
  if (name)
    printer << ' ' << name;
}

#include "dialect/KernDialect.cpp.inc"
#include "dialect/KernEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/KernAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/KernOps.cpp.inc"

void KernDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/KernAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/KernOps.cpp.inc"
      >();
}

/// Size of dimension `dim` of a tensor value.
static int64_t size(Value tensor, unsigned dim) {
  return cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
}

/// A scalar region: `count` f32 arguments, only scalar operations, one f32 out.
static LogicalResult verifyRegion(Operation *op, Region &region, StringRef name,
                                  size_t count) {
  Block &block = region.front();
  if (block.getNumArguments() != count)
    return op->emitOpError("expected region '")
           << name << "' to take " << count << " values, got "
           << block.getNumArguments();
  for (Type type : block.getArgumentTypes())
    if (!type.isF32())
      return op->emitOpError("expected region '")
             << name << "' to take f32 values, got " << type;
  for (Operation &inner : block) {
    if (isa<YieldOp, math::ExpOp, math::Exp2Op, math::Log1pOp, math::TanhOp,
            math::ErfOp, math::RsqrtOp, math::AbsFOp, math::FmaOp>(inner) ||
        isa<arith::ArithDialect>(inner.getDialect()))
      continue;
    InFlightDiagnostic diag = op->emitOpError("expected only scalar arith and "
                                              "math operations in region '")
                              << name << "'";
    diag.attachNote(inner.getLoc()) << "found '" << inner.getName() << "'";
    return diag;
  }
  if (!isa_and_nonnull<YieldOp>(block.empty() ? nullptr : &block.back()))
    return op->emitOpError("expected region '")
           << name << "' to end in a yield";
  return success();
}

/// Column operands have one entry, element operands one column, per `width`.
static LogicalResult verifyWidths(Operation *op, ValueRange columns,
                                  int64_t columnWidth, ValueRange elements,
                                  int64_t elementWidth) {
  for (Value column : columns)
    if (size(column, 0) != columnWidth)
      return op->emitOpError("expected column operands of ")
             << columnWidth << " entries, got " << size(column, 0);
  for (Value element : elements)
    if (size(element, 1) != elementWidth)
      return op->emitOpError("expected element operands of ")
             << elementWidth << " columns, got " << size(element, 1);
  return success();
}

LogicalResult ColumnsOp::verify() {
  int64_t first = getFirst(), count = size(getResult(), 1);
  if (first < 0 || first + count > size(getInput(), 1))
    return emitOpError("expected columns ")
           << first << ".." << first + count << " to lie in "
           << size(getInput(), 1);
  return success();
}

/// All columns of x -> x. Columns of columns of x -> columns of x.
OpFoldResult ColumnsOp::fold(FoldAdaptor) {
  if (getInput().getType() == getType())
    return getInput();
  auto inner = getInput().getDefiningOp<ColumnsOp>();
  if (!inner)
    return {};
  setFirst(getFirst() + inner.getFirst());
  getInputMutable().assign(inner.getInput());
  return getResult();
}

/// What `kern.rowwise` and the norm of `kern.norm_gemm` share.
static LogicalResult verifyNorm(Operation *op, int64_t width, int64_t groups,
                                ValueRange elements, ValueRange columns,
                                Region &value, Region &finish) {
  if (groups < 1 || width % groups)
    return op->emitOpError("expected 'groups' ")
           << groups << " to divide " << width << " columns";
  if (failed(verifyWidths(op, columns, width, elements, width)) ||
      failed(verifyRegion(op, value, "value", 1 + elements.size())))
    return failure();
  return verifyRegion(op, finish, "finish",
                      3 + elements.size() + columns.size());
}

LogicalResult RowwiseOp::verify() {
  int64_t width = size(getInput(), 1);
  if (size(getResult(), 1) != width)
    return emitOpError("expected a result of ") << width << " columns";
  return verifyNorm(*this, width, getGroups(), getElements(), getColumns(),
                    getValue(), getFinish());
}

/// What `kern.gemm` and the product of `kern.norm_gemm` share.
template <typename OpTy> static LogicalResult verifyProduct(OpTy op) {
  int64_t sums = size(op.getWeight(), 0);
  std::optional<int64_t> paired = op.getPaired();
  int64_t accumulators = paired ? 2 : 1;
  if (paired && (*paired < 1 || sums % (2 * *paired)))
    return op.emitOpError("expected pairs of ")
           << *paired << " columns to divide " << sums << " columns";
  int64_t width = sums / accumulators;
  if (size(op.getResult(), 1) != width)
    return op.emitOpError("expected a result of ")
           << width << " columns, got " << size(op.getResult(), 1);
  if (failed(verifyWidths(op, op.getColumns(), sums, op.getElements(), width)))
    return failure();
  return verifyRegion(op, op.getEpilogue(), "epilogue",
                      accumulators * (1 + op.getColumns().size()) +
                          op.getElements().size());
}

LogicalResult GemmOp::verify() { return verifyProduct(*this); }

LogicalResult NormGemmOp::verify() {
  int64_t width = size(getInput(), 1);
  if (size(getWeight(), 1) != width)
    return emitOpError("expected a weight of ")
           << width << " columns, got " << size(getWeight(), 1);
  if (!getRounded().isF32() && !getRounded().isBF16())
    return emitOpError("expected 'rounded' to be f32 or bf16, got ")
           << getRounded();
  if (failed(verifyNorm(*this, width, getGroups(), getNormElements(),
                        getNormColumns(), getValue(), getFinish())))
    return failure();
  return verifyProduct(*this);
}

LogicalResult ConvOp::verify() {
  if (size(getState(), 2) != size(getWeight(), 1) - 1)
    return emitOpError("expected a state of ")
           << size(getWeight(), 1) - 1 << " inputs, got "
           << size(getState(), 2);
  if (failed(verifyWidths(*this, getColumns(), size(getInput(), 1), {}, 0)))
    return failure();
  return verifyRegion(*this, getEpilogue(), "epilogue",
                      1 + getColumns().size());
}

LogicalResult ScanOp::verify() {
  int64_t width = size(getInput(), 1);
  if (size(getB(), 1) != size(getA(), 1) || size(getC(), 1) != size(getA(), 1))
    return emitOpError("expected B and C of ") << size(getA(), 1) << " columns";
  if (failed(verifyWidths(*this, getColumns(), width, getElements(), width)))
    return failure();
  return verifyRegion(*this, getEpilogue(), "epilogue",
                      2 + getColumns().size() + getElements().size());
}

/// Shapes that `kern.ssd` and `kern.ssm_step` share; `inputs` is the width that
/// holds `extra` groups-wide parts beside x.
static LogicalResult verifyHeads(Operation *op, Value state, Value dt, Value A,
                                 Value result) {
  int64_t heads = size(state, 1), headDim = size(state, 2);
  if (size(dt, 1) != heads || size(A, 0) != heads)
    return op->emitOpError("expected dt and A of ") << heads << " heads";
  if (size(result, 1) != heads * headDim)
    return op->emitOpError("expected a result of ")
           << heads * headDim << " columns, got " << size(result, 1);
  return success();
}

LogicalResult SsdOp::verify() {
  if (failed(verifyHeads(*this, getState(), getDt(), getA(), getResult())))
    return failure();
  int64_t state = size(getState(), 3), columns = size(getB(), 1);
  if (columns % state || size(getState(), 1) % (columns / state))
    return emitOpError("expected B of whole groups of ") << state << " columns";
  if (getChunk() < 1)
    return emitOpError("expected 'chunk' to be positive, got ") << getChunk();
  return verifyRegion(*this, getDtValue(), "dt_value", 2);
}

LogicalResult SsmStepOp::verify() {
  if (failed(verifyHeads(*this, getState(), getDt(), getA(), getResult())))
    return failure();
  int64_t groupColumns = size(getInput(), 1) - size(getResult(), 1);
  if (groupColumns <= 0 || groupColumns % (2 * size(getState(), 3)))
    return emitOpError("expected B and C of whole groups of ")
           << size(getState(), 3) << " columns beside x, got " << groupColumns;
  if (failed(verifyWidths(*this, getColumns(), size(getInput(), 1), {}, 0)) ||
      failed(verifyRegion(*this, getConvValue(), "conv_value",
                          1 + getColumns().size())))
    return failure();
  return verifyRegion(*this, getDtValue(), "dt_value", 2);
}

/// Queries, keys and values that lie in `input`, for queries of `queries`
/// columns.
static LogicalResult verifyAppended(Operation *op, Value input, Value cache,
                                    int64_t queries) {
  int64_t keys = size(cache, 1) * size(cache, 3);
  if (size(input, 1) != queries + 2 * keys)
    return op->emitOpError("expected ")
           << queries + 2 * keys << " columns of q, k and v, got "
           << size(input, 1);
  if (queries % keys)
    return op->emitOpError("expected query heads in a multiple of kv heads");
  return success();
}

LogicalResult KvAppendOp::verify() {
  return verifyAppended(*this, getInput(), getKeyCache(), size(getResult(), 1));
}

LogicalResult AttentionStepOp::verify() {
  if (!getRounded().isF32() && !getRounded().isBF16())
    return emitOpError("expected 'rounded' to be f32 or bf16, got ")
           << getRounded();
  return verifyAppended(*this, getInput(), getKeyCache(), size(getResult(), 1));
}

LogicalResult AttentionOp::verify() {
  int64_t keys = getKvHeads() * getHeadDim();
  if (size(getQuery(), 1) % keys)
    return emitOpError("expected query heads in a multiple of kv heads");
  return success();
}
