//===- Integer.cpp - Integer arithmetic -----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Lanes.h"

#include <limits>

namespace ssmrt::ptx {

namespace {

template <class T> struct Unsigned {
  using type = std::make_unsigned_t<T>;
};
template <> struct Unsigned<__int128> {
  using type = unsigned __int128;
};
template <> struct Unsigned<unsigned __int128> {
  using type = unsigned __int128;
};
template <class T> using Wrap = typename Unsigned<T>::type;

/// Twice as wide, with the same sign.
template <class T> struct Twice;
template <> struct Twice<int16_t> {
  using type = int32_t;
};
template <> struct Twice<uint16_t> {
  using type = uint32_t;
};
template <> struct Twice<int32_t> {
  using type = int64_t;
};
template <> struct Twice<uint32_t> {
  using type = uint64_t;
};
template <> struct Twice<int64_t> {
  using type = __int128;
};
template <> struct Twice<uint64_t> {
  using type = unsigned __int128;
};

// Arithmetic wraps, so it is done on unsigned numbers. The product of two
// 16-bit numbers is promoted to unsigned first: int would overflow.
template <class T> T multiply(T a, T b) {
  return static_cast<T>(uint64_t(Wrap<T>(a)) * uint64_t(Wrap<T>(b)));
}

struct Add {
  template <class T> T operator()(T a, T b) const {
    return static_cast<T>(Wrap<T>(a) + Wrap<T>(b));
  }
};
struct Sub {
  template <class T> T operator()(T a, T b) const {
    return static_cast<T>(Wrap<T>(a) - Wrap<T>(b));
  }
};
struct AddSaturating {
  int32_t operator()(int32_t a, int32_t b) const {
    const int64_t sum = int64_t(a) + b;
    return static_cast<int32_t>(sum < INT32_MIN   ? INT32_MIN
                                : sum > INT32_MAX ? INT32_MAX
                                                  : sum);
  }
};
struct SubSaturating {
  int32_t operator()(int32_t a, int32_t b) const {
    const int64_t sum = int64_t(a) - b;
    return static_cast<int32_t>(sum < INT32_MIN   ? INT32_MIN
                                : sum > INT32_MAX ? INT32_MAX
                                                  : sum);
  }
};
struct MulLow {
  template <class T> T operator()(T a, T b) const { return multiply(a, b); }
};
struct MulHigh {
  template <class T> T operator()(T a, T b) const {
    using W = typename Twice<T>::type;
    return static_cast<T>(static_cast<W>(a) * static_cast<W>(b) >>
                          8 * sizeof(T));
  }
};
struct MulWide {
  template <class T> auto operator()(T a, T b) const {
    using W = typename Twice<T>::type;
    return static_cast<W>(static_cast<W>(a) * static_cast<W>(b));
  }
};
struct MadLow {
  template <class T> T operator()(T a, T b, T c) const {
    return Add()(multiply(a, b), c);
  }
};
struct MadHigh {
  template <class T> T operator()(T a, T b, T c) const {
    return Add()(MulHigh()(a, b), c);
  }
};
struct MadWide {
  template <class T, class W> W operator()(T a, T b, W c) const {
    return Add()(static_cast<W>(MulWide()(a, b)), c);
  }
};
/// Division by zero gives all ones, as on the machine.
struct Div {
  template <class T> T operator()(T a, T b) const {
    if (b == 0)
      return static_cast<T>(-1);
    if (std::is_signed<T>::value && b == static_cast<T>(-1))
      return Sub()(T(0), a);
    return static_cast<T>(a / b);
  }
};
struct Rem {
  template <class T> T operator()(T a, T b) const {
    if (b == 0)
      return a;
    if (std::is_signed<T>::value && b == static_cast<T>(-1))
      return 0;
    return static_cast<T>(a % b);
  }
};
struct Min {
  template <class T> T operator()(T a, T b) const { return b < a ? b : a; }
};
struct Max {
  template <class T> T operator()(T a, T b) const { return a < b ? b : a; }
};
struct Neg {
  template <class T> T operator()(T a) const { return Sub()(T(0), a); }
};
struct Abs {
  template <class T> T operator()(T a) const { return a < 0 ? Neg()(a) : a; }
};
struct Sad {
  template <class T> T operator()(T a, T b, T c) const {
    return Add()(a < b ? Sub()(b, a) : Sub()(a, b), c);
  }
};
/// 24-bit products.
struct Mul24 {
  template <class T> T operator()(T a, T b) const {
    using W = typename Twice<T>::type;
    auto low = [](T x) {
      return static_cast<W>(static_cast<T>(Wrap<T>(x) << 8) >> 8);
    };
    return static_cast<T>(low(a) * low(b));
  }
};

/// Dot product of four bytes; kind: bit 0 a signed, bit 1 b signed.
Flow executeDp4a(Warp &warp, const Instruction &instruction, uint32_t mask) {
  uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
  const uint32_t *a = warp.lanes<uint32_t>(instruction.source[0]);
  const uint32_t *b = warp.lanes<uint32_t>(instruction.source[1]);
  const uint32_t *c = warp.lanes<uint32_t>(instruction.source[2]);
  auto byte = [](uint32_t word, unsigned index, bool isSigned) {
    const uint8_t bits = static_cast<uint8_t>(word >> 8 * index);
    return isSigned ? int32_t(int8_t(bits)) : int32_t(bits);
  };
  forLanes(mask, [&](uint32_t lane) {
    uint32_t sum = c[lane];
    for (unsigned i = 0; i < 4; ++i)
      sum += static_cast<uint32_t>(byte(a[lane], i, instruction.kind & 1) *
                                   byte(b[lane], i, instruction.kind & 2));
    d[lane] = sum;
  });
  return Flow::Next;
}

template <class F> bool decodeBinary(Decoder &decoder, Type type) {
  decodeOperands(decoder, type, 2);
  withInteger(decoder, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    decoder.instruction.execute = binaryLanes<T, T, T, F>;
  });
  return true;
}

template <class F> bool decodeUnary(Decoder &decoder, Type type) {
  decodeOperands(decoder, type, 1);
  withInteger(decoder, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    decoder.instruction.execute = unaryLanes<T, T, F>;
  });
  return true;
}

template <class F> bool decodeTernary(Decoder &decoder, Type type) {
  decodeOperands(decoder, type, 3);
  withInteger(decoder, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    decoder.instruction.execute = ternaryLanes<T, T, T, F>;
  });
  return true;
}

Type wider(Type type) {
  type.bits *= 2;
  return type;
}

bool decodeMul(Decoder &decoder) {
  const int half = decoder.takeOneOf({"lo", "hi", "wide"});
  const Type type = decoder.takeType();
  if (half == 0)
    return decodeBinary<MulLow>(decoder, type);
  if (half == 1)
    return decodeBinary<MulHigh>(decoder, type);
  if (half != 2 || type.bits > 32) {
    decoder.fail("expected .lo, .hi or .wide");
    return true;
  }
  if (!decoder.expectOperands(3))
    return true;
  decoder.instruction.source[0] = decoder.read(decoder.operand(1), type);
  decoder.instruction.source[1] = decoder.read(decoder.operand(2), type);
  decoder.instruction.destination =
      decoder.write(decoder.operand(0), 2 * type.bits);
  withInteger(decoder, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using W = typename Twice<T>::type;
    decoder.instruction.execute = binaryLanes<W, T, T, MulWide>;
  });
  return true;
}

bool decodeMad(Decoder &decoder) {
  const int half = decoder.takeOneOf({"lo", "hi", "wide"});
  const Type type = decoder.takeType();
  if (half == 0)
    return decodeTernary<MadLow>(decoder, type);
  if (half == 1)
    return decodeTernary<MadHigh>(decoder, type);
  if (half != 2 || type.bits > 32) {
    decoder.fail("expected .lo, .hi or .wide");
    return true;
  }
  if (!decoder.expectOperands(4))
    return true;
  decoder.instruction.source[0] = decoder.read(decoder.operand(1), type);
  decoder.instruction.source[1] = decoder.read(decoder.operand(2), type);
  decoder.instruction.source[2] = decoder.read(decoder.operand(3), wider(type));
  decoder.instruction.destination =
      decoder.write(decoder.operand(0), 2 * type.bits);
  withInteger(decoder, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using W = typename Twice<T>::type;
    decoder.instruction.execute = ternaryLanes<W, T, W, MadWide>;
  });
  return true;
}

bool decodeSaturating(Decoder &decoder, bool isAdd) {
  const Type type = decoder.takeType();
  if (!type.is(Type::Signed, 32))
    decoder.fail("unsupported type of a saturating operation");
  decodeOperands(decoder, type, 2);
  decoder.instruction.execute =
      isAdd ? binaryLanes<int32_t, int32_t, int32_t, AddSaturating>
            : binaryLanes<int32_t, int32_t, int32_t, SubSaturating>;
  return true;
}

bool decodeDp4a(Decoder &decoder) {
  const std::vector<std::string_view> types = decoder.modifiers();
  if (types.size() != 2 || !decoder.expectOperands(4)) {
    decoder.fail("expected two types");
    return true;
  }
  Type word = {Type::Bits, 32};
  for (int i = 0; i < 2; ++i) {
    const Type type = decoder.takeType();
    if (type.bits != 32 || !type.isInteger())
      decoder.fail("unsupported type");
    decoder.instruction.kind |= (type.kind == Type::Signed) << i;
  }
  decodeOperands(decoder, word, 3);
  decoder.instruction.execute = executeDp4a;
  return true;
}

} // namespace

bool decodeInteger(Decoder &decoder) {
  decoder.instruction.group = Class::Integer;
  const std::string_view opcode = decoder.opcode;
  // The last type decides: add.rn.f32 belongs to decodeFloat.
  Type type;
  for (std::string_view modifier : decoder.modifiers())
    if (findType(modifier).kind != Type::None)
      type = findType(modifier);
  if (!type.isInteger())
    return false;
  if (opcode == "mul")
    return decodeMul(decoder);
  if (opcode == "mad")
    return decodeMad(decoder);
  if (opcode == "dp4a")
    return decodeDp4a(decoder);
  if ((opcode == "add" || opcode == "sub") && decoder.take("sat"))
    return decodeSaturating(decoder, opcode == "add");
  using Decode = bool (*)(Decoder &, Type);
  static constexpr std::pair<std::string_view, Decode> kTable[] = {
      {"add", decodeBinary<Add>},  {"sub", decodeBinary<Sub>},
      {"div", decodeBinary<Div>},  {"rem", decodeBinary<Rem>},
      {"min", decodeBinary<Min>},  {"max", decodeBinary<Max>},
      {"neg", decodeUnary<Neg>},   {"abs", decodeUnary<Abs>},
      {"sad", decodeTernary<Sad>},
  };
  for (const auto &[name, decode] : kTable)
    if (opcode == name)
      return decode(decoder, decoder.takeType());
  if (opcode == "mul24" && decoder.take("lo")) {
    const Type product = decoder.takeType();
    if (product.bits != 32)
      decoder.fail("unsupported type");
    decodeOperands(decoder, product, 2);
    decoder.instruction.execute =
        product.kind == Type::Signed
            ? binaryLanes<int32_t, int32_t, int32_t, Mul24>
            : binaryLanes<uint32_t, uint32_t, uint32_t, Mul24>;
    return true;
  }
  return false;
}

} // namespace ssmrt::ptx
