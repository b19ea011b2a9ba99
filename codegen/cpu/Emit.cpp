//===- Emit.cpp - Finds the emitter of a kern operation -------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Emitters.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssm;

FailureOr<SmallVector<KernelInfo>> ssm::emitKernel(Operation *kernOp,
                                                   StringRef name,
                                                   const Target &target,
                                                   ModuleOp module) {
  return llvm::TypeSwitch<Operation *, KernelInfos>(kernOp)
      .Case([&](kern::AttentionOp op) {
        return emitAttention(op, name, target, module);
      })
      .Case([&](kern::KvAppendOp op) {
        return emitKvAppend(op, name, target, module);
      })
      .Case(
          [&](kern::EmbedOp op) { return emitEmbed(op, name, target, module); })
      .Case([&](kern::RowwiseOp op) {
        return emitRowwise(op, name, target, module);
      })
      .Case([&](kern::GemmOp op) { return emitGemm(op, name, target, module); })
      .Case([&](kern::ConvOp op) { return emitConv(op, name, target, module); })
      .Case([&](kern::ScanOp op) { return emitScan(op, name, target, module); })
      .Case([&](kern::SsdOp op) { return emitSsd(op, name, target, module); })
      .Case([&](kern::SsmStepOp op) {
        return emitSsmStep(op, name, target, module);
      })
      .Default([&](Operation *op) -> KernelInfos {
        return op->emitError("no CPU kernel for '") << op->getName() << "'";
      });
}
