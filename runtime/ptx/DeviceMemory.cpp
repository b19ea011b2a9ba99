//===- DeviceMemory.cpp - Global memory of the interpreter ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/DeviceMemory.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace ssmrt::ptx {

namespace {

constexpr uint64_t kAlignment = 256;
/// Far above any machine's memory, far below the windows of other spaces.
constexpr uint64_t kLargestAllocation = uint64_t(1) << 40;

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%llx",
                static_cast<unsigned long long>(value));
  return text;
}

} // namespace

void markWritten(uint8_t *written, uint64_t offset, uint64_t bytes) {
  for (; bytes && offset % 8; ++offset, --bytes)
    written[offset / 8] |= 1 << offset % 8;
  std::memset(written + offset / 8, 0xff, bytes / 8);
  offset += bytes / 8 * 8;
  for (bytes %= 8; bytes; ++offset, --bytes)
    written[offset / 8] |= 1 << offset % 8;
}

bool isWritten(const uint8_t *written, uint64_t offset, uint64_t bytes) {
  while (bytes) {
    const uint64_t bit = offset % 8;
    uint64_t word;
    if (bit == 0 && bytes >= 8 * sizeof(word)) {
      std::memcpy(&word, written + offset / 8, sizeof(word));
      if (~word)
        return false;
      offset += 8 * sizeof(word);
      bytes -= 8 * sizeof(word);
      continue;
    }
    const uint64_t part = std::min<uint64_t>(bytes, 8 - bit);
    const unsigned mask = ((1u << part) - 1) << bit;
    if ((written[offset / 8] & mask) != mask)
      return false;
    offset += part;
    bytes -= part;
  }
  return true;
}

DeviceMemory::~DeviceMemory() = default;

uint64_t DeviceMemory::place(uint64_t bytes) {
  uint64_t address = next;
  next += (bytes + kGuardBytes + kAlignment - 1) / kAlignment * kAlignment;
  total += bytes;
  return address;
}

Expected<uint64_t> DeviceMemory::allocate(uint64_t bytes) {
  if (bytes == 0 || bytes > kLargestAllocation)
    return error("cannot allocate " + std::to_string(bytes) +
                 " bytes of device memory");
  Owned owned;
  owned.data.reset(static_cast<std::byte *>(std::calloc(bytes, 1)));
  if (trackWrites)
    owned.written.reset(static_cast<uint8_t *>(std::calloc(bytes / 8 + 1, 1)));
  if (!owned.data || (trackWrites && !owned.written))
    return error("out of memory for " + std::to_string(bytes) +
                 " bytes of device memory");
  owned.allocation = {place(bytes), bytes, owned.data.get(),
                      owned.written.get(), false};
  const uint64_t address = owned.allocation.address;
  allocations.emplace(address, std::move(owned));
  return address;
}

Expected<uint64_t> DeviceMemory::registerHost(const void *data,
                                              uint64_t bytes) {
  if (!data || bytes == 0)
    return error("cannot register an empty host range");
  Owned owned;
  // Never written through: readOnly is checked before every write.
  owned.allocation = {place(bytes), bytes,
                      static_cast<std::byte *>(const_cast<void *>(data)),
                      nullptr, true};
  const uint64_t address = owned.allocation.address;
  allocations.emplace(address, std::move(owned));
  return address;
}

Status DeviceMemory::free(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end())
    return error("free of " + hex(address) + ", which starts no allocation");
  total -= found->second.allocation.bytes;
  allocations.erase(found);
  return {};
}

Status DeviceMemory::protect(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end())
    return error("protection of " + hex(address) +
                 ", which starts no allocation");
  found->second.allocation.readOnly = true;
  return {};
}

const DeviceMemory::Allocation *DeviceMemory::find(uint64_t address) const {
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin())
    return nullptr;
  const Allocation &allocation = std::prev(after)->second.allocation;
  return address - allocation.address < allocation.bytes ? &allocation
                                                         : nullptr;
}

Expected<std::byte *> DeviceMemory::range(uint64_t address, uint64_t bytes,
                                          bool write, const char *what) const {
  const Allocation *allocation = find(address);
  if (!allocation ||
      bytes > allocation->bytes - (address - allocation->address))
    return error(std::string(what) + " of " + std::to_string(bytes) +
                 " bytes at " + hex(address) + " leaves its allocation");
  if (write && allocation->readOnly)
    return error(std::string(what) + " at " + hex(address) +
                 " changes memory that was registered read-only");
  const uint64_t offset = address - allocation->address;
  if (write && allocation->written)
    markWritten(allocation->written, offset, bytes);
  return allocation->data + offset;
}

Status DeviceMemory::write(uint64_t address, const void *source,
                           uint64_t bytes) {
  if (bytes == 0)
    return {};
  Expected<std::byte *> data = range(address, bytes, true, "write");
  if (!data)
    return data.status();
  std::memcpy(*data, source, bytes);
  return {};
}

Status DeviceMemory::read(uint64_t address, void *target,
                          uint64_t bytes) const {
  if (bytes == 0)
    return {};
  Expected<std::byte *> data = range(address, bytes, false, "read");
  if (!data)
    return data.status();
  std::memcpy(target, *data, bytes);
  return {};
}

Status DeviceMemory::fill(uint64_t address, uint8_t value, uint64_t bytes) {
  if (bytes == 0)
    return {};
  Expected<std::byte *> data = range(address, bytes, true, "fill");
  if (!data)
    return data.status();
  std::memset(*data, value, bytes);
  return {};
}

Status DeviceMemory::copy(uint64_t target, uint64_t source, uint64_t bytes) {
  if (bytes == 0)
    return {};
  Expected<std::byte *> from = range(source, bytes, false, "copy");
  if (!from)
    return from.status();
  Expected<std::byte *> to = range(target, bytes, true, "copy");
  if (!to)
    return to.status();
  std::memmove(*to, *from, bytes);
  return {};
}

Status DeviceMemory::forget(uint64_t address, uint64_t bytes) {
  if (bytes == 0)
    return {};
  Expected<std::byte *> data = range(address, bytes, false, "forget");
  if (!data)
    return data.status();
  const Allocation *allocation = find(address);
  if (allocation->written)
    for (uint64_t i = address - allocation->address,
                  end = address - allocation->address + bytes;
         i < end; ++i)
      allocation->written[i / 8] &= ~(1 << i % 8);
  return {};
}

} // namespace ssmrt::ptx
