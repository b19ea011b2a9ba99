//===- Decoder.cpp - Turns one instruction into a handler -----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Decoder.h"

#include <algorithm>
#include <cstring>

namespace ssmrt::ptx {

Type findType(std::string_view name) {
  static constexpr std::pair<std::string_view, Type> kTypes[] = {
      {"b8", {Type::Bits, 8}},
      {"b16", {Type::Bits, 16}},
      {"b32", {Type::Bits, 32}},
      {"b64", {Type::Bits, 64}},
      {"b128", {Type::Bits, 128}},
      {"u8", {Type::Unsigned, 8}},
      {"u16", {Type::Unsigned, 16}},
      {"u32", {Type::Unsigned, 32}},
      {"u64", {Type::Unsigned, 64}},
      {"s8", {Type::Signed, 8}},
      {"s16", {Type::Signed, 16}},
      {"s32", {Type::Signed, 32}},
      {"s64", {Type::Signed, 64}},
      {"f16", {Type::Float, 16}},
      {"f32", {Type::Float, 32}},
      {"f64", {Type::Float, 64}},
      {"bf16", {Type::BFloat, 16}},
      {"f16x2", {Type::Float, 16, 2}},
      {"bf16x2", {Type::BFloat, 16, 2}},
      {"pred", {Type::Predicate, 1}},
      {"u16x2", {Type::Unsigned, 16, 2}},
      {"s16x2", {Type::Signed, 16, 2}},
  };
  for (const auto &[key, type] : kTypes)
    if (name == key)
      return type;
  return {};
}

Decoder::Decoder(const Statement &statement, KernelCode &code, Scope &scope)
    : statement(statement), code(code), scope(scope) {
  std::string_view text = statement.mnemonic;
  bool first = true;
  while (!text.empty()) {
    const size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    if (first)
      opcode = part;
    else
      rest.push_back(part);
    first = false;
    text = dot == std::string_view::npos ? "" : text.substr(dot + 1);
  }
  instruction.line = statement.line;
  if (!statement.guard.empty()) {
    OperandSyntax guard;
    guard.name = statement.guard;
    bool negated = false;
    instruction.guard = readPredicate(guard, negated);
    instruction.guardNegated = statement.guardNegated;
  }
}

//===----------------------------------------------------------------------===//
// Modifiers
//===----------------------------------------------------------------------===//

bool Decoder::take(std::string_view modifier) {
  auto found = std::find(rest.begin(), rest.end(), modifier);
  if (found == rest.end())
    return false;
  rest.erase(found);
  return true;
}

Type Decoder::takeType() {
  for (size_t i = 0; i < rest.size(); ++i) {
    const Type type = findType(rest[i]);
    if (type.kind != Type::None) {
      rest.erase(rest.begin() + i);
      return type;
    }
  }
  fail("has no type");
  return {};
}

int Decoder::takeOneOf(std::initializer_list<std::string_view> choices) {
  int index = 0;
  for (std::string_view choice : choices) {
    if (take(choice))
      return index;
    ++index;
  }
  return -1;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

const OperandSyntax &Decoder::operand(size_t index) const {
  static const OperandSyntax kMissing;
  return index < statement.operands.size() ? statement.operands[index]
                                           : kMissing;
}

bool Decoder::expectOperands(size_t count) {
  return expectOperands(count, count);
}

bool Decoder::expectOperands(size_t least, size_t most) {
  const size_t count = operandCount();
  if (count >= least && count <= most)
    return true;
  fail("expected " + std::to_string(least) + " operands, got " +
       std::to_string(count));
  return false;
}

uint32_t Decoder::write(const OperandSyntax &operand, unsigned bits) {
  unsigned width = 0;
  const uint32_t slot = writeWide(operand, bits, width);
  if (!failed() && width != bits)
    fail("'" + std::string(operand.name) + "' has " + std::to_string(width) +
         " bits, expected " + std::to_string(bits));
  return slot;
}

uint32_t Decoder::writeWide(const OperandSyntax &operand, unsigned least,
                            unsigned &bits) {
  bits = least;
  if (operand.kind == OperandSyntax::Name && operand.name == "_")
    return scope.scratch(least == kPredicateBits ? least : 64);
  const Symbol *symbol = operand.kind == OperandSyntax::Name && !operand.negated
                             ? scope.find(operand.name)
                             : nullptr;
  if (!symbol || symbol->kind != Symbol::Register) {
    fail("expected a register to write" +
         (operand.name.empty() ? std::string()
                               : ", got '" + std::string(operand.name) + "'"));
    return 0;
  }
  bits = symbol->bits;
  if (bits < least)
    fail("'" + std::string(operand.name) + "' is too narrow");
  writes(symbol->slot);
  return symbol->slot;
}

uint32_t Decoder::writePredicate(const OperandSyntax &operand) {
  return write(operand, kPredicateBits);
}

uint32_t Decoder::readPredicate(const OperandSyntax &operand, bool &negated) {
  negated = operand.negated;
  if (operand.kind == OperandSyntax::Integer)
    return scope.constant(kPredicateBits, operand.bits ? kAllLanes : 0);
  const Symbol *symbol =
      operand.kind == OperandSyntax::Name ? scope.find(operand.name) : nullptr;
  if (!symbol || symbol->kind != Symbol::Register ||
      symbol->bits != kPredicateBits) {
    fail("expected a predicate, got '" + std::string(operand.name) + "'");
    return 0;
  }
  reads(symbol->slot);
  return symbol->slot;
}

uint32_t Decoder::read(const OperandSyntax &operand, Type type) {
  if (type.kind == Type::Predicate) {
    bool negated = false;
    const uint32_t slot = readPredicate(operand, negated);
    if (negated)
      fail("unexpected '!'");
    return slot;
  }
  unsigned bits = 0;
  const uint32_t slot = readWide(operand, type, bits);
  if (!failed() && bits != unsigned(type.bits * type.count))
    fail("'" + std::string(operand.name) + "' has " + std::to_string(bits) +
         " bits, expected " + std::to_string(type.bits * type.count));
  return slot;
}

uint32_t Decoder::readWide(const OperandSyntax &operand, Type type,
                           unsigned &bits) {
  bits = type.bits * type.count;
  if (operand.negated) {
    fail("unexpected '!'");
    return 0;
  }
  const bool isFloat = type.kind == Type::Float && type.count == 1;
  switch (operand.kind) {
  case OperandSyntax::Integer:
    if (isFloat) {
      fail("expected a floating-point number");
      return 0;
    }
    return scope.constant(bits, operand.bits);
  case OperandSyntax::Float32: {
    if (bits == 32)
      return scope.constant(32, operand.bits);
    if (bits != 64)
      break;
    const uint32_t single = static_cast<uint32_t>(operand.bits);
    float value;
    std::memcpy(&value, &single, sizeof(value));
    const double wide = value;
    uint64_t result;
    std::memcpy(&result, &wide, sizeof(result));
    return scope.constant(64, result);
  }
  case OperandSyntax::Float64: {
    if (bits == 64)
      return scope.constant(64, operand.bits);
    if (bits != 32)
      break;
    double value;
    std::memcpy(&value, &operand.bits, sizeof(value));
    const float narrow = static_cast<float>(value);
    uint32_t result;
    std::memcpy(&result, &narrow, sizeof(result));
    return scope.constant(32, result);
  }
  case OperandSyntax::Name: {
    const Symbol *symbol = scope.find(operand.name);
    if (symbol && symbol->kind == Symbol::Register) {
      bits = symbol->bits;
      if (bits == kPredicateBits || bits < unsigned(type.bits * type.count))
        fail("'" + std::string(operand.name) + "' has " +
             std::to_string(symbol->bits) + " bits, expected " +
             std::to_string(type.bits * type.count));
      reads(symbol->slot);
      return symbol->slot;
    }
    if (symbol && symbol->kind == Symbol::Variable)
      return symbolSlot(operand, bits);
    if (std::optional<uint32_t> slot = scope.special(operand.name)) {
      bits = 32;
      return *slot;
    }
    fail("unknown name '" + std::string(operand.name) + "'");
    return 0;
  }
  default:
    break;
  }
  fail("expected a register or a number");
  return 0;
}

uint32_t Decoder::symbolSlot(const OperandSyntax &operand, unsigned bits) {
  const Symbol &symbol = *scope.find(operand.name);
  const uint64_t window = symbol.isParameter ? kLocalWindow : 0;
  return scope.address(symbol, operand.bits + window, bits);
}

std::optional<uint64_t> Decoder::integer(const OperandSyntax &operand) {
  if (operand.kind == OperandSyntax::Integer)
    return operand.bits;
  fail("expected an integer");
  return std::nullopt;
}

void Decoder::address(const OperandSyntax &operand, Space &space) {
  if (operand.kind != OperandSyntax::Address || operand.parts.size() != 1) {
    fail("expected an address such as [%rd1+4]");
    return;
  }
  const OperandSyntax &base = operand.parts[0];
  instruction.immediate = static_cast<int64_t>(operand.bits + base.bits);
  instruction.wideAddress = true;
  const Symbol *symbol =
      base.kind == OperandSyntax::Name ? scope.find(base.name) : nullptr;
  if (symbol && symbol->kind == Symbol::Register) {
    if (symbol->bits != 32 && symbol->bits != 64)
      fail("'" + std::string(base.name) + "' cannot hold an address");
    instruction.wideAddress = symbol->bits == 64;
    reads(symbol->slot);
    instruction.source[0] = symbol->slot;
  } else if (symbol && symbol->kind == Symbol::Variable) {
    if (space == Space::Param && symbol->space == Space::Local)
      space = Space::Local;
    instruction.source[0] = scope.address(*symbol, 0, 64);
  } else if (base.kind == OperandSyntax::Integer) {
    instruction.source[0] = scope.constant(64, 0);
  } else {
    fail("unknown address '" + std::string(base.name) + "'");
  }
  instruction.space = space;
}

uint32_t Decoder::addList(uint32_t entry) {
  code.lists.push_back(entry);
  return static_cast<uint32_t>(code.lists.size() - 1);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void Decoder::fail(const std::string &message) {
  if (failure.ok())
    failure = error("line " + std::to_string(statement.line) + ": '" +
                    std::string(statement.mnemonic) + "': " + message);
}

Status Decoder::finish() {
  if (!failed() && !rest.empty())
    fail("unsupported modifier '." + std::string(rest.front()) + "'");
  if (failed())
    return failure;
  instruction.uses = static_cast<uint32_t>(code.lists.size());
  instruction.reads = static_cast<uint16_t>(readSlots.size());
  instruction.writes = static_cast<uint16_t>(writeSlots.size());
  code.lists.insert(code.lists.end(), readSlots.begin(), readSlots.end());
  code.lists.insert(code.lists.end(), writeSlots.begin(), writeSlots.end());
  return {};
}

} // namespace ssmrt::ptx
