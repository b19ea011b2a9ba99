//===- Hybrids.cpp - Readers of bamba, falcon_h1 and granitemoehybrid -----===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Families that put an MLP or experts after every mixer and spell Mamba-2 as
// `mamba_*`.
//
//===----------------------------------------------------------------------===//

#include "dialect/Pattern.h"
#include "frontends/Families.h"

#include <cmath>

using namespace mlir;
using namespace ssm;

static constexpr StringLiteral kEmbed = "model.embed_tokens";

static int64_t readExpandedInner(Config &config, int64_t hidden) {
  return config.scaledSize("mamba_expand", config.number("mamba_expand", 2),
                           hidden);
}

/// A gated MLP by the keys of most families.
static MlpAttr readGatedMlp(Config &config, int64_t inner) {
  return config.make<MlpAttr>(config.size("intermediate_size", inner),
                              config.activation("hidden_act", Activation::Silu),
                              /*gated=*/true, config.flag("mlp_bias", false));
}

/// The convolution and the gate of the mixers follow hidden_act.
static void requireSiluMixer(Config &config) {
  config.requireWord("hidden_act", {"silu", "swish"});
}

//===----------------------------------------------------------------------===//
// bamba
//===----------------------------------------------------------------------===//

void ssm::readBamba(Config &config, ModelBuilder &model) {
  int64_t hidden = config.size("hidden_size", 4096);
  int64_t vocab = config.vocabulary("vocab_size", 128000);
  int64_t layers = config.count("num_hidden_layers", 32);
  double eps = config.number("rms_norm_eps", 1e-5);
  bool tied = config.flag("tie_word_embeddings", false);
  std::string letters = config.take(
      "attn_layer_indices",
      lettersAtIndices(layers, config.integers("attn_layer_indices")));
  if (config.has("layers_block_type") &&
      config.take("layers_block_type",
                  lettersOfWords(config.words("layers_block_type"))) != letters)
    config.error() << "\"layers_block_type\" contradicts "
                      "\"attn_layer_indices\"";

  requireSiluMixer(config);
  Mamba2Attr mamba =
      readPrefixedMamba2(config, {readExpandedInner(config, hidden),
                                  config.flag("mamba_proj_bias", false),
                                  GateOrder::AfterGate, eps});
  int64_t heads = config.size("num_attention_heads", 32);
  int64_t kvHeads = readKvHeads(config, heads, 8);
  int64_t headDim = readHeadDim(config, hidden, heads);
  RopeAttr rope = readRope(config, headDim, {/*partialFactor=*/0.5});
  if (rope)
    config.requireEqual("attn_rotary_emb", rope.getDims(),
                        "half of the head dimension");
  bool bias = config.flag("attention_bias", false);
  auto attention = config.make<AttentionAttr>(
      heads, kvHeads, headDim,
      /*scale=*/kNoNumber,
      /*window=*/kNoSize, rope, bias, bias,
      /*qk_norm_eps=*/kNoNumber, /*stored_kv_heads=*/kNoSize);
  MlpAttr mlp = readGatedMlp(config, 14336);
  config.ignore({"time_step_min"});

  NormAttr norm = rmsNorm(config, eps);
  model.start(config.getReport().name, hidden, vocab, kEmbed);
  for (auto [i, letter] : llvm::enumerate(letters)) {
    std::string prefix = "model.layers." + std::to_string(i);
    model.layer(norm, prefix + ".input_layernorm", i);
    if (letter == '*')
      model.block(prefix + ".self_attn", attention);
    else
      model.block(prefix + ".mamba", mamba);
    model.layer(norm, prefix + ".pre_ff_layernorm", i);
    model.block(prefix + ".feed_forward", mlp);
  }
  model.head(headPrefix(tied, kEmbed), norm, "model.final_layernorm");
}

//===----------------------------------------------------------------------===//
// falcon_h1
//===----------------------------------------------------------------------===//

/// Multipliers inside a block, which the block form has no place for.
static void requireOnes(Config &config, const char *key, size_t length) {
  for (double value :
       config.numbers(key, length, std::vector<double>(length, 1.0)))
    if (value != 1)
      return config.unsupported(key, "ones");
}

/// The MLP's multipliers: on the gate, which must be 1, and on the output.
static double readMlpMultiplier(Config &config) {
  std::vector<double> multipliers =
      config.numbers("mlp_multipliers", 2, {1.0, 1.0});
  if (multipliers[0] != 1 || !std::isfinite(multipliers[1]))
    config.unsupported("mlp_multipliers", "[1.0, any number]");
  return multipliers[1];
}

static Mamba2Attr readFalconMixer(Config &config, int64_t hidden, double eps) {
  bool bias = config.flag("mamba_proj_bias", false);
  if (bias != config.flag("projectors_bias", false))
    config.unsupported("projectors_bias", "the same as \"mamba_proj_bias\"");
  bool beforeGate = config.flag("mamba_norm_before_gate", true);
  GateOrder gate = !config.flag("mamba_rms_norm", false) ? GateOrder::NoNorm
                   : beforeGate                          ? GateOrder::BeforeGate
                                                         : GateOrder::AfterGate;
  int64_t inner;
  if (config.mentions("mamba_d_ssm") && !config.has("mamba_d_ssm")) {
    config.optionalSize("mamba_d_ssm");
    inner = readExpandedInner(config, hidden);
  } else {
    inner = config.size("mamba_d_ssm", 1024);
    config.ignore({"mamba_expand"});
  }
  requireOnes(config, "ssm_multipliers", 5);
  return readPrefixedMamba2(config, {inner, bias, gate, eps});
}

static AttentionAttr readFalconAttention(Config &config, int64_t hidden) {
  int64_t heads = config.size("num_attention_heads", 32);
  int64_t kvHeads = readKvHeads(config, heads, 8);
  int64_t headDim = readHeadDim(config, hidden, heads);
  bool bias = config.flag("attention_bias", false);
  // Keys times m before RoPE is scores times m.
  double keyMultiplier = config.number("key_multiplier", 1);
  std::optional<Real> scale;
  if (keyMultiplier != 1)
    scale = Real(keyMultiplier / std::sqrt(double(headDim)));
  return config.make<AttentionAttr>(
      heads, kvHeads, headDim, scale,
      /*window=*/kNoSize, readRope(config, headDim), bias, bias,
      /*qk_norm_eps=*/kNoNumber, /*stored_kv_heads=*/kNoSize);
}

void ssm::readFalconH1(Config &config, ModelBuilder &model) {
  int64_t hidden = config.size("hidden_size", 4096);
  int64_t vocab = config.vocabulary("vocab_size", 128000);
  int64_t layers = config.count("num_hidden_layers", 32);
  double eps = config.number("rms_norm_eps", 1e-5);
  bool tied = config.flag("tie_word_embeddings", false);
  requireSiluMixer(config);
  Mamba2Attr mamba = readFalconMixer(config, hidden, eps);
  AttentionAttr attention = readFalconAttention(config, hidden);
  MlpAttr mlp = readGatedMlp(config, 14336);
  double mlpMultiplier = readMlpMultiplier(config);
  double ssmIn = config.number("ssm_in_multiplier", 1);
  double ssmOut = config.number("ssm_out_multiplier", 1);
  double attentionIn = config.number("attention_in_multiplier", 1);
  double attentionOut = config.number("attention_out_multiplier", 1);
  config.requireFlag("mamba_use_mlp", true);
  config.requireNothing("attn_layer_indices", "attention in every layer");
  config.ignore({"mlp_expansion_factor", "time_step_min"});

  NormAttr norm = rmsNorm(config, eps);
  model.start(config.getReport().name, hidden, vocab, kEmbed,
              config.number("embedding_multiplier", 1));
  for (int64_t i = 0; i < layers; ++i) {
    std::string prefix = "model.layers." + std::to_string(i);
    model.layer(norm, prefix + ".input_layernorm", i);
    model.block(prefix + ".mamba", mamba, ssmIn, ssmOut);
    model.block(prefix + ".self_attn", attention, attentionIn, attentionOut);
    model.layer(norm, prefix + ".pre_ff_layernorm", i);
    model.block(prefix + ".feed_forward", mlp, 1, mlpMultiplier);
  }
  model.head(headPrefix(tied, kEmbed), norm, "model.final_layernorm",
             config.number("lm_head_multiplier", 1));
}

//===----------------------------------------------------------------------===//
// granitemoehybrid
//===----------------------------------------------------------------------===//

static std::string readGraniteLetters(Config &config, int64_t layers) {
  Keys keys = {"layer_types", "layers_block_type"};
  if (!config.has(keys))
    return std::string(layers, 'M');
  StringRef key =
      config.has("layer_types") ? "layer_types" : "layers_block_type";
  std::string letters = config.take(key, lettersOfWords(config.words(keys)));
  if (letters.find_first_not_of("M*") != std::string::npos)
    config.unsupported(key, "linear_attention, mamba, full_attention, "
                            "attention");
  if (int64_t(letters.size()) != layers)
    config.error() << "\"" << key << "\" has " << letters.size()
                   << " layers, contradicts \"num_hidden_layers\": " << layers;
  return letters;
}

static AttentionAttr readGraniteAttention(Config &config, int64_t hidden) {
  int64_t heads = config.size("num_attention_heads", 32);
  int64_t kvHeads = readKvHeads(config, heads, heads);
  int64_t headDim = readHeadDim(config, hidden, heads);
  bool bias = config.flag("attention_bias", false);
  // Read even where unused, so that its keys are known and checked.
  RopeAttr rope = readRope(config, headDim);
  if (config.word("position_embedding_type", "nope") != "rope")
    rope = {};
  config.requireWord("position_embedding_type", {"rope", "nope"});
  return config.make<AttentionAttr>(
      heads, kvHeads, headDim,
      std::optional<Real>(Real(config.number("attention_multiplier", 1))),
      /*window=*/kNoSize, rope, bias, bias,
      /*qk_norm_eps=*/kNoNumber, /*stored_kv_heads=*/kNoSize);
}

void ssm::readGraniteMoeHybrid(Config &config, ModelBuilder &model) {
  int64_t hidden = config.size("hidden_size", 4096);
  int64_t vocab = config.vocabulary("vocab_size", 32000);
  int64_t layers = config.count("num_hidden_layers", 32);
  double eps = config.number("rms_norm_eps", 1e-6);
  bool tied = config.flag("tie_word_embeddings", false);
  std::string letters = readGraniteLetters(config, layers);
  requireSiluMixer(config);
  Mamba2Attr mamba =
      readPrefixedMamba2(config, {readExpandedInner(config, hidden),
                                  config.flag("mamba_proj_bias", false),
                                  GateOrder::AfterGate, eps});
  AttentionAttr attention = readGraniteAttention(config, hidden);
  // A dense model stores gate and up of its MLP fused, which the mlp block
  // does not; `count` refuses its 0 experts.
  auto experts = config.make<ExpertsAttr>(
      config.count("num_local_experts", 8),
      config.count("num_experts_per_tok", 2),
      config.size("intermediate_size", 11008), Activation::Silu,
      StringRef("softmax_chosen"), /*gated=*/true,
      config.size("shared_intermediate_size", 1024), /*groups=*/int64_t(1),
      /*used_groups=*/int64_t(1), /*normalize=*/true, Real(1), kNoSize);
  config.requireWord("normalization_function", {"rmsnorm"});
  double residual = config.number("residual_multiplier", 1);
  double scaling = config.number("logits_scaling", 1);
  if (scaling == 0)
    config.unsupported("logits_scaling", "a number but 0");
  config.ignore({"time_step_min"});

  NormAttr norm = rmsNorm(config, eps);
  model.start(config.getReport().name, hidden, vocab, kEmbed,
              config.number("embedding_multiplier", 1));
  for (auto [i, letter] : llvm::enumerate(letters)) {
    std::string prefix = "model.layers." + std::to_string(i);
    model.layer(norm, prefix + ".input_layernorm", i, residual);
    if (letter == '*')
      model.block(prefix + ".self_attn", attention);
    else
      model.block(prefix + ".mamba", mamba);
    model.layer(norm, prefix + ".post_attention_layernorm", i, residual);
    model.block(prefix, experts);
  }
  model.head(headPrefix(tied, kEmbed), norm, "model.norm", 1 / scaling);
}
