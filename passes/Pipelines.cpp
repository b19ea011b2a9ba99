//===- Pipelines.cpp - Lists of passes ===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Pipelines.h"

#include "passes/Passes.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void ssm::buildExpandPipeline(OpPassManager &passes) {
  passes.addPass(createExpandPass());
  passes.addPass(createCanonicalizerPass());
}

void ssm::registerSsmPasses() {
  registerSsmTransformPasses();
  PassPipelineRegistration<>("ssm-block-to-ops",
                             "Block form to op form, simplified",
                             buildExpandPipeline);
}
