//===- TensorMap.h - Descriptors of tensor copies ------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"

#include <array>
#include <cstdint>

namespace ssmrt::ptx {

constexpr uint32_t kLargestTensorRank = 5;

/// A tensor in global memory and the box of it that one copy moves: the tiled
/// mode of the driver's cuTensorMapEncodeTiled without interleaving, with
/// element strides of 1 and zeros outside of the tensor. Dimension 0 is the
/// innermost one.
struct TensorShape {
  uint32_t elementBytes = 0;                             ///< 1, 2, 4 or 8
  uint32_t rank = 0;                                     ///< 1 to 5
  uint64_t address = 0;                                  ///< a multiple of 16
  std::array<uint64_t, kLargestTensorRank> extents = {}; ///< elements
  /// Bytes from one element to the next of dimension i + 1, multiples of 16.
  std::array<uint64_t, kLargestTensorRank - 1> strides = {};
  std::array<uint32_t, kLargestTensorRank> box = {}; ///< elements, up to 256
  /// Bytes of a row of the box whose 16-byte units are exchanged in shared
  /// memory: 0 (none), 32, 64 or 128.
  uint32_t swizzle = 0;

  uint64_t boxBytes() const;
};

/// What stands in the 128 bytes that a kernel gets, aligned to 64. Opaque as
/// the driver's own; the interpreter knows only maps of encodeTensorMap:
///
///   word 0      kMagic
///   word 1      address
///   word 2      element bytes | rank << 8 | swizzle << 16
///   words 3-7   extents
///   words 8-11  strides
///   words 12-13 box, 16 bits per dimension
///   word 14     0
///   word 15     exclusive or of words 0 to 14
struct alignas(64) TensorMap {
  static constexpr uint64_t kMagic = 0x70616d726f736e74; // "tnsormap"
  std::array<uint64_t, 16> words = {};
};

/// Fails where cuTensorMapEncodeTiled would, and for rows of a swizzled box
/// that are shorter than the swizzle.
Expected<TensorMap> encodeTensorMap(const TensorShape &shape);
/// Fails for bytes that encodeTensorMap has not made.
Expected<TensorShape> decodeTensorMap(const TensorMap &map);

/// Where the byte at `address` of shared memory lies under a swizzle of `span`
/// bytes: rows of `span` bytes exchange their 16-byte units by the number of
/// the 128-byte line.
inline uint64_t swizzle(uint64_t address, uint32_t span) {
  const uint64_t units = span ? span / 16 - 1 : 0;
  return address ^ (address >> 7 & units) << 4;
}

} // namespace ssmrt::ptx
