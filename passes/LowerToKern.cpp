//===- LowerToKern.cpp - Op form to kern form -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each operation of the op form becomes one kernel (or a view):
//
// %y = ssm.linear %x, %w bias %b
//     -> %y = kern.gemm %x, %w columns(%b) { sum + b }
//
// The decay A of the recurrences is multiplied by log2(e) by its recipe, since
// kernels compute exp2(dt A). Preconditions: --ssm-bind-recipes; queries, keys
// and values come from one product (--ssm-fuse-projections).
//
//===----------------------------------------------------------------------===//

#include "passes/LowerToKern.h"
#include "passes/Passes.h"
#include "passes/WeightBinding.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace ssm {
#define GEN_PASS_DEF_LOWERTOKERNPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;
using kern::RecipeAttr;
using kern::Verb;

/// Replaces the operand A of a recurrence by a weight that holds A log2(e).
static LogicalResult scaleDecay(Operation *op, OpOperand &decay) {
  constexpr double kLog2E = 1.44269504088896340736;
  if (!isWeight(decay.get()))
    return op->emitOpError(
        "expected A to be a weight; run --ssm-bind-recipes first");
  auto type = cast<RankedTensorType>(decay.get().getType());
  decay.set(deriveWeight(decay.get(), type, [&](ArrayRef<RecipeAttr> recipes) {
    auto steps = concatSteps(recipes);
    steps.push_back(valueStep(op->getContext(), Verb::Scale, kLog2E));
    return steps;
  }));
  return success();
}

static LogicalResult scaleDecays(ModuleOp module) {
  WalkResult walk = module.walk([](Operation *op) {
    LogicalResult result = success();
    if (auto scan = dyn_cast<SelectiveScanOp>(op))
      result = scaleDecay(op, scan.getAMutable());
    if (auto ssd = dyn_cast<SsdOp>(op))
      result = scaleDecay(op, ssd.getAMutable());
    return failed(result) ? WalkResult::interrupt() : WalkResult::advance();
  });
  eraseUnusedWeights(module);
  return failure(walk.wasInterrupted());
}

/// Reports operations that no pattern took.
static LogicalResult verifyLowered(ModuleOp module) {
  WalkResult walk = module.walk([](Operation *op) {
    if (!isa<SsmDialect>(op->getDialect()) ||
        isa<ProgramOp, LayersOp, WeightOp, ReturnOp>(op))
      return WalkResult::advance();
    if (isa<AttentionOp>(op))
      op->emitOpError("expected query, key and value to be adjacent columns of "
                      "one product; run --ssm-fuse-projections first");
    else
      op->emitOpError("has no lowering to kern");
    return WalkResult::interrupt();
  });
  return failure(walk.wasInterrupted());
}

namespace {
struct LowerToKernPass : ssm::impl::LowerToKernPassBase<LowerToKernPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (failed(scaleDecays(module)))
      return signalPassFailure();
    // Attention looks through the splits and ropes in front of it, so it comes
    // before they are gone.
    RewritePatternSet mixers(&getContext()), rows(&getContext());
    populateMixersToKern(mixers);
    populateRowsToKern(rows);
    if (failed(applyPatternsGreedily(module, std::move(mixers))) ||
        failed(applyPatternsGreedily(module, std::move(rows))) ||
        failed(verifyLowered(module)))
      return signalPassFailure();
  }
};
} // namespace
