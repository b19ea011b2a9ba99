//===- Half.cpp - Arithmetic of f16 and bf16 ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Lanes.h"
#include "runtime/ptx/SmallFloat.h"

namespace ssmrt::ptx {

namespace {

struct F16 {
  static float widen(uint16_t bits) { return f16ToFloat(bits); }
  static uint16_t narrow(float value) { return floatToF16(value); }
  static constexpr const FloatFormat &format = kF16;
};
struct Bf16 {
  static float widen(uint16_t bits) { return bf16ToFloat(bits); }
  static uint16_t narrow(float value) { return floatToBf16(value); }
  static constexpr const FloatFormat &format = kBf16;
};

bool isNan(float value) { return value != value; }

// Sums, differences and products of 16-bit numbers rounded to f32 first are
// rounded correctly.
template <class H> struct Add {
  uint16_t operator()(uint16_t a, uint16_t b, uint16_t) const {
    return H::narrow(H::widen(a) + H::widen(b));
  }
};
template <class H> struct Sub {
  uint16_t operator()(uint16_t a, uint16_t b, uint16_t) const {
    return H::narrow(H::widen(a) - H::widen(b));
  }
};
template <class H> struct Mul {
  uint16_t operator()(uint16_t a, uint16_t b, uint16_t) const {
    return H::narrow(H::widen(a) * H::widen(b));
  }
};
template <class H> struct Fma {
  uint16_t operator()(uint16_t a, uint16_t b, uint16_t c) const {
    return static_cast<uint16_t>(
        encode(fmaToOdd(H::widen(a), H::widen(b), H::widen(c)), H::format,
               Rounding::Nearest, false));
  }
};
template <class H> struct FmaRelu {
  uint16_t operator()(uint16_t a, uint16_t b, uint16_t c) const {
    const uint16_t bits = Fma<H>()(a, b, c);
    return bits & 0x8000 ? 0 : bits;
  }
};
template <class H> struct Min {
  uint16_t operator()(uint16_t a, uint16_t b, uint16_t) const {
    const float x = H::widen(a);
    const float y = H::widen(b);
    if (isNan(x))
      return isNan(y) ? kNan16 : b;
    if (x == y)
      return a & 0x8000 ? a : b;
    return x < y || isNan(y) ? a : b;
  }
};
template <class H> struct Max {
  uint16_t operator()(uint16_t a, uint16_t b, uint16_t) const {
    const float x = H::widen(a);
    const float y = H::widen(b);
    if (isNan(x))
      return isNan(y) ? kNan16 : b;
    if (x == y)
      return a & 0x8000 ? b : a;
    return x > y || isNan(y) ? a : b;
  }
};
template <class H> struct MinNan {
  uint16_t operator()(uint16_t a, uint16_t b, uint16_t) const {
    return isNan(H::widen(a)) || isNan(H::widen(b)) ? kNan16
                                                    : Min<H>()(a, b, 0);
  }
};
template <class H> struct MaxNan {
  uint16_t operator()(uint16_t a, uint16_t b, uint16_t) const {
    return isNan(H::widen(a)) || isNan(H::widen(b)) ? kNan16
                                                    : Max<H>()(a, b, 0);
  }
};
template <class H> struct Neg {
  uint16_t operator()(uint16_t a, uint16_t, uint16_t) const {
    return a ^ 0x8000;
  }
};
template <class H> struct Abs {
  uint16_t operator()(uint16_t a, uint16_t, uint16_t) const {
    return a & 0x7fff;
  }
};
template <class H> struct Exp2 {
  uint16_t operator()(uint16_t a, uint16_t, uint16_t) const {
    return H::narrow(std::exp2(H::widen(a)));
  }
};
template <class H> struct Tanh {
  uint16_t operator()(uint16_t a, uint16_t, uint16_t) const {
    return H::narrow(std::tanh(H::widen(a)));
  }
};

/// kPair: registers of 32 bits with two values.
template <class F, bool kPair>
Flow executeHalf(Warp &warp, const Instruction &instruction, uint32_t mask) {
  uint16_t *d = warp.lanes<uint16_t>(instruction.destination);
  const uint16_t *a = warp.lanes<uint16_t>(instruction.source[0]);
  const uint16_t *b = warp.lanes<uint16_t>(instruction.source[1]);
  const uint16_t *c = warp.lanes<uint16_t>(instruction.source[2]);
  forLanes(mask, [=](uint32_t lane) {
    if (!kPair) {
      d[lane] = F()(a[lane], b[lane], c[lane]);
      return;
    }
    d[2 * lane] = F()(a[2 * lane], b[2 * lane], c[2 * lane]);
    d[2 * lane + 1] = F()(a[2 * lane + 1], b[2 * lane + 1], c[2 * lane + 1]);
  });
  return Flow::Next;
}

template <template <class> class F>
bool decodeOp(Decoder &decoder, size_t operands) {
  decoder.take("rn");
  // Subnormal 16-bit numbers are kept either way by f32 arithmetic; .ftz
  // would flush them and is not emitted for sm_80.
  const Type type = decoder.takeType();
  decodeOperands(decoder, type, operands);
  for (int i = static_cast<int>(operands); i < 3; ++i)
    decoder.instruction.source[i] = decoder.instruction.source[0];
  const bool isF16 = type.kind == Type::Float;
  decoder.instruction.execute =
      type.count == 2
          ? (isF16 ? executeHalf<F<F16>, true> : executeHalf<F<Bf16>, true>)
          : (isF16 ? executeHalf<F<F16>, false> : executeHalf<F<Bf16>, false>);
  return true;
}

} // namespace

bool decodeHalf(Decoder &decoder) {
  for (std::string_view modifier : decoder.modifiers()) {
    const Type type = findType(modifier);
    if (type.kind != Type::None &&
        !(type.bits == 16 &&
          (type.kind == Type::Float || type.kind == Type::BFloat)))
      return false;
  }
  const std::string_view opcode = decoder.opcode;
  decoder.instruction.group = Class::F16;
  if (opcode == "add")
    return decodeOp<Add>(decoder, 2);
  if (opcode == "sub")
    return decodeOp<Sub>(decoder, 2);
  if (opcode == "mul")
    return decodeOp<Mul>(decoder, 2);
  if (opcode == "fma")
    return decoder.take("relu") ? decodeOp<FmaRelu>(decoder, 3)
                                : decodeOp<Fma>(decoder, 3);
  if (opcode == "min")
    return decoder.take("NaN") ? decodeOp<MinNan>(decoder, 2)
                               : decodeOp<Min>(decoder, 2);
  if (opcode == "max")
    return decoder.take("NaN") ? decodeOp<MaxNan>(decoder, 2)
                               : decodeOp<Max>(decoder, 2);
  if (opcode == "neg")
    return decodeOp<Neg>(decoder, 1);
  if (opcode == "abs")
    return decodeOp<Abs>(decoder, 1);
  if (opcode != "ex2" && opcode != "tanh")
    return false;
  decoder.instruction.group = Class::Special;
  if (!decoder.take("approx"))
    decoder.fail("expected .approx");
  // ex2 of bf16 exists with .ftz only; its results are normal numbers anyway.
  decoder.take("ftz");
  return opcode == "ex2" ? decodeOp<Exp2>(decoder, 1)
                         : decodeOp<Tanh>(decoder, 1);
}

} // namespace ssmrt::ptx
