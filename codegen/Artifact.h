//===- Artifact.h - Compiled models as files ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/cpu/Image.h"
#include "codegen/gpu/Gpu.h"
#include "dialect/Plan.h"

#include <memory>
#include <string>
#include <vector>

namespace ssm {

/// What a compilation makes: one image per target and precision.
struct Artifact {
  /// Code for one target in one precision, and the plan that runs it.
  struct Variant {
    std::string target, precision;
    /// JSON text.
    std::string plan;
    /// Machine code of a CPU, or PTX.
    std::vector<uint8_t> code;
    /// For a GPU: machine code beside the PTX; may be empty.
    std::string cubin;
    /// Packed weights in the order of the plan; empty unless embedded. They lie
    /// in memory that `owner` keeps.
    std::vector<llvm::ArrayRef<char>> weights;
    std::shared_ptr<const void> owner;
  };

  std::string model;
  /// SHA-256 of the description that was compiled, in hexadecimal digits.
  std::string hash;
  int64_t hidden = 0, vocab = 0;
  std::vector<int64_t> endTokens;
  /// Storage of the weight matrices: f32, bf16 or f16.
  std::string weights;
  std::vector<Variant> variants;
  /// Bytes of tokenizer.json; empty without one.
  std::string tokenizer;
};

/// Adds `program`, whose kernels are compiled to `image`.
mlir::LogicalResult addVariant(Artifact &artifact, plan::ProgramOp program,
                               const Image &image);

mlir::LogicalResult addVariant(Artifact &artifact, plan::ProgramOp program,
                               const gpu::Image &image);

/// Packs the weights of the checkpoint in `folder` (or random:SEED) into every
/// variant, so that the artifact runs by itself.
llvm::Error embedWeights(Artifact &artifact, llvm::StringRef folder);

/// Bytes of the file.
std::string artifactBytes(const Artifact &artifact);

/// Writes the file, which appears whole or not at all.
llvm::Error writeArtifact(const Artifact &artifact, llvm::StringRef path);

} // namespace ssm
