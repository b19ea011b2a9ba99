//===- PtxDevice.h - Kernels as PTX on the interpreter --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Artifact.h"
#include "runtime/Device.h"
#include "runtime/Plan.h"
#include "runtime/ptx/Interpreter.h"

#include <memory>
#include <vector>

namespace ssmrt {

struct PtxOptions {
  /// Chooses the order of blocks and warps.
  uint64_t seed = 0;
  /// Report races and reads of what nothing has written.
  bool checks = true;
};

/// The PTX of an artifact on this machine's CPU, checked, without a GPU. Host
/// memory is adopted in place.
class PtxDevice final : public Device {
public:
  /// Runs with up to `threads` threads, with checks with one.
  static Expected<std::unique_ptr<PtxDevice>>
  create(const Artifact &artifact, const ArtifactImage &image, const Plan &plan,
         const PtxOptions &options, int threads);

  std::string_view kind() const override { return "ptx"; }
  std::string description() const override;
  bool checksInitialised() const override { return options.checks.initialised; }

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
  Status launch(const DeviceLaunch &launch) override;
  Expected<double> launchTimed(const DeviceLaunch &launch) override;
  int64_t chooser() const override;

private:
  struct Kernel {
    const PlanKernel *plan;
    ptx::Module module;
  };

  explicit PtxDevice(const ptx::Options &options)
      : options(options), memory(options.checks.initialised) {}

  Status load(const ptx::Module &module, const PlanKernel &kernel);

  ptx::Options options;
  std::string target;
  PlanKernel choose;
  /// Those of the plan, then the chooser.
  std::vector<Kernel> kernels;
  ptx::DeviceMemory memory;
};

} // namespace ssmrt
