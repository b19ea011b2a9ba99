//===- PlanDialect.td - The plan dialect -------------------*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLAN_DIALECT_TD
#define PLAN_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "dialect/PlanEnums.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let cppNamespace = "::plan";
  let summary = "The host program: buffers, states, launches";
  let description = [{
    A `plan.program` is what the runtime executes, and is written to the artifact as
    JSON, field by field. It knows kernels by name, grids as expressions of the
    size of a call, and memory as offsets; it knows no device.
  }];
  let dependentDialects = ["::kern::KernDialect"];
  let useDefaultAttributePrinterParser = 1;
}

class Plan_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Plan_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Plan_ArgumentAttr : Plan_Attr<"Argument", "argument"> {
  let summary = "What fills one argument slot of a launch";
  let description = [{
    `buffer of @b at n`: address of column n of the first row. `weight at n`, `state
    at n`: what the current layer binds. The slots come in the order of the kernel
    ABI.
  }];
  let parameters = (ins EnumParameter<Plan_ArgumentKind>:$kind,
    OptionalParameter<"::mlir::FlatSymbolRefAttr">:$symbol,
    DefaultValuedParameter<"int64_t", "0">:$number);
  let assemblyFormat = "`<` $kind (`of` $symbol^)? (`at` $number^)? `>`";
  let genVerifyDecl = 1;
}

def Plan_ArgumentsAttr : Plan_Attr<"Arguments", "arguments"> {
  let summary = "The argument slots of a launch";
  let parameters = (ins ArrayRefParameter<"::plan::ArgumentAttr">:$slots);
  let assemblyFormat = "`[` $slots `]`";
}

def Plan_VariantAttr : Plan_Attr<"Variant", "variant"> {
  let summary = "A compiled form of a kernel, for calls of up to `max_rows` rows";
  let description = [{
    `grid` is the number of units of work and `scratch` the bytes that each thread
    offers, over the symbols s0 = rows, s1 = sequences, s2 = tiles, s3 = outputs.
    `max_rows` -1 stands for any number. On a GPU the units are blocks of `block`
    threads, to which a launch gives `shared` bytes of shared memory.
  }];
  let parameters = (ins "::mlir::StringAttr":$name, "int64_t":$max_rows,
    "::mlir::AffineMap":$grid, "::mlir::AffineMap":$scratch,
    DefaultValuedParameter<"int64_t", "0">:$block,
    DefaultValuedParameter<"int64_t", "0">:$shared);
  let assemblyFormat = [{
    `<` $name `,` `max_rows` `=` $max_rows `,` `grid` `=` $grid `,`
    `scratch` `=` $scratch (`,` `block` `=` $block^)? (`,` `shared` `=` $shared^)? `>`
  }];
  let genVerifyDecl = 1;
}

#endif // PLAN_DIALECT_TD
