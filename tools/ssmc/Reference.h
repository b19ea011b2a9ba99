//===- Reference.h - Runs a model on the reference interpreter ------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "runtime/Status.h"
#include "tools/run/RunOptions.h"

#include <string>

namespace ssm {

/// Runs `module`, one program in op form, as `ssmc run --device=reference`:
/// prompts, generation, logits, hidden states and final states as on any other
/// device, in double precision.
ssmrt::Status runReference(mlir::ModuleOp module, const std::string &hash,
                           const ssmrt::RunOptions &options);

} // namespace ssm
