//===- Pipelines.h - Lists of passes --------------------------------------===//
//===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"

namespace ssm {
/// Block form to op form, simplified.
void buildExpandPipeline(mlir::OpPassManager &passes);

/// Op form to kern form, for all targets.
void buildKernPipeline(mlir::OpPassManager &passes, PrecisionPolicy policy);

/// Kern form to a plan for the CPU target of that name, without machine code.
void buildCpuPlanPipeline(mlir::OpPassManager &passes, llvm::StringRef target);

/// Kern form to a plan for the GPU target of that name.
void buildGpuPlanPipeline(mlir::OpPassManager &passes, llvm::StringRef target);
} // namespace ssm
