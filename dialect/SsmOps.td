//===- SsmOps.td - The mathematics of a model on tensors ---*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Letters of dimensions: T rows (tokens of all sequences), S sequences or state
// slots, D width, I inner width, C channels, K convolution taps, N state,
// H heads, P head width, G groups, V vocabulary, R rank of dt.
//
//===----------------------------------------------------------------------===//

#ifndef SSM_OPS_TD
#define SSM_OPS_TD

include "dialect/SsmConstraints.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/IR/SymbolInterfaces.td"

//===----------------------------------------------------------------------===//
// Program structure
//===----------------------------------------------------------------------===//

def Ssm_ProgramOp : Ssm_Op<"program", [Symbol, IsolatedFromAbove, SingleBlock]> {
  let summary = "The whole model: embedding, layers, head";
  let description = [{
    The body's arguments are the tokens (tensor<?xi32>) and the sequence table. It
    ends in `ssm.return` of the logits. `hidden`, `vocab` and `end_tokens` are
    those of `ssm.model`.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$hidden, I64Attr:$vocab,
    OptionalAttr<DenseI64ArrayAttr>:$end_tokens);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `hidden` `(` $hidden `)` `vocab` `(` $vocab `)`
    (`end_tokens` `(` $end_tokens^ `)`)? attr-dict-with-keyword $body
  }];
}

def Ssm_ReturnOp : Ssm_Op<"return", [Pure, Terminator, HasParent<"ProgramOp">]> {
  let summary = "Logits of a program";
  let arguments = (ins Ssm_Rows:$logits);
  let assemblyFormat = "$logits attr-dict `:` type($logits)";
}

def Ssm_WeightOp : Ssm_PureOp<"weight"> {
  let summary = "A tensor of the checkpoint, used outside the layers";
  let arguments = (ins StrAttr:$name);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

def Ssm_LayersOp : Ssm_Op<"layers", [SameType<"input", "result">,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "The residual stream through a table of layers";
  let description = [{
    Row i of `table` names a body, a function (x, seqs, weights..., states...) ->
    (x, states...), and binds its weights. Each row owns the states of its body; a
    call reads and writes them in the slots of its sequences. Equal layers share
    one body, so that IR and code do not grow with their number.
  }];
  let arguments = (ins Ssm_Rows:$input, Ssm_Seqs:$seqs,
                       TypedArrayAttrBase<Ssm_LayerAttr, "layer table">:$table);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = "$input `,` $seqs $table attr-dict `:` type($result)";
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

def Ssm_EmbeddingOp : Ssm_PureOp<"embedding", [DimsMatch<"table", 1, "result", 1>]> {
  let summary = "Gather of rows of a table, times a multiplier";
  let arguments = (ins Ssm_Tokens:$tokens, Ssm_Matrix:$table,
                       DefaultValuedAttr<F64Attr, "1.0">:$multiplier);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = [{
    $tokens `,` $table (`multiplier` `(` $multiplier^ `)`)? attr-dict
    `:` type($table) `->` type($result)
  }];
}

def Ssm_OutputRowsOp : Ssm_PureOp<"output_rows", [DimsMatch<"input", 1, "result", 1>]> {
  let summary = "The rows whose logits a call wants";
  let description = [{
    Which rows these are (all, or the last of each sequence) is a property of the
    call, not of the model.
  }];
  let arguments = (ins Ssm_Rows:$input, Ssm_Seqs:$seqs);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = [{
    $input `,` $seqs attr-dict `:` type($input) `->` type($result)
  }];
}

def Ssm_LinearOp : Ssm_PureOp<"linear", [DimsMatch<"weight", 1, "input", 1>,
                                         DimsMatch<"weight", 0, "result", 1>,
                                         DimsMatch<"input", 0, "result", 0>]> {
  let summary = "Product with a weight matrix: y = x W^T + b";
  let description = [{
    input [T, K], weight [N, K], bias [N], result [T, N]. Sums in f32.
  }];
  let arguments = (ins Ssm_Rows:$input, Ssm_Matrix:$weight,
                       Optional<Ssm_Vector>:$bias);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = [{
    $input `,` $weight (`bias` $bias^ `:` type($bias))? attr-dict
    `:` type($input) `,` type($weight) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Ssm_NormOp : Ssm_PureOp<"norm", [AttrSizedOperandSegments,
                                     SameType<"input", "result">]> {
  let summary = "Normalisation of each row";
  let description = [{
    RMSNorm or LayerNorm1P (`kind`); statistics in f32. Without `weight` the gain
    is 1. Layer norms have a weight and a bias, RMS norms no bias (`norm_c1`).
  }];
  let arguments = (ins Ssm_Rows:$input, Optional<Ssm_Vector>:$weight,
                       Optional<Ssm_Vector>:$bias, Ssm_NormAttr:$kind);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = [{
    $kind $input (`weight` $weight^ `:` type($weight))?
    (`bias` $bias^ `:` type($bias))? attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
}

def Ssm_GatedNormOp : Ssm_PureOp<"gated_norm", [
    AllTypesMatch<["input", "gate", "result"]>]> {
  let summary = "Gate and grouped RMS norm at the end of a Mamba-2 mixer";
  let description = [{
    after_gate: rms(y * silu(z)) * w; before_gate: rms(y) * w * silu(z); no_norm:
    y * silu(z), without weight. Statistics over each of `groups` equal slices of
    the row.
  }];
  let arguments = (ins Ssm_Rows:$input, Ssm_Rows:$gate,
                       Optional<Ssm_Vector>:$weight, Ssm_GateOrder:$order,
                       I64Attr:$groups, F64Attr:$eps);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = [{
    $order $input `,` $gate (`weight` $weight^ `:` type($weight))?
    `groups` `(` $groups `)` `eps` `(` $eps `)` attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
}

def Ssm_SplitOp : Ssm_PureOp<"split"> {
  let summary = "Columns of rows, cut into consecutive parts";
  let arguments = (ins Ssm_Rows:$input);
  let results = (outs Variadic<Ssm_Rows>:$parts);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($parts)";
  let hasVerifier = 1;
}

def Ssm_ActivationOp : Ssm_PureOp<"activation", [SameType<"input", "result">]> {
  let summary = "Elementwise function of rows";
  let arguments = (ins Ssm_Rows:$input, Ssm_Activation:$function);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = "$function $input attr-dict `:` type($input)";
}

class Ssm_BinaryOp<string mnemonic, string what>
    : Ssm_PureOp<mnemonic, [AllTypesMatch<["lhs", "rhs", "result"]>]> {
  let summary = "Elementwise " # what # " of rows";
  let arguments = (ins Ssm_Rows:$lhs, Ssm_Rows:$rhs);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs)";
}
def Ssm_AddOp : Ssm_BinaryOp<"add", "sum">;
def Ssm_MulOp : Ssm_BinaryOp<"mul", "product">;

def Ssm_ScaleOp : Ssm_PureOp<"scale", [SameType<"input", "result">]> {
  let summary = "Rows times a constant";
  let arguments = (ins Ssm_Rows:$input, F64Attr:$factor);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = "$input `by` $factor attr-dict `:` type($input)";
  let hasFolder = 1;
}

def Ssm_BiasOp : Ssm_PureOp<"add_bias", [SameType<"input", "result">,
                                         DimsMatch<"input", 1, "bias", 0>]> {
  let summary = "Adds a vector to each row";
  let arguments = (ins Ssm_Rows:$input, Ssm_Vector:$bias);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = "$input `,` $bias attr-dict `:` type($input) `,` type($bias)";
}

def Ssm_ClampOp : Ssm_PureOp<"clamp", [SameType<"input", "result">]> {
  let summary = "Rows limited to [lower, upper]";
  let arguments = (ins Ssm_Rows:$input, F64Attr:$lower, OptionalAttr<F64Attr>:$upper);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = [{
    $input `from` $lower (`to` $upper^)? attr-dict `:` type($input)
  }];
}

def Ssm_NegExpOp : Ssm_PureOp<"neg_exp", [AllTypesMatch<["input", "result"]>]> {
  let summary = "-exp(x) of a parameter: A from A_log";
  let arguments = (ins RankedTensorOf<[F32]>:$input);
  let results = (outs RankedTensorOf<[F32]>:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def Ssm_MeanHeadsOp : Ssm_PureOp<"mean_heads", [
    AllElementTypesMatch<["input", "result"]>]> {
  let summary = "Means of neighbouring heads of a parameter";
  let description = [{
    input is a matrix or vector of blocks of `head_dim` rows. Every `count` of them
    become one, the mean, rounded to the element type: key/value heads of a
    checkpoint shared by more query heads (arXiv:2305.13245, section 2.1).
  }];
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$count, I64Attr:$head_dim);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `by` $count `of` $head_dim attr-dict `:` type($input) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Sequence mixers
//===----------------------------------------------------------------------===//

def Ssm_CausalConv1dOp : Ssm_PureOp<"causal_conv1d", [
    SameType<"input", "result">, SameType<"state", "new_state">,
    DimsMatch<"input", 1, "weight", 0>, DimsMatch<"state", 1, "weight", 0>]> {
  let summary = "Causal depthwise convolution along time";
  let description = [{
    y[t, c] = act(b[c] + sum_k w[c, k] x[t - (K-1) + k, c]). Inputs before the rows
    of this call come from `state` [S, C, K-1], oldest first; `new_state` holds the
    last K-1 inputs afterwards (before bias and activation). input [T, C], weight
    [C, K], bias [C].
  }];
  let arguments = (ins Ssm_Rows:$input, Ssm_Seqs:$seqs, Ssm_State3:$state,
    Ssm_Small:$weight, Optional<Ssm_Vector>:$bias,
    OptionalAttr<Ssm_Activation>:$function);
  let results = (outs Ssm_Rows:$result, Ssm_State3:$new_state);
  let assemblyFormat = [{
    $input `,` $seqs `state` $state `weight` $weight
    (`bias` $bias^ `:` type($bias))? (`activation` `(` $function^ `)`)? attr-dict
    `:` type($input) `,` type($state) `,` type($weight)
  }];
  let hasVerifier = 1;
}

def Ssm_SelectiveScanOp : Ssm_PureOp<"selective_scan", [
    AllTypesMatch<["input", "dt", "result"]>,
    SameType<"state", "new_state">, SameType<"B", "C">,
    DimsMatch<"input", 1, "A", 0>, DimsMatch<"B", 1, "A", 1>,
    DimsMatch<"state", 1, "A", 0>, DimsMatch<"state", 2, "A", 1>,
    DimsMatch<"D", 0, "A", 0>]> {
  let summary = "Linear recurrence of Mamba-1 along time";
  let description = [{
    h[t] = exp(dt[t] A) h[t-1] + (dt[t] x[t]) outer B[t]; y[t] = h[t] C[t] + D x[t].
    input x, dt [T, I]; A [I, N]; B, C [T, N]; D [I]; state h [S, I, N], f32.
    Source: Gu and Dao, "Mamba" (arXiv 2312.00752), algorithm 2.
  }];
  let arguments = (ins Ssm_Rows:$input, Ssm_Rows:$dt, Ssm_Small:$A, Ssm_Rows:$B,
    Ssm_Rows:$C, Ssm_Vector:$D, Ssm_Seqs:$seqs, Ssm_State3:$state);
  let results = (outs Ssm_Rows:$result, Ssm_State3:$new_state);
  let assemblyFormat = [{
    $input `dt` $dt `A` $A `B` $B `C` $C `D` $D `,` $seqs `state` $state attr-dict
    `:` type($input) `,` type($A) `,` type($B) `,` type($D) `,` type($state)
  }];
}

def Ssm_SsdOp : Ssm_PureOp<"ssd", [
    SameType<"input", "result">, SameType<"state", "new_state">,
    SameType<"B", "C">, DimsMatch<"dt", 1, "state", 1>,
    DimsMatch<"A", 0, "state", 1>, DimsMatch<"D", 0, "state", 1>]> {
  let summary = "Linear recurrence of Mamba-2 along time, per head";
  let description = [{
    S[t] = exp(dt[t] A) S[t-1] + dt[t] x[t] outer B[t]; y[t] = S[t] C[t] + D x[t], for
    each head; head h reads B, C of group h / (H/G). input x [T, H*P]; dt [T, H]; A, D
    [H]; B, C [T, G*N]; state [S, H, P, N], f32. Any chunked evaluation is the same
    mathematics. Source: Dao and Gu, "Transformers are SSMs" (arXiv 2405.21060).

    Constraints: `ssd_c1` H*P columns of input; `ssd_c2` B has a whole number of
    groups of N columns that divides H.
  }];
  let arguments = (ins Ssm_Rows:$input, Ssm_Rows:$dt, Ssm_Vector:$A, Ssm_Rows:$B,
    Ssm_Rows:$C, Ssm_Vector:$D, Ssm_Seqs:$seqs, Ssm_State4:$state);
  let results = (outs Ssm_Rows:$result, Ssm_State4:$new_state);
  let assemblyFormat = [{
    $input `dt` $dt `A` $A `B` $B `C` $C `D` $D `,` $seqs `state` $state attr-dict
    `:` type($input) `,` type($dt) `,` type($A) `,` type($B) `,` type($D) `,`
    type($state)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getHeads() { return getState().getType().getDimSize(1); }
    int64_t getHeadDim() { return getState().getType().getDimSize(2); }
    int64_t getStateDim() { return getState().getType().getDimSize(3); }
    int64_t getGroups() { return getB().getType().getDimSize(1) / getStateDim(); }
  }];
}

def Ssm_RopeOp : Ssm_PureOp<"rope", [SameType<"input", "result">]> {
  let summary = "Rotary positions on each head of a row";
  let description = [{
    input [T, heads * head_dim]; the position of a row counts from 0 in its
    sequence. Angles are position * frequency.
  }];
  let arguments = (ins Ssm_Rows:$input, Ssm_Seqs:$seqs, I64Attr:$head_dim,
                       Ssm_RopeAttr:$rope);
  let results = (outs Ssm_Rows:$result);
  let assemblyFormat = [{
    $rope $input `,` $seqs `head_dim` `(` $head_dim `)` attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
}

def Ssm_AttentionOp : Ssm_PureOp<"attention", [
    SameType<"query", "result">, SameType<"key", "value">,
    AllTypesMatch<["key_cache", "value_cache", "new_key_cache", "new_value_cache"]>]> {
  let summary = "Causal attention of each row over its sequence";
  let description = [{
    o[t] = softmax_j(scale * q[t].k[j]) v[j], j <= t, j > t - window. query [T, Hq*d],
    key and value [T, Hkv*d], caches [S, Hkv, L, d] with the keys and values of
    earlier calls (L dynamic). Query head h reads kv head h / (Hq/Hkv). softmax in f32.

    Constraint: `attention_c1` heads a multiple of kv heads.
  }];
  let arguments = (ins Ssm_Rows:$query, Ssm_Rows:$key, Ssm_Rows:$value,
    Ssm_Seqs:$seqs, Ssm_State4:$key_cache, Ssm_State4:$value_cache,
    F64Attr:$scale, OptionalAttr<I64Attr>:$window);
  let results = (outs Ssm_Rows:$result, Ssm_State4:$new_key_cache,
                      Ssm_State4:$new_value_cache);
  let assemblyFormat = [{
    $query `,` $key `,` $value `,` $seqs `cache` $key_cache `,` $value_cache
    `scale` `(` $scale `)` (`window` `(` $window^ `)`)? attr-dict
    `:` type($query) `,` type($key) `,` type($key_cache)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getHeadDim() { return getKeyCache().getType().getDimSize(3); }
    int64_t getKvHeads() { return getKeyCache().getType().getDimSize(1); }
    int64_t getHeads() { return getQuery().getType().getDimSize(1) / getHeadDim(); }
  }];
}

#endif // SSM_OPS_TD
