//===- KernOps.td - Fused kernels --------------------------*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Letters of dimensions as in SsmOps.td. Activations are rows [T, width] in f32, or
// bf16 where they enter a matrix product under the bf16 precision policy.
//
//===----------------------------------------------------------------------===//

#ifndef KERN_OPS_TD
#define KERN_OPS_TD

include "dialect/KernDialect.td"
include "dialect/SsmConstraints.td"

class Kern_Op<string mnemonic, list<Trait> traits = []>
    : Op<Kern_Dialect, mnemonic, !listconcat([Pure], traits)>;

def Kern_Rows : Ssm_Ranked<2, [F32, BF16], "rows (2-D f32 or bf16 tensor)">;
def Kern_Cache : Ssm_Ranked<4, [F32, BF16], "key or value cache (4-D f32 or bf16 tensor)">;

def Kern_YieldOp : Op<Kern_Dialect, "yield", [Pure, Terminator]> {
  let summary = "Value of a scalar region";
  let arguments = (ins F32:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

def Kern_ColumnsOp : Kern_Op<"columns"> {
  let summary = "Columns of rows, as a view: no kernel, no copy";
  let arguments = (ins Kern_Rows:$input, I64Attr:$first);
  let results = (outs Kern_Rows:$result);
  let assemblyFormat = "$input `from` $first attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Kern_EmbedOp : Kern_Op<"embed", [DimsMatch<"table", 1, "result", 1>]> {
  let summary = "Gather of embedding rows, times a multiplier";
  let description = [{
    tokens [T], table [V, D] (in panels when a tied head shares it), result [T, D].
  }];
  let arguments = (ins Ssm_Tokens:$tokens, Ssm_Matrix:$table, F64Attr:$multiplier,
    DefaultValuedAttr<I64Attr, "1">:$panel, DefaultValuedAttr<I64Attr, "1">:$pair);
  let results = (outs Kern_Rows:$result);
  let assemblyFormat = [{
    $tokens `,` $table `times` $multiplier attr-dict
    `:` type($table) `->` type($result)
  }];
}

def Kern_RowwiseOp : Kern_Op<"rowwise", [IsolatedFromAbove, AttrSizedOperandSegments]> {
  let summary = "Elementwise kernel with a statistic of each row";
  let description = [{
    For each row: v = value(input, elements...); mean and rstd over each of `groups`
    equal slices of v; result = finish(v, mean, rstd, elements..., columns...).
    Sums in f32. With `gather`, row i of the result comes from the i-th wanted output
    row of the call (then only rows whose logits are wanted are computed).

    input [T, W], elements [T, W], columns [W], result [T, W] or [outputs, W].
    Region `value`: (f32 input, f32 per element). Region `finish`: (v, mean, rstd,
    f32 per element, f32 per column).
  }];
  let arguments = (ins Kern_Rows:$input, Variadic<Kern_Rows>:$elements,
    Variadic<Ssm_Vector>:$columns, Kern_Statistic:$statistic,
    DefaultValuedAttr<I64Attr, "1">:$groups, DefaultValuedAttr<F64Attr, "0.0">:$eps,
    UnitAttr:$gather);
  let regions = (region SizedRegion<1>:$value, SizedRegion<1>:$finish);
  let results = (outs Kern_Rows:$result);
  let assemblyFormat = [{
    $statistic $input (`elements` `(` $elements^ `:` type($elements) `)`)?
    (`columns` `(` $columns^ `:` type($columns) `)`)?
    (`groups` `(` $groups^ `)`)? (`eps` `(` $eps^ `)`)? (`gather` $gather^)?
    attr-dict `:` type($input) `->` type($result)
    `value` $value `finish` $finish
  }];
  let hasVerifier = 1;
}

def Kern_GemmOp : Kern_Op<"gemm", [IsolatedFromAbove, AttrSizedOperandSegments,
                                   DimsMatch<"weight", 1, "input", 1>]> {
  let summary = "Matrix product with a weight, and what follows on each element";
  let description = [{
    result[t, n] = epilogue(sum_k input[t, k] weight[n, k], columns[n]..., elements[t, n]...).
    input [T, K], weight [N, K], columns [N], elements and result [T, N].

    With `paired` the columns 2g*i .. 2g*i+g-1 and the g after them are partners (gate
    first, g = `paired`): the epilogue sees both sums (gate, up), then both values of
    each column operand, then the elements, and the result has N/2 columns.

    Sums run over k in increasing order in f32 (or in pairs by the target's dot
    instruction) in every form of the schedule, so a row's bits do not depend on how
    many rows a call has.
    On a GPU the streaming form deals k to lanes and warps and adds their sums in a
    fixed order: a row's bits depend on the form and its `block_columns`.
  }];
  let arguments = (ins Kern_Rows:$input, Ssm_Matrix:$weight,
    Variadic<Ssm_Vector>:$columns, Variadic<Kern_Rows>:$elements,
    OptionalAttr<I64Attr>:$paired,
    OptionalAttr<TypedArrayAttrBase<Kern_GemmScheduleAttr, "gemm schedule">>:$schedule);
  let regions = (region SizedRegion<1>:$epilogue);
  let results = (outs Kern_Rows:$result);
  let assemblyFormat = [{
    $input `,` $weight (`columns` `(` $columns^ `:` type($columns) `)`)?
    (`elements` `(` $elements^ `:` type($elements) `)`)?
    (`paired` `(` $paired^ `)`)? (`schedule` $schedule^)? attr-dict
    `:` type($input) `,` type($weight) `->` type($result) $epilogue
  }];
  let hasVerifier = 1;
}

def Kern_NormGemmOp : Kern_Op<"norm_gemm", [IsolatedFromAbove, AttrSizedOperandSegments]> {
  let summary = "Rows with a statistic and their matrix product, in one kernel";
  let description = [{
    x = finish(v, mean, rstd, ...) as `kern.rowwise` computes it of `input`,
    `norm_elements` and `norm_columns`, rounded to `rounded`; result as `kern.gemm` of x
    and `weight`. The rows x never lie in memory: a kernel computes them as often as it
    has blocks, so this is for few rows.
  }];
  let arguments = (ins Kern_Rows:$input, Variadic<Kern_Rows>:$norm_elements,
    Variadic<Ssm_Vector>:$norm_columns, Ssm_Matrix:$weight,
    Variadic<Ssm_Vector>:$columns, Variadic<Kern_Rows>:$elements,
    Kern_Statistic:$statistic, DefaultValuedAttr<I64Attr, "1">:$groups,
    DefaultValuedAttr<F64Attr, "0.0">:$eps, UnitAttr:$gather, TypeAttr:$rounded,
    OptionalAttr<I64Attr>:$paired,
    OptionalAttr<TypedArrayAttrBase<Kern_GemmScheduleAttr, "gemm schedule">>:$schedule);
  let regions = (region SizedRegion<1>:$value, SizedRegion<1>:$finish,
                        SizedRegion<1>:$epilogue);
  let results = (outs Kern_Rows:$result);
  let assemblyFormat = [{
    $statistic $input (`elements` `(` $norm_elements^ `:` type($norm_elements) `)`)?
    (`columns` `(` $norm_columns^ `:` type($norm_columns) `)`)?
    (`groups` `(` $groups^ `)`)? (`eps` `(` $eps^ `)`)? (`gather` $gather^)?
    `rounded` $rounded `gemm` $weight (`columns` `(` $columns^ `:` type($columns) `)`)?
    (`elements` `(` $elements^ `:` type($elements) `)`)?
    (`paired` `(` $paired^ `)`)? (`schedule` $schedule^)? attr-dict
    `:` type($input) `,` type($weight) `->` type($result)
    `value` $value `finish` $finish `epilogue` $epilogue
  }];
  let hasVerifier = 1;
}

def Kern_ConvOp : Kern_Op<"conv", [IsolatedFromAbove, SameType<"state", "new_state">,
    DimsMatch<"input", 1, "weight", 0>, DimsMatch<"state", 1, "weight", 0>]> {
  let summary = "Causal depthwise convolution along time, and what follows";
  let description = [{
    result[t, c] = epilogue(sum_k weight[c, k] x[t - (K-1) + k, c], columns[c]...) with
    earlier inputs from `state` [S, C, K-1]; the last K-1 inputs leave as `new_state`.
  }];
  let arguments = (ins Kern_Rows:$input, Ssm_Seqs:$seqs, Ssm_State3:$state,
    Ssm_Small:$weight, Variadic<Ssm_Vector>:$columns);
  let regions = (region SizedRegion<1>:$epilogue);
  let results = (outs Kern_Rows:$result, Ssm_State3:$new_state);
  let assemblyFormat = [{
    $input `,` $seqs `state` $state `weight` $weight
    (`columns` `(` $columns^ `:` type($columns) `)`)? attr-dict
    `:` type($input) `,` type($state) `,` type($weight) `->` type($result) $epilogue
  }];
  let hasVerifier = 1;
}

def Kern_ScanOp : Kern_Op<"scan", [IsolatedFromAbove, AttrSizedOperandSegments,
    SameType<"state", "new_state">, SameType<"input", "dt">,
    DimsMatch<"state", 1, "A", 0>, DimsMatch<"state", 2, "A", 1>]> {
  let summary = "Mamba-1 recurrence along time, and what follows";
  let description = [{
    h = 2^(dt A) h + (dt x) outer B; result = epilogue(h C, x, columns..., elements...).
    input and dt [T, I], A [I, N], B, C [T, N], state [S, I, N]. A is that of
    `ssm.selective_scan` times log2(e). In memory A and a state are panels
    [I/16][N][16], so that a step reads line after line.
  }];
  let extraClassDeclaration = [{
    /// Channels whose states, and rows of A, lie together.
    static constexpr int64_t kPanel = 16;
  }];
  let arguments = (ins Kern_Rows:$input, Kern_Rows:$dt, Ssm_Small:$A, Kern_Rows:$B,
    Kern_Rows:$C, Ssm_Seqs:$seqs, Ssm_State3:$state,
    Variadic<Ssm_Vector>:$columns, Variadic<Kern_Rows>:$elements);
  let regions = (region SizedRegion<1>:$epilogue);
  let results = (outs Kern_Rows:$result, Ssm_State3:$new_state);
  let assemblyFormat = [{
    $input `dt` $dt `A` $A `B` $B `C` $C `,` $seqs `state` $state
    (`columns` `(` $columns^ `:` type($columns) `)`)?
    (`elements` `(` $elements^ `:` type($elements) `)`)? attr-dict
    `:` type($input) `,` type($A) `,` type($B) `,` type($C) `,` type($state)
    `->` type($result) $epilogue
  }];
  let hasVerifier = 1;
}

def Kern_SsdOp : Kern_Op<"ssd", [IsolatedFromAbove, SameType<"state", "new_state">, SameType<"B", "C">,
                                 AllTypesMatch<["A", "D", "dt_bias"]>]> {
  let summary = "Mamba-2 recurrence over many tokens, in chunks";
  let description = [{
    As `ssm.ssd`, with dt = dt_value(dt, dt_bias) computed inside, per head, and the
    decay 2^(dt A): A is that of `ssm.ssd` times log2(e). Chunks of
    `chunk` tokens are aligned to absolute positions of a sequence. input [T, H*P], dt
    [T, H], dt_bias, A, D [H], B, C [T, G*N], state [S, H, P, N], result [T, H*P].
  }];
  let arguments = (ins Kern_Rows:$input, Kern_Rows:$dt, Ssm_Vector:$dt_bias,
    Ssm_Vector:$A, Kern_Rows:$B, Kern_Rows:$C, Ssm_Vector:$D, Ssm_Seqs:$seqs,
    Ssm_State4:$state, DefaultValuedAttr<I64Attr, "32">:$chunk);
  let regions = (region SizedRegion<1>:$dt_value);
  let results = (outs Kern_Rows:$result, Ssm_State4:$new_state);
  let assemblyFormat = [{
    $input `dt` $dt `,` $dt_bias `A` $A `B` $B `C` $C `D` $D `,` $seqs `state` $state
    `chunk` `(` $chunk `)` attr-dict
    `:` type($input) `,` type($dt) `,` type($A) `,` type($B) `,` type($state)
    `->` type($result) $dt_value
  }];
  let hasVerifier = 1;
}

def Kern_SsmStepOp : Kern_Op<"ssm_step", [IsolatedFromAbove, SameType<"state", "new_state">,
    SameType<"conv_state", "new_conv_state">, 
    AllTypesMatch<["A", "D", "dt_bias"]>]> {
  let summary = "Convolution and Mamba-2 recurrence of one token per sequence";
  let description = [{
    input xBC [S, H*P + 2*G*N] before the convolution; conv_value(sum, columns...) and
    dt_value(dt, dt_bias) as in `kern.conv` and `kern.ssd`; result [S, H*P].
  }];
  let arguments = (ins Kern_Rows:$input, Kern_Rows:$dt, Ssm_Vector:$dt_bias,
    Ssm_Vector:$A, Ssm_Vector:$D, Ssm_Small:$weight, Variadic<Ssm_Vector>:$columns,
    Ssm_Seqs:$seqs, Ssm_State3:$conv_state, Ssm_State4:$state);
  let regions = (region SizedRegion<1>:$conv_value, SizedRegion<1>:$dt_value);
  let results = (outs Kern_Rows:$result, Ssm_State3:$new_conv_state, Ssm_State4:$new_state);
  let assemblyFormat = [{
    $input `dt` $dt `,` $dt_bias `A` $A `D` $D `weight` $weight
    (`columns` `(` $columns^ `:` type($columns) `)`)? `,` $seqs
    `conv_state` $conv_state `state` $state attr-dict
    `:` type($input) `,` type($dt) `,` type($A) `,` type($weight) `,` type($conv_state) `,`
    type($state) `->` type($result)
    `conv` $conv_value `dt` $dt_value
  }];
  let hasVerifier = 1;
}

def Kern_KvAppendOp : Kern_Op<"kv_append", [
    AllTypesMatch<["key_cache", "value_cache", "new_key_cache", "new_value_cache"]>]> {
  let summary = "Rotates queries and keys, appends keys and values to the cache";
  let description = [{
    input [T, (Hq + 2 Hkv) d] holds q, k, v. q and k are rotated by `rope` (if any), q is
    multiplied by `query_scale`, k and v are written at their positions. result [T, Hq d].
  }];
  let arguments = (ins Kern_Rows:$input, Ssm_Seqs:$seqs, Kern_Cache:$key_cache,
    Kern_Cache:$value_cache, F64Attr:$query_scale, OptionalAttr<Ssm_RopeAttr>:$rope);
  let results = (outs Kern_Rows:$result, Kern_Cache:$new_key_cache,
                      Kern_Cache:$new_value_cache);
  let assemblyFormat = [{
    $input `,` $seqs `cache` $key_cache `,` $value_cache `query_scale` `(` $query_scale `)`
    (`rope` `(` $rope^ `)`)? attr-dict
    `:` type($input) `,` type($key_cache) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Kern_AttentionOp : Kern_Op<"attention", [SameType<"key_cache", "value_cache">]> {
  let summary = "Causal attention of rows over the cache, online softmax";
  let description = [{
    o[t] = sum_j 2^(q[t].k[j] - max) v[j] / sum over j <= position of t (and within the last
    `window` keys); the base-2 scale is already in q. query [T, Hq d], result [T, Hq d].
    Keys are visited in blocks aligned to absolute positions, so a row's bits do not
    depend on the other rows of the call.
  }];
  let arguments = (ins Kern_AttentionForm:$form, Kern_Rows:$query, Ssm_Seqs:$seqs,
    Kern_Cache:$key_cache, Kern_Cache:$value_cache, OptionalAttr<I64Attr>:$window);
  let results = (outs Kern_Rows:$result);
  let assemblyFormat = [{
    $form $query `,` $seqs `cache` $key_cache `,` $value_cache
    (`window` `(` $window^ `)`)? attr-dict
    `:` type($query) `,` type($key_cache) `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getHeadDim() { return getKeyCache().getType().getDimSize(3); }
    int64_t getKvHeads() { return getKeyCache().getType().getDimSize(1); }
    int64_t getHeads() { return getQuery().getType().getDimSize(1) / getHeadDim(); }
  }];
}

def Kern_AttentionStepOp : Kern_Op<"attention_step", [
    AllTypesMatch<["key_cache", "value_cache", "new_key_cache", "new_value_cache"]>]> {
  let summary = "Appends one token per sequence and attends to it, in one kernel";
  let description = [{
    `kern.kv_append` of input, whose queries are rounded to `rounded`, then
    `kern.attention decode` of them. input [S, (Hq + 2 Hkv) d], result [S, Hq d].
  }];
  let arguments = (ins Kern_Rows:$input, Ssm_Seqs:$seqs, Kern_Cache:$key_cache,
    Kern_Cache:$value_cache, F64Attr:$query_scale, OptionalAttr<Ssm_RopeAttr>:$rope,
    TypeAttr:$rounded, OptionalAttr<I64Attr>:$window);
  let results = (outs Kern_Rows:$result, Kern_Cache:$new_key_cache,
                      Kern_Cache:$new_value_cache);
  let assemblyFormat = [{
    $input `,` $seqs `cache` $key_cache `,` $value_cache `query_scale` `(` $query_scale `)`
    (`rope` `(` $rope^ `)`)? `rounded` $rounded (`window` `(` $window^ `)`)? attr-dict
    `:` type($input) `,` type($key_cache) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // KERN_OPS_TD
