//===- ssm-opt.cpp - Runs passes on IR, for tests and exploration ---------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Gpu.h"
#include "codegen/gpu/TilePasses.h"
#include "dialect/Kern.h"
#include "dialect/Plan.h"
#include "dialect/Ssm.h"
#include "passes/Passes.h"
#include "passes/placement/TransformOps.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Transform/Transforms/Passes.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<ssm::SsmDialect, kern::KernDialect, plan::PlanDialect,
                  mlir::func::FuncDialect, mlir::arith::ArithDialect,
                  mlir::math::MathDialect>();
  ssm::gpu::registerGpuCodegen(registry);
  ssm::registerPlacement(registry);
  mlir::registerTransformsPasses();
  mlir::transform::registerInterpreterPass();
  mlir::registerSCFToControlFlowPass();
  ssm::gpu::registerSsmTilePasses();
  ssm::registerSsmPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "ssmc: passes on language models\n", registry));
}
