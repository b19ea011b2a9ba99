//===- Syntax.h - The parsed form of a PTX module ------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ssmrt::ptx {

enum class Space : uint8_t {
  Generic,
  Global,
  Shared,
  SharedCluster,
  Local,
  Param,
  Const,
};

/// An operand as written.
struct OperandSyntax {
  enum Kind : uint8_t {
    Name,    ///< register, symbol, label or '_'
    Integer, ///< `bits`
    Float32, ///< `bits`
    Float64, ///< `bits`
    Vector,  ///< {a, b}; `parts`
    Address, ///< [a], [a+4], [a, {b, c}]; `parts`, `bits` is the offset
    Pair,    ///< a|b; `parts`
    List,    ///< (a, b) of a call; `parts`
  };
  Kind kind = Name;
  bool negated = false; ///< '!'
  std::string_view name;
  uint64_t bits = 0;
  std::vector<OperandSyntax> parts;
};

/// One initial value: a number, or the address of a symbol.
struct InitialValue {
  uint64_t bits = 0;
  bool isFloat = false;
  std::string_view symbol;
  bool generic = false;
};

/// A variable in a space. Parameters are variables too.
struct VariableSyntax {
  std::string_view name;
  uint32_t line = 0;
  Space space = Space::Global;
  uint32_t alignment = 1;
  uint32_t elementBytes = 1;
  uint64_t bytes = 0;
  bool isExtern = false;
  std::vector<InitialValue> values;
};

/// A statement of a function body.
struct Statement {
  enum Kind : uint8_t {
    Instruction,
    Label,         ///< `mnemonic` is its name
    Open,          ///< {
    Close,         ///< }
    Registers,     ///< .reg: names in `operands`, width in `bits`
    Variable,      ///< index into FunctionSyntax::variables in `bits`
    BranchTargets, ///< `mnemonic: .branchtargets operands`
  };
  Kind kind = Instruction;
  uint32_t line = 0;
  std::string_view mnemonic;
  std::string_view guard;
  bool guardNegated = false;
  uint64_t bits = 0;
  std::vector<OperandSyntax> operands;
};

/// Widths of registers in Statement::bits; predicates count as 1 bit.
constexpr uint64_t kPredicateBits = 1;

struct FunctionSyntax {
  std::string_view name;
  uint32_t line = 0;
  bool isKernel = false;
  bool isDeclaration = false;
  std::vector<VariableSyntax> results;
  std::vector<VariableSyntax> parameters;
  uint32_t requiredBlock[3] = {0, 0, 0};
  uint32_t maxThreads = 0;
  uint32_t cluster[3] = {1, 1, 1};
  std::vector<VariableSyntax> variables;
  std::vector<Statement> body;
};

/// A module as written. Views point into `text`.
struct ModuleSyntax {
  std::string text;
  uint32_t version = 0; ///< 10 * major + minor
  std::string_view target;
  std::vector<VariableSyntax> variables;
  std::vector<FunctionSyntax> functions;
};

/// Parses `module.text` into `module`. Errors start with "line N: ".
Status parseSyntax(ModuleSyntax &module);

} // namespace ssmrt::ptx
