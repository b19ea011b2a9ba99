//===- MambaSsm.cpp - Reader of the original mamba_ssm format -------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checkpoints of state-spaces: no model_type, but d_model, n_layer and ssm_cfg,
// whose keys are arguments of the mixer's constructor.
//
//===----------------------------------------------------------------------===//

#include "frontends/Families.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm;

static constexpr double kEps = 1e-5;
static constexpr int64_t kHiddenPerRank = 16;

/// Constructor arguments of both mixers that only initialise or schedule.
static void ignoreInitialisation(Config &mixer) {
  mixer.ignore({"dt_min", "dt_max", "dt_init", "dt_scale", "dt_init_floor",
                "A_init_range", "conv_init", "chunk_size", "use_fast_path",
                "use_mem_eff_path"});
}

static Attribute readMixer1(Config &mixer, int64_t hidden) {
  int64_t inner = mixer.scaledSize("expand", mixer.number("expand", 2), hidden);
  return mixer.make<MambaAttr>(
      inner, mixer.size("d_state", 16), mixer.size("d_conv", 4),
      mixer.sizeOrAuto("dt_rank", llvm::divideCeil(hidden, kHiddenPerRank)),
      mixer.flag("conv_bias", true), mixer.flag("bias", false), kNoNumber,
      /*dt_bc_gain=*/false);
}

static Attribute readMixer2(Config &mixer, int64_t hidden) {
  int64_t inner = mixer.scaledSize("expand", mixer.number("expand", 2), hidden);
  int64_t headDim = mixer.size("headdim", 64);
  if (inner % headDim)
    mixer.error() << "\"headdim\": " << headDim
                  << " does not divide the inner width " << inner;
  mixer.requireEqual("d_ssm", inner, "\"expand\" times \"d_model\"");
  mixer.requireFlag("D_has_hdim", false);
  TimeStepLimit limit = readTimeStepLimit(mixer, "dt_limit");
  bool beforeGate = mixer.flag("norm_before_gate", false);
  GateOrder gate = !mixer.flag("rmsnorm", true) ? GateOrder::NoNorm
                   : beforeGate                 ? GateOrder::BeforeGate
                                                : GateOrder::AfterGate;
  return mixer.make<Mamba2Attr>(
      std::max<int64_t>(inner / headDim, 1), headDim,
      mixer.size("d_state", 128), mixer.size("ngroups", 1),
      mixer.size("d_conv", 4), mixer.flag("conv_bias", true),
      mixer.flag("bias", false), limit.min, limit.max, gate, Real(kEps));
}

void ssm::readMambaSsm(Config &config, ModelBuilder &model) {
  int64_t hidden = config.size("d_model");
  int64_t layers = config.count("n_layer");
  int64_t vocab = llvm::alignTo(config.vocabulary("vocab_size"),
                                config.size("pad_vocab_size_multiple", 8));
  bool tied = config.flag("tie_embeddings", true);
  config.requireFlag("rms_norm", true);
  config.requireNothing("d_intermediate",
                        "an MLP after each mixer is not read in this format");
  config.requireNothing("attn_layer_idx",
                        "attention with a convolution over q, k and v");
  config.ignore({"attn_cfg", "residual_in_fp32"});

  Config mixerConfig = config.object("ssm_cfg");
  constexpr StringLiteral kLayer = "layer";
  mixerConfig.requireWord({kLayer}, {"Mamba1", "Mamba2"});
  Attribute mixer = mixerConfig.word({kLayer}, "Mamba1") == "Mamba2"
                        ? readMixer2(mixerConfig, hidden)
                        : readMixer1(mixerConfig, hidden);
  ignoreInitialisation(mixerConfig);
  mixerConfig.finish();

  NormAttr norm = rmsNorm(config, kEps);
  model.start(config.getReport().name, hidden, vocab, "backbone.embedding");
  for (int64_t i = 0; i < layers; ++i) {
    std::string prefix = "backbone.layers." + std::to_string(i);
    model.layer(norm, prefix + ".norm");
    model.block(prefix + ".mixer", mixer);
  }
  model.head(headPrefix(tied, "backbone.embedding"), norm, "backbone.norm_f");
}
