//===- HuggingFace.h - Reader of Hugging Face directories -----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "frontends/Config.h"

namespace ssm {

/// Reads config.json of `directory` and, if they are there, the headers of its
/// weight files and generation_config.json.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
readHuggingFace(llvm::StringRef directory, mlir::MLIRContext &context,
                ImportReport &report);

/// The same for a parsed config.json named `file`, with no files beside it.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
readHuggingFaceConfig(llvm::StringRef file, const Json &json,
                      mlir::MLIRContext &context, ImportReport &report);

} // namespace ssm
