//===- PlanEnums.td - Enumerations of the plan dialect -----*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLAN_ENUMS_TD
#define PLAN_ENUMS_TD

include "mlir/IR/EnumAttr.td"

class Plan_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::plan";
}

def Plan_RowCount : Plan_Enum<"RowCount", "Which rows a buffer or a launch has", [
  I32EnumAttrCase<"Rows", 0, "rows">,        // tokens of all sequences of a call
  I32EnumAttrCase<"Outputs", 1, "outputs">,  // rows whose logits are wanted
]>;

def Plan_StateKind : Plan_Enum<"StateKind", "What a state keeps", [
  I32EnumAttrCase<"Conv", 0, "conv">,    // [C, K-1] last inputs, two copies
  I32EnumAttrCase<"Ssm1", 1, "ssm1">,    // [I, N]
  I32EnumAttrCase<"Ssm2", 2, "ssm2">,    // [H, P, N]
  I32EnumAttrCase<"Key", 3, "key">,      // [Hkv, d] per token, in pages
  I32EnumAttrCase<"Value", 4, "value">,  // [Hkv, d] per token, in pages
]>;

def Plan_ArgumentKind : Plan_Enum<"ArgumentKind", "What fills an argument slot", [
  I32EnumAttrCase<"Buffer", 0, "buffer">,          // address of a column of a buffer
  I32EnumAttrCase<"Stride", 1, "stride">,          // row stride of a buffer, elements
  I32EnumAttrCase<"Weight", 2, "weight">,          // n-th weight of the layer
  I32EnumAttrCase<"GlobalWeight", 3, "global_weight">,
  I32EnumAttrCase<"State", 4, "state">,            // pool of the layer's n-th state
  I32EnumAttrCase<"StateStride", 5, "state_stride">,  // bytes of a slot or page
  I32EnumAttrCase<"Tokens", 6, "tokens">,
  I32EnumAttrCase<"Seqs", 7, "seqs">,
  I32EnumAttrCase<"Rows", 8, "rows">,              // number of rows
  I32EnumAttrCase<"Outputs", 9, "outputs">,        // number of output rows
]>;

#endif // PLAN_ENUMS_TD
