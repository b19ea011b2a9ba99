//===- NemotronH.cpp - Reader of nemotron_h -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Pattern.h"
#include "frontends/Families.h"

#include <cmath>

using namespace mlir;
using namespace ssm;

/// The letters of `hybrid_override_pattern`; prediction layers are dropped.
static std::string readOverridePattern(Config &config) {
  constexpr const char *kKey = "hybrid_override_pattern";
  llvm::Expected<LayerPattern> pattern = parsePattern(config.word(kKey, ""));
  if (!pattern)
    return config.take(kKey, pattern.takeError());
  for (const std::string &note : pattern->notes)
    config.note(note);
  if (pattern->predictionDepths)
    config.note(Twine(pattern->predictionDepths) +
                " multi-token prediction layers '" + pattern->prediction +
                "' are left out");
  return pattern->letters;
}

/// The letters by either spelling.
static std::string readLetters(Config &config) {
  bool hasList = config.has("layers_block_type");
  bool hasPattern = config.has("hybrid_override_pattern");
  std::string fromList, fromPattern;
  if (hasList)
    fromList = config.take("layers_block_type",
                           lettersOfWords(config.words("layers_block_type")));
  if (hasPattern)
    fromPattern = readOverridePattern(config);
  if (!hasList && !hasPattern)
    config.error() << "missing \"layers_block_type\" or "
                      "\"hybrid_override_pattern\" (expected the layers)";
  if (hasList && hasPattern && fromList != fromPattern)
    config.error() << "\"layers_block_type\" says " << fromList
                   << ", contradicts \"hybrid_override_pattern\": "
                   << fromPattern;
  return hasList ? fromList : fromPattern;
}

static Mamba2Attr readMixer(Config &config, double eps) {
  bool projBias = config.flag("use_bias", false);
  if (config.flag("mamba_proj_bias", false) && !projBias)
    config.unsupported("mamba_proj_bias", "false, or \"use_bias\": true");
  config.requireWord("mamba_hidden_act", {"silu", "swish"});
  // transformers reads no dt limit here, and its floor of time_step_min holds
  // in prefill only: neither is part of the model as it was trained.
  TimeStepLimit limit =
      readTimeStepLimit(config, {"time_step_limit", "mamba_dt_limit"});
  if (limit.min != 0 || limit.max)
    config.unsupported(config.has("time_step_limit") ? "time_step_limit"
                                                     : "mamba_dt_limit",
                       "[0, Infinity]");
  return config.make<Mamba2Attr>(
      config.size("mamba_num_heads", 128), config.size("mamba_head_dim", 64),
      config.size({"ssm_state_size", "mamba_d_state"}, 128),
      config.size({"n_groups", "mamba_n_groups"}, 8),
      config.size({"conv_kernel", "mamba_d_conv"}, 4),
      config.flag({"use_conv_bias", "mamba_conv_bias"}, true), projBias,
      Real(0), kNoNumber, GateOrder::AfterGate, Real(eps));
}

static AttentionAttr readAttention(Config &config) {
  config.requireFlag("attention_bias", false);
  config.requireNothing("sliding_window", "attention sees all positions");
  int64_t heads = config.size("num_attention_heads", 32);
  int64_t kvHeads = readKvHeads(config, heads, 8);
  int64_t headDim = config.size({"head_dim", "attention_head_dim"}, 128);
  return config.make<AttentionAttr>(
      heads, kvHeads, headDim, /*scale=*/kNoNumber, /*window=*/kNoSize,
      /*rope=*/RopeAttr(), /*bias=*/false, /*out_bias=*/false,
      /*qk_norm_eps=*/kNoNumber, /*stored_kv_heads=*/kNoSize);
}

/// Null if `present` is false: configs carry these keys with defaults that may
/// not fit each other.
static ExpertsAttr readExperts(Config &config, Activation activation,
                               bool present) {
  if (!present) {
    config.ignore({"n_routed_experts", "num_experts_per_tok",
                   "moe_intermediate_size",
                   "moe_shared_expert_intermediate_size", "n_shared_experts",
                   "n_group", "topk_group", "norm_topk_prob",
                   "routed_scaling_factor", "moe_latent_size"});
    return {};
  }
  config.requireNumber("n_shared_experts", 1);
  return config.make<ExpertsAttr>(
      config.count("n_routed_experts", 8),
      config.count("num_experts_per_tok", 2),
      config.size("moe_intermediate_size", 7688), activation,
      StringRef("sigmoid"), /*gated=*/false,
      config.size("moe_shared_expert_intermediate_size", 7688),
      config.count("n_group", 1), config.count("topk_group", 1),
      config.flag("norm_topk_prob", true),
      Real(config.number("routed_scaling_factor", 1)),
      config.optionalSize("moe_latent_size"));
}

void ssm::readNemotronH(Config &config, ModelBuilder &model) {
  int64_t hidden = config.size("hidden_size", 4096);
  int64_t vocab = config.vocabulary("vocab_size", 131072);
  double eps =
      config.number({"layer_norm_epsilon", "rms_norm_eps", "norm_eps"}, 1e-5);
  bool tied = config.flag("tie_word_embeddings", false);
  std::string letters = readLetters(config);
  config.requireEqual("num_hidden_layers", letters.size(),
                      "the number of layers in the pattern");

  Activation activation =
      config.activation("mlp_hidden_act", Activation::Relu2);
  Mamba2Attr mamba = readMixer(config, eps);
  AttentionAttr attention = readAttention(config);
  auto mlp =
      config.make<MlpAttr>(config.size("intermediate_size", 21504), activation,
                           /*gated=*/false, config.flag("mlp_bias", false));
  ExpertsAttr experts =
      readExperts(config, activation, StringRef(letters).contains('E'));
  config.requireWord("mamba_ssm_cache_dtype", {"float32"});
  config.ignorePrefix("mtp_");
  config.ignore({"expand", "mamba_expand", "residual_in_fp32", "time_step_min",
                 "mamba_dt_min", "mamba_dt_max", "mamba_dt_init_floor",
                 "num_nextn_predict_layers", "moe_shared_expert_overlap",
                 "rope_theta", "partial_rotary_factor", "rope_parameters",
                 "rope_scaling"});

  NormAttr norm = rmsNorm(config, eps);
  // In memory, later versions of transformers say "model" for what their files
  // call "backbone"; a saved state_dict has those names.
  std::string root =
      model.hasTensor("model.embeddings.weight") ? "model" : "backbone";
  std::string embeddings = root + ".embeddings";
  StringRef embed = embedPrefix(config, model, tied, StringRef(embeddings));
  model.start(config.getReport().name, hidden, vocab, embed);
  for (auto [i, letter] : llvm::enumerate(letters)) {
    std::string prefix = root + ".layers." + std::to_string(i);
    Attribute mixer = letter == 'M'   ? Attribute(mamba)
                      : letter == '*' ? Attribute(attention)
                      : letter == '-' ? Attribute(mlp)
                                      : Attribute(experts);
    model.layer(norm, prefix + ".norm");
    model.block(prefix + ".mixer", mixer);
  }
  model.head(headPrefix(tied, embed), norm, root + ".norm_f");
}
