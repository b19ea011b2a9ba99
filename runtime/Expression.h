//===- Expression.h - Integer expressions of a plan -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Json.h"

#include <cstdint>
#include <vector>

namespace ssmrt {

/// What a launch may depend on; the names in plans are the same.
enum class Symbol : uint8_t { Rows, Sequences, Tiles, Outputs };

/// Values of the symbols in one call.
struct SymbolValues {
  int64_t rows = 0;
  int64_t sequences = 0;
  int64_t tiles = 0;
  int64_t outputs = 0;

  int64_t of(Symbol symbol) const {
    switch (symbol) {
    case Symbol::Rows:
      return rows;
    case Symbol::Sequences:
      return sequences;
    case Symbol::Tiles:
      return tiles;
    case Symbol::Outputs:
      return outputs;
    }
    return 0;
  }
};

/// Reads the name of a symbol; reports others.
Symbol readSymbol(const JsonReader &json);

/// An integer expression: a number, a symbol, or ["add" | "mul" | "ceildiv" |
/// "floordiv", a, b].
class Expression {
public:
  Expression() = default;
  explicit Expression(int64_t constant);

  static Expression read(const JsonReader &json);

  /// The value, with overflows clamped to the largest integer.
  int64_t evaluate(const SymbolValues &symbols) const;

private:
  enum class Kind : uint8_t { Constant, Symbol, Add, Mul, CeilDiv, FloorDiv };

  struct Node {
    Kind kind = Kind::Constant;
    Symbol symbol = Symbol::Rows;
    int64_t constant = 0;
  };

  void append(const JsonReader &json, int depth);

  /// Postfix order. Empty: 0.
  std::vector<Node> nodes;
};

} // namespace ssmrt
