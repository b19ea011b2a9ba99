//===- EmitGemm.cpp - Kernels of kern.gemm and kern.norm_gemm -------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel of each entry of the schedule. The two operations differ in how they
// make the inputs of the product: kern.gemm reads them, kern.norm_gemm computes
// the statistics of its few rows in every block and the inputs as it needs
// them.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Gemm.h"
#include "codegen/gpu/NormInput.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

Value GemmEpilogue::store(TileBuilder &builder, ArrayRef<Value> sums,
                          ArrayRef<Value> channels, Value row, Value column,
                          Value mask) const {
  Values values(sums);
  for (Value vector : columns)
    for (Value channel : channels)
      values.push_back(builder.loadConstant(vector, channel, 0, mask));
  // The result may replace an element operand.
  for (const Rows &element : elements)
    values.push_back(
        builder.loadFloats(element.row(builder, row), column, 0, mask));
  Value number = builder.cloneRegion(*region, values);
  builder.storeFloats(number, result.row(builder, row), column, mask);
  return number;
}

namespace {
/// Rows as they are in memory.
class PlainInput : public GemmInput {
public:
  explicit PlainInput(Rows rows) : rows(rows) {}

  Value load(TileBuilder &builder, Value row, Value channel,
             Value mask) override {
    return builder.loadFloats(rows.row(builder, row), channel, 0, mask);
  }

  /// Rows of the product.
  Value rowCount;

private:
  Rows rows;
};
} // namespace

/// Size of dimension `dim` of a tensor value.
static int64_t size(Value tensor, unsigned dim) {
  return cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
}

template <typename OpTy> static GemmShape shapeOf(OpTy op) {
  return {size(op.getWeight(), 1), size(op.getWeight(), 0),
          int64_t(op.getPaired().value_or(0)),
          cast<RankedTensorType>(op.getWeight().getType()).getElementType()};
}

/// Whether `schedule` is one that the emitters know; says why not.
static LogicalResult checkSchedule(Operation *op, const GemmShape &shape,
                                   kern::GemmScheduleAttr schedule) {
  if (schedule.getPanel() != kPanelRows ||
      schedule.getPair() != shape.pieceInputs())
    return op->emitError("expected panels of ")
           << kPanelRows << " channels and pieces of " << shape.pieceInputs()
           << " for weights of " << shape.weight << ", got "
           << schedule.getPanel() << " and " << schedule.getPair();
  if (shape.paired && shape.paired != kPanelRows / 2)
    return op->emitError("expected pairs of ")
           << kPanelRows / 2 << " channels, got " << shape.paired;
  if (schedule.getForm() == kern::GemmForm::Blocked)
    return success();
  int64_t columns = schedule.getBlockColumns(), warps = kGemmThreads / 32;
  if (columns % kPanelRows || columns < kPanelRows ||
      warps % (columns / kPanelRows))
    return op->emitError("expected block_columns of 8, 16, 32 or 64, got ")
           << columns;
  if (schedule.getBlockRows() != schedule.getMaxRows())
    return op->emitError("expected block_rows to be max_rows in the stream "
                         "form, got ")
           << schedule.getBlockRows() << " and " << schedule.getMaxRows();
  return success();
}

/// Name and grid of the kernel of one entry.
static KernelInfo describe(MLIRContext *context, const GemmShape &shape,
                           StringRef name, kern::GemmScheduleAttr schedule,
                           AffineExpr rows) {
  int64_t maxRows = schedule.getMaxRows();
  std::string suffix = maxRows < 0 ? "_any" : "_m" + std::to_string(maxRows);
  KernelInfo kernel{(name + suffix).str(), {}, maxRows};
  bool isStream = schedule.getForm() == kern::GemmForm::Stream;
  int64_t columns = isStream ? schedule.getBlockColumns() : kTileColumns;
  kernel.grid =
      getAffineConstantExpr(llvm::divideCeil(shape.outputs, columns), context);
  if (!isStream)
    kernel.grid = kernel.grid * rows.ceilDiv(kTileRows);
  return kernel;
}

/// Adds memory for the candidates of each block to the kernel of a streaming
/// entry.
static Value addCandidates(KernelArgs &args, kern::GemmScheduleAttr schedule,
                           KernelInfo &kernel) {
  constexpr int64_t kPairBytes = 8;
  kernel.scratch = kernel.grid * (schedule.getMaxRows() * kPairBytes);
  return args.scratch();
}

/// The kernels of all entries of the schedule of `op`. `takeInput` takes the
/// slots in front of the weight, `takeCall` those behind the result.
template <typename OpTy, typename InputT>
static KernelInfos
emitForms(OpTy op, StringRef name, const Target &target, ModuleOp module,
          AffineExpr rows, bool makeLogits,
          function_ref<InputT(KernelArgs &)> takeInput,
          function_ref<void(KernelArgs &, InputT &)> takeCall) {
  if (!op.getSchedule() || op.getSchedule()->empty())
    return op.emitError("expected a schedule, run --kern-schedule-gpu first");
  GemmShape shape = shapeOf(op);
  SmallVector<KernelInfo> kernels;
  for (auto schedule :
       op.getSchedule()->template getAsRange<kern::GemmScheduleAttr>()) {
    if (failed(checkSchedule(op, shape, schedule)))
      return failure();
    kernels.push_back(describe(op.getContext(), shape, name, schedule, rows));
    TileBuilder builder(op.getLoc(), target);
    KernelArgs args(builder, builder.startKernel(module, kernels.back().name,
                                                 kGemmThreads));
    InputT input = takeInput(args);
    Value weight = args.weight(op.getWeight());
    GemmEpilogue epilogue{&op.getEpilogue(), args.weights(op.getColumns()),
                          args.rows(op.getElements()),
                          args.rows(op.getResult())};
    takeCall(args, input);
    GemmTask task{builder, shape,    schedule,      weight,
                  &input,  epilogue, input.rowCount};
    bool isStream = schedule.getForm() == kern::GemmForm::Stream;
    if (isStream && makeLogits)
      task.candidates = addCandidates(args, schedule, kernels.back());
    isStream ? emitGemmStream(task) : emitGemmTiles(task);
    builder.finishKernel();
  }
  return kernels;
}

KernelInfos ssm::gpu::emitGemm(kern::GemmOp op, StringRef name,
                               const Target &target, ModuleOp module,
                               bool makeLogits) {
  return emitForms<kern::GemmOp, PlainInput>(
      op, name, target, module, symbolOf(CallSymbol::Rows, op.getContext()),
      makeLogits,
      [&](KernelArgs &args) { return PlainInput(args.rows(op.getInput())); },
      [](KernelArgs &args, PlainInput &input) {
        input.rowCount = args.integer();
      });
}

KernelInfos ssm::gpu::emitNormGemm(kern::NormGemmOp op, StringRef name,
                                   const Target &target, ModuleOp module,
                                   bool makeLogits) {
  return emitForms<kern::NormGemmOp, NormInput>(
      op, name, target, module,
      symbolOf(op.getGather() ? CallSymbol::Outputs : CallSymbol::Rows,
               op.getContext()),
      makeLogits,
      [&](KernelArgs &args) {
        NormInput input(op);
        input.inputs = {args.rows(op.getInput())};
        input.inputs.append(args.rows(op.getNormElements()));
        input.columns = args.weights(op.getNormColumns());
        return input;
      },
      [](KernelArgs &args, NormInput &input) {
        input.sequences.emplace(args.sequences());
        input.rowCount = args.integer();
      });
}
