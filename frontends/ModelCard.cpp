//===- ModelCard.cpp - Reader of model cards ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/ModelCard.h"
#include "dialect/Pattern.h"
#include "frontends/ModelBuilder.h"

#include "llvm/ADT/StringExtras.h"
#include <nlohmann/json.hpp>

#include <map>

using namespace mlir;
using namespace ssm;

static constexpr const char *kFormat = "ssmc-model-card";
static constexpr int64_t kMaxPositions = int64_t(1) << 40;
static constexpr int64_t kMaxLayers = 1024;
/// Score rule of the experts, unless the card says otherwise.
static constexpr const char *kDefaultScore = "sigmoid";

bool ssm::isModelCard(const Json &json) {
  return json.is_object() && json.contains("format") &&
         json["format"] == kFormat;
}

//===----------------------------------------------------------------------===//
// Hyper-parameters: the keys are the names of the attributes' parameters
//===----------------------------------------------------------------------===//

/// Reads the value of `key` as the keyword of one case of an enumeration.
template <typename Enum>
static Enum readKeyword(Config &config, const char *key, Enum fallback) {
  std::string word = config.word(key, stringifyEnum(fallback));
  if (std::optional<Enum> value = symbolizeEnum<Enum>(word))
    return *value;
  std::vector<std::string> words;
  for (uint32_t i = 0; !stringifyEnum(Enum(i)).empty(); ++i)
    words.push_back(stringifyEnum(Enum(i)).str());
  config.unsupported(key, llvm::join(words, ", "));
  return fallback;
}

static NormAttr readNorm(Config config) {
  auto norm = config.make<NormAttr>(readKeyword(config, "kind", NormKind::Rms),
                                    Real(config.number("eps", 1e-5)));
  config.finish();
  return norm;
}

static RopeAttr readRopeCard(Config config, int64_t headDim) {
  auto rope = config.make<RopeAttr>(
      readKeyword(config, "kind", RopeKind::Default),
      config.size("dims", headDim), Real(config.number("theta", 10000)),
      Real(config.number("factor", 1)),
      Real(config.number("low_freq_factor", 1)),
      Real(config.number("high_freq_factor", 4)),
      config.integer("original_positions", 1, kMaxPositions, 8192));
  config.finish();
  return rope;
}

static MambaAttr readMambaCard(Config &config) {
  return config.make<MambaAttr>(
      config.size("inner"), config.size("state", 16), config.size("conv", 4),
      config.size("dt_rank"), config.flag("conv_bias", true),
      config.flag("proj_bias", false), config.optionalNumber("dt_bc_eps"),
      config.flag("dt_bc_gain", false));
}

static Mamba2Attr readMamba2Card(Config &config) {
  return config.make<Mamba2Attr>(
      config.size("heads"), config.size("head_dim"), config.size("state", 128),
      config.size("groups", 1), config.size("conv", 4),
      config.flag("conv_bias", true), config.flag("proj_bias", false),
      Real(config.number("dt_min", 0)), config.optionalNumber("dt_max"),
      readKeyword(config, "gate", GateOrder::AfterGate),
      Real(config.number("norm_eps", 1e-5)));
}

static AttentionAttr readAttentionCard(Config &config) {
  int64_t heads = config.size("heads");
  int64_t kvHeads = config.size("kv_heads", heads);
  int64_t headDim = config.size("head_dim");
  RopeAttr rope;
  if (config.has("rope"))
    rope = readRopeCard(config.object("rope"), headDim);
  return config.make<AttentionAttr>(
      heads, kvHeads, headDim, config.optionalNumber("scale"),
      config.optionalSize("window"), rope, config.flag("bias", false),
      config.flag("out_bias", false), config.optionalNumber("qk_norm_eps"),
      /*stored_kv_heads=*/kNoSize);
}

static MlpAttr readMlpCard(Config &config) {
  return config.make<MlpAttr>(
      config.size("inner"), readKeyword(config, "activation", Activation::Silu),
      config.flag("gated", false), config.flag("bias", false));
}

static ExpertsAttr readExpertsCard(Config &config) {
  std::string score = config.word("score", kDefaultScore);
  return config.make<ExpertsAttr>(
      config.count("count"), config.count("used"), config.size("inner"),
      readKeyword(config, "activation", Activation::Silu), StringRef(score),
      config.flag("gated", false),
      config.optionalSize("shared_inner").value_or(0),
      config.count("groups", 1), config.count("used_groups", 1),
      config.flag("normalize", true), Real(config.number("scale", 1)),
      config.optionalSize("latent"));
}

namespace {
/// One kind of layer of a card.
struct Kind {
  const char *key;
  char letter;
  Attribute (*read)(Config &config);
};
} // namespace

template <auto reader> static Attribute readAs(Config &config) {
  return reader(config);
}

static constexpr Kind kKinds[] = {
    {"mamba", 'M', readAs<readMambaCard>},
    {"mamba2", 'M', readAs<readMamba2Card>},
    {"attention", '*', readAs<readAttentionCard>},
    {"mlp", '-', readAs<readMlpCard>},
    {"experts", 'E', readAs<readExpertsCard>},
};

/// Reads the blocks of all letters that `letters` holds.
static std::map<char, Attribute> readBlocks(Config &config, StringRef letters) {
  std::map<char, Attribute> blocks;
  if (config.has("mamba") && config.has("mamba2"))
    config.error() << "\"mamba\" contradicts \"mamba2\": letter M is one of "
                      "them";
  for (const Kind &kind : kKinds) {
    if (!config.has(kind.key))
      continue;
    if (!letters.contains(kind.letter))
      config.error() << "\"" << kind.key << "\" is given, but the pattern has "
                     << "no '" << StringRef(&kind.letter, 1) << "'";
    Config block = config.object(kind.key);
    blocks[kind.letter] = kind.read(block);
    block.finish();
  }
  for (const Kind &kind : kKinds)
    if (letters.contains(kind.letter) && !blocks.count(kind.letter)) {
      blocks[kind.letter] = {};
      config.error() << "missing \"" << kind.key << "\" (expected the layer '"
                     << StringRef(&kind.letter, 1) << "' of the pattern)";
    }
  return blocks;
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

/// The letters by `pattern` or by `ratios`.
static std::string readLetters(Config &config) {
  if (config.has("pattern") == config.has("ratios")) {
    config.error() << "expected either \"pattern\" or \"ratios\"";
    return "";
  }
  if (config.has("ratios")) {
    Config ratios = config.object("ratios");
    int64_t layers = ratios.integer("layers", 1, kMaxLayers, std::nullopt);
    double attention = ratios.number("attention", 0);
    double mlp = ratios.number("mlp", 0);
    ratios.finish();
    return config.take("ratios", spreadLetters(layers, attention, mlp));
  }
  llvm::Expected<LayerPattern> pattern =
      parsePattern(config.word("pattern", ""));
  if (!pattern)
    return config.take("pattern", pattern.takeError());
  for (const std::string &note : pattern->notes)
    config.note(note);
  if (pattern->letters.size() > size_t(kMaxLayers))
    config.error() << "\"pattern\" has " << pattern->letters.size()
                   << " layers (supported: 1 to " << kMaxLayers << ")";
  return pattern->letters;
}

/// Names as nemotron_h: one index per letter.
static void addBackboneLayers(ModelBuilder &model, NormAttr norm,
                              StringRef letters,
                              std::map<char, Attribute> &blocks) {
  for (auto [i, letter] : llvm::enumerate(letters)) {
    std::string prefix = "backbone.layers." + std::to_string(i);
    model.layer(norm, prefix + ".norm");
    model.block(prefix + ".mixer", blocks[letter]);
  }
}

/// Names as llama and nemotron: one index per mixer and the MLP after it.
static void addDecoderLayers(Config &config, ModelBuilder &model, NormAttr norm,
                             StringRef letters,
                             std::map<char, Attribute> &blocks) {
  for (size_t i = 0; i < letters.size(); i += 2) {
    StringRef pair = letters.substr(i, 2);
    if (pair != "*-" && pair != "M-") {
      config.error() << "names \"decoder\" expects a mixer and an MLP in turn, "
                     << "got '" << pair << "' at index " << i;
      return;
    }
    std::string prefix = "model.layers." + std::to_string(i / 2);
    model.layer(norm, prefix + ".input_layernorm", i / 2);
    model.block(prefix + (pair == "*-" ? ".self_attn" : ".mamba"),
                blocks[pair[0]]);
    model.layer(norm, prefix + ".post_attention_layernorm", i / 2);
    model.block(prefix + ".mlp", blocks['-']);
  }
}

/// Reads `end_tokens` into the report and `model`.
static void setEndTokens(Config &config, StringRef file, ModelOp model) {
  ImportReport &report = config.getReport();
  report.endTokens = config.integers("end_tokens", /*scalar=*/true);
  for (int64_t token : report.endTokens)
    if (token < 0 || token >= int64_t(model.getVocab()))
      config.error() << "\"end_tokens\": " << token
                     << " is outside the vocabulary of " << model.getVocab();
  if (report.endTokens.empty())
    return;
  report.endTokensSource = file.str();
  model.setEndTokensAttr(
      DenseI64ArrayAttr::get(&config.getContext(), report.endTokens));
}

FailureOr<OwningOpRef<ModuleOp>> ssm::readModelCard(StringRef file,
                                                    const Json &json,
                                                    MLIRContext &context,
                                                    ImportReport &report) {
  Config config(file.str(), json, context, report);
  config.requireWord("format", {kFormat});
  config.requireNumber("version", 1);
  report.name = config.word("name", report.name);
  int64_t hidden = config.size("hidden");
  int64_t vocab = config.vocabulary("vocab");
  bool tied = config.flag("tied", false);
  std::string letters = readLetters(config);
  std::map<char, Attribute> blocks = readBlocks(config, letters);
  NormAttr norm = readNorm(config.object("norm"));
  config.requireWord("names", {"backbone", "decoder"});
  bool isDecoder = config.word("names", "backbone") == "decoder";
  StringRef embed = isDecoder ? "model.embed_tokens" : "backbone.embeddings";

  ModelBuilder builder(context, /*weights=*/nullptr);
  builder.start(report.name, hidden, vocab, embed);
  if (isDecoder)
    addDecoderLayers(config, builder, norm, letters, blocks);
  else
    addBackboneLayers(builder, norm, letters, blocks);
  builder.head(tied ? embed : "lm_head", norm,
               isDecoder ? "model.norm" : "backbone.norm_f");
  ModelOp model = builder.getModel();
  model.setWeights(readKeyword(config, "weights", WeightFormat::F32));
  report.weightsReason = "\"weights\" of the card";
  setEndTokens(config, file, model);
  config.ignore({"$schema", "description"});
  if (config.has("parameters") && !config.failed())
    config.requireEqual("parameters", countParameters(model).total(),
                        "the number of parameters");
  config.finish();
  if (config.failed())
    return failure();
  return builder.take();
}
