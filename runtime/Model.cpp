//===- Model.cpp - A model that is ready to run ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Model.h"
#include "runtime/Guarded.h"

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
    const auto start = std::chrono::steady_clock::now();
    Expected<size_t> index = artifact.choose(options.precision);
    if (!index)
      return index.status();
    Expected<Plan> plan = artifact.plan(artifact.images()[*index]);
    if (!plan)
      return plan.status();
    std::shared_ptr<Model> model(new Model(std::move(artifact), *index,
                                           *std::move(plan), options.threads));
    Expected<std::unique_ptr<CpuDevice>> device =
        CpuDevice::create(model->source, model->image(), model->hostProgram,
                          model->threads, options.kernels);
    if (!device)
      return device.status();
    model->runner = *std::move(device);
    if (Status status = model->loadWeights(options); !status)
      return status;
    if (Status status = model->placeWeights(); !status)
      return status;
    model->loadTime = std::chrono::duration<double, std::milli>(
                          std::chrono::steady_clock::now() - start)
                          .count();
    return model;
  });
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
