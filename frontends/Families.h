//===- Families.h - Readers of Hugging Face model families ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One reader per family: it reads the family's keys and builds the model. The
// keys that all families share (model_type, dtype, end tokens) are read by
// HuggingFace.cpp, which also checks that no key is left over.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "frontends/Config.h"
#include "frontends/ModelBuilder.h"

namespace ssm {

using FamilyReader = void (*)(Config &config, ModelBuilder &model);

void readMamba(Config &config, ModelBuilder &model);
void readFalconMamba(Config &config, ModelBuilder &model);
void readMamba2(Config &config, ModelBuilder &model);
void readMambaSsm(Config &config, ModelBuilder &model);
void readNemotronH(Config &config, ModelBuilder &model);
void readLlama(Config &config, ModelBuilder &model);
void readMistral(Config &config, ModelBuilder &model);
void readQwen2(Config &config, ModelBuilder &model);
void readQwen3(Config &config, ModelBuilder &model);
void readNemotron(Config &config, ModelBuilder &model);
void readBamba(Config &config, ModelBuilder &model);
void readFalconH1(Config &config, ModelBuilder &model);
void readGraniteMoeHybrid(Config &config, ModelBuilder &model);
void readJamba(Config &config, ModelBuilder &model);

//===----------------------------------------------------------------------===//
// Shared by readers
//===----------------------------------------------------------------------===//

/// What a family says about rotary positions beyond the keys.
struct RopeDefaults {
  double partialFactor = 1;
  /// Whether a config may set `partial_rotary_factor` to anything else.
  bool partialKey = false;
};

/// Reads rope_parameters, or rope_theta with rope_scaling.
RopeAttr readRope(Config &config, int64_t headDim, RopeDefaults defaults = {});

/// The clamp of dt: `max` is none for infinity.
struct TimeStepLimit {
  Real min;
  std::optional<Real> max;
};
TimeStepLimit readTimeStepLimit(Config &config, const Keys &keys);

/// The width of one head: `head_dim`, or hidden / heads.
int64_t readHeadDim(Config &config, int64_t hidden, int64_t heads);

/// num_key_value_heads: absent `fallback`, null as many as `heads`.
int64_t readKvHeads(Config &config, int64_t heads, int64_t fallback);

/// The norm of the families without special ones.
NormAttr rmsNorm(Config &config, double eps);

/// The prefix of the output matrix.
llvm::StringRef headPrefix(bool tied, llvm::StringRef embedPrefix);

/// The prefix of the embedding: the first of `names` that the files hold, or
/// the head's where a tied model was saved with that alone.
llvm::StringRef embedPrefix(Config &config, const ModelBuilder &model,
                            bool tied, llvm::ArrayRef<llvm::StringRef> names);

/// What mamba, falcon_mamba and mamba2 share: every layer is a norm and the
/// same mixer.
struct Backbone {
  int64_t hidden, vocab, layers;
  bool tied;
  double eps = 1e-5;
};
/// Reads the shared keys; `defaults` are the family's.
Backbone readBackbone(Config &config, const Backbone &defaults);
void buildBackbone(Config &config, ModelBuilder &model,
                   const Backbone &backbone, mlir::Attribute mixer);

/// What differs between the families that spell Mamba-2 as `mamba_*`.
struct PrefixedMamba2 {
  int64_t inner;
  bool projBias;
  GateOrder gate = GateOrder::AfterGate;
  double normEps;
};
/// Reads mamba_n_heads, mamba_d_head and the rest, where heads * head_dim is
/// `inner`.
Mamba2Attr readPrefixedMamba2(Config &config, const PrefixedMamba2 &family);

} // namespace ssm
