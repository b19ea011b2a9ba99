//===- SsmConstraints.td - Operand types and shape rules ---*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SSM_CONSTRAINTS_TD
#define SSM_CONSTRAINTS_TD

include "dialect/SsmAttrs.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Ssm_Ranked<int rank, list<Type> elements, string what>
    : Type<TensorRankOf<elements, [rank]>.predicate, what,
           "::mlir::RankedTensorType">;

def Ssm_Rows : Ssm_Ranked<2, [F32], "rows (2-D f32 tensor)">;
def Ssm_Vector : Ssm_Ranked<1, [F32], "vector (1-D f32 tensor)">;
def Ssm_Matrix : Ssm_Ranked<2, [F32, BF16, F16],
                            "weight matrix (2-D f32, bf16 or f16 tensor)">;
def Ssm_Small : Ssm_Ranked<2, [F32], "parameter (2-D f32 tensor)">;
def Ssm_Tokens : Ssm_Ranked<1, [I32], "tokens (1-D i32 tensor)">,
    BuildableType<"::mlir::RankedTensorType::get({::mlir::ShapedType::kDynamic}, "
                  "$_builder.getI32Type())">;
def Ssm_State3 : Ssm_Ranked<3, [F32], "state (3-D f32 tensor)">;
def Ssm_State4 : Ssm_Ranked<4, [F32], "state (4-D f32 tensor)">;

/// Dimension `bdim` of `b` equals dimension `adim` of `a`; dynamic matches anything.
class DimsMatch<string a, int adim, string b, int bdim>
    : PredOpTrait<"dimension " # adim # " of '" # a # "' matches dimension " #
                      bdim # " of '" # b # "'",
                  CPred<"::ssm::dimsCompatible($" # a # ".getType(), " # adim #
                        ", $" # b # ".getType(), " # bdim # ")">>;

/// Operand and result of equal type, e.g. a state that enters and leaves.
class SameType<string a, string b> : AllTypesMatch<[a, b]>;

class Ssm_PureOp<string mnemonic, list<Trait> traits = []>
    : Ssm_Op<mnemonic, !listconcat([Pure], traits)>;

#endif // SSM_CONSTRAINTS_TD
