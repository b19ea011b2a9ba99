//===- ScheduleGpu.cpp - Choose forms of kernels for a GPU ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes what a GPU target wants into kern form:
//
//   kern.gemm %x, %w ... -> kern.gemm %x, %w schedule [<stream, max_rows = 16
//                             ...>, <blocked, max_rows = -1 ...>] ...
//   kern.gemm %x, %w paired(g) ... -> ... paired(4), and recipes to match
//   kern.embed of the head's table -> in the panels of the head
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "codegen/gpu/Target.h"
#include "passes/PairedGemm.h"

namespace ssm {
#define GEN_PASS_DEF_SCHEDULEGPUPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;

/// Rows of the forms that stream the weights once: a step has few rows and
/// gains from knowing how many; other calls seldom have so few.
static constexpr int64_t kStepRows[] = {1, 4, 16}, kPrefillRows[] = {16};
/// Rows from which the inputs weigh more than the weights of a small block, and
/// the columns of a block that has more.
static constexpr int64_t kManyRows = 16, kManyRowsColumns = 32;
/// Columns that a block may have, and blocks that a multiprocessor should get.
static constexpr int64_t kBlockColumns[] = {64, 32, 16, 8}, kBlocksPerUnit = 2;

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

/// The most columns with which all multiprocessors have work.
static int64_t blockColumns(int64_t outputs, int64_t rows,
                            const ssm::gpu::Target &target) {
  int64_t least = rows >= kManyRows ? kManyRowsColumns : 1;
  for (int64_t columns : kBlockColumns)
    if (columns <= least ||
        outputs >= columns * kBlocksPerUnit * target.multiprocessors)
      return columns;
  return *std::rbegin(kBlockColumns);
}

/// Whether `op` belongs to the step of a model.
static bool isInStep(Operation *op) {
  while (op->getParentOp() && !isa<ModuleOp>(op->getParentOp()))
    op = op->getParentOp();
  return SymbolTable::getSymbolName(op).getValue().ends_with(".step");
}

/// The forms of a matrix product, from few to many rows.
static ArrayAttr scheduleOf(kern::GemmOp gemm, const ssm::gpu::Target &target) {
  MLIRContext *context = gemm.getContext();
  int64_t outputs = gemm.getWeight().getType().getDimSize(0);
  int64_t pair = ssm::gpu::pieceInputs(
      elementOf(gemm.getWeight()).getIntOrFloatBitWidth());
  SmallVector<Attribute> entries;
  for (int64_t rows :
       isInStep(gemm) ? ArrayRef(kStepRows) : ArrayRef(kPrefillRows))
    entries.push_back(kern::GemmScheduleAttr::get(
        context, kern::GemmForm::Stream, rows, rows, ssm::gpu::kPanelRows, pair,
        /*dot=*/false, blockColumns(outputs, rows, target)));
  entries.push_back(kern::GemmScheduleAttr::get(
      context, kern::GemmForm::Blocked, -1, ssm::gpu::kTileRows,
      ssm::gpu::kPanelRows, pair, /*dot=*/false, ssm::gpu::kTileColumns));
  return ArrayAttr::get(context, entries);
}

namespace {
struct ScheduleGpuPass : ssm::impl::ScheduleGpuPassBase<ScheduleGpuPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    const ssm::gpu::Target *device = ssm::gpu::Target::lookup(target);
    if (!device) {
      module.emitError() << "unknown GPU target '" << target << "'";
      return signalPassFailure();
    }
    // Partners are the halves of a panel, in one thread's hands.
    if (failed(fitPairs(module, ssm::gpu::kPanelRows / 2)))
      return signalPassFailure();
    tieEmbeddings(module, ssm::gpu::kPanelRows, [](Type element) {
      return ssm::gpu::pieceInputs(element.getIntOrFloatBitWidth());
    });
    module.walk([&](kern::GemmOp gemm) {
      gemm.setScheduleAttr(scheduleOf(gemm, *device));
    });
  }
};
} // namespace
