//===- Emit.cpp - Finds the emitter of a kern operation -------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Emitters.h"
#include "codegen/gpu/TilePasses.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssm::gpu;

static KernelInfos emit(Operation *kernOp, StringRef name, const Target &target,
                        ModuleOp module, bool makeLogits) {
  return llvm::TypeSwitch<Operation *, KernelInfos>(kernOp)
      .Case(
          [&](kern::EmbedOp op) { return emitEmbed(op, name, target, module); })
      .Case([&](kern::GemmOp op) {
        return emitGemm(op, name, target, module, makeLogits);
      })
      .Case([&](kern::NormGemmOp op) {
        return emitNormGemm(op, name, target, module, makeLogits);
      })
      .Case([&](kern::RowwiseOp op) {
        return emitRowwise(op, name, target, module);
      })
      .Case([&](kern::AttentionOp op) {
        return emitAttention(op, name, target, module);
      })
      .Case([&](kern::AttentionStepOp op) {
        return emitAttentionStep(op, name, target, module);
      })
      .Case([&](kern::ConvOp op) { return emitConv(op, name, target, module); })
      .Case([&](kern::KvAppendOp op) {
        return emitKvAppend(op, name, target, module);
      })
      .Case([&](kern::ScanOp op) { return emitScan(op, name, target, module); })
      .Case([&](kern::SsdOp op) { return emitSsd(op, name, target, module); })
      .Case([&](kern::SsmStepOp op) {
        return emitSsmStep(op, name, target, module);
      })
      .Default([&](Operation *op) -> KernelInfos {
        return op->emitError("no GPU kernel for '") << op->getName() << "'";
      });
}

FailureOr<SmallVector<KernelInfo>>
ssm::gpu::emitKernel(Operation *kernOp, StringRef name, const Target &target,
                     ModuleOp module, bool makeLogits) {
  KernelInfos kernels = emit(kernOp, name, target, module, makeLogits);
  if (failed(kernels))
    return failure();
  for (KernelInfo &kernel : *kernels) {
    auto function = module.lookupSymbol<tile::FuncOp>(kernel.name);
    kernel.block = function.getBlock();
    kernel.shared = dynamicSharedBytes(function);
  }
  return kernels;
}
