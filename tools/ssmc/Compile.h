//===- Compile.h - Options that compiling commands share ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/Driver.h"
#include "runtime/MappedFile.h"
#include "tools/ssmc/Commands.h"

namespace ssm {

/// The artifact of `model` (anything but an artifact) for `device` of this
/// machine, "auto" included: from the cache folder, under a name made of the
/// description, the options and this compiler, or compiled now (and cached, if
/// `useCache`). Null after an error, which is printed: `weights` that are not
/// random do not fit a model that rewrites left without some.
std::shared_ptr<const ssmrt::MappedFile>
compileForHere(const std::string &model, const std::string &device,
               const std::string &precision, const std::string &weights,
               bool useCache);

/// Fails, with a message, if `module` has uninitialized weights and `weights`
/// are not random.
int checkInitialized(mlir::ModuleOp module, const std::string &weights);

/// Whether the file at `path` is a compiled model.
bool isArtifact(const std::string &path);

} // namespace ssm
