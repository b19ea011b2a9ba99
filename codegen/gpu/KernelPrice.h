//===- KernelPrice.h - What a kernel must move and compute -*- C++ -*- ----===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Operation.h"

namespace ssm::gpu {

/// The least that a kernel does, over the symbols of a call: bytes of global
/// memory, each operand and result once, and operations on floats of products
/// and recurrences. Keys and values, whose number the symbols do not know, are
/// not in it.
struct KernelPrice {
  mlir::AffineExpr bytes, flop;
};

KernelPrice priceOf(mlir::Operation *kernOp);

} // namespace ssm::gpu
