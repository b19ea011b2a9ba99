//===- Artifact.h - Compiled models ---------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Plan.h"
#include "runtime/SafeTensors.h"
#include "runtime/Status.h"

#include <memory>
#include <string>
#include <vector>

namespace ssmrt {

/// The version of artifacts, plans and the kernel ABI that this runtime reads.
constexpr int kArtifactVersion = 1;

/// One target's plan and code in an artifact.
struct ArtifactImage {
  std::string target;
  std::string precision;
  std::vector<std::string> features;
  /// PTX for `arch` instead of machine code for a CPU.
  bool isGpu = false;
  GpuArch arch;
  const TensorView *code = nullptr;
  /// For a GPU: the same assembled for `arch`; may be null.
  const TensorView *cubin = nullptr;
  int64_t number = 0; ///< of the keys "plan.<number>", "image.<number>"
};

/// A .ssmx file. Its header was checked, its plans were not yet.
class Artifact {
public:
  static Expected<Artifact> open(const std::string &path);
  static Expected<Artifact> parse(std::shared_ptr<const MappedFile> file);

  const std::string &path() const { return tensors->file().path(); }
  const std::string &modelName() const { return name; }
  /// Hash of the model description: states of other models are refused.
  const std::string &modelHash() const { return hash; }
  const std::vector<ArtifactImage> &images() const { return imageList; }

  /// Reads and checks the plan of an image.
  Expected<Plan> plan(const ArtifactImage &image) const;

  /// A weight that was packed by the compiler: "weights.<image>.<weight>".
  const TensorView *packedWeight(const ArtifactImage &image,
                                 int64_t weight) const;
  bool hasPackedWeights() const;

  /// The text of tokenizer.json, if it was embedded.
  const TensorView *tokenizer() const { return tensors->find("tokenizer"); }

  const MappedFile &file() const { return tensors->file(); }
  const SafeTensors &container() const { return *tensors; }

  /// Index of the best image that this machine's CPU can run, with `precision`
  /// ("auto" accepts any): the one that asks for most features, of equal ones
  /// the first. The failure names what there is.
  Expected<size_t> choose(const std::string &precision) const;

  /// The same of the images for GPUs: the one with the highest architecture
  /// that runs on `chip` (80 for sm_80), of equal ones the first. With `chip` 0
  /// any does, and the first is taken.
  Expected<size_t> chooseGpu(const std::string &precision, int chip) const;
  bool hasGpuImages() const;

private:
  Artifact() = default;

  Status readImages();
  Status noImage(bool forGpu, const std::string &precision,
                 const std::string &unfit) const;

  std::shared_ptr<const SafeTensors> tensors;
  std::string name;
  std::string hash;
  std::vector<ArtifactImage> imageList;
};

} // namespace ssmrt
