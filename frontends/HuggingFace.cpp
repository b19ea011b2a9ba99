//===- HuggingFace.cpp - Reader of Hugging Face directories ---------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/HuggingFace.h"
#include "frontends/Families.h"
#include "frontends/WeightFiles.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <nlohmann/json.hpp>

using namespace mlir;
using namespace ssm;

namespace {
struct Family {
  StringRef modelType;
  StringRef architecture;
  FamilyReader read;
};

/// Where the end tokens and the weights of a model come from.
struct Directory {
  std::string configFile;
  std::string generationFile;
  const Json *generation = nullptr;
  const ssmrt::Checkpoint *weights = nullptr;
};
} // namespace

static constexpr const char *kEndKey = "eos_token_id";

static ArrayRef<Family> families() {
  static const Family table[] = {
      {"mamba", "MambaForCausalLM", readMamba},
      {"falcon_mamba", "FalconMambaForCausalLM", readFalconMamba},
      {"mamba2", "Mamba2ForCausalLM", readMamba2},
      {"nemotron_h", "NemotronHForCausalLM", readNemotronH},
      {"bamba", "BambaForCausalLM", readBamba},
      {"falcon_h1", "FalconH1ForCausalLM", readFalconH1},
      {"granitemoehybrid", "GraniteMoeHybridForCausalLM", readGraniteMoeHybrid},
      {"jamba", "JambaForCausalLM", readJamba},
      {"llama", "LlamaForCausalLM", readLlama},
      {"mistral", "MistralForCausalLM", readMistral},
      {"qwen2", "Qwen2ForCausalLM", readQwen2},
      {"qwen3", "Qwen3ForCausalLM", readQwen3},
      {"nemotron", "NemotronForCausalLM", readNemotron},
  };
  return table;
}

/// Why a family that exists is not read, or "".
static StringRef refusalOf(StringRef modelType) {
  return llvm::StringSwitch<StringRef>(modelType)
      .Case("zamba2", "its shared blocks read the embedding again")
      .Default("");
}

/// Finds the family by model_type, or by the keys of mamba_ssm's own format.
static const Family *findFamily(Config &config) {
  for (const char *key : {"text_config", "llm_config"})
    if (config.has(key)) {
      config.error() << "unsupported \"" << key
                     << "\": a multimodal model (supported: text models)";
      return nullptr;
    }
  if (!config.has("model_type") && config.has("d_model") &&
      config.has("n_layer") && config.has("ssm_cfg")) {
    static const Family mambaSsm = {"mamba_ssm", "", readMambaSsm};
    return &mambaSsm;
  }
  std::string modelType = config.word("model_type", "");
  for (const Family &family : families())
    if (family.modelType == modelType)
      return &family;
  std::string names = llvm::join(
      llvm::map_range(families(), [](const Family &f) { return f.modelType; }),
      ", ");
  StringRef reason = refusalOf(modelType);
  if (!config.has("model_type"))
    config.error() << "missing \"model_type\" (expected one of " << names
                   << ")";
  else if (reason.empty())
    config.unsupported("model_type", names);
  else
    config.error() << "unsupported \"model_type\": \"" << modelType
                   << "\": " << reason << " (supported: " << names << ")";
  return nullptr;
}

/// The matrix format that the config promises.
static WeightFormat readDtype(Config &config) {
  Keys keys = {"dtype", "torch_dtype"};
  config.requireWord(keys, {"float32", "bfloat16", "float16"});
  return llvm::StringSwitch<WeightFormat>(config.word(keys, "float32"))
      .Case("bfloat16", WeightFormat::BF16)
      .Case("float16", WeightFormat::F16)
      .Default(WeightFormat::F32);
}

/// Keys that mean the same in every family.
static WeightFormat readCommonKeys(Config &config, const Family &family) {
  std::vector<std::string> architectures = config.words("architectures");
  if (!architectures.empty() && !family.architecture.empty() &&
      architectures.front() != family.architecture)
    config.error() << "\"architectures\": \"" << architectures.front()
                   << "\" contradicts \"model_type\": \"" << family.modelType
                   << "\" (expected " << family.architecture << ")";
  config.requireNothing("quantization_config", "weights in f32, bf16 or f16");
  config.requireNumber("pretraining_tp", 1);
  for (const char *key : {"is_encoder_decoder", "add_cross_attention"})
    config.requireFlag(key, false);
  config.requireNothing("pruned_heads", "all heads");
  return readDtype(config);
}

/// Sets the end tokens of `model`; generation_config.json wins.
static LogicalResult setEndTokens(Config &config, const Directory &directory,
                                  ModelOp model) {
  ImportReport &report = config.getReport();
  std::vector<int64_t> tokens = config.integers(kEndKey, /*scalar=*/true);
  std::string source = directory.configFile;
  if (directory.generation) {
    Config generation(directory.generationFile, *directory.generation,
                      config.getContext(), report);
    if (generation.has(kEndKey)) {
      tokens = generation.integers(kEndKey, /*scalar=*/true);
      source = directory.generationFile;
    }
    if (generation.failed())
      return failure();
  }
  for (int64_t token : tokens) {
    if (token >= 0 && token < int64_t(model.getVocab()))
      report.endTokens.push_back(token);
    else
      config.note("end token " + Twine(token) + " is outside the vocabulary");
  }
  if (report.endTokens.empty())
    return success();
  report.endTokensSource = source;
  model.setEndTokensAttr(
      DenseI64ArrayAttr::get(&config.getContext(), report.endTokens));
  return success();
}

/// Reads the parsed config of `directory`.
static FailureOr<OwningOpRef<ModuleOp>> readModel(const Directory &directory,
                                                  const Json &json,
                                                  MLIRContext &context,
                                                  ImportReport &report) {
  Config config(directory.configFile, json, context, report);
  if (config.failed())
    return failure();
  const Family *family = findFamily(config);
  if (!family)
    return failure();
  report.family = family->modelType.str();
  WeightFormat format = readCommonKeys(config, *family);
  report.weightsReason = "dtype of config.json";
  ModelBuilder builder(context, directory.weights);
  family->read(config, builder);
  if (config.failed())
    return failure();
  ModelOp model = builder.getModel();
  LogicalResult endTokens = setEndTokens(config, directory, model);
  config.finish();
  if (config.failed() || failed(endTokens))
    return failure();
  if (directory.weights) {
    if (failed(checkTensors(model, *directory.weights, report.notes)))
      return failure();
    format = weightFormatOf(model, *directory.weights);
    report.weightsReason = "types of the matrices in the weight files";
    report.weightFiles = directory.weights->filePaths();
  }
  model.setWeights(format);
  return builder.take();
}

FailureOr<OwningOpRef<ModuleOp>>
ssm::readHuggingFaceConfig(StringRef file, const Json &json,
                           MLIRContext &context, ImportReport &report) {
  Directory directory;
  directory.configFile = file.str();
  return readModel(directory, json, context, report);
}

static std::string join(StringRef directory, StringRef file) {
  SmallString<128> path(directory);
  llvm::sys::path::append(path, file);
  return std::string(path);
}

static bool hasWeightFiles(StringRef directory) {
  return llvm::sys::fs::exists(join(directory, "model.safetensors")) ||
         llvm::sys::fs::exists(join(directory, "model.safetensors.index.json"));
}

FailureOr<OwningOpRef<ModuleOp>> ssm::readHuggingFace(StringRef path,
                                                      MLIRContext &context,
                                                      ImportReport &report) {
  auto emit = [&](llvm::Error failure) {
    emitError(UnknownLoc::get(&context)) << llvm::toString(std::move(failure));
    return mlir::failure();
  };
  Directory directory;
  directory.configFile = join(path, "config.json");
  llvm::Expected<Json> json = parseJsonFile(directory.configFile);
  if (!json)
    return emit(json.takeError());
  std::optional<ssmrt::Checkpoint> weights;
  if (hasWeightFiles(path)) {
    ssmrt::Expected<ssmrt::Checkpoint> opened =
        ssmrt::Checkpoint::open(path.str());
    if (!opened)
      return emit(llvm::createStringError(opened.status().message));
    directory.weights = &weights.emplace(*std::move(opened));
  } else if (llvm::sys::fs::exists(join(path, "pytorch_model.bin"))) {
    report.notes.push_back("pytorch_model.bin is not read (supported: "
                           "model.safetensors)");
  }
  Json generation;
  directory.generationFile = join(path, "generation_config.json");
  if (llvm::sys::fs::exists(directory.generationFile)) {
    llvm::Expected<Json> parsed = parseJsonFile(directory.generationFile);
    if (!parsed)
      return emit(parsed.takeError());
    generation = std::move(*parsed);
    directory.generation = &generation;
  }
  std::string tokenizer = join(path, "tokenizer.json");
  if (llvm::sys::fs::exists(tokenizer))
    report.tokenizer = tokenizer;
  return readModel(directory, *json, context, report);
}
