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
    if (Status status = model->loadKernels(options); !status)
      return status;
    if (Status status = model->loadWeights(options); !status)
      return status;
    model->loadTime = std::chrono::duration<double, std::milli>(
                          std::chrono::steady_clock::now() - start)
                          .count();
    return model;
  });
}

Status Model::loadKernels(const ModelOptions &options) {
  if (!options.kernels) {
    Expected<CodeImage> loaded = CodeImage::load(source, image());
    if (!loaded)
      return loaded.status();
    code.emplace(*std::move(loaded));
  }
  for (const PlanKernel &kernel : hostProgram.kernels) {
    kernels.push_back(code ? code->kernelAt(kernel.offset)
                           : options.kernels(kernel.name));
    if (!kernels.back())
      return error(source.path() + ": missing kernel '" + kernel.name + "'");
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
