//===- Span.h - A view of contiguous elements -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cstddef>
#include <vector>

namespace ssmrt {

/// Elements that belong to somebody else.
template <class T> class Span {
public:
  Span() = default;
  Span(T *data, size_t size) : first(data), count(size) {}
  template <class U>
  Span(std::vector<U> &elements)
      : first(elements.data()), count(elements.size()) {}
  template <class U>
  Span(const std::vector<U> &elements)
      : first(elements.data()), count(elements.size()) {}

  T *data() const { return first; }
  size_t size() const { return count; }
  bool empty() const { return count == 0; }
  T &operator[](size_t index) const { return first[index]; }
  T *begin() const { return first; }
  T *end() const { return first + count; }

  /// Elements from `index` on, at most `size`.
  Span slice(size_t index, size_t size) const {
    return Span(first + index, size);
  }

private:
  T *first = nullptr;
  size_t count = 0;
};

} // namespace ssmrt
