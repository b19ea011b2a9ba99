//===- TilePasses.h - Passes on the tile dialect -*- C++ -*- --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Tile.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace ssm::gpu {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "codegen/gpu/TilePasses.h.inc"

/// Shared memory that a kernel may declare; more is given by the launch.
inline constexpr int64_t kStaticSharedBytes = 48 * 1024;

/// Bytes of shared memory of `function` that its launch gives.
int64_t dynamicSharedBytes(tile::FuncOp function);

/// From `tile` to checked LLVM dialect.
void buildTilePipeline(mlir::OpPassManager &passes);
} // namespace ssm::gpu
