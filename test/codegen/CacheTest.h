//===- CacheTest.h - Key and value caches in tests ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "test/codegen/KernelTest.h"

namespace ssm::test {

/// Heads of an attention, and the element type of its caches.
struct HeadShape {
  int64_t heads, kvHeads, headDim;
  Element cache;

  int64_t pair() const { return cache == Element::F32 ? 1 : 2; }
  int64_t keyDim() const { return (headDim + pair() - 1) / pair() * pair(); }
};

/// A pool of pages of keys or values: NaN where nothing was written, but zero
/// in the padding of odd key dimensions.
struct CachePool {
  CachePool(HeadShape shape, bool keys, int64_t pages)
      : shape(shape), keys(keys),
        stride(Sequences::kPageTokens * shape.kvHeads *
                   (keys ? shape.keyDim() : shape.headDim) *
                   sizeOf(shape.cache) +
               64),
        buffer(size_t(pages * stride)) {
    if (keys && shape.keyDim() != shape.headDim)
      for (int64_t page = 0; page < pages; ++page)
        for (int64_t head = 0; head < shape.kvHeads; ++head)
          for (int64_t token = 0; token < Sequences::kPageTokens; ++token)
            set(page, head, token, shape.headDim, 0);
  }

  /// Index of an element in the buffer.
  int64_t index(int64_t page, int64_t head, int64_t token, int64_t dim) const {
    int64_t first = page * stride / sizeOf(shape.cache);
    if (!keys)
      return first + (head * Sequences::kPageTokens + token) * shape.headDim +
             dim;
    int64_t panel = head * 2 + token / 32, pair = shape.pair();
    int64_t line = panel * (shape.keyDim() / pair) + dim / pair;
    return first + (line * 32 + token % 32) * pair + dim % pair;
  }
  void set(int64_t page, int64_t head, int64_t token, int64_t dim,
           float value) {
    buffer.set(shape.cache, index(page, head, token, dim), value);
  }

  HeadShape shape;
  bool keys;
  int64_t stride; // bytes
  Buffer buffer;
};

/// Type of rows or caches in IR.
inline std::string nameOf(Element type) {
  return type == Element::F32 ? "f32" : "bf16";
}
inline std::string rowsType(int64_t columns, Element type) {
  return "tensor<?x" + std::to_string(columns) + "x" + nameOf(type) + ">";
}
inline std::string cacheType(HeadShape shape) {
  return "tensor<?x" + std::to_string(shape.kvHeads) + "x?x" +
         std::to_string(shape.headDim) + "x" + nameOf(shape.cache) + ">";
}

} // namespace ssm::test
