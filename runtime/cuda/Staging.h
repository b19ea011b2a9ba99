//===- Staging.h - Pinned memory for copies -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Device.h"
#include "runtime/cuda/Gpu.h"

#include <memory>
#include <vector>

namespace ssmrt::cuda {

/// An event of a GPU, created when it is recorded first.
class GpuEvent {
public:
  GpuEvent(const Gpu &gpu, unsigned flags) : gpu(&gpu), flags(flags) {}
  GpuEvent(GpuEvent &&other) noexcept;
  GpuEvent &operator=(GpuEvent &&) = delete;
  ~GpuEvent();

  Status record();
  /// Waits for what was queued before; at once if nothing was recorded.
  Status wait() const;
  /// Milliseconds from `begin` to this one, both done.
  Expected<float> since(const GpuEvent &begin) const;

private:
  const Gpu *gpu;
  unsigned flags;
  Event event = nullptr;
};

/// Memory of the host that the GPU copies from and to on its own.
class PinnedMemory {
public:
  PinnedMemory() = default;
  static Expected<PinnedMemory> allocate(const Gpu &gpu, int64_t bytes);
  PinnedMemory(PinnedMemory &&other) noexcept;
  PinnedMemory &operator=(PinnedMemory &&other) noexcept;
  ~PinnedMemory();

  char *data() const { return begin; }

private:
  const Gpu *gpu = nullptr;
  char *begin = nullptr;
};

/// Copies between memory that is not pinned and the GPU, in pieces through two
/// pinned buffers: one is filled while the other is copied.
class Staging {
public:
  static Expected<Staging> create(const Gpu &gpu);

  /// Returns when `source` was read; the GPU may not have it yet.
  Status upload(DeviceAddress target, const char *source, int64_t bytes);
  Status download(char *target, DeviceAddress source, int64_t bytes);

private:
  struct Half {
    PinnedMemory memory;
    GpuEvent done;
  };

  explicit Staging(const Gpu &gpu) : gpu(&gpu) {}
  Half &nextHalf() { return halves[turn++ % halves.size()]; }

  const Gpu *gpu;
  std::vector<Half> halves;
  size_t turn = 0;
};

/// A ring in pinned memory.
class PinnedRing final : public DownloadRing {
public:
  static Expected<std::unique_ptr<DownloadRing>>
  create(std::shared_ptr<const Gpu> gpu, int64_t entries, int64_t bytes);

  Status queue(int64_t index, DeviceAddress source) override;
  Expected<const char *> wait(int64_t index) override;

private:
  std::shared_ptr<const Gpu> gpu;
  int64_t entryBytes = 0;
  PinnedMemory memory;
  std::vector<GpuEvent> done;
};

} // namespace ssmrt::cuda
