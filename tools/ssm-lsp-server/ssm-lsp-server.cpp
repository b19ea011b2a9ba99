//===- ssm-lsp-server.cpp - Language server for IR files ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Kern.h"
#include "dialect/Ssm.h"
#include "passes/placement/TransformOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<ssm::SsmDialect, kern::KernDialect, mlir::func::FuncDialect,
                  mlir::arith::ArithDialect, mlir::math::MathDialect>();
  ssm::registerPlacement(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
