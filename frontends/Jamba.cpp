//===- Jamba.cpp - Reader of jamba ----------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Pattern.h"
#include "frontends/Families.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm;

static constexpr int64_t kHiddenPerRank = 16;
static constexpr StringLiteral kEmbed = "model.embed_tokens";

static MambaAttr readMixer(Config &config, int64_t hidden, double eps) {
  int64_t inner = config.scaledSize("mamba_expand",
                                    config.number("mamba_expand", 2), hidden);
  return config.make<MambaAttr>(
      inner, config.size("mamba_d_state", 16), config.size("mamba_d_conv", 4),
      config.sizeOrAuto("mamba_dt_rank",
                        llvm::divideCeil(hidden, kHiddenPerRank)),
      config.flag("mamba_conv_bias", true),
      config.flag("mamba_proj_bias", false), std::optional<Real>(Real(eps)),
      /*dt_bc_gain=*/true);
}

static AttentionAttr readAttention(Config &config, int64_t hidden) {
  config.requireNothing("sliding_window", "attention sees all positions");
  int64_t heads = config.size("num_attention_heads", 32);
  int64_t kvHeads = readKvHeads(config, heads, 8);
  return config.make<AttentionAttr>(
      heads, kvHeads, readHeadDim(config, hidden, heads), /*scale=*/kNoNumber,
      /*window=*/kNoSize, /*rope=*/RopeAttr(), /*bias=*/false,
      /*out_bias=*/false, /*qk_norm_eps=*/kNoNumber,
      /*stored_kv_heads=*/kNoSize);
}

/// Letters of the mixers, or of what follows them, by period and offset.
static std::string readPeriod(Config &config, const std::string &name,
                              int64_t layers, int64_t defaultPeriod,
                              int64_t defaultOffset, char letter, char other) {
  std::string periodKey = name + "_layer_period";
  std::string offsetKey = name + "_layer_offset";
  int64_t period = config.size(periodKey.c_str(), defaultPeriod);
  int64_t offset =
      config.integer(offsetKey.c_str(), 0, INT32_MAX, defaultOffset);
  return config.take(offsetKey,
                     lettersByPeriod(layers, period, offset, letter, other));
}

void ssm::readJamba(Config &config, ModelBuilder &model) {
  int64_t hidden = config.size("hidden_size", 4096);
  int64_t vocab = config.vocabulary("vocab_size", 65536);
  int64_t layers = config.count("num_hidden_layers", 32);
  double eps = config.number("rms_norm_eps", 1e-6);
  bool tied = config.flag("tie_word_embeddings", false);
  std::string mixers = readPeriod(config, "attn", layers, 8, 4, '*', 'M');
  std::string others = readPeriod(config, "expert", layers, 2, 1, 'E', '-');
  int64_t expertCount = config.count("num_experts", 16);
  if (expertCount == 1)
    others.assign(layers, '-');

  config.requireWord("hidden_act", {"silu", "swish"});
  MambaAttr mamba = readMixer(config, hidden, eps);
  AttentionAttr attention = readAttention(config, hidden);
  int64_t inner = config.size("intermediate_size", 14336);
  auto mlp = config.make<MlpAttr>(inner, Activation::Silu, /*gated=*/true,
                                  /*bias=*/false);
  int64_t used = config.count("num_experts_per_tok", 2);
  ExpertsAttr experts;
  if (expertCount > 1)
    experts = config.make<ExpertsAttr>(
        expertCount, used, inner, Activation::Silu, StringRef("softmax_all"),
        /*gated=*/true, /*shared_inner=*/int64_t(0), /*groups=*/int64_t(1),
        /*used_groups=*/int64_t(1), /*normalize=*/false, Real(1), kNoSize);
  if (config.failed())
    return;
  if (config.failed())
    return; // the patterns may be empty

  NormAttr norm = rmsNorm(config, eps);
  model.start(config.getReport().name, hidden, vocab, kEmbed);
  for (int64_t i = 0; i < layers; ++i) {
    std::string prefix = "model.layers." + std::to_string(i);
    model.layer(norm, prefix + ".input_layernorm", i);
    if (mixers[i] == '*')
      model.block(prefix + ".self_attn", attention);
    else
      model.block(prefix + ".mamba", mamba);
    model.layer(norm, prefix + ".pre_ff_layernorm", i);
    model.block(prefix + ".feed_forward",
                others[i] == 'E' ? Attribute(experts) : Attribute(mlp));
  }
  model.head(headPrefix(tied, kEmbed), norm, "model.final_layernorm");
}
