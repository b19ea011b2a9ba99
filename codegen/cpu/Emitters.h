//===- Emitters.h - One emitter per kern operation ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/cpu/Cpu.h"
#include "dialect/Kern.h"

namespace ssm {

using KernelInfos = mlir::FailureOr<mlir::SmallVector<KernelInfo>>;

KernelInfos emitAttention(kern::AttentionOp op, llvm::StringRef name,
                          const Target &target, mlir::ModuleOp module);
KernelInfos emitKvAppend(kern::KvAppendOp op, llvm::StringRef name,
                         const Target &target, mlir::ModuleOp module);
KernelInfos emitEmbed(kern::EmbedOp op, llvm::StringRef name,
                      const Target &target, mlir::ModuleOp module);
KernelInfos emitRowwise(kern::RowwiseOp op, llvm::StringRef name,
                        const Target &target, mlir::ModuleOp module);
KernelInfos emitGemm(kern::GemmOp op, llvm::StringRef name,
                     const Target &target, mlir::ModuleOp module);
KernelInfos emitConv(kern::ConvOp op, llvm::StringRef name,
                     const Target &target, mlir::ModuleOp module);
KernelInfos emitScan(kern::ScanOp op, llvm::StringRef name,
                     const Target &target, mlir::ModuleOp module);
KernelInfos emitSsd(kern::SsdOp op, llvm::StringRef name, const Target &target,
                    mlir::ModuleOp module);
KernelInfos emitSsmStep(kern::SsmStepOp op, llvm::StringRef name,
                        const Target &target, mlir::ModuleOp module);

} // namespace ssm
