//===- Move.cpp - Moves between registers ---------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Lanes.h"

namespace ssmrt::ptx {

namespace {

template <class T>
Flow executeMove(Warp &warp, const Instruction &instruction, uint32_t mask) {
  T *d = warp.lanes<T>(instruction.destination);
  const T *a = warp.lanes<T>(instruction.source[0]);
  forLanes(mask, [=](uint32_t lane) { d[lane] = a[lane]; });
  return Flow::Next;
}

Flow executeMovePredicate(Warp &warp, const Instruction &instruction,
                          uint32_t mask) {
  uint32_t &d = warp.predicate(instruction.destination);
  uint32_t a = warp.predicate(instruction.source[0]);
  if (instruction.kind)
    a = ~a;
  d = (d & ~mask) | (a & mask);
  return Flow::Next;
}

/// {a, b, ...} -> d; the first element is the lowest.
template <class Part, class Whole>
Flow executePack(Warp &warp, const Instruction &instruction, uint32_t mask) {
  constexpr uint32_t kParts = sizeof(Whole) / sizeof(Part);
  const uint32_t *slots =
      warp.block->worker->grid->code->lists.data() + instruction.list;
  Part *d = warp.lanes<Part>(instruction.destination);
  for (uint32_t part = 0; part < kParts; ++part) {
    const Part *a = warp.lanes<Part>(slots[part]);
    forLanes(mask, [=](uint32_t lane) { d[lane * kParts + part] = a[lane]; });
  }
  return Flow::Next;
}

template <class Part, class Whole>
Flow executeUnpack(Warp &warp, const Instruction &instruction, uint32_t mask) {
  constexpr uint32_t kParts = sizeof(Whole) / sizeof(Part);
  const uint32_t *slots =
      warp.block->worker->grid->code->lists.data() + instruction.list;
  const Part *a = warp.lanes<Part>(instruction.source[0]);
  for (uint32_t part = 0; part < kParts; ++part) {
    Part *d = warp.lanes<Part>(slots[part]);
    forLanes(mask, [=](uint32_t lane) { d[lane] = a[lane * kParts + part]; });
  }
  return Flow::Next;
}

/// Clocks: the instructions executed so far.
template <class T>
Flow executeClock(Warp &warp, const Instruction &instruction, uint32_t mask) {
  T *d = warp.lanes<T>(instruction.destination);
  const T now = static_cast<T>(warp.block->worker->total);
  forLanes(mask, [=](uint32_t lane) { d[lane] = now; });
  return Flow::Next;
}

bool isClock(std::string_view name) {
  return name == "%clock" || name == "%clock64" || name == "%clock_hi" ||
         name == "%globaltimer" || name == "%globaltimer_lo" ||
         name == "%globaltimer_hi";
}

bool decodePackOrUnpack(Decoder &decoder, Type type, bool pack) {
  Instruction &instruction = decoder.instruction;
  const OperandSyntax &vector = decoder.operand(pack ? 1 : 0);
  const size_t parts = vector.parts.size();
  const unsigned bits = type.bits * type.count;
  if ((parts != 2 && parts != 4) || bits % parts || bits / parts < 16) {
    decoder.fail("unsupported vector");
    return true;
  }
  const unsigned part = bits / static_cast<unsigned>(parts);
  std::vector<uint32_t> slots;
  for (const OperandSyntax &operand : vector.parts)
    slots.push_back(
        pack ? decoder.read(operand, {Type::Bits, static_cast<uint8_t>(part)})
             : decoder.write(operand, part));
  instruction.list = static_cast<uint32_t>(decoder.listSize());
  for (uint32_t slot : slots)
    decoder.addList(slot);
  if (pack)
    instruction.destination = decoder.write(decoder.operand(0), bits);
  else
    instruction.source[0] = decoder.read(decoder.operand(1), type);
  if (bits == 32)
    instruction.execute = pack ? executePack<uint16_t, uint32_t>
                               : executeUnpack<uint16_t, uint32_t>;
  else if (bits == 64 && part == 32)
    instruction.execute = pack ? executePack<uint32_t, uint64_t>
                               : executeUnpack<uint32_t, uint64_t>;
  else if (bits == 64 && part == 16)
    instruction.execute = pack ? executePack<uint16_t, uint64_t>
                               : executeUnpack<uint16_t, uint64_t>;
  else
    decoder.fail("unsupported vector");
  return true;
}

bool decodeMov(Decoder &decoder) {
  const Type type = decoder.takeType();
  Instruction &instruction = decoder.instruction;
  instruction.movesUndefined = true;
  if (!decoder.expectOperands(2))
    return true;
  if (decoder.operand(1).kind == OperandSyntax::Vector)
    return decodePackOrUnpack(decoder, type, true);
  if (decoder.operand(0).kind == OperandSyntax::Vector)
    return decodePackOrUnpack(decoder, type, false);
  if (type.kind == Type::Predicate) {
    bool negated = false;
    instruction.source[0] = decoder.readPredicate(decoder.operand(1), negated);
    instruction.kind = negated;
    instruction.destination = decoder.writePredicate(decoder.operand(0));
    instruction.execute = executeMovePredicate;
    return true;
  }
  const unsigned bits = type.bits * type.count;
  if (bits != 16 && bits != 32 && bits != 64) {
    decoder.fail("unsupported type");
    return true;
  }
  if (decoder.operand(1).kind == OperandSyntax::Name &&
      isClock(decoder.operand(1).name)) {
    instruction.destination = decoder.write(decoder.operand(0), bits);
    instruction.execute =
        bits == 64 ? executeClock<uint64_t> : executeClock<uint32_t>;
    return true;
  }
  // Numbers may be written as floats whatever the type says.
  const bool isNumber = decoder.operand(1).kind == OperandSyntax::Float32 ||
                        decoder.operand(1).kind == OperandSyntax::Float64;
  instruction.source[0] =
      decoder.read(decoder.operand(1),
                   isNumber ? Type{Type::Float, static_cast<uint8_t>(bits)}
                            : Type{Type::Bits, static_cast<uint8_t>(bits)});
  instruction.destination = decoder.write(decoder.operand(0), bits);
  instruction.execute = bits == 16   ? executeMove<uint16_t>
                        : bits == 32 ? executeMove<uint32_t>
                                     : executeMove<uint64_t>;
  return true;
}

/// Adds or removes the window of a space (kind: remove).
Flow executeCvta(Warp &warp, const Instruction &instruction, uint32_t mask) {
  uint64_t *d = warp.lanes<uint64_t>(instruction.destination);
  const uint64_t *a = warp.lanes<uint64_t>(instruction.source[0]);
  const uint64_t window = static_cast<uint64_t>(instruction.immediate);
  const bool remove = instruction.kind;
  forLanes(mask, [=](uint32_t lane) {
    const bool inside = a[lane] >= kLocalWindow;
    // An address of a function parameter is generic already.
    if (!remove)
      d[lane] = inside && window == kParamWindow ? a[lane] : a[lane] + window;
    else
      d[lane] = a[lane] - window;
  });
  return Flow::Next;
}

bool decodeCvta(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  instruction.kind = decoder.take("to");
  const int space =
      decoder.takeOneOf({"global", "const", "shared", "shared::cta",
                         "shared::cluster", "local", "param", "param::entry"});
  static constexpr uint64_t kWindows[] = {0,
                                          0,
                                          kSharedWindow,
                                          kSharedWindow,
                                          kSharedWindow,
                                          kLocalWindow,
                                          kParamWindow,
                                          kParamWindow};
  if (space < 0 || !decoder.take("u64")) {
    decoder.fail("expected a space and .u64");
    return true;
  }
  instruction.immediate = static_cast<int64_t>(kWindows[space]);
  decodeOperands(decoder, {Type::Unsigned, 64}, 1);
  instruction.execute = executeCvta;
  return true;
}

Flow executeIsSpace(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const uint64_t *a = warp.lanes<uint64_t>(instruction.source[0]);
  uint32_t result = 0;
  for (uint32_t lane = 0; lane < kLanes; ++lane)
    result |= uint32_t(a[lane] >> kWindowShift == instruction.kind) << lane;
  uint32_t &p = warp.predicate(instruction.destination);
  p = (p & ~mask) | (result & mask);
  return Flow::Next;
}

bool decodeIsSpace(Decoder &decoder) {
  const int space = decoder.takeOneOf(
      {"global", "shared", "shared::cta", "shared::cluster", "local", "param"});
  static constexpr uint8_t kNumbers[] = {0, 1, 1, 1, 2, 3};
  if (space < 0 || !decoder.expectOperands(2)) {
    decoder.fail("unsupported space");
    return true;
  }
  Instruction &instruction = decoder.instruction;
  instruction.kind = kNumbers[space];
  instruction.source[0] =
      decoder.read(decoder.operand(1), {Type::Unsigned, 64});
  instruction.destination = decoder.writePredicate(decoder.operand(0));
  instruction.execute = executeIsSpace;
  return true;
}

} // namespace

bool decodeMove(Decoder &decoder) {
  decoder.instruction.group = Class::Move;
  if (decoder.opcode == "mov")
    return decodeMov(decoder);
  if (decoder.opcode == "cvta")
    return decodeCvta(decoder);
  if (decoder.opcode == "isspacep")
    return decodeIsSpace(decoder);
  return false;
}

} // namespace ssmrt::ptx
