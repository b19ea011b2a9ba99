//===- Values.h - Typed values of ptx-run --------------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ptxrun {

using ssmrt::Expected;
using ssmrt::Status;

/// The element types of arguments and buffers.
enum class ElementType : uint8_t {
  U8,
  S8,
  U16,
  S16,
  U32,
  S32,
  U64,
  S64,
  F16,
  BF16,
  F32,
  F64
};

Expected<ElementType> findElementType(std::string_view name);
size_t sizeOf(ElementType type);
bool isFloat(ElementType type);

/// Writes `value` as an element; integers are truncated.
void store(ElementType type, double value, std::byte *target);
/// An exact integer, for values that a double cannot hold.
void storeInteger(ElementType type, uint64_t value, std::byte *target);
double load(ElementType type, const std::byte *source);
/// The shortest text that reads back as the same element.
std::string print(ElementType type, const std::byte *source);

/// Parses one number ("-3", "0x10", "1.5", "nan") as an element.
Status parseElement(ElementType type, std::string_view text, std::byte *target);

/// What a buffer holds at first, by an expression:
///   none, zeros, iota, iota*S, random, random:SEED, const:V, list:A,B,...,
///   file:PATH
/// random is uniform in [-1, 1), or small integers. `none` leaves `written`
/// false: the bytes count as never written.
Status fill(ElementType type, std::string_view expression,
            std::vector<std::byte> &bytes, bool &written);

} // namespace ptxrun
