//===- Pipelines.cpp - Lists of passes ------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Pipelines.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace ssm;

void ssm::buildExpandPipeline(OpPassManager &passes) {
  passes.addPass(createExpandPass());
  passes.addPass(createCanonicalizerPass());
}

void ssm::buildKernPipeline(OpPassManager &passes, PrecisionPolicy policy) {
  passes.addPass(createBindRecipesPass());
  // Attention has a lowering only if its operands come from one product.
  passes.addPass(createFuseProjectionsPass());
  passes.addPass(createLowerToKernPass());
  // Chains of elementwise kernels become one first, so that the passes after
  // see a gate, its activation and its partner meet in one kernel.
  passes.addPass(createFuseElementwisePass());
  passes.addPass(createFuseDtPass());
  // Before epilogues, or the gate would become an element operand of its
  // partner.
  passes.addPass(createPairGatesPass());
  passes.addPass(createFuseEpiloguesPass());
  // After fusion: which rows lie in memory at all is settled.
  passes.addPass(createAssignPrecisionPass({policy}));
  passes.addPass(createSplitStepPass());
  passes.addPass(createCanonicalizerPass());
}

void ssm::buildCpuPlanPipeline(OpPassManager &passes, StringRef target) {
  ScheduleCpuPassOptions schedule;
  schedule.target = target.str();
  passes.addPass(createScheduleCpuPass(schedule));
  // Layouts are read off the schedules.
  passes.addPass(createAssignLayoutsPass());
  passes.addPass(createKernToPlanPass());
}

void ssm::buildGpuPlanPipeline(OpPassManager &passes, StringRef target) {
  ScheduleGpuPassOptions schedule;
  schedule.target = target.str();
  passes.addPass(createScheduleGpuPass(schedule));
  // Fused products keep the schedules.
  passes.addPass(createFuseStepNormsPass());
  passes.addPass(createFuseStepAttentionPass());
  passes.addPass(createAssignLayoutsPass());
  passes.addPass(createKernToPlanPass());
}

namespace {
/// Options of the pipeline from op form to kern form.
struct KernOptions : PassPipelineOptions<KernOptions> {
  Option<PrecisionPolicy> policy{
      *this, "policy", llvm::cl::desc("precision of the inputs of products"),
      llvm::cl::init(PrecisionPolicy::F32),
      llvm::cl::values(
          clEnumValN(PrecisionPolicy::F32, "f32", "f32 everywhere"),
          clEnumValN(PrecisionPolicy::BF16, "bf16",
                     "bf16 where weights have 16 bits"))};
};
} // namespace

void ssm::registerSsmPasses() {
  registerSsmTransformPasses();
  PassPipelineRegistration<>("ssm-block-to-ops",
                             "Block form to op form, simplified",
                             buildExpandPipeline);
  PassPipelineRegistration<KernOptions>(
      "ssm-ops-to-kern", "Op form to kern form, for all targets",
      [](OpPassManager &passes, const KernOptions &options) {
        buildKernPipeline(passes, options.policy);
      });
}
