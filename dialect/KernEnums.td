//===- KernEnums.td - Enumerations of the kern dialect -----*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KERN_ENUMS_TD
#define KERN_ENUMS_TD

include "mlir/IR/EnumAttr.td"

class Kern_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::kern";
}

def Kern_Verb : Kern_Enum<"Verb", "Step of a weight recipe", [
  I32EnumAttrCase<"Tensor", 0, "tensor">,
  I32EnumAttrCase<"Slice", 1, "slice">,
  I32EnumAttrCase<"Concat", 2, "concat">,
  I32EnumAttrCase<"Interleave", 3, "interleave">,
  I32EnumAttrCase<"Transpose", 4, "transpose">,
  I32EnumAttrCase<"NegExp", 5, "neg_exp">,
  I32EnumAttrCase<"Scale", 6, "scale">,
  I32EnumAttrCase<"Add", 7, "add">,
  I32EnumAttrCase<"ScaleColumns", 8, "scale_columns">,
  I32EnumAttrCase<"Mean", 9, "mean">,
  I32EnumAttrCase<"Pack", 10, "pack">,
]>;

def Kern_GemmForm : Kern_Enum<"GemmForm", "Kernel form of a matrix product", [
  I32EnumAttrCase<"Stream", 0, "stream">,    // few rows: weights stream once
  I32EnumAttrCase<"Blocked", 1, "blocked">,  // many rows: register blocks
]>;

def Kern_Statistic : Kern_Enum<"Statistic", "Statistic of a row", [
  I32EnumAttrCase<"None", 0, "none">,
  I32EnumAttrCase<"Rms", 1, "rms">,      // rstd = 1/sqrt(mean(v^2) + eps), mean = 0
  I32EnumAttrCase<"Layer", 2, "layer">,  // rstd = 1/sqrt(var(v) + eps), and mean
]>;

def Kern_AttentionForm : Kern_Enum<"AttentionForm", "Kernel form of attention", [
  I32EnumAttrCase<"Prefill", 0, "prefill">,  // tiles of rows of one sequence
  I32EnumAttrCase<"Decode", 1, "decode">,    // one row per sequence
]>;

#endif // KERN_ENUMS_TD
