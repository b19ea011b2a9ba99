//===- Passes.td - Passes on the ssm and kern dialects -------*- tablegen -===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SSM_PASSES_TD
#define SSM_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// Block form to op form
//===----------------------------------------------------------------------===//

def ExpandPass : Pass<"ssm-expand", "::mlir::ModuleOp"> {
  let summary = "Expand models from block form to op form";
  let description = [{
    Each `ssm.model` becomes an `ssm.program` and one private function per
    distinct layer: layers that differ in nothing but the names of their weights
    share a body.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::ssm::SsmDialect"];
}

//===----------------------------------------------------------------------===//
// Op form to kern form
//===----------------------------------------------------------------------===//

def BindRecipesPass : Pass<"ssm-bind-recipes", "::mlir::ModuleOp"> {
  let summary = "Bind weights to recipes instead of tensor names";
  let description = [{
    A recipe makes a weight of checkpoint tensors; here each takes one tensor as
    it is. Operations on parameters alone (-exp of A_log) become steps.
  }];
  let dependentDialects = ["::kern::KernDialect"];
}

def FuseProjectionsPass : Pass<"ssm-fuse-projections", "::mlir::ModuleOp"> {
  let summary = "Make one product of queries, keys and values";
  let dependentDialects = ["::kern::KernDialect"];
}

def LowerToKernPass : Pass<"ssm-lower-to-kern", "::mlir::ModuleOp"> {
  let summary = "Lower op form to kern form, one kernel per operation";
  let dependentDialects = ["::kern::KernDialect"];
}

//===----------------------------------------------------------------------===//
// Fusion of kernels
//===----------------------------------------------------------------------===//

def FuseElementwisePass : Pass<"kern-fuse-elementwise", "::mlir::ModuleOp"> {
  let summary = "Fuse rowwise kernels with the rowwise kernels before them";
  let dependentDialects = ["::kern::KernDialect"];
}

def FuseDtPass : Pass<"kern-fuse-dt", "::mlir::ModuleOp"> {
  let summary = "Compute dt inside the Mamba-2 recurrence";
  let dependentDialects = ["::kern::KernDialect"];
}

def PairGatesPass : Pass<"kern-pair-gates", "::mlir::ModuleOp"> {
  let summary = "Make one product of a gate and its partner";
  let dependentDialects = ["::kern::KernDialect"];
}

def FuseEpiloguesPass : Pass<"kern-fuse-epilogues", "::mlir::ModuleOp"> {
  let summary = "Fuse elementwise kernels into the kernels before them";
  let dependentDialects = ["::kern::KernDialect"];
}

def AssignPrecisionPass : Pass<"kern-assign-precision", "::mlir::ModuleOp"> {
  let summary = "Choose element types of rows and caches (changes rounding)";
  let description = [{
    f32: everything stays f32. bf16: rows are rounded where they enter a product
    with a 16-bit weight, and caches of keys and values hold bf16. The state of a
    convolution stays f32 in both: it holds the sums of a product, and rounding
    them on the way into the state would make a token's value depend on where a
    prompt is cut.
  }];
  let dependentDialects = ["::kern::KernDialect"];
  let options = [Option<"policy", "policy", "::ssm::PrecisionPolicy",
    "::ssm::PrecisionPolicy::F32", "precision of the inputs of products",
    [{::llvm::cl::values(
        clEnumValN(::ssm::PrecisionPolicy::F32, "f32", "f32 everywhere"),
        clEnumValN(::ssm::PrecisionPolicy::BF16, "bf16",
                   "bf16 where weights have 16 bits"))}]>];
}

def SplitStepPass : Pass<"kern-split-step", "::mlir::ModuleOp"> {
  let summary = "Make a prefill and a step of each program and body";
  let dependentDialects = ["::kern::KernDialect"];
}

//===----------------------------------------------------------------------===//
// Kern form to plan, for one target
//===----------------------------------------------------------------------===//

def ScheduleCpuPass : Pass<"kern-schedule-cpu", "::mlir::ModuleOp"> {
  let summary = "Choose forms and block sizes of kernels for a CPU";
  let description = [{
    Writes the schedule of each matrix product, the granule of paired products
    (and of the recipes of their weights), the layout of an embedding that shares
    its table with the head, and the chunk of each ssd. A paired product whose
    halves are no multiple of a vector becomes two products.
  }];
  let dependentDialects = ["::kern::KernDialect"];
  let options = [Option<"target", "target", "std::string", "\"native\"",
                        "CPU target, as in --target">];
}

def ScheduleGpuPass : Pass<"kern-schedule-gpu", "::mlir::ModuleOp"> {
  let summary = "Choose forms and block sizes of kernels for a GPU";
  let description = [{
    As `kern-schedule-cpu`: the schedule of each matrix product, the granule of paired
    products, the layout of an embedding that shares its table with the head.
  }];
  let dependentDialects = ["::kern::KernDialect"];
  let options = [Option<"target", "target", "std::string", "\"sm_80\"",
                        "GPU target, as in --target">];
}

def FuseStepNormsPass : Pass<"kern-fuse-step-norms", "::mlir::ModuleOp"> {
  let summary = "Compute norms of a step inside the products behind them";
  let description = [{
    In the functions and programs `*.step`, whose rows are few, a rowwise kernel that
    only products read becomes a part of each of them (`kern.norm_gemm`): a launch
    costs more than computing the rows again in every block.
  }];
  let dependentDialects = ["::kern::KernDialect"];
}

def FuseStepAttentionPass : Pass<"kern-fuse-step-attention", "::mlir::ModuleOp"> {
  let summary = "Append keys and values inside the attention of a step";
  let description = [{
    In the functions `*.step`, `kern.kv_append` and the `kern.attention` that alone
    reads its queries become a `kern.attention_step`, where one block has all query
    heads of a key: at most 8 of at most 256 dimensions.
  }];
  let dependentDialects = ["::kern::KernDialect"];
}

def AssignLayoutsPass : Pass<"kern-assign-layouts", "::mlir::ModuleOp"> {
  let summary = "End weight recipes in the layout that their uses want";
  let description = [{
    Appends `pack` (and `transpose` where a kernel reads a parameter transposed).
    A weight has one packed copy: two uses that want different layouts are an error.
  }];
  let dependentDialects = ["::kern::KernDialect"];
}

def KernToPlanPass : Pass<"kern-to-plan", "::mlir::ModuleOp"> {
  let summary = "Turn kern form into a plan";
  let description = [{
    Replaces `@M.prefill` and `@M.step` by a `plan.program @M`: distinct kernels,
    weights, buffers with their memory, states, and launches per body and entry.
  }];
  let dependentDialects = ["::plan::PlanDialect"];
}

#endif // SSM_PASSES_TD
