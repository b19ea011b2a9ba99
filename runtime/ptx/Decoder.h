//===- Decoder.h - Turns one instruction into a handler ------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/ptx/Program.h"

#include <optional>

namespace ssmrt::ptx {

/// A PTX type suffix.
struct Type {
  enum Kind : uint8_t {
    None,
    Bits,
    Unsigned,
    Signed,
    Float,
    BFloat,
    Predicate
  };
  Kind kind = None;
  uint8_t bits = 0;
  uint8_t count = 1; ///< 2 for packed pairs

  bool isInteger() const {
    return kind == Bits || kind == Unsigned || kind == Signed;
  }
  bool is(Kind otherKind, unsigned otherBits, unsigned otherCount = 1) const {
    return kind == otherKind && bits == otherBits && count == otherCount;
  }
};

/// The type called `name` ("f32", "bf16x2"), or one with kind None.
Type findType(std::string_view name);

/// A name in scope.
struct Symbol {
  enum Kind : uint8_t { Register, Variable, Targets };
  Kind kind = Register;
  uint8_t bits = 0;  ///< of a register; 1: predicate
  uint32_t slot = 0; ///< of a register
  Space space = Space::Global;
  uint64_t address = 0;   ///< of a variable in its space, or index of a global
  bool isDynamic = false; ///< shared memory behind the static variables
  bool isParameter = false; ///< of a called function; lives in local memory
  std::vector<uint32_t> targets; ///< entries of KernelCode::lists
};

/// What a decoder needs from the lowering of the kernel around it.
class Scope {
public:
  virtual ~Scope() = default;
  /// The symbol `name`, or null.
  virtual const Symbol *find(std::string_view name) = 0;
  virtual uint32_t constant(unsigned bits, uint64_t value) = 0;
  /// A slot with the address of a variable in its space.
  virtual uint32_t address(const Symbol &symbol, uint64_t addend,
                           unsigned bits) = 0;
  virtual std::optional<uint32_t> special(std::string_view name) = 0;
  virtual uint32_t scratch(unsigned bits) = 0;
  /// Asks for the target of the instruction in the making to be set.
  virtual void needLabel(std::string_view label, uint32_t line) = 0;
};

/// Decodes one statement. Members that find a fault record it once; the result
/// of a failed decode is not used.
class Decoder {
public:
  Decoder(const Statement &statement, KernelCode &code, Scope &scope);

  Instruction instruction;
  /// The part of the mnemonic before the first '.'.
  std::string_view opcode;

  //===--------------------------------------------------------------------===//
  // Modifiers
  //===--------------------------------------------------------------------===//

  /// Removes `modifier` if it is there.
  bool take(std::string_view modifier);
  /// Removes the first modifier that is a type.
  Type takeType();
  /// Removes the index-th remaining modifier if it is one of `choices` and
  /// returns which, or -1.
  int takeOneOf(std::initializer_list<std::string_view> choices);
  /// Remaining modifiers.
  const std::vector<std::string_view> &modifiers() const { return rest; }

  //===--------------------------------------------------------------------===//
  // Operands
  //===--------------------------------------------------------------------===//

  size_t operandCount() const { return statement.operands.size(); }
  const OperandSyntax &operand(size_t index) const;
  /// Fails unless the statement has `count` operands.
  bool expectOperands(size_t count);
  bool expectOperands(size_t least, size_t most);

  /// Slot of a register to write. '_' gives a slot that nobody reads.
  uint32_t write(const OperandSyntax &operand, unsigned bits);
  /// Slot of a value to read: a register with exactly `bits` bits, or a number
  /// of `type`, or the address of a symbol.
  uint32_t read(const OperandSyntax &operand, Type type);
  /// As read, but registers may be wider; their width in bits is returned.
  uint32_t readWide(const OperandSyntax &operand, Type type, unsigned &bits);
  uint32_t writeWide(const OperandSyntax &operand, unsigned least,
                     unsigned &bits);
  uint32_t readPredicate(const OperandSyntax &operand, bool &negated);
  uint32_t writePredicate(const OperandSyntax &operand);
  std::optional<uint64_t> integer(const OperandSyntax &operand);

  /// Sets source[0], wideAddress and immediate from [a+offset]. A symbol of a
  /// function parameter changes `space` from Param to Local.
  void address(const OperandSyntax &operand, Space &space);

  uint32_t addList(uint32_t entry);
  size_t listSize() const { return code.lists.size(); }
  void needLabel(std::string_view label) {
    scope.needLabel(label, statement.line);
  }
  const Symbol *find(std::string_view name) { return scope.find(name); }
  uint32_t constant(unsigned bits, uint64_t value) {
    return scope.constant(bits, value);
  }

  void needWarpgroups() { code.usesWarpgroups = true; }

  /// Marks slots for the check of undefined registers.
  void reads(uint32_t slot) { readSlots.push_back(slot); }
  void writes(uint32_t slot) { writeSlots.push_back(slot); }
  bool failed() const { return !failure.ok(); }
  void fail(const std::string &message);
  /// Fails if modifiers are left, then stores uses.
  Status finish();

private:
  uint32_t symbolSlot(const OperandSyntax &operand, unsigned bits);

  const Statement &statement;
  KernelCode &code;
  Scope &scope;
  std::vector<std::string_view> rest;
  std::vector<uint32_t> readSlots;
  std::vector<uint32_t> writeSlots;
  Status failure;
};

/// Each knows some opcodes, and returns whether it knows this one. Faults of an
/// instruction that it knows are recorded in the decoder.
bool decodeInteger(Decoder &decoder);
bool decodeBits(Decoder &decoder);
bool decodeFloat(Decoder &decoder);
bool decodeHalf(Decoder &decoder);
bool decodeCompare(Decoder &decoder);
bool decodeConvert(Decoder &decoder);
bool decodeMove(Decoder &decoder);
bool decodeMemory(Decoder &decoder);
bool decodeAtomic(Decoder &decoder);
bool decodeWarp(Decoder &decoder);
bool decodeCluster(Decoder &decoder);
bool decodeBarrier(Decoder &decoder);
bool decodeControl(Decoder &decoder);
bool decodeAsyncCopy(Decoder &decoder);
bool decodeMatrix(Decoder &decoder);
bool decodeMBarrier(Decoder &decoder);
bool decodeBulk(Decoder &decoder);
bool decodeWarpgroup(Decoder &decoder);

} // namespace ssmrt::ptx
