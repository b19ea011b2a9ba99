//===- SsmDialect.td - The ssm dialect ---------------------*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SSM_DIALECT_TD
#define SSM_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def Ssm_Dialect : Dialect {
  let name = "ssm";
  let cppNamespace = "::ssm";
  let summary = "Language models of state-space, attention and MLP layers";
  let description = [{
    The `ssm` dialect says what a model is, at two levels.

    *Block form* is the model as a list of layers: `ssm.model` holds `ssm.layer`s,
    each with its `ssm.block`s (mamba, mamba2, attention, mlp, experts) and their
    hyper-parameters. Layer placement is rewriting this list.

    *Op form* is the mathematics on tensors with value semantics: one function per
    distinct kind of layer, an `ssm.program` that runs them, state as operand and
    result. Rows of activations are tokens of all sequences of a call, packed; an
    `!ssm.seqs` value says which rows belong to which sequence.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
}

class Ssm_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Ssm_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

class Ssm_Op<string mnemonic, list<Trait> traits = []>
    : Op<Ssm_Dialect, mnemonic, traits>;

def Ssm_Seqs : TypeDef<Ssm_Dialect, "Seqs"> {
  let mnemonic = "seqs";
  let summary = "Table of the sequences of one call";
  let description = [{
    For every sequence of a call: its first row, number of rows, state slot and
    the position of its first row. Rows of activations are the tokens of all
    sequences one after the other.
  }];
}

#endif // SSM_DIALECT_TD
