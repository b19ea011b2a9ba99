//===- Model.h - A model that is ready to run -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Artifact.h"
#include "runtime/CpuDevice.h"
#include "runtime/Plan.h"
#include "runtime/PtxDevice.h"
#include "runtime/Status.h"
#include "runtime/ThreadPool.h"
#include "runtime/WeightStore.h"

#include <memory>
#include <string>
#include <vector>

namespace ssmrt {

namespace cuda {
class Gpu;
} // namespace cuda

struct ModelOptions {
  /// Folder or "random:SEED". Empty: the weights embedded in the artifact.
  std::string weights;
  /// "auto", or one that the artifact was compiled for.
  std::string precision = "auto";
  /// "cpu", "cuda", "ptx", or "auto": a GPU if there is one that can run the
  /// model, else the CPU.
  std::string device = "auto";
  PtxOptions ptx;
  /// 0: defaultThreadCount().
  int threads = 0;
  bool useCache = true;
  Progress progress;
  /// If set, gives the kernels by their names instead of the artifact's code:
  /// for kernels that are linked into the process.
  KernelLookup kernels;
};

/// An artifact with one of its images, its weights and a thread pool. Sessions
/// share it; as they share its threads, only one of them may run at a time.
class Model {
public:
  static Expected<std::shared_ptr<Model>> open(const std::string &path,
                                               const ModelOptions &options);
  static Expected<std::shared_ptr<Model>> load(Artifact artifact,
                                               const ModelOptions &options);

  const Artifact &artifact() const { return source; }
  const ArtifactImage &image() const { return source.images()[imageIndex]; }
  const Plan &plan() const { return hostProgram; }
  /// The host's copy of the weights; empty if the device has its own.
  const WeightStore &weights() const { return store; }
  ThreadPool &pool() { return threads; }
  Device &device() const { return *runner; }
  /// Why "auto" chose the device; empty if it was asked for.
  const std::string &deviceReason() const { return reason; }
  /// Address of a weight on the device.
  DeviceAddress weight(int64_t index) const { return weightAddresses[index]; }

  /// Milliseconds that opening took.
  double loadMs() const { return loadTime; }

private:
  Model(Artifact artifact, size_t image, Plan plan, int threadCount);

  static Expected<std::shared_ptr<Model>> loadOn(const std::string &device,
                                                 const Artifact &artifact,
                                                 const ModelOptions &options);
  static Expected<std::shared_ptr<Model>>
  loadAnywhere(const Artifact &artifact, const ModelOptions &options);

  Status openDevice(std::shared_ptr<cuda::Gpu> gpu,
                    const ModelOptions &options);
  Status loadWeights(const ModelOptions &options);
  Status placeWeights();

  Artifact source;
  size_t imageIndex;
  Plan hostProgram;
  ThreadPool threads;
  WeightStore store;
  std::unique_ptr<Device> runner;
  std::vector<DeviceAddress> weightAddresses;
  std::string reason;
  double loadTime = 0;
};

} // namespace ssmrt
