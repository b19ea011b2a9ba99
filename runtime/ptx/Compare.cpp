//===- Compare.cpp - Comparisons and selections ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Lanes.h"
#include "runtime/ptx/SmallFloat.h"

namespace ssmrt::ptx {

namespace {

struct Eq {
  template <class T> bool operator()(T a, T b) const { return a == b; }
};
struct Ne { // ordered: false for NaN
  template <class T> bool operator()(T a, T b) const { return a < b || a > b; }
};
struct Lt {
  template <class T> bool operator()(T a, T b) const { return a < b; }
};
struct Le {
  template <class T> bool operator()(T a, T b) const { return a <= b; }
};
struct Gt {
  template <class T> bool operator()(T a, T b) const { return a > b; }
};
struct Ge {
  template <class T> bool operator()(T a, T b) const { return a >= b; }
};
struct Num {
  template <class T> bool operator()(T a, T b) const {
    return a == a && b == b;
  }
};
/// The unordered form is the complement of the opposite ordered form.
template <class F> struct Complement {
  template <class T> bool operator()(T a, T b) const { return !F()(a, b); }
};

// How a register is read.
template <class T> struct Plain {
  using Register = T;
  static T get(T value) { return value; }
};
struct AsF16 {
  using Register = uint16_t;
  static float get(uint16_t bits) { return f16ToFloat(bits); }
};
struct AsBf16 {
  using Register = uint16_t;
  static float get(uint16_t bits) { return bf16ToFloat(bits); }
};
struct AsFlushed {
  using Register = float;
  static float get(float value) {
    return std::fabs(value) < 0x1p-126f ? 0.0f : value;
  }
};

enum Combine : uint8_t { None, And, Or, Xor };

/// source: a, b, and a predicate to combine with; kind: Combine, plus 8 if the
/// predicate is negated.
template <class V, class F>
Flow executeSetp(Warp &warp, const Instruction &instruction, uint32_t mask) {
  using R = typename V::Register;
  const R *a = warp.lanes<R>(instruction.source[0]);
  const R *b = warp.lanes<R>(instruction.source[1]);
  uint32_t result = 0;
  for (uint32_t lane = 0; lane < kLanes; ++lane)
    result |= uint32_t(F()(V::get(a[lane]), V::get(b[lane]))) << lane;
  uint32_t opposite = ~result;
  if (const uint8_t combine = instruction.kind & 7) {
    uint32_t c = warp.predicate(instruction.source[2]);
    if (instruction.kind & 8)
      c = ~c;
    auto apply = [&](uint32_t value) {
      return combine == And ? value & c : combine == Or ? value | c : value ^ c;
    };
    result = apply(result);
    opposite = apply(opposite);
  }
  uint32_t &p = warp.predicate(instruction.destination);
  p = (p & ~mask) | (result & mask);
  if (instruction.destination2 != kNoSlot) {
    uint32_t &q = warp.predicate(instruction.destination2);
    q = (q & ~mask) | (opposite & mask);
  }
  return Flow::Next;
}

template <class F> bool selectSetp(Decoder &decoder, Type type, bool flush) {
  Handler &execute = decoder.instruction.execute;
  if (type.is(Type::Float, 32))
    execute = flush ? executeSetp<AsFlushed, F> : executeSetp<Plain<float>, F>;
  else if (type.is(Type::Float, 64))
    execute = executeSetp<Plain<double>, F>;
  else if (type.is(Type::Float, 16))
    execute = executeSetp<AsF16, F>;
  else if (type.is(Type::BFloat, 16))
    execute = executeSetp<AsBf16, F>;
  else
    withInteger(decoder, type, [&](auto tag) {
      using T = typename decltype(tag)::type;
      execute = executeSetp<Plain<T>, F>;
    });
  return true;
}

bool decodeSetp(Decoder &decoder) {
  const bool flush = decoder.take("ftz");
  const int combine = decoder.takeOneOf({"and", "or", "xor"});
  using Select = bool (*)(Decoder &, Type, bool);
  static constexpr std::pair<std::string_view, Select> kTable[] = {
      {"eq", selectSetp<Eq>},
      {"ne", selectSetp<Ne>},
      {"lt", selectSetp<Lt>},
      {"le", selectSetp<Le>},
      {"gt", selectSetp<Gt>},
      {"ge", selectSetp<Ge>},
      {"lo", selectSetp<Lt>},
      {"ls", selectSetp<Le>},
      {"hi", selectSetp<Gt>},
      {"hs", selectSetp<Ge>},
      {"equ", selectSetp<Complement<Ne>>},
      {"neu", selectSetp<Complement<Eq>>},
      {"ltu", selectSetp<Complement<Ge>>},
      {"leu", selectSetp<Complement<Gt>>},
      {"gtu", selectSetp<Complement<Le>>},
      {"geu", selectSetp<Complement<Lt>>},
      {"num", selectSetp<Num>},
      {"nan", selectSetp<Complement<Num>>},
  };
  Select select = nullptr;
  for (const auto &[name, entry] : kTable)
    if (decoder.take(name)) {
      select = entry;
      break;
    }
  const Type type = decoder.takeType();
  if (!select) {
    decoder.fail("expected a comparison");
    return true;
  }
  if (!decoder.expectOperands(combine >= 0 ? 4 : 3))
    return true;
  Instruction &instruction = decoder.instruction;
  instruction.source[0] = decoder.read(decoder.operand(1), type);
  instruction.source[1] = decoder.read(decoder.operand(2), type);
  if (combine >= 0) {
    bool negated = false;
    instruction.source[2] = decoder.readPredicate(decoder.operand(3), negated);
    instruction.kind = static_cast<uint8_t>(combine + 1 + (negated ? 8 : 0));
  }
  const OperandSyntax &result = decoder.operand(0);
  if (result.kind == OperandSyntax::Pair) {
    instruction.destination = decoder.writePredicate(result.parts[0]);
    instruction.destination2 = decoder.writePredicate(result.parts[1]);
  } else {
    instruction.destination = decoder.writePredicate(result);
  }
  return select(decoder, type, flush);
}

template <class T>
Flow executeSelect(Warp &warp, const Instruction &instruction, uint32_t mask) {
  T *d = warp.lanes<T>(instruction.destination);
  const T *a = warp.lanes<T>(instruction.source[0]);
  const T *b = warp.lanes<T>(instruction.source[1]);
  uint32_t p = warp.predicate(instruction.source[2]);
  if (instruction.kind)
    p = ~p;
  forLanes(mask,
           [=](uint32_t lane) { d[lane] = p >> lane & 1 ? a[lane] : b[lane]; });
  return Flow::Next;
}

bool decodeSelect(Decoder &decoder) {
  const Type type = decoder.takeType();
  if (!decoder.expectOperands(4))
    return true;
  Instruction &instruction = decoder.instruction;
  instruction.source[0] = decoder.read(decoder.operand(1), type);
  instruction.source[1] = decoder.read(decoder.operand(2), type);
  bool negated = false;
  instruction.source[2] = decoder.readPredicate(decoder.operand(3), negated);
  instruction.kind = negated;
  const unsigned bits = type.bits * type.count;
  instruction.destination = decoder.write(decoder.operand(0), bits);
  instruction.movesUndefined = true;
  instruction.execute = bits == 16   ? executeSelect<uint16_t>
                        : bits == 32 ? executeSelect<uint32_t>
                                     : executeSelect<uint64_t>;
  if (bits != 16 && bits != 32 && bits != 64)
    decoder.fail("unsupported type");
  return true;
}

/// testp.{finite,infinite,number,notanumber,normal,subnormal}
template <class T>
Flow executeTest(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const T *a = warp.lanes<T>(instruction.source[0]);
  uint32_t result = 0;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    const int value = std::fpclassify(a[lane]);
    const bool is[] = {value != FP_INFINITE && value != FP_NAN,
                       value == FP_INFINITE,
                       value != FP_NAN,
                       value == FP_NAN,
                       value == FP_NORMAL,
                       value == FP_SUBNORMAL};
    result |= uint32_t(is[instruction.kind]) << lane;
  }
  uint32_t &p = warp.predicate(instruction.destination);
  p = (p & ~mask) | (result & mask);
  return Flow::Next;
}

bool decodeTest(Decoder &decoder) {
  const int which = decoder.takeOneOf(
      {"finite", "infinite", "number", "notanumber", "normal", "subnormal"});
  const Type type = decoder.takeType();
  if (which < 0 || type.kind != Type::Float || type.bits < 32 ||
      !decoder.expectOperands(2)) {
    decoder.fail("unsupported test");
    return true;
  }
  Instruction &instruction = decoder.instruction;
  instruction.kind = static_cast<uint8_t>(which);
  instruction.source[0] = decoder.read(decoder.operand(1), type);
  instruction.destination = decoder.writePredicate(decoder.operand(0));
  instruction.execute =
      type.bits == 32 ? executeTest<float> : executeTest<double>;
  return true;
}

} // namespace

bool decodeCompare(Decoder &decoder) {
  decoder.instruction.group = Class::Integer;
  if (decoder.opcode == "setp")
    return decodeSetp(decoder);
  if (decoder.opcode == "selp")
    return decodeSelect(decoder);
  if (decoder.opcode == "testp")
    return decodeTest(decoder);
  return false;
}

} // namespace ssmrt::ptx
