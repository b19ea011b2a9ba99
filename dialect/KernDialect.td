//===- KernDialect.td - The kern dialect -------------------*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KERN_DIALECT_TD
#define KERN_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "dialect/KernEnums.td"

def Kern_Dialect : Dialect {
  let name = "kern";
  let cppNamespace = "::kern";
  let summary = "Fused kernels on tensors, shared by all backends";
  let description = [{
    Each `kern` operation becomes one kernel launch. What varies inside a kernel
    stands in scalar regions: they see f32 values (the accumulator and operands
    marked per column or per element) and each backend clones them onto its own
    vectors. Allowed inside: `arith` float operations and comparisons, `math` exp,
    exp2, log1p, tanh, erf, rsqrt, absf and fma, and `kern.yield`.

    A schedule is an attribute that one pass writes and a backend reads.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
  let useDefaultAttributePrinterParser = 1;
}

class Kern_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Kern_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

//===----------------------------------------------------------------------===//
// Weight recipes
//===----------------------------------------------------------------------===//

def Kern_StepAttr : Kern_Attr<"Step", "step"> {
  let summary = "One step of a weight recipe";
  let description = [{
    A recipe is a program of a stack machine over matrices (a vector of n is n x 1, a
    tensor of more dimensions keeps its first and flattens the rest):

    * `tensor "name" [shape]` pushes a tensor of the checkpoint, whose shape must be
      this; widened to f32 exactly.
    * `slice [begin, end]` rows begin..end. `concat [n]` pops n, stacks their rows.
    * `interleave [g]` pops a, b: g rows of a, g rows of b, in turn; the number of
      rows must be a multiple of g.
    * `transpose`, `neg_exp` (-exp(x)), `scale by v`, `add by v`.
    * `scale_columns` pops vector v, then matrix m: m[i, k] * v[k].
    * `mean "type" [n, r]`: of every n blocks of r rows, a block of their means,
      rounded to the type.
    * `pack "type" [nr, kr]` ends the recipe. Without numbers: row-major in the type.
      With them: column panels, [rows/nr][cols/kr][nr][kr], both rounded up and
      padded with zeros. Narrowing to a 16-bit type must be exact.
  }];
  let parameters = (ins EnumParameter<Kern_Verb>:$verb,
    OptionalParameter<"::mlir::StringAttr">:$name,
    OptionalArrayRefParameter<"int64_t">:$numbers,
    OptionalParameter<"::mlir::FloatAttr">:$value);
  let assemblyFormat = [{
    `<` $verb `` custom<StepName>($name) (`[` $numbers^ `]`)? (`by` $value^)? `>`
  }];
}

def Kern_RecipeAttr : Kern_Attr<"Recipe", "recipe"> {
  let summary = "How a packed weight is made from checkpoint tensors";
  let parameters = (ins ArrayRefParameter<"::kern::StepAttr">:$steps);
  let assemblyFormat = "`<` $steps `>`";
}

//===----------------------------------------------------------------------===//
// Schedules
//===----------------------------------------------------------------------===//

def Kern_GemmScheduleAttr : Kern_Attr<"GemmSchedule", "gemm_schedule"> {
  let summary = "Form of a matrix product for up to `max_rows` rows";
  let description = [{
    A launch uses the first entry of the list whose `max_rows` is not below its
    number of rows (-1: any). `block_rows` rows share each load of weights;
    `panel` output columns lie together in a packed weight and `pair` input
    channels beside each other in it. With `dot`, 16-bit inputs meet in the target's
    16-bit dot instruction. On a GPU a block of the streaming form has
    `block_columns` output channels (0: the target has no such choice).
  }];
  let parameters = (ins EnumParameter<Kern_GemmForm>:$form, "int64_t":$max_rows,
    "int64_t":$block_rows, "int64_t":$panel, "int64_t":$pair,
    DefaultValuedParameter<"bool", "false">:$dot,
    DefaultValuedParameter<"int64_t", "0">:$block_columns);
  let assemblyFormat = "`<` $form `,` struct($max_rows, $block_rows, $panel, $pair, $dot, $block_columns) `>`";
}

#endif // KERN_DIALECT_TD
