//===- TensorMap.cpp - Descriptors of tensor copies -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/TensorMap.h"

namespace ssmrt::ptx {

namespace {

constexpr uint64_t kAlignment = 16;
constexpr uint64_t kLargestExtent = uint64_t(1) << 32;
constexpr uint64_t kLargestStride = uint64_t(1) << 40;
constexpr uint32_t kLargestBox = 256;
constexpr uint64_t kLargestBytes = 227 * 1024; // of shared memory
constexpr uint32_t kShapeWord = 2;
constexpr uint32_t kExtentWord = 3;
constexpr uint32_t kStrideWord = 8;
constexpr uint32_t kBoxWord = 12;
constexpr uint32_t kCheckWord = 15;

std::string at(uint32_t dimension, uint64_t value) {
  return std::to_string(value) + " in dimension " + std::to_string(dimension);
}

uint64_t checkWord(const TensorMap &map) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < kCheckWord; ++i)
    sum ^= map.words[i];
  return sum;
}

Status checkShape(const TensorShape &shape) {
  const std::string start = "tensor map: ";
  if (shape.elementBytes != 1 && shape.elementBytes != 2 &&
      shape.elementBytes != 4 && shape.elementBytes != 8)
    return error(start + "elements of " + std::to_string(shape.elementBytes) +
                 " bytes, supported 1, 2, 4, 8");
  if (shape.rank < 1 || shape.rank > kLargestTensorRank)
    return error(start + "rank " + std::to_string(shape.rank) +
                 ", supported 1 to " + std::to_string(kLargestTensorRank));
  if (shape.address % kAlignment)
    return error(start + "address is no multiple of 16");
  for (uint32_t i = 0; i < shape.rank; ++i) {
    if (shape.extents[i] < 1 || shape.extents[i] > kLargestExtent)
      return error(start + "extent " + at(i, shape.extents[i]) +
                   ", supported 1 to 2^32");
    if (shape.box[i] < 1 || shape.box[i] > kLargestBox)
      return error(start + "box " + at(i, shape.box[i]) + ", supported 1 to " +
                   std::to_string(kLargestBox));
  }
  for (uint32_t i = 1; i < shape.rank; ++i)
    if (shape.strides[i - 1] % kAlignment ||
        shape.strides[i - 1] >= kLargestStride)
      return error(start + "stride " + at(i, shape.strides[i - 1]) +
                   ", expected a multiple of 16 below 2^40");
  if (shape.boxBytes() > kLargestBytes)
    return error(start + "box of " + std::to_string(shape.boxBytes()) +
                 " bytes, supported up to " + std::to_string(kLargestBytes));
  const uint64_t row = uint64_t(shape.box[0]) * shape.elementBytes;
  if (row % kAlignment)
    return error(start + "rows of the box have " + std::to_string(row) +
                 " bytes, expected a multiple of 16");
  if (shape.swizzle != 0 && shape.swizzle != 32 && shape.swizzle != 64 &&
      shape.swizzle != 128)
    return error(start + "swizzle of " + std::to_string(shape.swizzle) +
                 " bytes, supported 0, 32, 64, 128");
  if (shape.swizzle && row != shape.swizzle)
    return error(start + "rows of the box have " + std::to_string(row) +
                 " bytes, expected those of the swizzle, " +
                 std::to_string(shape.swizzle));
  return {};
}

} // namespace

uint64_t TensorShape::boxBytes() const {
  uint64_t bytes = elementBytes;
  for (uint32_t i = 0; i < rank; ++i)
    bytes *= box[i];
  return bytes;
}

Expected<TensorMap> encodeTensorMap(const TensorShape &shape) {
  if (Status status = checkShape(shape); !status)
    return status;
  TensorMap map;
  map.words[0] = TensorMap::kMagic;
  map.words[1] = shape.address;
  map.words[kShapeWord] = shape.elementBytes | uint64_t(shape.rank) << 8 |
                          uint64_t(shape.swizzle) << 16;
  for (uint32_t i = 0; i < shape.rank; ++i) {
    map.words[kExtentWord + i] = shape.extents[i];
    map.words[kBoxWord + i / 4] |= uint64_t(shape.box[i]) << 16 * (i % 4);
    if (i > 0)
      map.words[kStrideWord + i - 1] = shape.strides[i - 1];
  }
  map.words[kCheckWord] = checkWord(map);
  return map;
}

Expected<TensorShape> decodeTensorMap(const TensorMap &map) {
  if (map.words[0] != TensorMap::kMagic ||
      map.words[kCheckWord] != checkWord(map))
    return error("tensor map: expected 128 bytes of encodeTensorMap");
  TensorShape shape;
  shape.address = map.words[1];
  shape.elementBytes = map.words[kShapeWord] & 0xff;
  shape.rank = map.words[kShapeWord] >> 8 & 0xff;
  shape.swizzle = map.words[kShapeWord] >> 16 & 0xff;
  for (uint32_t i = 0; i < kLargestTensorRank; ++i) {
    shape.extents[i] = map.words[kExtentWord + i];
    shape.box[i] = map.words[kBoxWord + i / 4] >> 16 * (i % 4) & 0xffff;
    if (i > 0)
      shape.strides[i - 1] = map.words[kStrideWord + i - 1];
  }
  if (Status status = checkShape(shape); !status)
    return status;
  return shape;
}

} // namespace ssmrt::ptx
