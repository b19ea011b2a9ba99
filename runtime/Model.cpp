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

Model::Model(Artifact artifact, size_t image, Plan plan, CodeImage code,
             int threadCount)
    : source(std::move(artifact)), imageIndex(image),
      hostProgram(std::move(plan)), code(std::move(code)),
      threads(threadCount) {
  for (const PlanKernel &kernel : hostProgram.kernels)
    kernels.push_back(this->code.kernelAt(kernel.offset));
}

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
    const ArtifactImage &image = artifact.images()[*index];
    Expected<Plan> plan = artifact.plan(image);
    if (!plan)
      return plan.status();
    Expected<CodeImage> code = CodeImage::load(artifact, image);
    if (!code)
      return code.status();
    std::shared_ptr<Model> model(new Model(std::move(artifact), *index,
                                           *std::move(plan), *std::move(code),
                                           options.threads));
    Expected<WeightStore> store = error("no weights");
    if (!options.weights.empty()) {
      Expected<Checkpoint> checkpoint = Checkpoint::open(options.weights);
      if (!checkpoint)
        return checkpoint.status();
      store = WeightStore::pack(model->plan(), *checkpoint, model->pool(),
                                options.useCache, options.progress);
    } else if (model->plan().weights.empty() ||
               model->artifact().hasPackedWeights()) {
      store = WeightStore::fromArtifact(model->artifact(), model->image(),
                                        model->plan());
    } else {
      return error(model->artifact().path() +
                   ": no embedded weights, expected a folder or random:SEED");
    }
    if (!store)
      return store.status();
    model->store = *std::move(store);
    model->loadTime = std::chrono::duration<double, std::milli>(
                          std::chrono::steady_clock::now() - start)
                          .count();
    return model;
  });
}

} // namespace ssmrt
