//===- Device.cpp - Where kernels run -------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Device.h"

#include <utility>

namespace ssmrt {

Expected<DeviceBuffer> DeviceBuffer::allocate(Device &device, int64_t bytes,
                                              const std::string &purpose,
                                              PageSize pages) {
  Expected<DeviceAddress> address = device.allocate(bytes, purpose, pages);
  if (!address)
    return address.status();
  DeviceBuffer buffer;
  buffer.device = &device;
  buffer.begin = *address;
  buffer.length = bytes;
  return buffer;
}

DeviceBuffer::DeviceBuffer(DeviceBuffer &&other) noexcept
    : device(std::exchange(other.device, nullptr)),
      begin(std::exchange(other.begin, 0)),
      length(std::exchange(other.length, 0)) {}

DeviceBuffer &DeviceBuffer::operator=(DeviceBuffer &&other) noexcept {
  std::swap(device, other.device);
  std::swap(begin, other.begin);
  std::swap(length, other.length);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (device && length > 0)
    device->free(begin);
}

} // namespace ssmrt
