//===- Model.cpp - A model that is ready to run ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Model.h"
#include "runtime/Guarded.h"
#include "runtime/cuda/CudaDevice.h"

#include <chrono>

namespace ssmrt {

Model::Model(Artifact artifact, size_t image, Plan plan, int threadCount)
    : source(std::move(artifact)), imageIndex(image),
      hostProgram(std::move(plan)), threads(threadCount) {}

Expected<std::shared_ptr<Model>> Model::open(const std::string &path,
                                             const ModelOptions &options) {
  Expected<Artifact> artifact = Artifact::open(path);
  if (!artifact)
    return artifact.status();
  return load(*std::move(artifact), options);
}

Expected<std::shared_ptr<Model>> Model::load(Artifact artifact,
                                             const ModelOptions &options) {
  return guarded([&]() -> Expected<std::shared_ptr<Model>> {
    if (options.device != "auto")
      return loadOn(options.device, artifact, options);
    return loadAnywhere(artifact, options);
  });
}

Expected<std::shared_ptr<Model>>
Model::loadAnywhere(const Artifact &artifact, const ModelOptions &options) {
  std::string reason = "no image for a GPU";
  if (artifact.hasGpuImages()) {
    Expected<std::shared_ptr<Model>> model = loadOn("cuda", artifact, options);
    if (model) {
      (*model)->reason = "a GPU that runs " + (*model)->image().target;
      return model;
    }
    reason = model.status().message;
  }
  Expected<std::shared_ptr<Model>> model = loadOn("cpu", artifact, options);
  if (model)
    (*model)->reason = reason;
  else if (artifact.hasGpuImages())
    return error(model.status().message + "; GPU: " + reason);
  return model;
}

Expected<std::shared_ptr<Model>> Model::loadOn(const std::string &device,
                                               const Artifact &artifact,
                                               const ModelOptions &options) {
  const auto start = std::chrono::steady_clock::now();
  std::shared_ptr<cuda::Gpu> gpu;
  if (device == "cuda") {
    Expected<std::shared_ptr<cuda::Gpu>> opened = cuda::Gpu::open();
    if (!opened)
      return opened.status();
    gpu = *std::move(opened);
  } else if (device != "cpu" && device != "ptx") {
    return error(artifact.path() + ": device, got " + device +
                 ", supported auto, cpu, cuda, ptx");
  }
  Expected<size_t> index =
      device == "cpu"
          ? artifact.choose(options.precision)
          : artifact.chooseGpu(options.precision, gpu ? gpu->chip() : 0);
  if (!index)
    return index.status();
  Expected<Plan> plan = artifact.plan(artifact.images()[*index]);
  if (!plan)
    return plan.status();
  std::shared_ptr<Model> model(
      new Model(artifact, *index, *std::move(plan), options.threads));
  if (Status status = model->openDevice(std::move(gpu), options); !status)
    return status;
  if (Status status = model->loadWeights(options); !status)
    return status;
  if (Status status = model->placeWeights(); !status)
    return status;
  model->loadTime = std::chrono::duration<double, std::milli>(
                        std::chrono::steady_clock::now() - start)
                        .count();
  return model;
}

Status Model::openDevice(std::shared_ptr<cuda::Gpu> gpu,
                         const ModelOptions &options) {
  auto keep = [&](auto opened) -> Status {
    if (!opened)
      return opened.status();
    runner = *std::move(opened);
    return {};
  };
  if (!hostProgram.isGpu)
    return keep(CpuDevice::create(source, image(), hostProgram, threads,
                                  options.kernels));
  if (gpu)
    return keep(
        CudaDevice::create(std::move(gpu), source, image(), hostProgram));
  return keep(PtxDevice::create(source, image(), hostProgram, options.ptx,
                                threads.threads()));
}

Status Model::placeWeights() {
  for (size_t i = 0; i < hostProgram.weights.size(); ++i) {
    Expected<DeviceAddress> address =
        runner->adopt(store.weight(static_cast<int64_t>(i)),
                      hostProgram.weights[i].layout.bytes(), "weights");
    if (!address)
      return address.status();
    weightAddresses.push_back(*address);
  }
  if (runner->copiesAdopted()) {
    if (Status status = runner->synchronize(); !status)
      return status;
    store = WeightStore();
  }
  return {};
}

Status Model::loadWeights(const ModelOptions &options) {
  Expected<WeightStore> loaded = error("no weights");
  if (!options.weights.empty()) {
    Expected<Checkpoint> checkpoint = Checkpoint::open(options.weights);
    if (!checkpoint)
      return checkpoint.status();
    loaded = WeightStore::pack(hostProgram, *checkpoint, threads,
                               options.useCache, options.progress);
  } else if (hostProgram.weights.empty() || source.hasPackedWeights()) {
    loaded = WeightStore::fromArtifact(source, image(), hostProgram);
  } else {
    return error(source.path() +
                 ": no embedded weights, expected a folder or random:SEED");
  }
  if (!loaded)
    return loaded.status();
  store = *std::move(loaded);
  return {};
}

} // namespace ssmrt
