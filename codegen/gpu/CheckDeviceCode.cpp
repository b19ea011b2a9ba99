//===- CheckDeviceCode.cpp - Refuse what a device cannot run --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The last look before LLVM: what passes needs no library and no stack.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/TilePasses.h"

#include "llvm/ADT/STLExtras.h"

namespace ssm::gpu {
#define GEN_PASS_DEF_CHECKDEVICECODEPASS
#include "codegen/gpu/TilePasses.h.inc"
} // namespace ssm::gpu

using namespace mlir;

/// Intrinsics of LLVM that are instructions.
static bool isInstruction(Operation *op) {
  return isa<LLVM::FMAOp, LLVM::FAbsOp, LLVM::SqrtOp, LLVM::MaxNumOp,
             LLVM::MinNumOp, LLVM::MaximumOp, LLVM::MinimumOp, LLVM::SMaxOp,
             LLVM::SMinOp, LLVM::UMaxOp, LLVM::UMinOp>(op);
}

/// Operations of LLVM that are no intrinsics, calls or stack memory.
static bool isPlain(Operation *op) {
  StringRef name = op->getName().stripDialect();
  return !name.starts_with("intr.") && !name.starts_with("call") &&
         !isa<LLVM::AllocaOp, LLVM::InlineAsmOp, LLVM::InvokeOp>(op) &&
         isa<LLVM::LLVMDialect>(op->getDialect());
}

static bool isLegal(Operation *op) {
  if (auto call = dyn_cast<LLVM::CallIntrinsicOp>(op))
    return call.getIntrin().starts_with("llvm.nvvm.");
  if (auto tanh = dyn_cast<LLVM::TanhOp>(op))
    return tanh.getFastmathFlags() == LLVM::FastmathFlags::afn;
  // A remainder of floats is a call.
  if (isa<LLVM::FRemOp>(op))
    return false;
  return isa<ModuleOp>(op) || isInstruction(op) || isPlain(op);
}

namespace {
struct CheckDeviceCodePass
    : ssm::gpu::impl::CheckDeviceCodePassBase<CheckDeviceCodePass> {
  using Base::Base;

  void runOnOperation() override {
    WalkResult result = getOperation().walk([](Operation *op) {
      if (isLegal(op))
        return WalkResult::advance();
      op->emitOpError("has no instruction on the device");
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
