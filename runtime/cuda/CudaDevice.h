//===- CudaDevice.h - Kernels on an NVIDIA GPU ----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Artifact.h"
#include "runtime/Device.h"
#include "runtime/Plan.h"
#include "runtime/cuda/Gpu.h"
#include "runtime/cuda/Staging.h"

#include <memory>
#include <string>
#include <vector>

namespace ssmrt {

/// Recordings are CUDA graphs of kernels, one after the other.
class CudaDevice final : public Device {
public:
  /// Loads the cubin of `image` if it has one for this chip, else its PTX,
  /// which the driver compiles. Fails if the weights of `plan` do not fit.
  static Expected<std::unique_ptr<CudaDevice>>
  create(std::shared_ptr<cuda::Gpu> gpu, const Artifact &artifact,
         const ArtifactImage &image, const Plan &plan);
  ~CudaDevice() override;

  std::string_view kind() const override { return "cuda"; }
  std::string description() const override;
  bool copiesAdopted() const override { return true; }

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
  Status synchronize() override;
  int64_t chooser() const override {
    return static_cast<int64_t>(kernels.size()) - 1;
  }
  Expected<std::unique_ptr<DownloadRing>> createRing(int64_t entries,
                                                     int64_t bytes) override;
  bool canRecord() const override { return true; }
  Status beginRecording() override;
  Expected<int64_t> endRecording() override;
  Status replay(int64_t recording) override;
  void eraseRecording(int64_t recording) override;
  void dropRecording() override;

  Expected<double> copyRate() override;

private:
  struct Kernel {
    cuda::Function function;
    unsigned block;
    unsigned shared;
  };

  explicit CudaDevice(std::shared_ptr<cuda::Gpu> gpu)
      : gpu(std::move(gpu)), call(this->gpu->driver()) {}

  Status checkMemory(const Plan &plan) const;
  Status loadModule(const void *code, const std::string &place,
                    cuda::Module &module);
  Status loadImage(const Artifact &artifact, const ArtifactImage &image,
                   const Plan &plan);
  Status addKernel(cuda::Module module, const PlanKernel &kernel);
  Status record(const Kernel &kernel, unsigned grid, void **parameters);

  std::shared_ptr<cuda::Gpu> gpu;
  const cuda::Driver &call;
  std::vector<cuda::Staging> staging;
  std::vector<cuda::Module> modules;
  /// Those of the plan, then the chooser.
  std::vector<Kernel> kernels;
  std::vector<DeviceAddress> adopted;
  std::string code;

  cuda::Graph graph = nullptr;
  cuda::GraphNode lastNode = nullptr;
  std::vector<cuda::GraphExec> recordings;
};

} // namespace ssmrt
