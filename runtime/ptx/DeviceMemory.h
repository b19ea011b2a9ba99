//===- DeviceMemory.h - Global memory of the interpreter --------*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

namespace ssmrt::ptx {

/// Allocations of device memory with 64-bit addresses of their own. Addresses
/// are never used twice and at least kGuardBytes lie between two allocations,
/// so an access outside of one is always seen. Not thread safe; during a launch
/// only the launch may use it.
class DeviceMemory {
public:
  static constexpr uint64_t kGuardBytes = 1 << 16;

  struct Allocation {
    uint64_t address = 0;
    uint64_t bytes = 0;
    std::byte *data = nullptr;
    /// One bit per byte that has been written; null: all are.
    uint8_t *written = nullptr;
    bool readOnly = false;
  };

  /// With `trackWrites` bytes that nobody has written are known and
  /// Checks::initialised can report their use.
  explicit DeviceMemory(bool trackWrites = true) : trackWrites(trackWrites) {}
  DeviceMemory(const DeviceMemory &) = delete;
  DeviceMemory &operator=(const DeviceMemory &) = delete;
  ~DeviceMemory();

  /// New memory at a multiple of 256, at least 1 byte. Untouched pages cost
  /// nothing; reads of unwritten bytes give 0 when unchecked.
  Expected<uint64_t> allocate(uint64_t bytes);
  /// Makes a host range readable by kernels without a copy. The range must
  /// outlive the allocation; kernels may not write it.
  Expected<uint64_t> registerHost(const void *data, uint64_t bytes);
  /// Ends an allocation; `address` is its first byte.
  Status free(uint64_t address);

  /// From now on kernels may only read the allocation that starts at `address`.
  Status protect(uint64_t address);

  /// Host accesses; the range must lie within one allocation.
  Status write(uint64_t address, const void *source, uint64_t bytes);
  Status read(uint64_t address, void *target, uint64_t bytes) const;
  Status fill(uint64_t address, uint8_t value, uint64_t bytes);
  Status copy(uint64_t target, uint64_t source, uint64_t bytes);

  /// Forgets that `bytes` from `address` on were written.
  Status forget(uint64_t address, uint64_t bytes);

  /// The allocation that holds `address`, or null.
  const Allocation *find(uint64_t address) const;
  /// Bytes of all allocations.
  uint64_t allocatedBytes() const { return total; }

  /// Addresses of the variables of loaded modules by module key; kept by
  /// Module.
  std::map<uint64_t, std::vector<uint64_t>> variables;

private:
  Expected<std::byte *> range(uint64_t address, uint64_t bytes, bool write,
                              const char *what) const;
  uint64_t place(uint64_t bytes);

  struct Owned {
    Allocation allocation;
    std::unique_ptr<std::byte, void (*)(void *)> data = {nullptr, std::free};
    std::unique_ptr<uint8_t, void (*)(void *)> written = {nullptr, std::free};
  };
  bool trackWrites;
  uint64_t next = uint64_t(1) << 36;
  uint64_t total = 0;
  std::map<uint64_t, Owned> allocations;
};

/// Marks `bytes` bits from `offset` on in a bit map of written bytes.
void markWritten(uint8_t *written, uint64_t offset, uint64_t bytes);
/// Whether all those bits are set.
bool isWritten(const uint8_t *written, uint64_t offset, uint64_t bytes);

} // namespace ssmrt::ptx
