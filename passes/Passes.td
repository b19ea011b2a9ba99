//===- Passes.td - Passes on the ssm and kern dialects -------*- tablegen -*- ===//
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

#endif // SSM_PASSES_TD
