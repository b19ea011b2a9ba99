//===- SplitStep.cpp - Prefill and step -----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// func @body, program @model
//     -> @body.prefill, @body.step, @model.prefill, @model.step
//
// A step computes one token of each sequence, so it has kernels of its own:
// kern.attention takes the decode form, and kern.conv with the kern.ssd behind
// it becomes one kern.ssm_step. Bindings of weights are the same in both.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/ScalarRegion.h"

#include "mlir/IR/Remarks.h"

namespace ssm {
#define GEN_PASS_DEF_SPLITSTEPPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;

static remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("split-step").category("kern");
}

/// True if `rows` are `conv`'s columns from `first` on, and nothing else reads
/// them.
static bool isPartOf(Value rows, kern::ConvOp conv, int64_t first) {
  auto columns = rows.getDefiningOp<kern::ColumnsOp>();
  return columns && columns.getInput() == conv.getResult() &&
         int64_t(columns.getFirst()) == first && columns->hasOneUse();
}

/// The convolution whose columns are x, B and C of `ssd`, in this order, or
/// null.
static kern::ConvOp convolutionOf(kern::SsdOp ssd) {
  auto columns = ssd.getInput().getDefiningOp<kern::ColumnsOp>();
  auto conv = columns ? columns.getInput().getDefiningOp<kern::ConvOp>()
                      : kern::ConvOp();
  if (!conv)
    return {};
  int64_t inner = ssd.getInput().getType().getDimSize(1);
  int64_t group = ssd.getB().getType().getDimSize(1);
  bool isWhole = conv.getInput().getType().getDimSize(1) == inner + 2 * group;
  bool hasOthers = llvm::range_size(conv.getResult().getUsers()) != 3;
  if (!isWhole || hasOthers || !isPartOf(ssd.getInput(), conv, 0) ||
      !isPartOf(ssd.getB(), conv, inner) ||
      !isPartOf(ssd.getC(), conv, inner + group))
    return {};
  return conv;
}

/// conv, then ssd of its columns -> ssm_step
static void fuseStep(kern::SsdOp ssd) {
  kern::ConvOp conv = convolutionOf(ssd);
  if (!conv) {
    remark::missed(ssd.getLoc(), remarkOptions())
        << "x, B and C are no columns of one convolution";
    return;
  }
  OpBuilder builder(ssd);
  auto step = kern::SsmStepOp::create(
      builder, ssd.getLoc(), ssd.getResult().getType(),
      conv.getState().getType(), ssd.getState().getType(), conv.getInput(),
      ssd.getDt(), ssd.getDtBias(), ssd.getA(), ssd.getD(), conv.getWeight(),
      conv.getColumns(), ssd.getSeqs(), conv.getState(), ssd.getState());
  step.getConvValue().takeBody(conv.getEpilogue());
  step.getDtValue().takeBody(ssd.getDtValue());
  ssd.getResult().replaceAllUsesWith(step.getResult());
  ssd.getNewState().replaceAllUsesWith(step.getNewState());
  conv.getNewState().replaceAllUsesWith(step.getNewConvState());
  SmallVector<Operation *> parts = {ssd.getInput().getDefiningOp(),
                                    ssd.getB().getDefiningOp(),
                                    ssd.getC().getDefiningOp()};
  ssd.erase();
  for (Operation *part : parts)
    part->erase();
  conv.erase();
  remark::passed(step.getLoc(), remarkOptions())
      << "convolution and recurrence became one kernel";
}

/// Kernels of a step.
static void specialise(func::FuncOp function) {
  function.walk(
      [](kern::AttentionOp op) { op.setForm(kern::AttentionForm::Decode); });
  function.walk(fuseStep);
}

/// A copy of `op` in front of it, called `name`.`suffix`.
template <typename OpTy> static OpTy cloneAs(OpTy op, StringRef suffix) {
  OpBuilder builder(op);
  auto copy = cast<OpTy>(builder.clone(*op.getOperation()));
  copy.setSymName((op.getSymName() + "." + suffix).str());
  return copy;
}

/// Rows of `layers` name the bodies of one entry.
static void renameBodies(LayersOp layers, StringRef suffix) {
  SmallVector<Attribute> rows;
  for (auto row : layers.getTable().getAsRange<LayerAttr>()) {
    auto body = FlatSymbolRefAttr::get(
        layers.getContext(), (row.getBody().getValue() + "." + suffix).str());
    rows.push_back(LayerAttr::get(layers.getContext(), row.getNumber(), body,
                                  row.getWeights()));
  }
  layers.setTableAttr(ArrayAttr::get(layers.getContext(), rows));
}

namespace {
struct SplitStepPass : ssm::impl::SplitStepPassBase<SplitStepPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto function :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      cloneAs(function, "prefill");
      specialise(cloneAs(function, "step"));
      function.erase();
    }
    for (auto program :
         llvm::make_early_inc_range(module.getOps<ProgramOp>())) {
      for (StringRef suffix : {"prefill", "step"})
        cloneAs(program, suffix).walk([&](LayersOp layers) {
          renameBodies(layers, suffix);
        });
      program.erase();
    }
  }
};
} // namespace
