//===- Frontend.cpp - Model descriptions to block form --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/Frontend.h"
#include "dialect/Pattern.h"
#include "frontends/HuggingFace.h"
#include "frontends/ModelCard.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include <nlohmann/json.hpp>

using namespace mlir;
using namespace ssm;

/// A name for the model in `path`: the last part of its real path.
static std::string nameOf(StringRef path) {
  SmallString<128> real;
  if (llvm::sys::fs::real_path(path, real))
    real = path;
  StringRef stem = llvm::sys::fs::is_directory(real)
                       ? llvm::sys::path::filename(real)
                       : llvm::sys::path::stem(real);
  return stem.empty() || stem == "/" ? "model" : stem.str();
}

static std::string printAttribute(Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream os(text);
  attribute.print(os);
  return text;
}

/// Fills what the report says about the model itself.
static void describe(ModelOp model, ImportReport &report) {
  report.name = model.getSymName().str();
  report.hidden = model.getHidden();
  report.vocab = model.getVocab();
  report.weights = stringifyWeightFormat(model.getWeights()).str();
  report.pattern = patternOf(model);
  report.parameters = countParameters(model);
  if (std::optional<ArrayRef<int64_t>> tokens = model.getEndTokens())
    report.endTokens.assign(tokens->begin(), tokens->end());
  StringRef embedPrefix;
  for (Operation &op : model.getBody().front()) {
    if (auto embed = dyn_cast<EmbedOp>(op))
      embedPrefix = embed.getPrefix();
    if (auto head = dyn_cast<HeadOp>(op))
      report.tied = head.getPrefix() == embedPrefix;
    auto layerOp = dyn_cast<LayerOp>(op);
    if (!layerOp)
      continue;
    ImportReport::Layer layer;
    layer.number = layerOp.getNumber().value_or(report.layers.size());
    for (auto block : layerOp.getBody().getOps<BlockOp>()) {
      layer.letters += letterOf(block.getMixer());
      layer.prefixes.push_back(block.getPrefix().str());
      layer.blocks.push_back(printAttribute(block.getMixer()));
    }
    report.layers.push_back(std::move(layer));
  }
}

/// Reads the module at `path`; errors have the positions of the parser.
static FailureOr<OwningOpRef<ModuleOp>> readModule(StringRef path,
                                                   MLIRContext &context) {
  llvm::SourceMgr sources;
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(path, sources, &context);
  if (!module)
    return failure();
  return module;
}

static FailureOr<OwningOpRef<ModuleOp>>
readAny(StringRef path, MLIRContext &context, ImportReport &report) {
  auto emit = [&](const Twine &message) {
    emitError(UnknownLoc::get(&context), message);
    return failure();
  };
  if (!llvm::sys::fs::exists(path))
    return emit(path + ": no such file or directory");
  if (llvm::sys::fs::is_directory(path)) {
    report.source = "Hugging Face directory";
    return readHuggingFace(path, context, report);
  }
  StringRef extension = llvm::sys::path::extension(path);
  if (extension == ".mlir" || extension == ".mlirbc") {
    report.source = "MLIR";
    return readModule(path, context);
  }
  if (extension != ".json")
    return emit(path + ": unsupported file (supported: a directory with "
                       "config.json, a model card .json, .mlir)");
  llvm::Expected<Json> json = parseJsonFile(path);
  if (!json)
    return emit(llvm::toString(json.takeError()));
  if (isModelCard(*json)) {
    report.source = "model card";
    return readModelCard(path, *json, context, report);
  }
  if (llvm::sys::path::filename(path) != "config.json")
    return emit(path + ": missing \"format\" (expected \"ssmc-model-card\")");
  StringRef directory = llvm::sys::path::parent_path(path);
  if (directory.empty())
    directory = ".";
  report.name = nameOf(directory);
  report.source = "Hugging Face directory";
  return readHuggingFace(directory, context, report);
}

FailureOr<OwningOpRef<ModuleOp>>
ssm::importModel(StringRef path, MLIRContext &context, ImportReport &report) {
  context.loadDialect<SsmDialect>();
  report = ImportReport();
  report.path = path.str();
  report.name = nameOf(path);
  FailureOr<OwningOpRef<ModuleOp>> module = readAny(path, context, report);
  if (failed(module) || failed(verify(**module)))
    return failure();
  auto models = (*module)->getOps<ModelOp>();
  if (!models.empty())
    describe(*models.begin(), report);
  return module;
}
