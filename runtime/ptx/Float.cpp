//===- Float.cpp - Arithmetic of f32 and f64 ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Lanes.h"
#include "runtime/ptx/SmallFloat.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ssmrt::ptx {

namespace {

struct Add {
  template <class T> T operator()(T a, T b) const { return a + b; }
};
struct Sub {
  template <class T> T operator()(T a, T b) const { return a - b; }
};
struct Mul {
  template <class T> T operator()(T a, T b) const { return a * b; }
};
struct Div {
  template <class T> T operator()(T a, T b) const { return a / b; }
};
struct Fma {
  template <class T> T operator()(T a, T b, T c) const {
    return std::fma(a, b, c);
  }
};
/// A NaN loses against a number; -0 is less than +0.
struct Min {
  template <class T> T operator()(T a, T b) const {
    if (a == b)
      return std::signbit(a) ? a : b;
    return a < b || std::isnan(b) ? a : b;
  }
};
struct Max {
  template <class T> T operator()(T a, T b) const {
    if (a == b)
      return std::signbit(a) ? b : a;
    return a > b || std::isnan(b) ? a : b;
  }
};
struct MinNan {
  template <class T> T operator()(T a, T b) const {
    return std::isnan(a) || std::isnan(b) ? T(NAN) : Min()(a, b);
  }
};
struct MaxNan {
  template <class T> T operator()(T a, T b) const {
    return std::isnan(a) || std::isnan(b) ? T(NAN) : Max()(a, b);
  }
};
struct CopySign {
  template <class T> T operator()(T a, T b) const {
    return std::copysign(b, a);
  }
};
struct Neg {
  template <class T> T operator()(T a) const { return -a; }
};
struct Abs {
  template <class T> T operator()(T a) const { return std::fabs(a); }
};
struct Sqrt {
  template <class T> T operator()(T a) const { return std::sqrt(a); }
};
struct Rcp {
  template <class T> T operator()(T a) const { return T(1) / a; }
};
struct Rsqrt {
  template <class T> T operator()(T a) const { return T(1) / std::sqrt(a); }
};
struct Exp2 {
  float operator()(float a) const { return std::exp2(a); }
};
struct Log2 {
  float operator()(float a) const { return std::log2(a); }
};
struct Sin {
  float operator()(float a) const { return std::sin(a); }
};
struct Cos {
  float operator()(float a) const { return std::cos(a); }
};
struct Tanh {
  float operator()(float a) const { return std::tanh(a); }
};

float flush(float value) {
  return std::fabs(value) < 0x1p-126f ? std::copysign(0.0f, value) : value;
}
float saturate(float value) {
  return value > 0 ? (value < 1 ? value : 1.0f) : 0.0f;
}

/// F with subnormal operands and results flushed to zero (.ftz) and the result
/// clamped to [0, 1] (.sat).
template <class F, bool kFlush, bool kSaturate> struct Modified {
  template <class... T> float operator()(T... a) const {
    float result = kFlush ? flush(F()(flush(a)...)) : F()(a...);
    return kSaturate ? saturate(result) : result;
  }
};

#if defined(__x86_64__)
/// Without the instruction, std::fma is a call per lane.
__attribute__((target("avx2,fma"))) Flow
fmaVector(Warp &warp, const Instruction &instruction, uint32_t mask) {
  float *d = warp.lanes<float>(instruction.destination);
  const float *a = warp.lanes<float>(instruction.source[0]);
  const float *b = warp.lanes<float>(instruction.source[1]);
  const float *c = warp.lanes<float>(instruction.source[2]);
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  for (unsigned i = 0; i < kLanes; i += 8) {
    const __m256 value = _mm256_fmadd_ps(
        _mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), _mm256_loadu_ps(c + i));
    const __m256i lanes = _mm256_and_si256(
        _mm256_set1_epi32(static_cast<int>(mask >> i & 0xff)), bit);
    _mm256_maskstore_ps(d + i, _mm256_cmpeq_epi32(lanes, bit), value);
  }
  return Flow::Next;
}
#endif

Handler fmaHandler() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return fmaVector;
#endif
  return ternaryLanes<float, float, float, Fma>;
}

/// Modifiers that all arithmetic shares. Only rounding to nearest is known.
struct Modifiers {
  bool flush = false;
  bool saturate = false;
  Type type;
};

Modifiers takeModifiers(Decoder &decoder) {
  Modifiers modifiers;
  modifiers.flush = decoder.take("ftz");
  modifiers.saturate = decoder.take("sat");
  decoder.take("rn");
  modifiers.type = decoder.takeType();
  if (modifiers.type.bits == 64 && (modifiers.flush || modifiers.saturate))
    decoder.fail("unsupported modifier of an f64 operation");
  return modifiers;
}

template <class F> bool decodeUnary(Decoder &decoder) {
  const Modifiers modifiers = takeModifiers(decoder);
  decodeOperands(decoder, modifiers.type, 1);
  if (modifiers.saturate)
    decoder.fail("unsupported modifier '.sat'");
  decoder.instruction.execute =
      modifiers.type.bits == 64 ? unaryLanes<double, double, F>
      : modifiers.flush ? unaryLanes<float, float, Modified<F, true, false>>
                        : unaryLanes<float, float, F>;
  return true;
}

/// As decodeUnary for the approximations, which exist for f32 (and some with
/// .ftz.f64, which nothing emits).
template <class F> bool decodeSpecial(Decoder &decoder) {
  decoder.instruction.group = Class::Special;
  const bool approximate = decoder.take("approx");
  const Modifiers modifiers = takeModifiers(decoder);
  if (modifiers.type.bits != 32)
    decoder.fail("unsupported type");
  if (!approximate)
    decoder.fail("expected .approx");
  decodeOperands(decoder, modifiers.type, 1);
  decoder.instruction.execute =
      modifiers.flush ? unaryLanes<float, float, Modified<F, true, false>>
                      : unaryLanes<float, float, F>;
  return true;
}

/// sqrt, rcp and div are exact (.rn) or approximate; both are computed exactly.
template <class F> bool decodeRoot(Decoder &decoder) {
  decoder.take("approx");
  const bool result = decodeUnary<F>(decoder);
  decoder.instruction.group = Class::Special;
  return result;
}

template <class F> bool decodeBinary(Decoder &decoder) {
  const Modifiers modifiers = takeModifiers(decoder);
  decodeOperands(decoder, modifiers.type, 2);
  using M = Modified<F, true, false>;
  using S = Modified<F, false, true>;
  using B = Modified<F, true, true>;
  const bool flush = modifiers.flush;
  decoder.instruction.execute =
      modifiers.type.bits == 64 ? binaryLanes<double, double, double, F>
      : modifiers.saturate      ? (flush ? binaryLanes<float, float, float, B>
                                         : binaryLanes<float, float, float, S>)
      : flush                   ? binaryLanes<float, float, float, M>
                                : binaryLanes<float, float, float, F>;
  return true;
}

bool decodeDiv(Decoder &decoder) {
  decoder.takeOneOf({"approx", "full"});
  const bool result = decodeBinary<Div>(decoder);
  decoder.instruction.group = Class::Special;
  return result;
}

bool decodeFma(Decoder &decoder) {
  const Modifiers modifiers = takeModifiers(decoder);
  decodeOperands(decoder, modifiers.type, 3);
  using M = Modified<Fma, true, false>;
  using S = Modified<Fma, false, true>;
  using B = Modified<Fma, true, true>;
  const bool flush = modifiers.flush;
  decoder.instruction.execute =
      modifiers.type.bits == 64 ? ternaryLanes<double, double, double, Fma>
      : modifiers.saturate      ? (flush ? ternaryLanes<float, float, float, B>
                                         : ternaryLanes<float, float, float, S>)
      : flush                   ? ternaryLanes<float, float, float, M>
                                : fmaHandler();
  return true;
}

bool decodeMin(Decoder &decoder) {
  return decoder.take("NaN") ? decodeBinary<MinNan>(decoder)
                             : decodeBinary<Min>(decoder);
}

bool decodeMax(Decoder &decoder) {
  return decoder.take("NaN") ? decodeBinary<MaxNan>(decoder)
                             : decodeBinary<Max>(decoder);
}

} // namespace

bool decodeFloat(Decoder &decoder) {
  bool single = false;
  bool isDouble = false;
  for (std::string_view modifier : decoder.modifiers()) {
    const Type type = findType(modifier);
    single |= type.is(Type::Float, 32);
    isDouble |= type.is(Type::Float, 64);
    // Conversions and mixed types are others' business.
    if (type.kind != Type::None && !type.is(Type::Float, 32) &&
        !type.is(Type::Float, 64))
      return false;
  }
  if (!single && !isDouble)
    return false;
  using Decode = bool (*)(Decoder &);
  static constexpr std::pair<std::string_view, Decode> kTable[] = {
      {"add", decodeBinary<Add>},
      {"sub", decodeBinary<Sub>},
      {"mul", decodeBinary<Mul>},
      {"div", decodeDiv},
      {"fma", decodeFma},
      {"mad", decodeFma},
      {"min", decodeMin},
      {"max", decodeMax},
      {"neg", decodeUnary<Neg>},
      {"abs", decodeUnary<Abs>},
      {"sqrt", decodeRoot<Sqrt>},
      {"rcp", decodeRoot<Rcp>},
      {"rsqrt", decodeRoot<Rsqrt>},
      {"ex2", decodeSpecial<Exp2>},
      {"lg2", decodeSpecial<Log2>},
      {"sin", decodeSpecial<Sin>},
      {"cos", decodeSpecial<Cos>},
      {"tanh", decodeSpecial<Tanh>},
      {"copysign", decodeBinary<CopySign>},
  };
  for (const auto &[name, decode] : kTable)
    if (decoder.opcode == name) {
      decoder.instruction.group = isDouble ? Class::F64 : Class::F32;
      return decode(decoder);
    }
  return false;
}

} // namespace ssmrt::ptx
