//===- Tile.h - The tile dialect ------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/TileDialect.h.inc"
#include "dialect/TileEnums.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/TileTypes.h.inc"

namespace tile {
/// Lanes of a warp.
inline constexpr int64_t kWarpLanes = 32;

/// Whether `value` is an element of `pointer`, or a vector of them that one
/// instruction moves.
bool isAccess(mlir::Type value, mlir::Type pointer);
/// Rows (0) or columns (1) of a tile, wherever it lies.
int64_t sizeOf(mlir::Type tile, unsigned dim);
/// Whether `pointer` is one to shared memory.
inline bool isShared(mlir::Type pointer) {
  return llvm::cast<PtrType>(pointer).isShared();
}
} // namespace tile

#define GET_OP_CLASSES
#include "dialect/TileOps.h.inc"
