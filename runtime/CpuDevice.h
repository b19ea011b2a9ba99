//===- CpuDevice.h - Kernels as machine code of this process --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/CodeImage.h"
#include "runtime/Device.h"
#include "runtime/Memory.h"
#include "runtime/Plan.h"
#include "runtime/ThreadPool.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ssmrt {

/// Gives a kernel by its name, or null.
using KernelLookup = std::function<KernelFunction(const std::string &name)>;

/// Addresses are pointers; the units of a launch are shared by the threads of a
/// pool.
class CpuDevice final : public Device {
public:
  /// Loads the kernels of `plan` from the code of `image`, or takes them from
  /// `lookup` if it is set. `pool` and `plan` must outlive the device.
  static Expected<std::unique_ptr<CpuDevice>>
  create(const Artifact &artifact, const ArtifactImage &image, const Plan &plan,
         ThreadPool &pool, const KernelLookup &lookup);

  std::string_view kind() const override { return "cpu"; }
  bool sharesHostMemory() const override { return true; }

  Expected<DeviceAddress> allocate(int64_t bytes, const std::string &purpose,
                                   PageSize pages) override;
  void free(DeviceAddress address) override;
  Expected<DeviceAddress> adopt(const void *data, int64_t bytes,
                                const std::string &purpose) override;
  Status upload(DeviceAddress target, const void *source,
                int64_t bytes) override;
  Status download(void *target, DeviceAddress source, int64_t bytes) override;
  Status fill(DeviceAddress target, uint8_t value, int64_t bytes) override;
  Status poison(DeviceAddress target, int64_t bytes) override;
  Status prepare(const SymbolValues &largest) override;
  void poisonScratch() override;
  Status launch(const DeviceLaunch &launch) override;
  Expected<double> launchTimed(const DeviceLaunch &launch) override;

private:
  CpuDevice(const Plan &plan, ThreadPool &pool) : plan(plan), pool(pool) {}

  const Plan &plan;
  ThreadPool &pool;
  std::optional<CodeImage> code;
  std::vector<KernelFunction> kernels;
  std::map<DeviceAddress, Memory> memories;
  Memory scratch;
  /// Bytes from the scratch memory of a thread to that of the next.
  int64_t scratchStride = 0;
};

} // namespace ssmrt
