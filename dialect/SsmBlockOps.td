//===- SsmBlockOps.td - The model as a list of layers ------*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SSM_BLOCK_OPS_TD
#define SSM_BLOCK_OPS_TD

include "dialect/SsmAttrs.td"
include "mlir/IR/SymbolInterfaces.td"

def Ssm_ModelOp : Ssm_Op<"model", [Symbol, NoTerminator, NoRegionArguments,
                                   SingleBlock]> {
  let summary = "A language model as a list of layers";
  let description = [{
    x = embed(tokens); for each layer: x = x + mixers(norm(x)); logits =
    head(norm(x)). `hidden` is the width D of x, `vocab` the rows of embedding and
    head, `weights` the storage of all weight matrices. Generation ends at one of
    `end_tokens`.

    Constraints: `model_c1` exactly one embedding, first; `model_c2` exactly one
    head, last; `model_c3` only layers between, at least one.

    Example:
    ```mlir
    ssm.model @tiny hidden(44) vocab(300) weights(f32) {
      ssm.embed "backbone.embeddings"
      ssm.layer norm(<rms, eps = 1.0e-5>, "backbone.layers.0.norm") {
        ssm.block "backbone.layers.0.mixer"
            #ssm.mamba<inner = 88, state = 11, conv = 4, dt_rank = 3>
      }
      ssm.head "lm_head" norm(<rms, eps = 1.0e-5>, "backbone.norm_f")
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
    ConfinedAttr<I64Attr, [IntPositive]>:$hidden,
    ConfinedAttr<I64Attr, [IntPositive]>:$vocab,
    Ssm_WeightFormat:$weights,
    OptionalAttr<DenseI64ArrayAttr>:$end_tokens);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `hidden` `(` $hidden `)` `vocab` `(` $vocab `)`
    `weights` `(` $weights `)`
    (`end_tokens` `(` $end_tokens^ `)`)? attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
}

def Ssm_EmbedOp : Ssm_Op<"embed", [HasParent<"ModelOp">]> {
  let summary = "Token embedding of a model";
  let description = [{
    Row gather from tensor `prefix`.weight, [vocab, hidden], times `multiplier`.
  }];
  let arguments = (ins StrAttr:$prefix, DefaultValuedAttr<F64Attr, "1.0">:$multiplier);
  let assemblyFormat = "$prefix (`multiplier` `(` $multiplier^ `)`)? attr-dict";
}

def Ssm_LayerOp : Ssm_Op<"layer", [HasParent<"ModelOp">, NoTerminator,
                                   NoRegionArguments, SingleBlock]> {
  let summary = "One residual step: x = x + multiplier * mixers(norm(x))";
  let description = [{
    All blocks read the same normalised input and their outputs are added: one
    block in most families, attention beside Mamba-2 in falcon_h1. Tensors of the
    norm are `norm_prefix`.weight (and .bias).

    `number` is the number of the layer in the checkpoint, under which hidden and
    final states are reported: attention and MLP of a Transformer layer share one.
    Without it a layer has its place in the list.

    Constraint: `layer_c1` at least one block, and nothing else.
  }];
  let arguments = (ins Ssm_NormAttr:$norm, StrAttr:$norm_prefix,
    DefaultValuedAttr<F64Attr, "1.0">:$multiplier,
    OptionalAttr<ConfinedAttr<I64Attr, [IntNonNegative]>>:$number);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`number` `(` $number^ `)`)? `norm` `(` $norm `,` $norm_prefix `)`
    (`multiplier` `(` $multiplier^ `)`)? attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
}

def Ssm_BlockOp : Ssm_Op<"block", [HasParent<"LayerOp">]> {
  let summary = "One mixer, MLP or expert block with its hyper-parameters";
  let description = [{
    Weights are `prefix`.<leaf> with the leaves of the kind (MODELS: in_proj,
    conv1d, A_log, ... for Mamba; q_proj, k_proj, v_proj, o_proj for attention;
    gate_proj, up_proj, down_proj for an MLP). Two blocks with the same prefix share
    their weights. The input is scaled by `in_multiplier`, the output by
    `out_multiplier`.
  }];
  let arguments = (ins StrAttr:$prefix, Ssm_MixerAttr:$mixer,
    DefaultValuedAttr<F64Attr, "1.0">:$in_multiplier,
    DefaultValuedAttr<F64Attr, "1.0">:$out_multiplier);
  let assemblyFormat = [{
    $prefix $mixer (`in` `(` $in_multiplier^ `)`)?
    (`out` `(` $out_multiplier^ `)`)? attr-dict
  }];
}

def Ssm_HeadOp : Ssm_Op<"head", [HasParent<"ModelOp">]> {
  let summary = "Final norm and output matrix of a model";
  let description = [{
    logits = `multiplier` * W norm(x) with W = `prefix`.weight, [vocab, hidden]. A
    tied head names the embedding's prefix.
  }];
  let arguments = (ins StrAttr:$prefix, Ssm_NormAttr:$norm, StrAttr:$norm_prefix,
    DefaultValuedAttr<F64Attr, "1.0">:$multiplier);
  let assemblyFormat = [{
    $prefix `norm` `(` $norm `,` $norm_prefix `)`
    (`multiplier` `(` $multiplier^ `)`)? attr-dict
  }];
}

#endif // SSM_BLOCK_OPS_TD
