//===- PlanOps.td - The host program -----------------------*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLAN_OPS_TD
#define PLAN_OPS_TD

include "dialect/PlanDialect.td"
include "dialect/KernDialect.td"
include "dialect/SsmAttrs.td"
include "mlir/IR/SymbolInterfaces.td"

class Plan_Op<string mnemonic, list<Trait> traits = []>
    : Op<Plan_Dialect, mnemonic, traits>;

/// A named part of a program.
class Plan_Part<string mnemonic, list<Trait> traits = []>
    : Plan_Op<mnemonic, !listconcat([Symbol, HasParent<"ProgramOp">], traits)>;

def Plan_ProgramOp : Plan_Op<"program", [Symbol, SymbolTable, IsolatedFromAbove,
    NoTerminator, NoRegionArguments, SingleBlock]> {
  let summary = "A model as the runtime executes it, on one target";
  let description = [{
    `stream` is the buffer of the residual stream, which lives through all layers;
    `logits` the buffer of the result. `target` and `features` (what the machine must
    offer) are filled when the kernels are compiled.

    Constraints: `program_c1` `stream` and `logits` name buffers; `program_c2` exactly
    one `plan.layers`.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$hidden, I64Attr:$vocab,
    OptionalAttr<DenseI64ArrayAttr>:$end_tokens, FlatSymbolRefAttr:$stream,
    FlatSymbolRefAttr:$logits, StrAttr:$precision, OptionalAttr<StrAttr>:$target,
    OptionalAttr<StrArrayAttr>:$features);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `hidden` `(` $hidden `)` `vocab` `(` $vocab `)`
    (`end_tokens` `(` $end_tokens^ `)`)? `stream` `(` $stream `)`
    `logits` `(` $logits `)` `precision` `(` $precision `)`
    (`target` `(` $target^ `)`)? (`features` $features^)? attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The layer table.
    LayersOp getLayers();
  }];
}

def Plan_KernelOp : Plan_Part<"kernel", [IsolatedFromAbove, NoTerminator, SingleBlock]> {
  let summary = "A kernel: the operation it computes, and its compiled forms";
  let description = [{
    The region holds one `kern` operation whose operands are the region's arguments.
    `variants` is filled when the kernel is compiled, in ascending order of `max_rows`.

    Constraint: `kernel_c1` exactly one operation, of the kern dialect.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
    OptionalAttr<TypedArrayAttrBase<Plan_VariantAttr, "variants">>:$variants);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name (`variants` $variants^)? attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The operation that the kernel computes.
    ::mlir::Operation *getComputation() { return &getBody().front().front(); }
  }];
}

def Plan_WeightOp : Plan_Part<"weight"> {
  let summary = "A packed weight and how it is made";
  let description = [{
    Constraint: `weight_c1` a whole recipe, which leaves one matrix and ends in `pack`.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Kern_RecipeAttr:$recipe);
  let assemblyFormat = "$sym_name $recipe attr-dict";
  let hasVerifier = 1;
}

def Plan_BufferOp : Plan_Part<"buffer"> {
  let summary = "Rows of activations in the arena";
  let description = [{
    A row has `columns` values in a distance of `stride` from the next. The buffer
    begins at `offset` bytes times the number of rows that the arena is made for;
    buffers that are not alive together may share memory.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_RowCount:$rows,
    I64Attr:$columns, TypeAttr:$element, I64Attr:$stride, I64Attr:$offset);
  let assemblyFormat = [{
    $sym_name `[` $rows `,` $columns `]` $element `stride` `(` $stride `)` `offset` `(` $offset `)`
    attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Bytes of one row, padding included.
    int64_t getRowBytes() {
      return getStride() * getElement().getIntOrFloatBitWidth() / 8;
    }
  }];
}

def Plan_StateOp : Plan_Part<"state"> {
  let summary = "What a layer keeps of a sequence between calls";
  let description = [{
    `shape` is the logical one: conv [C, K-1], ssm1 [I, N], ssm2 [H, P, N], key and value
    [kv heads, head dim] per token. The last two live in pages of 64 tokens.

    Constraint: `state_c1` a shape of the rank of its kind.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_StateKind:$kind,
    DenseI64ArrayAttr:$shape, TypeAttr:$element);
  let assemblyFormat = "$sym_name $kind $shape $element attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Tokens of a page of keys or values.
    static constexpr int64_t kPageTokens = 64;
    /// Bytes of one slot (conv, ssm1, ssm2) or page (key, value).
    int64_t getBytes();
  }];
}

def Plan_BodyOp : Plan_Part<"body", [NoTerminator, NoRegionArguments]> {
  let summary = "The launches of a kind of layer, or of what surrounds the layers";
  let description = [{
    `prefill` takes any number of rows per sequence, `step` one row. A layer binds
    `weights` weights and owns one instance of each of `states`.

    Constraint: `body_c1` only launches; `body_c2` their weights and states exist.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$weights,
    TypedArrayAttrBase<FlatSymbolRefAttr, "states">:$states);
  let regions = (region MaxSizedRegion<1>:$prefill, MaxSizedRegion<1>:$step);
  let assemblyFormat = [{
    $sym_name `weights` `(` $weights `)` `states` $states attr-dict-with-keyword
    `prefill` $prefill `step` $step
  }];
  let hasRegionVerifier = 1;
}

def Plan_LaunchOp : Plan_Op<"launch", [HasParent<"BodyOp">,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a kernel over its grid";
  let description = [{
    The first variant of `kernel` for the number of `rows` runs, with `args` in its
    slots.

    Constraint: `launch_c1` names a kernel, and buffers and weights of the program.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Plan_RowCount:$rows,
    Plan_ArgumentsAttr:$args);
  let assemblyFormat = "$kernel $rows $args attr-dict";
}

def Plan_LayersOp : Plan_Op<"layers", [HasParent<"ProgramOp">,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "The layer table: bodies in their order, with their weights";
  let description = [{
    A call runs `before` (the embedding), each row of `table`, then `after` (the head).

    Constraint: `layers_c1` rows name bodies and as many weights as the body binds.
  }];
  let arguments = (ins FlatSymbolRefAttr:$before,
    TypedArrayAttrBase<Ssm_LayerAttr, "layer table">:$table,
    FlatSymbolRefAttr:$after);
  let assemblyFormat = "`before` $before $table `after` $after attr-dict";
}

#endif // PLAN_OPS_TD
