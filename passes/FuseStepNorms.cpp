//===- FuseStepNorms.cpp - Norms inside the products of a step ------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// %n = kern.rowwise rms %x {f}; %y = kern.gemm %n, %w {g}
//     -> %y = kern.norm_gemm rms %x {f} gemm %w {g}
//
// Only in what is called *.step: with many rows computing them in every block
// would cost more than a launch.
//
// Precondition: matrix products have schedules (--kern-schedule-gpu).
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"

namespace ssm {
#define GEN_PASS_DEF_FUSESTEPNORMSPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;

static remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("fuse-step-norms").category("kern");
}

/// Whether only products read `norm`, as their input.
static bool feedsProducts(kern::RowwiseOp norm) {
  return !norm->use_empty() &&
         llvm::all_of(norm->getUses(), [](OpOperand &use) {
           auto gemm = dyn_cast<kern::GemmOp>(use.getOwner());
           return gemm && &use == &gemm.getInputMutable();
         });
}

/// The product of `norm` and `gemm` in one kernel.
static void fuse(kern::RowwiseOp norm, kern::GemmOp gemm) {
  OpBuilder builder(gemm);
  auto rows = cast<RankedTensorType>(norm.getType());
  auto fused = kern::NormGemmOp::create(
      builder, gemm.getLoc(), gemm.getType(), norm.getInput(),
      norm.getElements(), norm.getColumns(), gemm.getWeight(),
      gemm.getColumns(), gemm.getElements(), norm.getStatisticAttr(),
      norm.getGroupsAttr(), norm.getEpsAttr(), norm.getGatherAttr(),
      TypeAttr::get(rows.getElementType()), gemm.getPairedAttr(),
      gemm.getScheduleAttr());
  IRMapping mapping;
  norm.getValue().cloneInto(&fused.getValue(), mapping);
  norm.getFinish().cloneInto(&fused.getFinish(), mapping);
  fused.getEpilogue().takeBody(gemm.getEpilogue());
  gemm.replaceAllUsesWith(fused.getResult());
  gemm.erase();
}

static void fuseNorms(Operation *step) {
  SmallVector<kern::RowwiseOp> norms;
  step->walk([&](kern::RowwiseOp norm) { norms.push_back(norm); });
  for (kern::RowwiseOp norm : norms) {
    if (!feedsProducts(norm)) {
      remark::missed(norm.getLoc(), remarkOptions())
          << "the rows have readers that are no products";
      continue;
    }
    for (Operation *user : llvm::to_vector(norm->getUsers()))
      fuse(norm, cast<kern::GemmOp>(user));
    remark::passed(norm.getLoc(), remarkOptions())
        << "a norm became part of the products behind it";
    norm.erase();
  }
}

namespace {
struct FuseStepNormsPass : ssm::impl::FuseStepNormsPassBase<FuseStepNormsPass> {
  using Base::Base;

  void runOnOperation() override {
    for (Operation &op : *getOperation().getBody())
      if (auto name = SymbolTable::getSymbolName(&op);
          isa<func::FuncOp, ProgramOp>(op) &&
          name.getValue().ends_with(".step"))
        fuseNorms(&op);
  }
};
} // namespace
