//===- Expression.cpp - Integer expressions of a plan ---------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Expression.h"
#include "runtime/Checked.h"

#include <array>
#include <limits>

namespace ssmrt {

namespace {

constexpr int kDeepestExpression = 8;
constexpr std::array<const char *, 4> kSymbols = {"rows", "sequences", "tiles",
                                                  "outputs"};

int64_t clamp(std::optional<int64_t> value) {
  return value.value_or(std::numeric_limits<int64_t>::max());
}

} // namespace

Symbol readSymbol(const JsonReader &json) {
  const std::string name = json.string();
  for (size_t i = 0; i < kSymbols.size(); ++i)
    if (name == kSymbols[i])
      return static_cast<Symbol>(i);
  json.fail("got '" + name + "', supported rows, sequences, tiles, outputs");
  return Symbol::Rows;
}

Expression::Expression(int64_t constant) {
  nodes.push_back({Kind::Constant, Symbol::Rows, constant});
}

Expression Expression::read(const JsonReader &json) {
  Expression expression;
  expression.append(json, 0);
  return expression;
}

void Expression::append(const JsonReader &json, int depth) {
  if (json.isString()) {
    nodes.push_back({Kind::Symbol, readSymbol(json), 0});
    return;
  }
  if (!json.isArray()) {
    nodes.push_back(
        {Kind::Constant, Symbol::Rows, json.integer(0, kLargestSize)});
    return;
  }
  if (depth == kDeepestExpression || json.size() != 3) {
    json.fail("expected [operation, a, b], at most " +
              std::to_string(kDeepestExpression) + " deep");
    return;
  }
  const std::string name = json.at(0).string();
  append(json.at(1), depth + 1);
  append(json.at(2), depth + 1);
  Node node;
  if (name == "add")
    node.kind = Kind::Add;
  else if (name == "mul")
    node.kind = Kind::Mul;
  else if (name == "ceildiv")
    node.kind = Kind::CeilDiv;
  else if (name == "floordiv")
    node.kind = Kind::FloorDiv;
  else
    json.fail("got '" + name + "', supported add, mul, ceildiv, floordiv");
  nodes.push_back(node);
}

int64_t Expression::evaluate(const SymbolValues &symbols) const {
  // A stack of postfix values; depth d needs at most d + 2 of them.
  std::array<int64_t, kDeepestExpression + 3> stack{};
  size_t size = 0;
  for (const Node &node : nodes) {
    if (node.kind == Kind::Constant || node.kind == Kind::Symbol) {
      stack[size++] =
          node.kind == Kind::Constant ? node.constant : symbols.of(node.symbol);
      continue;
    }
    const int64_t b = stack[--size];
    int64_t &a = stack[size - 1];
    if (node.kind == Kind::Add)
      a = clamp(checkedAdd(a, b));
    else if (node.kind == Kind::Mul)
      a = clamp(checkedMultiply(a, b));
    else if (b == 0)
      a = 0;
    else
      a = a / b + (node.kind == Kind::CeilDiv && a % b != 0);
  }
  return size ? stack[0] : 0;
}

} // namespace ssmrt
