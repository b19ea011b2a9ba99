//===- ModelCard.h - Reader of model cards --------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A model card is a JSON file that says what a model is in the words of the
// block form, with one set of hyper-parameters per kind of layer. Its schema is
// model-card.schema.json.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "frontends/Config.h"

namespace ssm {

/// True if `json` says that it is a model card.
bool isModelCard(const Json &json);

/// Reads the card `json` of the file `file`.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
readModelCard(llvm::StringRef file, const Json &json,
              mlir::MLIRContext &context, ImportReport &report);

} // namespace ssm
