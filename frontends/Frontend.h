//===- Frontend.h - Model descriptions to block form ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "frontends/Parameters.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/JSON.h"

#include <string>
#include <vector>

namespace ssm {

/// What an import understood, for `ssmc import --explain`.
struct ImportReport {
  /// One layer of the block form.
  struct Layer {
    /// Its number in the checkpoint.
    int64_t number = 0;
    /// Letters of its blocks: one, or more where they run side by side.
    std::string letters;
    /// Prefixes of the blocks' tensors.
    std::vector<std::string> prefixes;
    /// The blocks' attributes as they print in the IR.
    std::vector<std::string> blocks;
  };
  /// A key that was present and means nothing for the model.
  struct IgnoredKey {
    std::string key;
    std::string value;
  };

  std::string path;
  /// "Hugging Face directory", "model card" or "MLIR".
  std::string source;
  /// `model_type` of a directory; else empty.
  std::string family;
  std::string name;
  int64_t hidden = 0;
  int64_t vocab = 0;
  bool tied = false;
  /// Storage of the weight matrices and what decided it.
  std::string weights;
  std::string weightsReason;
  /// Megatron spelling of the layers; empty if a layer has no letter.
  std::string pattern;
  std::vector<Layer> layers;
  ParameterCount parameters;
  std::vector<IgnoredKey> ignoredKeys;
  /// Anything else worth knowing, one sentence each.
  std::vector<std::string> notes;
  /// Files with weights, as paths; empty without weights.
  std::vector<std::string> weightFiles;
  /// Path of tokenizer.json, or empty.
  std::string tokenizer;
  std::vector<int64_t> endTokens;
  /// File that named the end tokens, or empty.
  std::string endTokensSource;
};

/// Reads the model at `path`: a Hugging Face directory (or its config.json), a
/// model card (.json) or a module (.mlir, at any level). Errors are emitted in
/// `context`. `report` is filled as far as the import came.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
importModel(llvm::StringRef path, mlir::MLIRContext &context,
            ImportReport &report);

/// Prints `report` for a reader at a terminal.
void printExplain(const ImportReport &report, llvm::raw_ostream &os);

/// The same as JSON.
llvm::json::Value toJson(const ImportReport &report);

} // namespace ssm
