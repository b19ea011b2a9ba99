//===- ScheduleCpu.cpp - Choose forms of kernels for a CPU ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes what a CPU target wants into kern form:
//
//   kern.gemm %x, %w
//     -> kern.gemm %x, %w schedule [<stream, max_rows = 1, ...>, ...,
//                                   <blocked, max_rows = -1, ...>]
//   kern.gemm %x, %w paired(g) ... -> ... paired(lanes), and recipes to match
//   kern.embed of the head's table -> in the panels of the head
//
// A paired product whose halves are no multiple of a vector becomes a product
// of the gate and one of the rest, which reads the gate's sums as elements:
//
//   %h = kern.gemm %x, %w paired(g) { epilogue(gate, up) }
//   -> %g = kern.gemm %x, %wg { gate }
//      %h = kern.gemm %x, %wu elements(%g) { epilogue(gate, up) }
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "codegen/cpu/Target.h"
#include "dialect/KernRecipe.h"
#include "passes/PairedGemm.h"

namespace ssm {
#define GEN_PASS_DEF_SCHEDULECPUPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;

/// Tokens of a chunk of the Mamba-2 recurrence: above, the quadratic part costs
/// more than it saves; 16-bit inputs halve that cost.
static constexpr int64_t kChunk = 32, kHalfChunk = 64;
/// Rows of the forms that stream the weights once.
static constexpr int64_t kStreamRows[] = {1, 2, 4, 8};

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

/// Input channels that lie beside each other in a packed weight.
static int64_t pairOf(Type weightElement) {
  return weightElement.isF32() ? 1 : 2;
}

/// Rows that share each load of weights in the blocked form: the sums of a
/// block fill three quarters of the registers, or half of them where a dot
/// takes less.
static int64_t blockRows(const Target &target, bool dot) {
  int64_t vectors = std::min(target.panel / target.lanes, target.registers / 8);
  int64_t sums = dot ? target.registers / 2 : target.registers * 3 / 4;
  return std::max<int64_t>(1, sums / vectors);
}

/// The forms of a matrix product, from few to many rows.
static ArrayAttr scheduleOf(kern::GemmOp gemm, const Target &target) {
  MLIRContext *context = gemm.getContext();
  Type weight = elementOf(gemm.getWeight());
  int64_t pair = pairOf(weight);
  bool dot = (target.dotBf16 || target.emulateDot) && weight.isBF16() &&
             elementOf(gemm.getInput()).isBF16();
  SmallVector<Attribute> entries;
  for (int64_t rows : kStreamRows)
    entries.push_back(kern::GemmScheduleAttr::get(
        context, kern::GemmForm::Stream, rows, rows, target.panel, pair, dot,
        /*block_columns=*/0));
  entries.push_back(kern::GemmScheduleAttr::get(
      context, kern::GemmForm::Blocked, -1, blockRows(target, dot),
      target.panel, pair, dot, /*block_columns=*/0));
  return ArrayAttr::get(context, entries);
}

namespace {
struct ScheduleCpuPass : ssm::impl::ScheduleCpuPassBase<ScheduleCpuPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<Target> cpu = Target::lookup(target);
    if (!cpu) {
      module.emitError() << llvm::toString(cpu.takeError());
      return signalPassFailure();
    }
    if (failed(fitPairs(module, cpu->lanes)))
      return signalPassFailure();
    tieEmbeddings(module, cpu->panel, pairOf);
    module.walk([&](kern::GemmOp gemm) {
      gemm.setScheduleAttr(scheduleOf(gemm, *cpu));
    });
    module.walk([&](kern::SsdOp ssd) {
      ssd.setChunk(elementOf(ssd.getInput()).isF32() ? kChunk : kHalfChunk);
    });
  }
};
} // namespace
