//===- Emitters.h - One emitter per kern operation -*- C++ -*- ------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/gpu/Gpu.h"
#include "codegen/gpu/TileBuilder.h"
#include "dialect/Kern.h"

namespace ssm::gpu {

using KernelInfos = mlir::FailureOr<mlir::SmallVector<KernelInfo>>;

/// Symbols of the grid of a `KernelInfo`.
enum class CallSymbol : unsigned { Rows, Sequences, Tiles, Outputs };
inline mlir::AffineExpr symbolOf(CallSymbol symbol,
                                 mlir::MLIRContext *context) {
  return mlir::getAffineSymbolExpr(static_cast<unsigned>(symbol), context);
}

KernelInfos emitEmbed(kern::EmbedOp op, llvm::StringRef name,
                      const Target &target, mlir::ModuleOp module);
KernelInfos emitGemm(kern::GemmOp op, llvm::StringRef name,
                     const Target &target, mlir::ModuleOp module,
                     bool makeLogits);
KernelInfos emitNormGemm(kern::NormGemmOp op, llvm::StringRef name,
                         const Target &target, mlir::ModuleOp module,
                         bool makeLogits);
KernelInfos emitRowwise(kern::RowwiseOp op, llvm::StringRef name,
                        const Target &target, mlir::ModuleOp module);
KernelInfos emitAttention(kern::AttentionOp op, llvm::StringRef name,
                          const Target &target, mlir::ModuleOp module);
KernelInfos emitAttentionStep(kern::AttentionStepOp op, llvm::StringRef name,
                              const Target &target, mlir::ModuleOp module);
KernelInfos emitConv(kern::ConvOp op, llvm::StringRef name,
                     const Target &target, mlir::ModuleOp module);
KernelInfos emitKvAppend(kern::KvAppendOp op, llvm::StringRef name,
                         const Target &target, mlir::ModuleOp module);
KernelInfos emitScan(kern::ScanOp op, llvm::StringRef name,
                     const Target &target, mlir::ModuleOp module);
KernelInfos emitSsd(kern::SsdOp op, llvm::StringRef name, const Target &target,
                    mlir::ModuleOp module);
KernelInfos emitSsmStep(kern::SsmStepOp op, llvm::StringRef name,
                        const Target &target, mlir::ModuleOp module);

} // namespace ssm::gpu
