//===- Memory.h - Pages from the system -----------------------------------===//
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

namespace ssmrt {

/// Zeroed memory, page-aligned. Pages that are never touched cost nothing, so a
/// region may be larger than what is ever used.
class Memory {
public:
  Memory() = default;
  /// `purpose` appears in messages.
  static Expected<Memory> allocate(int64_t bytes, const std::string &purpose);

  Memory(Memory &&other) noexcept;
  Memory &operator=(Memory &&other) noexcept;
  ~Memory();

  /// For memory that is used as a whole and read again and again.
  void adviseHugePages() const;

  char *data() const { return begin; }
  int64_t size() const { return length; }

private:
  char *begin = nullptr;
  int64_t length = 0;
};

} // namespace ssmrt
