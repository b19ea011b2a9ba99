//===- Staging.cpp - Pinned memory for copies -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/Staging.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ssmrt::cuda {

/// Large enough that a copy takes much longer than asking for it.
static constexpr int64_t kHalfBytes = int64_t{8} << 20;

GpuEvent::GpuEvent(GpuEvent &&other) noexcept
    : gpu(other.gpu), flags(other.flags),
      event(std::exchange(other.event, nullptr)) {}

GpuEvent::~GpuEvent() {
  if (event && gpu->enter())
    (void)gpu->driver().destroyEvent(event);
}

Status GpuEvent::record() {
  if (!event)
    if (Status status = gpu->driver().createEvent(&event, flags); !status)
      return status;
  return gpu->driver().recordEvent(event, gpu->stream());
}

Status GpuEvent::wait() const {
  return event ? gpu->driver().waitForEvent(event) : Status{};
}

Expected<float> GpuEvent::since(const GpuEvent &begin) const {
  float milliseconds = 0;
  if (Status status = gpu->driver().elapsed(&milliseconds, begin.event, event);
      !status)
    return status;
  return milliseconds;
}

Expected<PinnedMemory> PinnedMemory::allocate(const Gpu &gpu, int64_t bytes) {
  PinnedMemory memory;
  void *begin = nullptr;
  if (Status status = gpu.driver().allocateHost(
          &begin, static_cast<size_t>(std::max<int64_t>(bytes, 1)), 0);
      !status)
    return status;
  memory.gpu = &gpu;
  memory.begin = static_cast<char *>(begin);
  return memory;
}

PinnedMemory::PinnedMemory(PinnedMemory &&other) noexcept
    : gpu(other.gpu), begin(std::exchange(other.begin, nullptr)) {}

PinnedMemory &PinnedMemory::operator=(PinnedMemory &&other) noexcept {
  std::swap(gpu, other.gpu);
  std::swap(begin, other.begin);
  return *this;
}

PinnedMemory::~PinnedMemory() {
  if (begin && gpu->enter())
    (void)gpu->driver().freeHost(begin);
}

Expected<Staging> Staging::create(const Gpu &gpu) {
  Staging staging(gpu);
  for (int i = 0; i < 2; ++i) {
    Expected<PinnedMemory> memory = PinnedMemory::allocate(gpu, kHalfBytes);
    if (!memory)
      return memory.status();
    staging.halves.push_back(
        {*std::move(memory), GpuEvent(gpu, kEventWithoutTiming)});
  }
  return staging;
}

Status Staging::upload(DeviceAddress target, const char *source,
                       int64_t bytes) {
  for (int64_t done = 0; done < bytes;) {
    const int64_t size = std::min(bytes - done, kHalfBytes);
    Half &half = nextHalf();
    if (Status status = half.done.wait(); !status)
      return status;
    std::memcpy(half.memory.data(), source + done, size);
    if (Status status = gpu->driver().copyToDevice(
            target + done, half.memory.data(), size, gpu->stream());
        !status)
      return status;
    if (Status status = half.done.record(); !status)
      return status;
    done += size;
  }
  return {};
}

Status Staging::download(char *target, DeviceAddress source, int64_t bytes) {
  for (int64_t done = 0; done < bytes;) {
    const int64_t size = std::min(bytes - done, kHalfBytes);
    Half &half = nextHalf();
    if (Status status = half.done.wait(); !status)
      return status;
    if (Status status = gpu->driver().copyToHost(
            half.memory.data(), source + done, size, gpu->stream());
        !status)
      return status;
    if (Status status = half.done.record(); !status)
      return status;
    if (Status status = half.done.wait(); !status)
      return status;
    std::memcpy(target + done, half.memory.data(), size);
    done += size;
  }
  return {};
}

Expected<std::unique_ptr<DownloadRing>>
PinnedRing::create(std::shared_ptr<const Gpu> gpu, int64_t entries,
                   int64_t bytes) {
  auto ring = std::make_unique<PinnedRing>();
  Expected<PinnedMemory> memory = PinnedMemory::allocate(*gpu, entries * bytes);
  if (!memory)
    return memory.status();
  ring->memory = *std::move(memory);
  ring->entryBytes = bytes;
  for (int64_t i = 0; i < entries; ++i)
    ring->done.emplace_back(*gpu, kEventWithoutTiming);
  ring->gpu = std::move(gpu);
  return std::unique_ptr<DownloadRing>(std::move(ring));
}

Status PinnedRing::queue(int64_t index, DeviceAddress source) {
  if (Status status = gpu->driver().copyToHost(
          memory.data() + index * entryBytes, source,
          static_cast<size_t>(entryBytes), gpu->stream());
      !status)
    return status;
  return done[index].record();
}

Expected<const char *> PinnedRing::wait(int64_t index) {
  if (Status status = done[index].wait(); !status)
    return status;
  return memory.data() + index * entryBytes;
}

} // namespace ssmrt::cuda
