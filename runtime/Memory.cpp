//===- Memory.cpp - Pages from the system ---------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Memory.h"
#include "runtime/Checked.h"

#include <sys/mman.h>
#include <utility>

namespace ssmrt {

Expected<Memory> Memory::allocate(int64_t bytes, const std::string &purpose) {
  Memory memory;
  if (bytes == 0)
    return memory;
  void *address = MAP_FAILED;
  if (bytes > 0 && bytes <= kLargestSize)
    address = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED)
    return error("cannot get " + std::to_string(bytes) + " bytes for " +
                 purpose);
  memory.begin = static_cast<char *>(address);
  memory.length = bytes;
  return memory;
}

void Memory::adviseHugePages() const {
  if (begin)
    madvise(begin, static_cast<size_t>(length), MADV_HUGEPAGE);
}

Memory::Memory(Memory &&other) noexcept
    : begin(std::exchange(other.begin, nullptr)),
      length(std::exchange(other.length, 0)) {}

Memory &Memory::operator=(Memory &&other) noexcept {
  std::swap(begin, other.begin);
  std::swap(length, other.length);
  return *this;
}

Memory::~Memory() {
  if (begin)
    munmap(begin, static_cast<size_t>(length));
}

} // namespace ssmrt
