//===- Bits.cpp - Bitwise operations --------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Lanes.h"

namespace ssmrt::ptx {

namespace {

struct And {
  template <class T> T operator()(T a, T b) const { return a & b; }
};
struct Or {
  template <class T> T operator()(T a, T b) const { return a | b; }
};
struct Xor {
  template <class T> T operator()(T a, T b) const { return a ^ b; }
};
struct Not {
  template <class T> T operator()(T a) const { return static_cast<T>(~a); }
};
struct LogicalNot {
  template <class T> T operator()(T a) const { return a == 0; }
};
/// Shifts clamp their amount at the width.
struct ShiftLeft {
  template <class T> T operator()(T a, uint32_t b) const {
    return b >= 8 * sizeof(T) ? T(0) : static_cast<T>(uint64_t(a) << b);
  }
};
struct ShiftRight {
  template <class T> T operator()(T a, uint32_t b) const {
    constexpr uint32_t kWidth = 8 * sizeof(T);
    return static_cast<T>(a >> (b >= kWidth ? kWidth - 1 : b)) &
           static_cast<T>(std::is_signed<T>::value || b < kWidth ? -1 : 0);
  }
};
struct PopulationCount {
  template <class T> uint32_t operator()(T a) const {
    return static_cast<uint32_t>(__builtin_popcountll(a));
  }
};
struct LeadingZeros {
  template <class T> uint32_t operator()(T a) const {
    return a ? static_cast<uint32_t>(__builtin_clzll(a)) -
                   (64 - 8 * uint32_t(sizeof(T)))
             : 8 * uint32_t(sizeof(T));
  }
};
struct Reverse {
  template <class T> T operator()(T a) const {
    T result = 0;
    for (unsigned i = 0; i < 8 * sizeof(T); ++i)
      result |= (a >> i & 1) << (8 * sizeof(T) - 1 - i);
    return result;
  }
};
/// Position of the highest bit that differs from the sign.
struct FindLeading {
  template <class T> uint32_t operator()(T a) const {
    using U = std::make_unsigned_t<T>;
    const U bits = static_cast<U>(a < 0 ? ~a : a);
    return bits ? 63 - static_cast<uint32_t>(__builtin_clzll(bits)) : kAllLanes;
  }
};
struct FindLeadingShift {
  template <class T> uint32_t operator()(T a) const {
    const uint32_t at = FindLeading()(a);
    return at == kAllLanes ? at : 8 * uint32_t(sizeof(T)) - 1 - at;
  }
};
struct ExtractField {
  template <class T> T operator()(T a, uint32_t b, uint32_t c) const {
    constexpr uint32_t kWidth = 8 * sizeof(T);
    const uint32_t position = b & 0xff;
    const uint32_t length = c & 0xff;
    using U = std::make_unsigned_t<T>;
    const bool fill =
        std::is_signed<T>::value && length &&
        (U(a) >> (position + length - 1 < kWidth ? position + length - 1
                                                 : kWidth - 1) &
         1);
    U result = position < kWidth ? U(a) >> position : 0;
    // Bits at `length` and above, and those beyond the value, are the sign.
    const uint32_t valid =
        position >= kWidth ? 0 : std::min(length, kWidth - position);
    if (valid < kWidth) {
      const U low = (U(1) << valid) - 1;
      result = (result & low) | (fill ? ~low : U(0));
    }
    return static_cast<T>(result);
  }
};

/// Position and length are 32 bits wide whatever the value is.
template <class T>
Flow executeExtractField(Warp &warp, const Instruction &instruction,
                         uint32_t mask) {
  T *d = warp.lanes<T>(instruction.destination);
  const T *a = warp.lanes<T>(instruction.source[0]);
  const uint32_t *position = warp.lanes<uint32_t>(instruction.source[1]);
  const uint32_t *length = warp.lanes<uint32_t>(instruction.source[2]);
  forLanes(mask, [=](uint32_t lane) {
    d[lane] = ExtractField()(a[lane], position[lane], length[lane]);
  });
  return Flow::Next;
}

template <class T>
Flow executeInsertField(Warp &warp, const Instruction &instruction,
                        uint32_t mask) {
  T *d = warp.lanes<T>(instruction.destination);
  const T *a = warp.lanes<T>(instruction.source[0]);
  const T *b = warp.lanes<T>(instruction.source[1]);
  const uint32_t *c = warp.lanes<uint32_t>(instruction.source[2]);
  const uint32_t *e = warp.lanes<uint32_t>(instruction.source[3]);
  constexpr uint32_t kWidth = 8 * sizeof(T);
  forLanes(mask, [=](uint32_t lane) {
    const uint32_t position = c[lane] & 0xff;
    const uint32_t length = e[lane] & 0xff;
    T field = length >= kWidth ? ~T(0) : (T(1) << length) - 1;
    field = position >= kWidth ? T(0) : field << position;
    const T value = position >= kWidth ? T(0) : a[lane] << position;
    d[lane] = (b[lane] & ~field) | (value & field);
  });
  return Flow::Next;
}

/// Modes of prmt.
enum Permute : uint8_t { Default, F4e, B4e, Rc8, Ecl, Ecr, Rc16 };

uint32_t permute(uint32_t a, uint32_t b, uint32_t selector, uint8_t mode) {
  const uint64_t bytes = uint64_t(b) << 32 | a;
  const uint32_t low = selector & 3;
  uint32_t result = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    uint32_t index = 0;
    bool sign = false;
    switch (mode) {
    case Default:
      index = selector >> 4 * i & 7;
      sign = selector >> 4 * i & 8;
      break;
    case F4e:
      index = low + i;
      break;
    case B4e:
      index = (low + 8 - i) & 7;
      break;
    case Rc8:
      index = low;
      break;
    case Ecl:
      index = std::max(low, i);
      break;
    case Ecr:
      index = std::min(low, i);
      break;
    default:
      index = (low & 1) * 2 + (i & 1);
      break;
    }
    uint32_t byte = bytes >> 8 * index & 0xff;
    if (sign)
      byte = byte & 0x80 ? 0xff : 0;
    result |= byte << 8 * i;
  }
  return result;
}

Flow executePermute(Warp &warp, const Instruction &instruction, uint32_t mask) {
  uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
  const uint32_t *a = warp.lanes<uint32_t>(instruction.source[0]);
  const uint32_t *b = warp.lanes<uint32_t>(instruction.source[1]);
  const uint32_t *c = warp.lanes<uint32_t>(instruction.source[2]);
  forLanes(mask, [&](uint32_t lane) {
    d[lane] = permute(a[lane], b[lane], c[lane], instruction.kind);
  });
  return Flow::Next;
}

/// shf.{l,r}.{wrap,clamp}; kind: bit 0 right, bit 1 clamp.
Flow executeFunnel(Warp &warp, const Instruction &instruction, uint32_t mask) {
  uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
  const uint32_t *a = warp.lanes<uint32_t>(instruction.source[0]);
  const uint32_t *b = warp.lanes<uint32_t>(instruction.source[1]);
  const uint32_t *c = warp.lanes<uint32_t>(instruction.source[2]);
  forLanes(mask, [&](uint32_t lane) {
    const uint64_t both = uint64_t(b[lane]) << 32 | a[lane];
    const uint32_t amount =
        instruction.kind & 2 ? std::min(c[lane], 32u) : c[lane] & 31;
    d[lane] = static_cast<uint32_t>(
        instruction.kind & 1 ? both >> amount : both << amount >> 32);
  });
  return Flow::Next;
}

Flow executeLop3(Warp &warp, const Instruction &instruction, uint32_t mask) {
  uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
  const uint32_t *a = warp.lanes<uint32_t>(instruction.source[0]);
  const uint32_t *b = warp.lanes<uint32_t>(instruction.source[1]);
  const uint32_t *c = warp.lanes<uint32_t>(instruction.source[2]);
  const uint8_t table = instruction.kind;
  forLanes(mask, [=](uint32_t lane) {
    uint32_t result = 0;
    for (unsigned row = 0; row < 8; ++row)
      if (table >> row & 1)
        result |= (row & 4 ? a[lane] : ~a[lane]) &
                  (row & 2 ? b[lane] : ~b[lane]) &
                  (row & 1 ? c[lane] : ~c[lane]);
    d[lane] = result;
  });
  return Flow::Next;
}

/// Logic on predicates works on whole masks.
template <class F>
Flow predicateLogic(Warp &warp, const Instruction &instruction, uint32_t mask) {
  uint32_t &d = warp.predicate(instruction.destination);
  uint32_t a = warp.predicate(instruction.source[0]);
  uint32_t b = warp.predicate(instruction.source[1]);
  if (instruction.kind & 1)
    a = ~a;
  if (instruction.kind & 2)
    b = ~b;
  d = (d & ~mask) | (F()(a, b) & mask);
  return Flow::Next;
}

struct First {
  uint32_t operator()(uint32_t a, uint32_t) const { return ~a; }
};

template <class F> bool decodeLogic(Decoder &decoder) {
  const Type type = decoder.takeType();
  if (type.kind == Type::Predicate) {
    if (!decoder.expectOperands(3))
      return true;
    for (int i = 0; i < 2; ++i) {
      bool negated = false;
      decoder.instruction.source[i] =
          decoder.readPredicate(decoder.operand(i + 1), negated);
      decoder.instruction.kind |= negated << i;
    }
    decoder.instruction.destination =
        decoder.writePredicate(decoder.operand(0));
    decoder.instruction.execute = predicateLogic<F>;
    return true;
  }
  decodeOperands(decoder, type, 2);
  withInteger(decoder, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    decoder.instruction.execute = binaryLanes<T, T, T, F>;
  });
  return true;
}

bool decodeNot(Decoder &decoder) {
  const Type type = decoder.takeType();
  if (type.kind == Type::Predicate) {
    if (!decoder.expectOperands(2))
      return true;
    decoder.instruction.source[0] = decoder.instruction.source[1] =
        decoder.read(decoder.operand(1), type);
    decoder.instruction.destination =
        decoder.writePredicate(decoder.operand(0));
    decoder.instruction.execute = predicateLogic<First>;
    return true;
  }
  decodeOperands(decoder, type, 1);
  const bool logical = decoder.opcode == "cnot";
  withInteger(decoder, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    decoder.instruction.execute =
        logical ? unaryLanes<T, T, LogicalNot> : unaryLanes<T, T, Not>;
  });
  return true;
}

template <class F> bool decodeShift(Decoder &decoder) {
  const Type type = decoder.takeType();
  if (!decoder.expectOperands(3))
    return true;
  decoder.instruction.source[0] = decoder.read(decoder.operand(1), type);
  decoder.instruction.source[1] =
      decoder.read(decoder.operand(2), {Type::Unsigned, 32});
  decoder.instruction.destination =
      decoder.write(decoder.operand(0), type.bits);
  withInteger(decoder, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    decoder.instruction.execute = binaryLanes<T, T, uint32_t, F>;
  });
  return true;
}

/// Results of 32 bits from values of any width.
template <class F> bool decodeCount(Decoder &decoder) {
  const Type type = decoder.takeType();
  if (!decoder.expectOperands(2))
    return true;
  decoder.instruction.source[0] = decoder.read(decoder.operand(1), type);
  decoder.instruction.destination = decoder.write(decoder.operand(0), 32);
  withInteger(decoder, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    decoder.instruction.execute = unaryLanes<uint32_t, T, F>;
  });
  return true;
}

bool decodeFind(Decoder &decoder) {
  return decoder.take("shiftamt") ? decodeCount<FindLeadingShift>(decoder)
                                  : decodeCount<FindLeading>(decoder);
}

bool decodeReverse(Decoder &decoder) {
  const Type type = decoder.takeType();
  decodeOperands(decoder, type, 1);
  decoder.instruction.execute = type.bits == 32
                                    ? unaryLanes<uint32_t, uint32_t, Reverse>
                                    : unaryLanes<uint64_t, uint64_t, Reverse>;
  if (type.bits < 32)
    decoder.fail("unsupported type");
  return true;
}

bool decodeField(Decoder &decoder) {
  const bool insert = decoder.opcode == "bfi";
  const Type type = decoder.takeType();
  const Type word = {Type::Unsigned, 32};
  if (!decoder.expectOperands(insert ? 5 : 4))
    return true;
  Instruction &instruction = decoder.instruction;
  instruction.source[0] = decoder.read(decoder.operand(1), type);
  instruction.source[1] =
      decoder.read(decoder.operand(2), insert ? type : word);
  instruction.source[2] = decoder.read(decoder.operand(3), word);
  if (insert)
    instruction.source[3] = decoder.read(decoder.operand(4), word);
  instruction.destination = decoder.write(decoder.operand(0), type.bits);
  if (type.bits < 32)
    decoder.fail("unsupported type");
  withInteger(decoder, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    instruction.execute = insert ? executeInsertField<std::make_unsigned_t<T>>
                                 : executeExtractField<T>;
  });
  return true;
}

bool decodePermute(Decoder &decoder) {
  if (!decoder.take("b32"))
    decoder.fail("expected .b32");
  decoder.instruction.kind = static_cast<uint8_t>(
      decoder.takeOneOf({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}) + 1);
  decodeOperands(decoder, {Type::Bits, 32}, 3);
  decoder.instruction.execute = executePermute;
  return true;
}

bool decodeFunnel(Decoder &decoder) {
  const int direction = decoder.takeOneOf({"l", "r"});
  const int limit = decoder.takeOneOf({"wrap", "clamp"});
  if (direction < 0 || limit < 0 || !decoder.take("b32"))
    decoder.fail("expected .l or .r, .wrap or .clamp, and .b32");
  decoder.instruction.kind = static_cast<uint8_t>(direction | limit << 1);
  decodeOperands(decoder, {Type::Bits, 32}, 3);
  decoder.instruction.execute = executeFunnel;
  return true;
}

bool decodeLop3(Decoder &decoder) {
  if (!decoder.take("b32") || !decoder.expectOperands(5)) {
    decoder.fail("expected .b32 and a table");
    return true;
  }
  Instruction &instruction = decoder.instruction;
  for (int i = 0; i < 3; ++i)
    instruction.source[i] =
        decoder.read(decoder.operand(i + 1), {Type::Bits, 32});
  instruction.kind =
      static_cast<uint8_t>(decoder.integer(decoder.operand(4)).value_or(0));
  instruction.destination = decoder.write(decoder.operand(0), 32);
  instruction.execute = executeLop3;
  return true;
}

} // namespace

bool decodeBits(Decoder &decoder) {
  using Decode = bool (*)(Decoder &);
  static constexpr std::pair<std::string_view, Decode> kTable[] = {
      {"and", decodeLogic<And>},
      {"or", decodeLogic<Or>},
      {"xor", decodeLogic<Xor>},
      {"not", decodeNot},
      {"cnot", decodeNot},
      {"shl", decodeShift<ShiftLeft>},
      {"shr", decodeShift<ShiftRight>},
      {"popc", decodeCount<PopulationCount>},
      {"clz", decodeCount<LeadingZeros>},
      {"bfind", decodeFind},
      {"brev", decodeReverse},
      {"bfe", decodeField},
      {"bfi", decodeField},
      {"prmt", decodePermute},
      {"shf", decodeFunnel},
      {"lop3", decodeLop3},
  };
  for (const auto &[name, decode] : kTable)
    if (decoder.opcode == name) {
      decoder.instruction.group = Class::Integer;
      return decode(decoder);
    }
  return false;
}

} // namespace ssmrt::ptx
