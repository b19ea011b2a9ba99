//===- SsmAttrs.td - Hyper-parameters of blocks ------------*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SSM_ATTRS_TD
#define SSM_ATTRS_TD

include "dialect/SsmDialect.td"

//===----------------------------------------------------------------------===//
// Enumerations
//===----------------------------------------------------------------------===//

class Ssm_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::ssm";
}

def Ssm_Activation : Ssm_Enum<"Activation", "Elementwise function", [
  I32EnumAttrCase<"Silu", 0, "silu">,
  I32EnumAttrCase<"Gelu", 1, "gelu">,          // exact, by erf
  I32EnumAttrCase<"GeluTanh", 2, "gelu_tanh">,
  I32EnumAttrCase<"Relu2", 3, "relu2">,        // max(x, 0)^2
  I32EnumAttrCase<"Softplus", 4, "softplus">,
]>;

def Ssm_NormKind : Ssm_Enum<"NormKind", "Normalisation of rows", [
  I32EnumAttrCase<"Rms", 0, "rms">,
  I32EnumAttrCase<"Layer1p", 1, "layer1p">,    // LayerNorm, gain w + 1, bias
]>;

def Ssm_GateOrder : Ssm_Enum<"GateOrder",
    "Where the gate of a Mamba-2 mixer meets its norm", [
  I32EnumAttrCase<"AfterGate", 0, "after_gate">,    // norm(y * silu(z))
  I32EnumAttrCase<"BeforeGate", 1, "before_gate">,  // norm(y) * silu(z)
  I32EnumAttrCase<"NoNorm", 2, "no_norm">,          // y * silu(z)
]>;

def Ssm_RopeKind : Ssm_Enum<"RopeKind", "Frequencies of rotary positions", [
  I32EnumAttrCase<"Default", 0, "default">,
  I32EnumAttrCase<"Linear", 1, "linear">,
  I32EnumAttrCase<"Llama3", 2, "llama3">,
]>;

def Ssm_WeightFormat : Ssm_Enum<"WeightFormat",
    "Storage of the weight matrices", [
  I32EnumAttrCase<"F32", 0, "f32">,
  I32EnumAttrCase<"BF16", 1, "bf16">,
  I32EnumAttrCase<"F16", 2, "f16">,
]>;

//===----------------------------------------------------------------------===//
// Norm and rotary positions
//===----------------------------------------------------------------------===//

def Ssm_NormAttr : Ssm_Attr<"Norm", "norm"> {
  let summary = "A normalisation of rows";
  let description = [{
    `rms`: x / sqrt(mean(x^2) + eps) * weight. `layer1p`: (x - mean) /
    sqrt(var + eps) * (weight + 1) + bias, biased variance.
  }];
  let parameters = (ins EnumParameter<Ssm_NormKind>:$kind, "::ssm::Real":$eps);
  let assemblyFormat = "`<` $kind `,` `eps` `=` $eps `>`";
  let genVerifyDecl = 1;
}

def Ssm_RopeAttr : Ssm_Attr<"Rope", "rope"> {
  let summary = "Rotary position embedding, half-split convention";
  let description = [{
    The first `dims` dimensions of each head are rotated, by frequencies
    theta^(-2i/dims). `linear` divides them by `factor`. `llama3` keeps high
    frequencies, divides low ones by `factor` and blends between
    (`low_freq_factor`, `high_freq_factor`, `original_positions`).
  }];
  let parameters = (ins
    EnumParameter<Ssm_RopeKind>:$kind, "int64_t":$dims, "::ssm::Real":$theta,
    DefaultValuedParameter<"::ssm::Real", "::ssm::Real(1.0)">:$factor,
    DefaultValuedParameter<"::ssm::Real", "::ssm::Real(1.0)">:$low_freq_factor,
    DefaultValuedParameter<"::ssm::Real", "::ssm::Real(4.0)">:$high_freq_factor,
    DefaultValuedParameter<"int64_t", "8192">:$original_positions);
  let assemblyFormat = "`<` $kind `,` struct($dims, $theta, $factor, "
                       "$low_freq_factor, $high_freq_factor, "
                       "$original_positions) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Angular frequency of each of the dims/2 rotated pairs, in radians per
    /// position, computed in double precision.
    ::llvm::SmallVector<double> frequencies() const;
  }];
}

//===----------------------------------------------------------------------===//
// Mixers and feed-forward blocks
//===----------------------------------------------------------------------===//

def Ssm_MambaAttr : Ssm_Attr<"Mamba", "mamba"> {
  let summary = "Mamba-1 mixer: selective scan";
  let description = [{
    `inner` channels I, `state` N per channel, causal convolution of `conv` taps,
    low-rank dt of `dt_rank`. With `dt_bc_eps` the parts dt, B and C of the x
    projection are RMS-normalised, without gain (falcon_mamba) or, with
    `dt_bc_gain`, by dt_layernorm, b_layernorm and c_layernorm (jamba).
  }];
  let parameters = (ins "int64_t":$inner, "int64_t":$state, "int64_t":$conv,
    "int64_t":$dt_rank,
    DefaultValuedParameter<"bool", "true">:$conv_bias,
    DefaultValuedParameter<"bool", "false">:$proj_bias,
    OptionalParameter<"std::optional<::ssm::Real>">:$dt_bc_eps,
    DefaultValuedParameter<"bool", "false">:$dt_bc_gain);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Ssm_Mamba2Attr : Ssm_Attr<"Mamba2", "mamba2"> {
  let summary = "Mamba-2 mixer: state-space duality";
  let description = [{
    `heads` H of `head_dim` P (inner width H*P), `state` N, `groups` G of B and C,
    convolution of `conv` taps over x, B and C. dt is clamped to [dt_min, dt_max]
    after softplus. `gate` orders the gated RMS norm of `norm_eps`, whose
    statistics are per group.
  }];
  let parameters = (ins "int64_t":$heads, "int64_t":$head_dim, "int64_t":$state,
    "int64_t":$groups, "int64_t":$conv,
    DefaultValuedParameter<"bool", "true">:$conv_bias,
    DefaultValuedParameter<"bool", "false">:$proj_bias,
    DefaultValuedParameter<"::ssm::Real", "::ssm::Real(0.0)">:$dt_min,
    OptionalParameter<"std::optional<::ssm::Real>">:$dt_max,
    DefaultValuedParameter<"::ssm::GateOrder", "::ssm::GateOrder::AfterGate">:$gate,
    DefaultValuedParameter<"::ssm::Real", "::ssm::Real(1.0e-5)">:$norm_eps);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t inner() const { return getHeads() * getHeadDim(); }
    /// Channels of the convolution: x, B and C.
    int64_t convChannels() const {
      return inner() + 2 * getGroups() * getState();
    }
  }];
}

def Ssm_AttentionAttr : Ssm_Attr<"Attention", "attention"> {
  let summary = "Causal attention with grouped key/value heads";
  let description = [{
    `heads` query heads share `kv_heads` key/value heads of `head_dim`. Scores are
    scaled by `scale` (default head_dim^-0.5); a token sees the last `window` keys,
    itself included (default: all). `bias` is on q, k, v, `out_bias` on the output.
    `qk_norm_eps`: an RMS norm with gain on each query and key head before RoPE.
    `stored_kv_heads`: the checkpoint has so many key/value heads (default:
    `kv_heads`), of which neighbours are averaged.
  }];
  let parameters = (ins "int64_t":$heads, "int64_t":$kv_heads,
    "int64_t":$head_dim,
    OptionalParameter<"std::optional<::ssm::Real>">:$scale,
    OptionalParameter<"std::optional<int64_t>">:$window,
    OptionalParameter<"::ssm::RopeAttr">:$rope,
    DefaultValuedParameter<"bool", "false">:$bias,
    DefaultValuedParameter<"bool", "false">:$out_bias,
    OptionalParameter<"std::optional<::ssm::Real>">:$qk_norm_eps,
    OptionalParameter<"std::optional<int64_t>">:$stored_kv_heads);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Key/value heads that the checkpoint's tensors hold.
    int64_t storedKvHeads() const {
      return getStoredKvHeads().value_or(getKvHeads());
    }
  }];
}

def Ssm_MlpAttr : Ssm_Attr<"Mlp", "mlp"> {
  let summary = "Feed-forward block, gated or not";
  let description = [{
    Gated: down(act(gate(x)) * up(x)); else down(act(up(x))). `inner` is the width
    between the two products.
  }];
  let parameters = (ins "int64_t":$inner,
    EnumParameter<Ssm_Activation>:$activation,
    DefaultValuedParameter<"bool", "false">:$gated,
    DefaultValuedParameter<"bool", "false">:$bias);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Ssm_ExpertsAttr : Ssm_Attr<"Experts", "experts"> {
  let summary = "Mixture of feed-forward experts";
  let description = [{
    `used` of `count` experts of width `inner` per token, chosen by a router, next
    to a shared one of width `shared_inner` (0: none). `score`: sigmoid with a
    correction bias over `groups` groups of which `used_groups` are kept (nemotron_h),
    softmax over all (jamba), softmax over the chosen (granite).
  }];
  let parameters = (ins "int64_t":$count, "int64_t":$used, "int64_t":$inner,
    EnumParameter<Ssm_Activation>:$activation, StringRefParameter<>:$score,
    DefaultValuedParameter<"bool", "false">:$gated,
    DefaultValuedParameter<"int64_t", "0">:$shared_inner,
    DefaultValuedParameter<"int64_t", "1">:$groups,
    DefaultValuedParameter<"int64_t", "1">:$used_groups,
    DefaultValuedParameter<"bool", "true">:$normalize,
    DefaultValuedParameter<"::ssm::Real", "::ssm::Real(1.0)">:$scale,
    OptionalParameter<"std::optional<int64_t>">:$latent);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Ssm_MixerAttr
    : AnyAttrOf<[Ssm_MambaAttr, Ssm_Mamba2Attr, Ssm_AttentionAttr, Ssm_MlpAttr,
                 Ssm_ExpertsAttr],
                "mamba, mamba2, attention, mlp or experts">;

//===----------------------------------------------------------------------===//
// The layer table of the op form
//===----------------------------------------------------------------------===//

def Ssm_LayerAttr : Ssm_Attr<"Layer", "layer"> {
  let summary = "One row of the layer table: a body and its weights";
  let description = [{
    `body` is the function that computes the layer; `weights` binds its weight
    arguments in order, as tensor names (op form) or as recipes (kern form).
    `number` is that of `ssm.layer`: hidden and final states carry it.
  }];
  let parameters = (ins "int64_t":$number, "::mlir::FlatSymbolRefAttr":$body,
                        "::mlir::ArrayAttr":$weights);
  let assemblyFormat = "`<` $number `,` $body $weights `>`";
}

#endif // SSM_ATTRS_TD
