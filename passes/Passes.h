//===- Passes.h - Passes on the ssm and kern dialects ---------------------===//
//===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Plan.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace ssm {
/// Precision of the rows that enter matrix products.
enum class PrecisionPolicy { F32, BF16 };

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

/// Registers every pass and pipeline of this folder.
void registerSsmPasses();
} // namespace ssm
