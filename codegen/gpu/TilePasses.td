//===- TilePasses.td - Passes on the tile dialect ----------*- tablegen -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TILE_PASSES_TD
#define TILE_PASSES_TD

include "mlir/Pass/PassBase.td"

def ExpandTilePass : Pass<"tile-expand", "::mlir::ModuleOp"> {
  let summary = "Expand masks and reductions of warps";
  let description = [{
    A masked access becomes an `scf.if`, a reduction a tree of shuffles, and a shuffle
    of 64 bits two of 32.
  }];
  let dependentDialects = ["::tile::TileDialect"];
}

def TileToNvvmPass : Pass<"tile-to-nvvm", "::mlir::ModuleOp"> {
  let summary = "Lower kernels to the LLVM dialect with NVVM intrinsics";
  let description = [{
    By local patterns; `scf` must be `cf` by now (--convert-scf-to-cf). An operation
    without a pattern is an error.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"];
}

def CheckDeviceCodePass : Pass<"tile-check-device-code", "::mlir::ModuleOp"> {
  let summary = "Refuse operations and calls outside the list for devices";
  let description = [{
    What is left must be LLVM operations without calls, and intrinsics for which the
    backend has instructions: nothing is resolved by a library.
  }];
}

#endif // TILE_PASSES_TD
