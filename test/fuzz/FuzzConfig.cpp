//===- FuzzConfig.cpp - Any bytes as config.json or model card ------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A reader either refuses the input with a message, or builds a module that
// verifies and whose parameters can be counted.
//
//===----------------------------------------------------------------------===//

#include "frontends/HuggingFace.h"
#include "frontends/ModelCard.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include <nlohmann/json.hpp>

#include <cstdlib>

using namespace ssm;

/// Reads `json` as what it says it is.
static mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
readAny(const Json &json, mlir::MLIRContext &context, ImportReport &report) {
  if (isModelCard(json))
    return readModelCard("card.json", json, context, report);
  return readHuggingFaceConfig("config.json", json, context, report);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::StringRef text(reinterpret_cast<const char *>(data), size);
  llvm::Expected<Json> json = parseJson(text, "config.json");
  if (!json) {
    llvm::consumeError(json.takeError());
    return 0;
  }
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<SsmDialect>();
  size_t errors = 0;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &) {
    ++errors;
    return mlir::success();
  });
  ImportReport report;
  report.name = "fuzzed";
  auto module = readAny(*json, context, report);
  if (mlir::failed(module)) {
    if (!errors)
      std::abort(); // refused without a reason
    return 0;
  }
  if (errors || mlir::failed(mlir::verify(**module)))
    std::abort();
  for (ModelOp model : (*module)->getOps<ModelOp>())
    if (!countParameters(model).total())
      std::abort();
  return 0;
}
