//===- Artifact.cpp - Compiled models as files ----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Artifact.h"

#include "codegen/PlanJson.h"
#include "codegen/gpu/KernelPrice.h"
#include "runtime/Artifact.h"
#include "runtime/Checkpoint.h"
#include "runtime/Plan.h"
#include "runtime/SafeTensors.h"
#include "runtime/ThreadPool.h"
#include "runtime/WeightStore.h"

#include "llvm/ADT/StringMap.h"

#include <nlohmann/json.hpp>

using namespace mlir;
using namespace ssm;
using nlohmann::ordered_json;

/// Code is mapped executable, which happens in whole pages.
static constexpr int64_t kPageBytes = 4096;

LogicalResult ssm::addVariant(Artifact &artifact, plan::ProgramOp program,
                              const Image &image) {
  FailureOr<ordered_json> json =
      planToJson(program, [&](StringRef name) -> int64_t {
        const Image::Kernel *kernel = image.find(name);
        return kernel ? kernel->offset : -1;
      });
  if (failed(json))
    return failure();
  for (const ordered_json &kernel : (*json)["kernels"])
    if (kernel["offset"] < 0)
      return program.emitOpError("has no code for kernel '")
             << kernel["name"].get<std::string>() << "'";
  artifact.variants.push_back({program.getTarget().value_or("").str(),
                               program.getPrecision().str(), json->dump(),
                               image.bytes});
  return success();
}

/// Adds to the kernels of a plan what `ssmc inspect --kernels` says of them.
static void describeKernels(plan::ProgramOp program,
                            const ssm::gpu::Image &image, ordered_json &json) {
  llvm::StringMap<ssm::gpu::KernelPrice> prices;
  for (auto kernel : program.getBody().getOps<plan::KernelOp>())
    for (auto variant : kernel.getVariants()->getAsRange<plan::VariantAttr>())
      prices[variant.getName()] = ssm::gpu::priceOf(kernel.getComputation());
  for (ordered_json &kernel : json["kernels"]) {
    std::string name = kernel["name"];
    const ssm::gpu::KernelPrice &price = prices[name];
    kernel["bytes"] = expressionToJson(price.bytes);
    kernel["flop"] = expressionToJson(price.flop);
    if (const ssm::gpu::Image::Kernel *compiled = image.find(name))
      kernel["declared_shared"] = compiled->staticShared;
    for (const ssm::gpu::KernelReport &report : image.reports)
      if (report.name == name)
        kernel["registers"] = report.registers;
  }
}

LogicalResult ssm::addVariant(Artifact &artifact, plan::ProgramOp program,
                              const ssm::gpu::Image &image) {
  FailureOr<ordered_json> json =
      planToJson(program, [](StringRef) -> int64_t { return 0; });
  if (failed(json))
    return failure();
  describeKernels(program, image, *json);
  Artifact::Variant variant;
  variant.target = program.getTarget().value_or("").str();
  variant.precision = program.getPrecision().str();
  variant.plan = json->dump();
  variant.code.assign(image.ptx.begin(), image.ptx.end());
  variant.cubin = image.cubin;
  artifact.variants.push_back(std::move(variant));
  return success();
}

/// What is common to all variants, as JSON text.
static std::string manifestOf(const Artifact &artifact) {
  ordered_json images = ordered_json::array();
  for (const Artifact::Variant &variant : artifact.variants)
    images.push_back(
        {{"target", variant.target}, {"precision", variant.precision}});
  ordered_json manifest = {
      {"model", artifact.model},        {"hash", artifact.hash},
      {"abi", ssmrt::kArtifactVersion}, {"hidden", artifact.hidden},
      {"vocab", artifact.vocab},        {"end_tokens", artifact.endTokens},
      {"weights", artifact.weights},    {"images", images}};
  return manifest.dump();
}

/// Lays out the file; the bytes stay those of `artifact`.
static ssmrt::SafeTensorsWriter layOut(const Artifact &artifact) {
  ssmrt::SafeTensorsWriter writer;
  writer.setMetadata("format", "ssmc-artifact");
  writer.setMetadata("version", std::to_string(ssmrt::kArtifactVersion));
  writer.setMetadata("manifest", manifestOf(artifact));
  for (auto [index, variant] : llvm::enumerate(artifact.variants)) {
    writer.setMetadata("plan." + std::to_string(index), variant.plan);
    writer.add("image." + std::to_string(index), ssmrt::DType::U8,
               {int64_t(variant.code.size())}, variant.code.data(), kPageBytes);
    if (!variant.cubin.empty())
      writer.add("cubin." + std::to_string(index), ssmrt::DType::U8,
                 {int64_t(variant.cubin.size())}, variant.cubin.data());
    for (auto [number, weight] : llvm::enumerate(variant.weights))
      writer.add("weights." + std::to_string(index) + "." +
                     std::to_string(number),
                 ssmrt::DType::U8, {int64_t(weight.size())}, weight.data());
  }
  if (!artifact.tokenizer.empty())
    writer.add("tokenizer", ssmrt::DType::U8,
               {int64_t(artifact.tokenizer.size())}, artifact.tokenizer.data());
  return writer;
}

llvm::Error ssm::embedWeights(Artifact &artifact, StringRef folder) {
  ssmrt::Expected<ssmrt::Checkpoint> checkpoint =
      ssmrt::Checkpoint::open(folder.str());
  if (!checkpoint)
    return llvm::createStringError(checkpoint.status().message);
  ssmrt::ThreadPool pool(ssmrt::defaultThreadCount());
  for (Artifact::Variant &variant : artifact.variants) {
    ssmrt::Expected<ssmrt::Plan> plan =
        ssmrt::Plan::parse(variant.plan, artifact.model);
    if (!plan)
      return llvm::createStringError(plan.status().message);
    ssmrt::Expected<ssmrt::WeightStore> packed = ssmrt::WeightStore::pack(
        *plan, *checkpoint, pool, /*useCache=*/false, /*progress=*/nullptr);
    if (!packed)
      return llvm::createStringError(packed.status().message);
    auto store = std::make_shared<ssmrt::WeightStore>(std::move(*packed));
    for (auto [index, weight] : llvm::enumerate(plan->weights))
      variant.weights.push_back(
          {static_cast<const char *>(store->weight(int64_t(index))),
           size_t(weight.layout.bytes())});
    variant.owner = store;
  }
  return llvm::Error::success();
}

std::string ssm::artifactBytes(const Artifact &artifact) {
  return layOut(artifact).toBytes();
}

llvm::Error ssm::writeArtifact(const Artifact &artifact, StringRef path) {
  ssmrt::Status status = layOut(artifact).write(path.str());
  if (status)
    return llvm::Error::success();
  return llvm::createStringError(status.message);
}
