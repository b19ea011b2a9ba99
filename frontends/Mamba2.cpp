//===- Mamba2.cpp - Reader of mamba2 --------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/Families.h"

using namespace mlir;
using namespace ssm;

void ssm::readMamba2(Config &config, ModelBuilder &model) {
  int64_t hidden = config.size({"hidden_size", "d_model"}, 4096);
  int64_t vocab = config.vocabulary("vocab_size", 32768);
  int64_t layers = config.count({"num_hidden_layers", "n_layer"}, 64);
  double eps = config.number("layer_norm_epsilon", 1e-5);
  bool tied = config.flag("tie_word_embeddings", false);

  int64_t heads = config.size("num_heads", 128);
  int64_t headDim = config.size("head_dim", 64);
  int64_t inner =
      config.scaledSize("expand", config.number("expand", 2), hidden);
  if (heads * headDim != inner)
    config.error() << "\"num_heads\": " << heads
                   << " times \"head_dim\": " << headDim
                   << " contradicts \"expand\" times "
                   << "\"hidden_size\" = " << inner;
  config.requireEqual({"intermediate_size", "d_inner"}, inner,
                      "\"expand\" times \"hidden_size\"");
  TimeStepLimit limit = readTimeStepLimit(config, "time_step_limit");
  auto mixer = config.make<Mamba2Attr>(
      heads, headDim, config.size("state_size", 128),
      config.size("n_groups", 8), config.size("conv_kernel", 4),
      config.flag("use_conv_bias", true), config.flag("use_bias", false),
      limit.min, limit.max, GateOrder::AfterGate, Real(eps));
  config.requireWord("hidden_act", {"silu", "swish"});
  config.requireFlag("rms_norm", true);
  config.requireNothing("ssm_cfg", "other keys say all");
  // Earlier transformers wrote norm_before_gate: true as its default and never
  // read it; the norm follows the gate in every mamba2 checkpoint.
  config.ignore({"norm_before_gate", "residual_in_fp32", "time_step_min",
                 "time_step_rank", "pad_vocab_size_multiple"});

  bool isUnconverted = model.hasTensor("backbone.embedding.weight");
  StringRef embed =
      isUnconverted ? "backbone.embedding" : "backbone.embeddings";
  NormAttr norm = rmsNorm(config, eps);
  model.start(config.getReport().name, hidden, vocab, embed);
  for (int64_t i = 0; i < layers; ++i) {
    std::string prefix = "backbone.layers." + std::to_string(i);
    model.layer(norm, prefix + ".norm");
    model.block(prefix + ".mixer", mixer);
  }
  model.head(headPrefix(tied, embed), norm, "backbone.norm_f");
}
