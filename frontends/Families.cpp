//===- Families.cpp - What readers of families share ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/Families.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace ssm;

static constexpr double kDefaultTheta = 10000;
static constexpr int64_t kMaxPositions = int64_t(1) << 40;

/// Reads the kind of frequencies and its factors from `scaling`.
static RopeAttr readFrequencies(Config &config, Config &scaling, int64_t dims,
                                double theta) {
  Keys typeKeys = {"rope_type", "type"};
  std::string type = scaling.word(typeKeys, "default");
  // Defaults of the attribute for what only llama3 uses.
  Real one(1), low(1), high(4);
  int64_t original = 8192;
  if (type == "default")
    return config.make<RopeAttr>(RopeKind::Default, dims, Real(theta), one, low,
                                 high, original);
  if (type == "linear")
    return config.make<RopeAttr>(RopeKind::Linear, dims, Real(theta),
                                 Real(scaling.number("factor")), low, high,
                                 original);
  if (type != "llama3") {
    scaling.unsupported(scaling.has("rope_type") ? "rope_type" : "type",
                        "default, linear, llama3");
    return {};
  }
  Real factor(scaling.number("factor"));
  low = Real(scaling.number("low_freq_factor"));
  high = Real(scaling.number("high_freq_factor"));
  constexpr const char *kOriginal = "original_max_position_embeddings";
  original = scaling.has(kOriginal)
                 ? scaling.integer(kOriginal, 1, kMaxPositions, std::nullopt)
                 : config.integer("max_position_embeddings", 1, kMaxPositions,
                                  std::nullopt);
  return config.make<RopeAttr>(RopeKind::Llama3, dims, Real(theta), factor, low,
                               high, original);
}

RopeAttr ssm::readRope(Config &config, int64_t headDim, RopeDefaults defaults) {
  bool hasParameters = config.has("rope_parameters");
  bool hasScaling = config.has("rope_scaling");
  if (hasParameters && hasScaling)
    config.error() << "\"rope_scaling\" contradicts \"rope_parameters\"";
  Config parameters = config.object("rope_parameters");
  Config scaling = config.object("rope_scaling");

  double theta = config.number("rope_theta", kDefaultTheta);
  if (parameters.has("rope_theta")) {
    double inner = parameters.number("rope_theta");
    if (config.has("rope_theta") && inner != theta)
      config.error() << "\"rope_theta\": " << theta
                     << " contradicts \"rope_parameters\": " << inner;
    theta = inner;
  }
  double partial = parameters.number(
      "partial_rotary_factor",
      config.number("partial_rotary_factor", defaults.partialFactor));
  if (!defaults.partialKey && partial != defaults.partialFactor)
    (parameters.has("partial_rotary_factor") ? parameters : config)
        .unsupported("partial_rotary_factor",
                     llvm::formatv("{0}", defaults.partialFactor).str());
  int64_t dims = config.scaledSize("partial_rotary_factor", partial, headDim);
  RopeAttr rope = readFrequencies(config, hasParameters ? parameters : scaling,
                                  dims, theta);
  if (config.failed())
    return {};
  parameters.finish();
  scaling.finish();
  return rope;
}

TimeStepLimit ssm::readTimeStepLimit(Config &config, const Keys &keys) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<double> limit = config.numbers(keys, 2, {0, kInfinity});
  if (!(limit[0] >= 0) || !(limit[1] >= limit[0]) || std::isinf(limit[0]))
    config.unsupported(keys.names.front(), "[low, high] with 0 <= low <= high");
  if (std::isinf(limit[1]))
    return {Real(limit[0]), std::nullopt};
  return {Real(limit[0]), Real(limit[1])};
}

int64_t ssm::readHeadDim(Config &config, int64_t hidden, int64_t heads) {
  if (std::optional<int64_t> headDim = config.optionalSize("head_dim"))
    return *headDim;
  if (hidden % heads)
    config.error() << "missing \"head_dim\": \"hidden_size\" " << hidden
                   << " is not divisible by \"num_attention_heads\" " << heads;
  return std::max<int64_t>(hidden / heads, 1);
}

int64_t ssm::readKvHeads(Config &config, int64_t heads, int64_t fallback) {
  constexpr StringLiteral kKey = "num_key_value_heads";
  if (config.mentions(kKey) && !config.has({kKey}))
    fallback = heads;
  return config.size({kKey}, fallback);
}

NormAttr ssm::rmsNorm(Config &config, double eps) {
  return config.make<NormAttr>(NormKind::Rms, Real(eps));
}

StringRef ssm::headPrefix(bool tied, StringRef embedPrefix) {
  return tied ? embedPrefix : "lm_head";
}

StringRef ssm::embedPrefix(Config &config, const ModelBuilder &model, bool tied,
                           ArrayRef<StringRef> names) {
  auto isThere = [&](StringRef prefix) {
    return model.hasTensor((prefix + ".weight").str());
  };
  const StringRef *found = llvm::find_if(names, isThere);
  if (found != names.end())
    return *found;
  StringRef head = headPrefix(/*tied=*/false, "");
  if (!tied || !isThere(head))
    return names.front();
  config.note("the embedding is read from " + head + ".weight, its only copy");
  return head;
}

Backbone ssm::readBackbone(Config &config, const Backbone &defaults) {
  Backbone backbone;
  backbone.hidden = config.size({"hidden_size", "d_model"}, defaults.hidden);
  backbone.vocab = config.vocabulary("vocab_size", defaults.vocab);
  backbone.layers =
      config.count({"num_hidden_layers", "n_layer"}, defaults.layers);
  backbone.tied = config.flag("tie_word_embeddings", defaults.tied);
  backbone.eps = config.number("layer_norm_epsilon", defaults.eps);
  config.requireWord("hidden_act", {"silu", "swish"});
  config.requireFlag("rms_norm", true);
  config.requireNothing("ssm_cfg", "other keys say all");
  config.ignore(
      {"residual_in_fp32", "time_step_min", "pad_vocab_size_multiple"});
  return backbone;
}

void ssm::buildBackbone(Config &config, ModelBuilder &model,
                        const Backbone &backbone, Attribute mixer) {
  // Unconverted files say "embedding".
  StringRef embed = embedPrefix(config, model, backbone.tied,
                                {"backbone.embeddings", "backbone.embedding"});
  NormAttr norm = rmsNorm(config, backbone.eps);
  model.start(config.getReport().name, backbone.hidden, backbone.vocab, embed);
  for (int64_t i = 0; i < backbone.layers; ++i) {
    std::string prefix = "backbone.layers." + std::to_string(i);
    model.layer(norm, prefix + ".norm");
    model.block(prefix + ".mixer", mixer);
  }
  model.head(headPrefix(backbone.tied, embed), norm, "backbone.norm_f");
}

Mamba2Attr ssm::readPrefixedMamba2(Config &config,
                                   const PrefixedMamba2 &family) {
  int64_t heads = config.size("mamba_n_heads", 128);
  if (family.inner % heads)
    config.error() << "\"mamba_n_heads\": " << heads
                   << " does not divide the inner width " << family.inner;
  int64_t headDim = config.sizeOrAuto(
      "mamba_d_head", std::max<int64_t>(family.inner / heads, 1));
  if (heads * headDim != family.inner)
    config.error() << "\"mamba_n_heads\": " << heads
                   << " times \"mamba_d_head\": " << headDim
                   << " contradicts the inner width " << family.inner;
  TimeStepLimit limit = readTimeStepLimit(config, "time_step_limit");
  return config.make<Mamba2Attr>(
      heads, headDim, config.size("mamba_d_state", 256),
      config.size("mamba_n_groups", 1), config.size("mamba_d_conv", 4),
      config.flag("mamba_conv_bias", true), family.projBias, limit.min,
      limit.max, family.gate, Real(family.normEps));
}
