//===- Convert.cpp - Conversions between types ----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Lanes.h"
#include "runtime/ptx/SmallFloat.h"

#include <limits>

namespace ssmrt::ptx {

namespace {

/// What a lane of a conversion holds on its way.
struct Conversion {
  Type from;
  Type to;
  uint8_t fromBits = 0; ///< of the register
  uint8_t toBits = 0;
  Rounding rounding = Rounding::Nearest;
  bool toInteger = false; ///< .rni and friends
  bool saturate = false;
  bool relu = false;
  bool flush = false;
};

// Conversions are packed into Instruction::immediate.
int64_t pack(const Conversion &conversion) {
  auto type = [](Type t) { return int64_t(t.kind) << 8 | t.bits; };
  return type(conversion.from) | type(conversion.to) << 12 |
         int64_t(conversion.fromBits) << 24 | int64_t(conversion.toBits) << 32 |
         int64_t(conversion.rounding) << 40 |
         int64_t(conversion.toInteger) << 44 |
         int64_t(conversion.saturate) << 45 | int64_t(conversion.relu) << 46 |
         int64_t(conversion.flush) << 47;
}

Conversion unpack(int64_t bits) {
  auto type = [](int64_t code) {
    Type result;
    result.kind = static_cast<Type::Kind>(code >> 8 & 15);
    result.bits = static_cast<uint8_t>(code & 0xff);
    return result;
  };
  Conversion conversion;
  conversion.from = type(bits);
  conversion.to = type(bits >> 12);
  conversion.fromBits = static_cast<uint8_t>(bits >> 24);
  conversion.toBits = static_cast<uint8_t>(bits >> 32);
  conversion.rounding = static_cast<Rounding>(bits >> 40 & 15);
  conversion.toInteger = bits >> 44 & 1;
  conversion.saturate = bits >> 45 & 1;
  conversion.relu = bits >> 46 & 1;
  conversion.flush = bits >> 47 & 1;
  return conversion;
}

/// The lanes of a register of any width, zero-extended.
void gather(Warp &warp, uint32_t slot, unsigned bits, uint64_t *lanes) {
  for (uint32_t lane = 0; lane < kLanes; ++lane)
    lanes[lane] = bits == 16   ? warp.lanes<uint16_t>(slot)[lane]
                  : bits == 32 ? warp.lanes<uint32_t>(slot)[lane]
                               : warp.lanes<uint64_t>(slot)[lane];
}

void scatter(Warp &warp, uint32_t slot, unsigned bits, uint32_t mask,
             const uint64_t *lanes) {
  if (bits == 16)
    forLanes(mask, [&, d = warp.lanes<uint16_t>(slot)](uint32_t lane) {
      d[lane] = static_cast<uint16_t>(lanes[lane]);
    });
  else if (bits == 32)
    forLanes(mask, [&, d = warp.lanes<uint32_t>(slot)](uint32_t lane) {
      d[lane] = static_cast<uint32_t>(lanes[lane]);
    });
  else
    forLanes(mask, [&, d = warp.lanes<uint64_t>(slot)](uint32_t lane) {
      d[lane] = lanes[lane];
    });
}

/// The low `type.bits` as an integer of 64 bits.
void extend(Type type, uint64_t *lanes) {
  const unsigned shift = 64 - type.bits;
  if (type.kind == Type::Signed)
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = static_cast<uint64_t>(
          static_cast<int64_t>(lanes[lane] << shift) >> shift);
  else
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = lanes[lane] << shift >> shift;
}

int64_t smallest(Type type) {
  return type.kind == Type::Signed
             ? static_cast<int64_t>(~uint64_t(0) << (type.bits - 1))
             : 0;
}
uint64_t largest(Type type) {
  return ~uint64_t(0) >> (64 - type.bits + (type.kind == Type::Signed));
}

Flow integerToInteger(Warp &warp, const Instruction &instruction,
                      uint32_t mask) {
  const Conversion conversion = unpack(instruction.immediate);
  const Type to = conversion.to;
  uint64_t lanes[kLanes];
  gather(warp, instruction.source[0], conversion.fromBits, lanes);
  extend(conversion.from, lanes);
  if (conversion.saturate)
    for (uint64_t &value : lanes) {
      const bool negative = conversion.from.kind == Type::Signed &&
                            static_cast<int64_t>(value) < 0;
      if (negative && static_cast<int64_t>(value) < smallest(to))
        value = static_cast<uint64_t>(smallest(to));
      else if (!negative && value > largest(to))
        value = largest(to);
    }
  extend(to, lanes);
  scatter(warp, instruction.destination, conversion.toBits, mask, lanes);
  return Flow::Next;
}

double valueOf(Type type, uint64_t bits) {
  if (type.is(Type::Float, 64))
    return doubleOf(bits);
  if (type.is(Type::Float, 32))
    return floatOf(static_cast<uint32_t>(bits));
  if (type.is(Type::Float, 16))
    return f16ToFloat(static_cast<uint16_t>(bits));
  return bf16ToFloat(static_cast<uint16_t>(bits));
}

uint64_t bitsOf(Type type, double value, const Conversion &conversion) {
  if (type.is(Type::Float, 64))
    return ptx::bitsOf(value);
  const FloatFormat &format = type.bits == 32            ? kF32
                              : type.kind == Type::Float ? kF16
                                                         : kBf16;
  if (conversion.rounding != Rounding::Nearest || conversion.saturate)
    return encode(value, format, conversion.rounding, conversion.saturate);
  if (type.bits == 32)
    return ptx::bitsOf(static_cast<float>(value));
  const float single = static_cast<float>(value);
  if (single != value) // a second rounding could differ from one
    return encode(value, format, Rounding::Nearest, false);
  return type.kind == Type::Float ? floatToF16(single) : floatToBf16(single);
}

double roundToInteger(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::Zero:
    return std::trunc(value);
  case Rounding::Down:
    return std::floor(value);
  case Rounding::Up:
    return std::ceil(value);
  default:
    return std::nearbyint(value);
  }
}

double flushed(double value, const Conversion &conversion) {
  return conversion.flush && std::fabs(value) < 0x1p-126
             ? std::copysign(0.0, value)
             : value;
}

Flow floatToFloat(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const Conversion conversion = unpack(instruction.immediate);
  uint64_t lanes[kLanes];
  gather(warp, instruction.source[0], conversion.fromBits, lanes);
  forLanes(mask, [&](uint32_t lane) {
    double value = flushed(valueOf(conversion.from, lanes[lane]), conversion);
    Conversion how = conversion;
    if (conversion.toInteger) {
      value = roundToInteger(value, conversion.rounding);
      how.rounding = Rounding::Nearest;
    }
    // .sat on floats clamps to [0, 1].
    if (conversion.saturate) {
      value = value > 0 ? (value < 1 ? value : 1.0) : 0.0;
      how.saturate = false;
    }
    if (conversion.relu && value < 0)
      value = 0;
    lanes[lane] = bitsOf(conversion.to, value, how);
  });
  scatter(warp, instruction.destination, conversion.toBits, mask, lanes);
  return Flow::Next;
}

Flow floatToInteger(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const Conversion conversion = unpack(instruction.immediate);
  const Type to = conversion.to;
  uint64_t lanes[kLanes];
  gather(warp, instruction.source[0], conversion.fromBits, lanes);
  // Results saturate at 32 and 64 bits or more; NaN becomes 0, or the smallest
  // number in 64 bits.
  const double low = static_cast<double>(smallest(to));
  const double high = std::ldexp(1.0, to.bits - (to.kind == Type::Signed));
  forLanes(mask, [&](uint32_t lane) {
    const double value = roundToInteger(
        flushed(valueOf(conversion.from, lanes[lane]), conversion),
        conversion.rounding);
    uint64_t result = 0;
    if (std::isnan(value))
      result = to.bits == 64 ? uint64_t(1) << 63 : 0;
    else if (value < low)
      result = static_cast<uint64_t>(smallest(to));
    else if (value >= high)
      result = largest(to);
    else
      result = value < 0 ? static_cast<uint64_t>(static_cast<int64_t>(value))
                         : static_cast<uint64_t>(value);
    lanes[lane] = result;
  });
  extend(to, lanes);
  scatter(warp, instruction.destination, conversion.toBits, mask, lanes);
  return Flow::Next;
}

Flow integerToFloat(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const Conversion conversion = unpack(instruction.immediate);
  const Type to = conversion.to;
  uint64_t lanes[kLanes];
  gather(warp, instruction.source[0], conversion.fromBits, lanes);
  extend(conversion.from, lanes);
  const bool isSigned = conversion.from.kind == Type::Signed;
  forLanes(mask, [&](uint32_t lane) {
    const uint64_t bits = lanes[lane];
    if (to.is(Type::Float, 32) && conversion.rounding == Rounding::Nearest) {
      lanes[lane] =
          ptx::bitsOf(isSigned ? static_cast<float>(static_cast<int64_t>(bits))
                               : static_cast<float>(bits));
      return;
    }
    lanes[lane] =
        bitsOf(to,
               isSigned ? static_cast<double>(static_cast<int64_t>(bits))
                        : static_cast<double>(bits),
               conversion);
  });
  scatter(warp, instruction.destination, conversion.toBits, mask, lanes);
  return Flow::Next;
}

//===----------------------------------------------------------------------===//
// Conversions that kernels spend time in
//===----------------------------------------------------------------------===//

struct ToBf16 {
  uint16_t operator()(float value) const { return floatToBf16(value); }
};
struct ToF16 {
  uint16_t operator()(float value) const { return floatToF16(value); }
};
struct FromBf16 {
  float operator()(uint16_t bits) const { return bf16ToFloat(bits); }
};
struct FromF16 {
  float operator()(uint16_t bits) const { return f16ToFloat(bits); }
};
/// The first operand goes to the upper half.
struct PackBf16 {
  uint32_t operator()(float a, float b) const {
    return uint32_t(floatToBf16(a)) << 16 | floatToBf16(b);
  }
};
struct PackF16 {
  uint32_t operator()(float a, float b) const {
    return uint32_t(floatToF16(a)) << 16 | floatToF16(b);
  }
};
struct ToTf32 {
  uint32_t operator()(float value) const {
    const uint32_t bits = ptx::bitsOf(value);
    return value != value ? kNan32 : (bits + 0x1000) & ~0x1fffu;
  }
};

/// cvt.{rn,rz}{.relu}.{f16x2,bf16x2}.f32
Flow packPair(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const Conversion conversion = unpack(instruction.immediate);
  uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
  const float *a = warp.lanes<float>(instruction.source[0]);
  const float *b = warp.lanes<float>(instruction.source[1]);
  forLanes(mask, [&](uint32_t lane) {
    auto half = [&](double value) {
      if (conversion.relu && value < 0)
        value = 0;
      return static_cast<uint32_t>(bitsOf(conversion.to, value, conversion));
    };
    d[lane] = half(a[lane]) << 16 | half(b[lane]);
  });
  return Flow::Next;
}

/// cvt.rn.satfinite{.relu}.{e4m3x2,e5m2x2}.f32; kind: e5m2.
Flow packEighths(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const FloatFormat &format = instruction.kind ? kE5m2 : kE4m3;
  const bool relu = instruction.kind2;
  uint16_t *d = warp.lanes<uint16_t>(instruction.destination);
  const float *a = warp.lanes<float>(instruction.source[0]);
  const float *b = warp.lanes<float>(instruction.source[1]);
  auto byte = [&](float value) {
    if (relu && value < 0)
      value = 0;
    return encode(value, format, Rounding::Nearest, true);
  };
  forLanes(mask, [&](uint32_t lane) {
    d[lane] = static_cast<uint16_t>(byte(a[lane]) << 8 | byte(b[lane]));
  });
  return Flow::Next;
}

/// cvt.rn.f16x2.{e4m3x2,e5m2x2}
Flow unpackEighths(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const FloatFormat &format = instruction.kind ? kE5m2 : kE4m3;
  uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
  const uint16_t *a = warp.lanes<uint16_t>(instruction.source[0]);
  auto half = [&](uint32_t bits) {
    return uint32_t(floatToF16(static_cast<float>(decode(bits, format))));
  };
  forLanes(mask, [&](uint32_t lane) {
    d[lane] = half(a[lane] >> 8) << 16 | half(a[lane] & 0xff);
  });
  return Flow::Next;
}

Rounding takeRounding(Decoder &decoder, bool &toInteger, bool &given) {
  const int integral = decoder.takeOneOf({"rni", "rzi", "rmi", "rpi"});
  toInteger = integral >= 0;
  const int plain =
      toInteger ? integral : decoder.takeOneOf({"rn", "rz", "rm", "rp"});
  given = plain >= 0;
  static constexpr Rounding kModes[] = {Rounding::Nearest, Rounding::Zero,
                                        Rounding::Down, Rounding::Up};
  return given ? kModes[plain] : Rounding::Nearest;
}

bool decodeEighths(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  const bool widens = decoder.modifiers().size() > 1 &&
                      (decoder.modifiers().back() == "e4m3x2" ||
                       decoder.modifiers().back() == "e5m2x2");
  instruction.kind =
      static_cast<uint8_t>(decoder.takeOneOf({"e4m3x2", "e5m2x2"}));
  instruction.kind2 = decoder.take("relu");
  decoder.take("rn");
  if (widens) {
    if (!decoder.take("f16x2") || !decoder.expectOperands(2))
      decoder.fail("unsupported conversion");
    instruction.source[0] = decoder.read(decoder.operand(1), {Type::Bits, 16});
    instruction.destination = decoder.write(decoder.operand(0), 32);
    instruction.execute = unpackEighths;
    return true;
  }
  if (!decoder.take("satfinite") || !decoder.take("f32") ||
      !decoder.expectOperands(3))
    decoder.fail("unsupported conversion");
  for (int i = 0; i < 2; ++i)
    instruction.source[i] =
        decoder.read(decoder.operand(i + 1), {Type::Float, 32});
  instruction.destination = decoder.write(decoder.operand(0), 16);
  instruction.execute = packEighths;
  return true;
}

bool decodePair(Decoder &decoder, Conversion conversion) {
  Instruction &instruction = decoder.instruction;
  if (!conversion.from.is(Type::Float, 32) || !decoder.expectOperands(3)) {
    decoder.fail("unsupported conversion");
    return true;
  }
  for (int i = 0; i < 2; ++i)
    instruction.source[i] =
        decoder.read(decoder.operand(i + 1), conversion.from);
  instruction.destination = decoder.write(decoder.operand(0), 32);
  const bool plain = conversion.rounding == Rounding::Nearest &&
                     !conversion.relu && !conversion.saturate;
  instruction.execute = !plain ? packPair
                        : conversion.to.kind == Type::BFloat
                            ? binaryLanes<uint32_t, float, float, PackBf16>
                            : binaryLanes<uint32_t, float, float, PackF16>;
  conversion.to.count = 1;
  instruction.immediate = pack(conversion);
  return true;
}

bool decodeTf32(Decoder &decoder) {
  decoder.take("satfinite");
  if (!decoder.take("rna") || !decoder.take("f32"))
    decoder.fail("expected cvt.rna.tf32.f32");
  decodeOperands(decoder, {Type::Float, 32}, 1);
  decoder.instruction.execute = unaryLanes<uint32_t, float, ToTf32>;
  return true;
}

Handler generalHandler(const Conversion &conversion) {
  const bool fromInteger = conversion.from.isInteger();
  if (conversion.to.isInteger())
    return fromInteger ? integerToInteger : floatToInteger;
  return fromInteger ? integerToFloat : floatToFloat;
}

Handler fastHandler(const Conversion &conversion) {
  if (conversion.rounding != Rounding::Nearest || conversion.saturate ||
      conversion.relu || conversion.flush || conversion.toInteger)
    return nullptr;
  const Type from = conversion.from;
  const Type to = conversion.to;
  if (from.is(Type::Float, 32) && to.is(Type::BFloat, 16))
    return unaryLanes<uint16_t, float, ToBf16>;
  if (from.is(Type::Float, 32) && to.is(Type::Float, 16))
    return unaryLanes<uint16_t, float, ToF16>;
  if (from.is(Type::BFloat, 16) && to.is(Type::Float, 32))
    return unaryLanes<float, uint16_t, FromBf16>;
  if (from.is(Type::Float, 16) && to.is(Type::Float, 32))
    return unaryLanes<float, uint16_t, FromF16>;
  return nullptr;
}

} // namespace

bool decodeConvert(Decoder &decoder) {
  if (decoder.opcode != "cvt")
    return false;
  Instruction &instruction = decoder.instruction;
  instruction.group = Class::Conversion;
  for (std::string_view modifier : decoder.modifiers())
    if (modifier == "e4m3x2" || modifier == "e5m2x2")
      return decodeEighths(decoder);
  if (decoder.take("tf32"))
    return decodeTf32(decoder);
  Conversion conversion;
  bool given = false;
  conversion.rounding = takeRounding(decoder, conversion.toInteger, given);
  conversion.saturate = decoder.take("sat");
  if (decoder.take("satfinite"))
    decoder.fail("unsupported modifier '.satfinite'");
  conversion.relu = decoder.take("relu");
  conversion.flush = decoder.take("ftz");
  conversion.to = decoder.takeType();
  conversion.from = decoder.takeType();
  if (conversion.to.count == 2)
    return decodePair(decoder, conversion);
  if (conversion.from.count == 2 || conversion.from.bits > 64 ||
      conversion.to.bits > 64 || !decoder.expectOperands(2)) {
    decoder.fail("unsupported conversion");
    return true;
  }
  if (conversion.from.isInteger() != conversion.to.isInteger() && !given)
    decoder.fail("expected a rounding mode");
  unsigned fromBits = 0;
  unsigned toBits = 0;
  instruction.source[0] =
      decoder.readWide(decoder.operand(1), conversion.from, fromBits);
  instruction.destination =
      decoder.writeWide(decoder.operand(0), conversion.to.bits, toBits);
  if (!conversion.to.isInteger() && toBits != conversion.to.bits)
    decoder.fail("expected a " + std::to_string(conversion.to.bits) +
                 "-bit register");
  // Immediates of 8 bits need a register that can be gathered.
  if (fromBits == 8)
    decoder.fail("unsupported immediate");
  conversion.fromBits = static_cast<uint8_t>(fromBits);
  conversion.toBits = static_cast<uint8_t>(toBits);
  instruction.immediate = pack(conversion);
  const Handler fast =
      fromBits == conversion.from.bits ? fastHandler(conversion) : nullptr;
  instruction.execute = fast ? fast : generalHandler(conversion);
  return true;
}

} // namespace ssmrt::ptx
