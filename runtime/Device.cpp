//===- Device.cpp - Where kernels run -------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Device.h"

#include <utility>
#include <vector>

namespace ssmrt {

namespace {

/// For devices whose launches are done when they return.
class DirectRing final : public DownloadRing {
public:
  DirectRing(Device &device, int64_t entries, int64_t bytes)
      : device(device), entries(entries, std::vector<char>(bytes)) {}

  Status queue(int64_t index, DeviceAddress source) override {
    return device.download(entries[index].data(), source,
                           static_cast<int64_t>(entries[index].size()));
  }
  Expected<const char *> wait(int64_t index) override {
    return static_cast<const char *>(entries[index].data());
  }

private:
  Device &device;
  std::vector<std::vector<char>> entries;
};

Status noRecordings() { return error("this device keeps no recordings"); }

} // namespace

Expected<std::unique_ptr<DownloadRing>> Device::createRing(int64_t entries,
                                                           int64_t bytes) {
  return std::unique_ptr<DownloadRing>(
      std::make_unique<DirectRing>(*this, entries, bytes));
}

Status Device::beginRecording() { return noRecordings(); }
Expected<int64_t> Device::endRecording() { return noRecordings(); }
Status Device::replay(int64_t) { return noRecordings(); }

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
