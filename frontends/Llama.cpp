//===- Llama.cpp - Readers of llama, mistral, qwen and nemotron -----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Families of attention and MLP in turn, which differ in defaults and in which
// keys they know: one row of a table each.
//
//===----------------------------------------------------------------------===//

#include "dialect/Pattern.h"
#include "frontends/Families.h"

using namespace mlir;
using namespace ssm;

namespace {
/// How a family limits the keys that a token sees.
enum class WindowKeys {
  None,       ///< Not at all.
  AllLayers,  ///< `sliding_window` holds for all layers.
  SomeLayers, ///< `use_sliding_window` and layer_types or max_window_layers.
};

struct DecoderFamily {
  int64_t vocab, hidden, inner, layers, heads;
  std::optional<int64_t> kvHeads; ///< None: as many as heads.
  std::optional<int64_t> headDim; ///< None: hidden / heads.
  const char *epsKey = "rms_norm_eps";
  double eps = 1e-6;
  NormKind norm = NormKind::Rms;
  Activation activation = Activation::Silu;
  bool gated = true;
  RopeDefaults rope = {};
  bool attentionBiasKey = false; ///< `attention_bias` covers q, k, v and o.
  bool mlpBiasKey = false;
  bool queryBias = false; ///< q, k and v have biases, and no key says so.
  bool qkNorm = false;
  WindowKeys windows = WindowKeys::None;
};
} // namespace

static const DecoderFamily &llamaFamily() {
  static const DecoderFamily family = [] {
    DecoderFamily llama{32000, 4096, 11008, 32, 32, std::nullopt, std::nullopt};
    llama.attentionBiasKey = llama.mlpBiasKey = true;
    return llama;
  }();
  return family;
}

static const DecoderFamily &mistralFamily() {
  static const DecoderFamily family = [] {
    DecoderFamily mistral{32000, 4096, 14336, 32, 32, 8, std::nullopt};
    mistral.windows = WindowKeys::AllLayers;
    return mistral;
  }();
  return family;
}

static const DecoderFamily &qwen2Family() {
  static const DecoderFamily family = [] {
    DecoderFamily qwen{151936, 4096, 22016, 32, 32, 32, std::nullopt};
    qwen.queryBias = true;
    qwen.windows = WindowKeys::SomeLayers;
    return qwen;
  }();
  return family;
}

static const DecoderFamily &qwen3Family() {
  static const DecoderFamily family = [] {
    DecoderFamily qwen{151936, 4096, 22016, 32, 32, 32, 128};
    qwen.attentionBiasKey = qwen.qkNorm = true;
    qwen.windows = WindowKeys::SomeLayers;
    return qwen;
  }();
  return family;
}

static const DecoderFamily &nemotronFamily() {
  static const DecoderFamily family = [] {
    DecoderFamily nemotron{256000, 6144,         24576,       32,
                           48,     std::nullopt, std::nullopt};
    nemotron.epsKey = "norm_eps";
    nemotron.eps = 1e-5;
    nemotron.norm = NormKind::Layer1p;
    nemotron.activation = Activation::Relu2;
    nemotron.gated = false;
    nemotron.rope = {/*partialFactor=*/0.5, /*partialKey=*/true};
    nemotron.attentionBiasKey = nemotron.mlpBiasKey = true;
    return nemotron;
  }();
  return family;
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

static constexpr int64_t kDefaultWindow = 4096;

/// `sliding_window`; absent means the default, null none.
static std::optional<int64_t> readWindow(Config &config) {
  if (config.mentions("sliding_window"))
    return config.optionalSize("sliding_window");
  return kDefaultWindow;
}

/// Which layers slide by `layer_types`, or from `max_window_layers` on.
static std::vector<bool> readSliding(Config &config, int64_t layers,
                                     bool isUsed) {
  int64_t first = config.integer("max_window_layers", 0, INT32_MAX, 28);
  std::vector<bool> sliding;
  if (!config.has("layer_types")) {
    for (int64_t i = 0; i < layers; ++i)
      sliding.push_back(isUsed && i >= first);
    return sliding;
  }
  std::string letters = config.take(
      "layer_types", lettersOfWords(config.words("layer_types"), &sliding));
  if (int64_t(letters.size()) != layers)
    config.error() << "\"layer_types\" has " << letters.size()
                   << " layers, contradicts \"num_hidden_layers\": " << layers;
  if (letters.find_first_not_of('*') != std::string::npos ||
      (!isUsed && llvm::is_contained(sliding, true)))
    config.unsupported("layer_types", isUsed ? "full_attention, "
                                               "sliding_attention"
                                             : "full_attention");
  sliding.resize(layers);
  return sliding;
}

/// The window of each layer.
static std::vector<std::optional<int64_t>>
readWindows(Config &config, WindowKeys keys, int64_t layers) {
  if (keys == WindowKeys::None)
    return std::vector<std::optional<int64_t>>(layers);
  std::optional<int64_t> window = readWindow(config);
  if (keys == WindowKeys::AllLayers)
    return std::vector<std::optional<int64_t>>(layers, window);
  config.requireFlag("use_mrope", false);
  bool isUsed = config.flag("use_sliding_window", false) && window;
  std::vector<std::optional<int64_t>> windows;
  for (bool sliding : readSliding(config, layers, isUsed))
    windows.push_back(sliding ? window : std::nullopt);
  return windows;
}

//===----------------------------------------------------------------------===//
// The reader
//===----------------------------------------------------------------------===//

static void readDecoder(Config &config, ModelBuilder &model,
                        const DecoderFamily &family) {
  int64_t hidden = config.size("hidden_size", family.hidden);
  int64_t vocab = config.vocabulary("vocab_size", family.vocab);
  int64_t layers = config.count("num_hidden_layers", family.layers);
  int64_t heads = config.size("num_attention_heads", family.heads);
  int64_t kvHeads = readKvHeads(config, heads, family.kvHeads.value_or(heads));
  int64_t headDim = family.headDim ? config.size("head_dim", *family.headDim)
                                   : readHeadDim(config, hidden, heads);
  bool bias = family.attentionBiasKey && config.flag("attention_bias", false);
  bool mlpBias = family.mlpBiasKey && config.flag("mlp_bias", false);
  bool tied = config.flag("tie_word_embeddings", false);
  double eps = config.number(family.epsKey, family.eps);
  std::optional<Real> qkNormEps;
  if (family.qkNorm)
    qkNormEps = Real(eps);
  auto norm = config.make<NormAttr>(family.norm, Real(eps));
  config.requireFlag("rope_interleaved", false);
  RopeAttr rope = readRope(config, headDim, family.rope);
  auto mlp =
      config.make<MlpAttr>(config.size("intermediate_size", family.inner),
                           config.activation("hidden_act", family.activation),
                           family.gated, mlpBias);
  std::vector<std::optional<int64_t>> windows =
      readWindows(config, family.windows, layers);

  StringRef embed =
      embedPrefix(config, model, tied, StringRef("model.embed_tokens"));
  model.start(config.getReport().name, hidden, vocab, embed);
  for (int64_t i = 0; i < layers; ++i) {
    std::string prefix = "model.layers." + std::to_string(i);
    model.layer(norm, prefix + ".input_layernorm", i);
    model.block(prefix + ".self_attn",
                config.make<AttentionAttr>(heads, kvHeads, headDim,
                                           /*scale=*/kNoNumber, windows[i],
                                           rope, bias || family.queryBias,
                                           /*out_bias=*/bias, qkNormEps,
                                           /*stored_kv_heads=*/kNoSize));
    model.layer(norm, prefix + ".post_attention_layernorm", i);
    model.block(prefix + ".mlp", mlp);
  }
  model.head(headPrefix(tied, embed), norm, "model.norm");
}

void ssm::readLlama(Config &config, ModelBuilder &model) {
  readDecoder(config, model, llamaFamily());
}

void ssm::readMistral(Config &config, ModelBuilder &model) {
  readDecoder(config, model, mistralFamily());
}

void ssm::readQwen2(Config &config, ModelBuilder &model) {
  readDecoder(config, model, qwen2Family());
}

void ssm::readQwen3(Config &config, ModelBuilder &model) {
  readDecoder(config, model, qwen3Family());
}

void ssm::readNemotron(Config &config, ModelBuilder &model) {
  readDecoder(config, model, nemotronFamily());
}
