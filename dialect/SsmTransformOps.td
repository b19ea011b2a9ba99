//===- SsmTransformOps.td - Rewrites of layer lists --------*- tablegen -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layer placement as operations of MLIR's Transform dialect. Each rewrites every
// ssm.model in its target, in place. A value stands in the operation or comes as
// a parameter, for instance of transform.tune.knob.
//
// Weights: a layer that keeps its hyper-parameters, or changes what needs no
// other weights, keeps them. Tensors of new or changed layers are renamed to
// "uninitialized.<n>...": such a model runs with random weights only. Numbers of
// layers are dropped where layers move: a layer then has its place.
//
//===----------------------------------------------------------------------===//

#ifndef SSM_TRANSFORM_OPS_TD
#define SSM_TRANSFORM_OPS_TD

include "mlir/Dialect/Transform/IR/TransformDialect.td"
include "mlir/Dialect/Transform/Interfaces/TransformInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/OpBase.td"

class SsmTransformOp<string mnemonic, list<Trait> traits = []>
    : Op<Transform_Dialect, "ssm." # mnemonic,
         !listconcat([DeclareOpInterfaceMethods<TransformOpInterface>,
                      DeclareOpInterfaceMethods<MemoryEffectsOpInterface>],
                     traits)> {
  let cppNamespace = "::ssm::transforms";
}

//===----------------------------------------------------------------------===//
// The list of layers
//===----------------------------------------------------------------------===//

def PlaceOp : SsmTransformOp<"place"> {
  let summary = "Order layers by a pattern";
  let description = [{
    The pattern is Megatron's (M, *, -, E; stages and prediction parts are read
    over). Its k-th layer of a letter is the model's k-th of that letter, with its
    weights; layers beyond are copies of the first, uninitialised; what the
    pattern has no place for is dropped. `new` gives hyper-parameters of kinds that
    the model lacks, or replaces those of copies.

    Example:
    ```mlir
    transform.ssm.place %root("M-M*-") new [#ssm.attention<heads = 4,
        kv_heads = 2, head_dim = 16>] : !transform.any_op
    ```
  }];
  let arguments = (ins TransformHandleTypeInterface:$target,
    Optional<TransformParamTypeInterface>:$param,
    OptionalAttr<AnyAttr>:$value, OptionalAttr<ArrayAttr>:$prototypes);
  let assemblyFormat = [{
    $target custom<Setting>($param, type($param), $value)
    (`new` $prototypes^)? attr-dict `:` type($target)
  }];
}

def SpreadOp : SsmTransformOp<"spread", [AttrSizedOperandSegments]> {
  let summary = "Spread attention and MLP layers evenly, Mamba first";
  let description = [{
    The rule of arXiv 2406.07887 for counts of layers; `layers` (default: as many
    as there are) is the depth. Layers are taken as by `place`.

    Example:
    ```mlir
    transform.ssm.spread %root attention(4) mlp(28) : !transform.any_op
    ```
  }];
  let arguments = (ins TransformHandleTypeInterface:$target,
    Optional<TransformParamTypeInterface>:$attention_param,
    Optional<TransformParamTypeInterface>:$mlp_param,
    Optional<TransformParamTypeInterface>:$layers_param,
    OptionalAttr<AnyAttr>:$attention, OptionalAttr<AnyAttr>:$mlp,
    OptionalAttr<AnyAttr>:$layers, OptionalAttr<ArrayAttr>:$prototypes);
  let assemblyFormat = [{
    $target `attention` custom<Setting>($attention_param, type($attention_param), $attention)
    `mlp` custom<Setting>($mlp_param, type($mlp_param), $mlp)
    (`layers` custom<Setting>($layers_param, type($layers_param), $layers)^)?
    (`new` $prototypes^)? attr-dict `:` type($target)
  }];
}

def MoveOp : SsmTransformOp<"move"> {
  let summary = "Move a layer to another place";
  let arguments = (ins TransformHandleTypeInterface:$target, I64Attr:$from,
                       I64Attr:$to);
  let assemblyFormat = "$target `from` `(` $from `)` `to` `(` $to `)` attr-dict "
                       "`:` type($target)";
}

def SwapOp : SsmTransformOp<"swap"> {
  let summary = "Exchange the places of two layers";
  let arguments = (ins TransformHandleTypeInterface:$target, I64Attr:$first,
                       I64Attr:$second);
  let assemblyFormat = "$target `(` $first `,` $second `)` attr-dict `:` "
                       "type($target)";
}

def EraseOp : SsmTransformOp<"erase"> {
  let summary = "Remove a layer";
  let arguments = (ins TransformHandleTypeInterface:$target, I64Attr:$at);
  let assemblyFormat = "$target `at` `(` $at `)` attr-dict `:` type($target)";
}

def InsertOp : SsmTransformOp<"insert"> {
  let summary = "Insert an uninitialised layer";
  let description = [{
    The layer gets place `at` and the norm of the layer beside it.
  }];
  let arguments = (ins TransformHandleTypeInterface:$target, I64Attr:$at,
                       AnyAttr:$mixer);
  let assemblyFormat = "$target `at` `(` $at `)` `(` $mixer `)` attr-dict `:` "
                       "type($target)";
}

def ReplaceMixerOp : SsmTransformOp<"replace_mixer"> {
  let summary = "Replace mixers by an uninitialised one of another kind";
  let description = [{
    Of the layers at the places `at`; without it, of all layers of the `kind`
    (mamba, mamba2, attention, mlp, experts).
  }];
  let arguments = (ins TransformHandleTypeInterface:$target,
    OptionalAttr<DenseI64ArrayAttr>:$at, OptionalAttr<StrAttr>:$kind,
    AnyAttr:$mixer);
  let assemblyFormat = [{
    $target (`at` $at^)? (`kind` $kind^)? `with` `(` $mixer `)` attr-dict `:`
    type($target)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Hyper-parameters
//===----------------------------------------------------------------------===//

/// One value that all layers of `layerKinds` get. With `if_present`, a model
/// without such layers stays as it is; else it is an error.
class SettingOp<string mnemonic, string layerKinds> : SsmTransformOp<mnemonic> {
  let arguments = (ins TransformHandleTypeInterface:$target,
    Optional<TransformParamTypeInterface>:$param,
    OptionalAttr<AnyAttr>:$value, UnitAttr:$if_present);
  let assemblyFormat = [{
    $target custom<Setting>($param, type($param), $value)
    (`if_present` $if_present^)? attr-dict `:` type($target)
  }];
  let extraClassDeclaration = [{
    /// Kinds of layers, separated by spaces; empty: the model.
    static ::llvm::StringRef layerKinds() { return "}] # layerKinds # [{"; }
  }];
}

def SetKvHeadsOp : SettingOp<"set_kv_heads", "attention"> {
  let summary = "Set the key/value heads of attention: MHA, GQA, MQA";
  let description = [{
    Where the number divides that of before, the new heads are means of
    neighbours and the weights are kept (arXiv:2305.13245, section 2.1); else
    the weights are uninitialised.
  }];
}

def SetRopeOp : SettingOp<"set_rope", "attention"> {
  let summary = "Set theta of rotary positions; \"none\" drops them";
  let description = [{
    Keeps the weights. A layer without positions gets them on all dimensions of
    its heads, of kind `default`.
  }];
}

def SetWindowOp : SettingOp<"set_window", "attention"> {
  let summary = "Set the sliding window of attention; \"none\" drops it";
  let description = [{ Keeps the weights. }];
}

def SetMlpRatioOp : SettingOp<"set_mlp_ratio", "mlp"> {
  let summary = "Set the inner width of MLPs as a multiple of the model's";
}

def SetActivationOp : SettingOp<"set_activation", "mlp"> {
  let summary = "Set the activation of MLPs";
  let description = [{ Keeps the weights. }];
}

def SetStateOp : SettingOp<"set_state", "mamba mamba2"> {
  let summary = "Set the state size of Mamba and Mamba-2 mixers";
}

def SetHeadDimOp : SettingOp<"set_head_dim", "mamba2"> {
  let summary = "Set the head width of Mamba-2 mixers, inner width kept";
}

def SetGroupsOp : SettingOp<"set_groups", "mamba2"> {
  let summary = "Set the groups of B and C of Mamba-2 mixers";
}

def FitParametersOp : SettingOp<"fit_parameters", ""> {
  let summary = "Rescale the width of the model to a number of parameters";
  let description = [{
    Inner widths and numbers of heads scale with it; head widths, states and
    groups stay. The width is the multiple of 64 (of the largest power of two that
    divides the present width, if that is smaller) that comes closest.
  }];
}

#endif // SSM_TRANSFORM_OPS_TD
