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

namespace {
constexpr int64_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;

/// A fresh mapping that begins at the border of a huge page if it may hold one.
void *map(size_t bytes) {
  const size_t slack = bytes < kHugePage ? 0 : kHugePage;
  void *address = mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED || slack == 0)
    return address;
  char *begin = static_cast<char *>(address);
  const size_t before =
      (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
  const size_t pages =
      static_cast<size_t>(roundUp(static_cast<int64_t>(bytes), kPage));
  if (before > 0)
    munmap(begin, before);
  const size_t mapped =
      static_cast<size_t>(roundUp(static_cast<int64_t>(bytes + slack), kPage));
  if (before + pages < mapped)
    munmap(begin + before + pages, mapped - before - pages);
  return begin + before;
}
} // namespace

Expected<Memory> Memory::allocate(int64_t bytes, const std::string &purpose) {
  Memory memory;
  if (bytes == 0)
    return memory;
  void *address = MAP_FAILED;
  if (bytes > 0 && bytes <= kLargestSize)
    address = map(static_cast<size_t>(bytes));
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
