//===- Lanes.h - Applies functions to the lanes of registers -- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/ptx/Decoder.h"
#include "runtime/ptx/Machine.h"

#include <cmath>
#include <cstring>
#include <type_traits>

namespace ssmrt::ptx {

/// Registers are either the same or do not overlap, so these loops may be
/// vectorised.
#if defined(__clang__)
#define SSMRT_PTX_VECTORIZE _Pragma("clang loop vectorize(assume_safety)")
#else
#define SSMRT_PTX_VECTORIZE _Pragma("GCC ivdep")
#endif

/// Calls body(lane) for the lanes in `mask`.
template <class Body> inline void forLanes(uint32_t mask, Body body) {
  if (mask == kAllLanes) {
    SSMRT_PTX_VECTORIZE
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      body(lane);
    return;
  }
  for (; mask; mask &= mask - 1)
    body(lowestLane(mask));
}

template <class R, class A, class F>
Flow unaryLanes(Warp &warp, const Instruction &instruction, uint32_t mask) {
  R *d = warp.lanes<R>(instruction.destination);
  const A *a = warp.lanes<A>(instruction.source[0]);
  forLanes(mask, [=](uint32_t lane) { d[lane] = F()(a[lane]); });
  return Flow::Next;
}

template <class R, class A, class B, class F>
Flow binaryLanes(Warp &warp, const Instruction &instruction, uint32_t mask) {
  R *d = warp.lanes<R>(instruction.destination);
  const A *a = warp.lanes<A>(instruction.source[0]);
  const B *b = warp.lanes<B>(instruction.source[1]);
  forLanes(mask, [=](uint32_t lane) { d[lane] = F()(a[lane], b[lane]); });
  return Flow::Next;
}

template <class R, class A, class C, class F>
Flow ternaryLanes(Warp &warp, const Instruction &instruction, uint32_t mask) {
  R *d = warp.lanes<R>(instruction.destination);
  const A *a = warp.lanes<A>(instruction.source[0]);
  const A *b = warp.lanes<A>(instruction.source[1]);
  const C *c = warp.lanes<C>(instruction.source[2]);
  forLanes(mask,
           [=](uint32_t lane) { d[lane] = F()(a[lane], b[lane], c[lane]); });
  return Flow::Next;
}

/// A type as a value, for generic lambdas.
template <class T> struct Tag {
  using type = T;
};

/// Calls body(Tag<T>) with the unsigned or signed integer of `type`, or fails.
template <class Body> void withInteger(Decoder &decoder, Type type, Body body) {
  const bool isSigned = type.kind == Type::Signed;
  if (!type.isInteger() || type.count != 1)
    return decoder.fail("unsupported type");
  switch (type.bits) {
  case 16:
    return isSigned ? body(Tag<int16_t>()) : body(Tag<uint16_t>());
  case 32:
    return isSigned ? body(Tag<int32_t>()) : body(Tag<uint32_t>());
  case 64:
    return isSigned ? body(Tag<int64_t>()) : body(Tag<uint64_t>());
  default:
    return decoder.fail("unsupported type");
  }
}

/// Reads `count` sources of `type` behind the destination.
inline void decodeOperands(Decoder &decoder, Type type, size_t count) {
  if (!decoder.expectOperands(count + 1))
    return;
  for (size_t i = 0; i < count; ++i)
    decoder.instruction.source[i] = decoder.read(decoder.operand(i + 1), type);
  decoder.instruction.destination =
      decoder.write(decoder.operand(0), type.bits * type.count);
}

} // namespace ssmrt::ptx
