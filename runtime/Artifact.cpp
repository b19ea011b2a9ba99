//===- Artifact.cpp - Compiled models -------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Artifact.h"
#include "runtime/Checked.h"
#include "runtime/CpuFeatures.h"
#include "runtime/Guarded.h"
#include "runtime/Json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ssmrt {

namespace {

constexpr std::string_view kFormat = "ssmc-artifact";

/// Appends `word` to a list for a message unless it is there.
void addWord(std::string &list, const std::string &word) {
  if ((", " + list + ", ").find(", " + word + ", ") == std::string::npos)
    list += (list.empty() ? "" : ", ") + word;
}

} // namespace

Expected<Artifact> Artifact::open(const std::string &path) {
  Expected<std::shared_ptr<const MappedFile>> file = MappedFile::open(path);
  if (!file)
    return file.status();
  return parse(*std::move(file));
}

Expected<Artifact> Artifact::parse(std::shared_ptr<const MappedFile> file) {
  return guarded([&]() -> Expected<Artifact> {
    Expected<SafeTensors> tensors = SafeTensors::parse(std::move(file));
    if (!tensors)
      return tensors.status();
    Artifact artifact;
    artifact.tensors = std::make_shared<const SafeTensors>(*std::move(tensors));
    const std::string &path = artifact.path();
    const std::string *format = artifact.tensors->findMetadata("format");
    if (!format || *format != kFormat)
      return error(path + ": not an artifact of ssmc compile");
    const std::string *version = artifact.tensors->findMetadata("version");
    if (!version || *version != std::to_string(kArtifactVersion))
      return error(path + ": artifact version, got " +
                   (version ? *version : "none") + ", supported " +
                   std::to_string(kArtifactVersion));
    if (Status status = artifact.readImages(); !status)
      return status;
    return artifact;
  });
}

Status Artifact::readImages() {
  const std::string *manifestText = tensors->findMetadata("manifest");
  if (!manifestText)
    return error(path() + ": missing manifest");
  Expected<Json> manifest = parseJson(*manifestText, path() + ": manifest");
  if (!manifest)
    return manifest.status();
  JsonErrors errors;
  JsonReader root(*manifest, errors, path() + ": manifest");
  name = root.field("model").string();
  hash = root.field("hash").string();
  root.field("abi").integer(kArtifactVersion, kArtifactVersion);
  for (int64_t number = 0;; ++number) {
    const std::string suffix = std::to_string(number);
    const std::string *planText = tensors->findMetadata("plan." + suffix);
    if (!planText)
      break;
    Expected<Json> plan = parseJson(*planText, path() + ": plan." + suffix);
    if (!plan)
      return plan.status();
    JsonReader header(*plan, errors, path() + ": plan." + suffix);
    ArtifactImage image;
    image.number = number;
    image.target = header.field("target").string();
    image.precision = header.field("precision").string();
    image.isGpu =
        header.has("device") && header.field("device").string() == "cuda";
    if (image.isGpu) {
      image.arch =
          GpuArch::parse(header.field("arch").string()).value_or(GpuArch{});
      image.cubin = tensors->find("cubin." + suffix);
    }
    const JsonReader features = header.field("features");
    for (size_t i = 0, end = features.size(); i < end; ++i)
      image.features.push_back(features.at(i).string());
    image.code = tensors->find("image." + suffix);
    if (!image.code || image.code->type != DType::U8)
      header.fail("missing tensor image." + suffix + " of type U8");
    imageList.push_back(std::move(image));
  }
  if (imageList.empty())
    root.fail("no plan, expected plan.0");
  return errors.status();
}

Expected<Plan> Artifact::plan(const ArtifactImage &image) const {
  const std::string key = "plan." + std::to_string(image.number);
  Expected<Plan> plan =
      Plan::parse(*tensors->findMetadata(key), path() + ": " + key);
  if (!plan)
    return plan;
  for (const PlanKernel &kernel : plan->kernels)
    if (!image.isGpu && kernel.offset >= image.code->bytes)
      return error(path() + ": " + key + ": offset of kernel '" + kernel.name +
                   "', got " + std::to_string(kernel.offset) +
                   " in an image of " + std::to_string(image.code->bytes) +
                   " bytes");
  return plan;
}

const TensorView *Artifact::packedWeight(const ArtifactImage &image,
                                         int64_t weight) const {
  return tensors->find("weights." + std::to_string(image.number) + "." +
                       std::to_string(weight));
}

bool Artifact::hasPackedWeights() const {
  auto first = tensors->tensors().lower_bound("weights.");
  return first != tensors->tensors().end() &&
         first->first.rfind("weights.", 0) == 0;
}

Status Artifact::noImage(bool forGpu, const std::string &precision,
                         const std::string &unfit) const {
  if (!unfit.empty())
    return error(path() + ": no image for this machine: " + unfit);
  std::string targets, precisions;
  for (const ArtifactImage &image : imageList) {
    addWord(targets, image.target);
    if (image.isGpu == forGpu)
      addWord(precisions, image.precision);
  }
  if (precisions.empty())
    return error(path() + ": no image for a " + (forGpu ? "GPU" : "CPU") +
                 ", got " + targets);
  return error(path() + ": precision, got " + precision + ", supported " +
               precisions);
}

Expected<size_t> Artifact::choose(const std::string &precision) const {
  std::string unfit;
  size_t best = imageList.size();
  for (size_t i = 0; i < imageList.size(); ++i) {
    const ArtifactImage &image = imageList[i];
    if (image.isGpu || (precision != "auto" && precision != image.precision))
      continue;
    const std::string feature = firstMissingFeature(image.features);
    if (!feature.empty()) {
      addWord(unfit, image.target + " needs " + feature);
      continue;
    }
    if (best == imageList.size() ||
        image.features.size() > imageList[best].features.size())
      best = i;
  }
  if (best < imageList.size())
    return best;
  return noImage(/*forGpu=*/false, precision, unfit);
}

Expected<size_t> Artifact::chooseGpu(const std::string &precision,
                                     int chip) const {
  std::string unfit;
  size_t best = imageList.size();
  for (size_t i = 0; i < imageList.size(); ++i) {
    const ArtifactImage &image = imageList[i];
    if (!image.isGpu || (precision != "auto" && precision != image.precision))
      continue;
    if (chip > 0 && !image.arch.runsOn(chip)) {
      addWord(unfit,
              image.target + " does not run on sm_" + std::to_string(chip));
      continue;
    }
    if (best == imageList.size() ||
        (chip > 0 && image.arch.number > imageList[best].arch.number))
      best = i;
  }
  if (best < imageList.size())
    return best;
  return noImage(/*forGpu=*/true, precision, unfit);
}

bool Artifact::hasGpuImages() const {
  return std::any_of(imageList.begin(), imageList.end(),
                     [](const ArtifactImage &image) { return image.isGpu; });
}

} // namespace ssmrt
