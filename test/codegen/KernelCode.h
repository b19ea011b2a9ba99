//===- KernelCode.h - Compiled code of a test -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "test/codegen/KernelTest.h"

#include "mlir/IR/Operation.h"

namespace ssm::test {

class Kernel::Code {
public:
  struct Variant {
    int64_t maxRows;
    mlir::AffineExpr grid;
  };

  virtual ~Code() = default;
  /// Runs variant `index` over `grid` units.
  virtual void run(size_t index, int64_t grid, const Arguments &arguments,
                   const Symbols &symbols, Order order) const = 0;

  std::vector<Variant> variants;
};

/// `expression` at the values of a call.
int64_t evaluate(mlir::AffineExpr expression, const Symbols &symbols);

/// The code of `kernel`, or null after a diagnostic.
std::unique_ptr<Kernel::Code> compileForCpu(mlir::Operation *kernel,
                                            const Target &target);
std::unique_ptr<Kernel::Code> compileForGpu(mlir::Operation *kernel,
                                            const gpu::Target &target,
                                            bool makeLogits);

} // namespace ssm::test
