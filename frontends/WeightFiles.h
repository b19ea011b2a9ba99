//===- WeightFiles.h - A model and the tensors of a checkpoint ------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Ssm.h"
#include "runtime/Checkpoint.h"

#include <string>
#include <vector>

namespace ssm {

/// Checks that `checkpoint` holds the tensors of `model` with the right shapes
/// and no unknown ones; emits every difference. Tensors that are skipped on
/// purpose are named in `notes`.
mlir::LogicalResult checkTensors(ModelOp model,
                                 const ssmrt::Checkpoint &checkpoint,
                                 std::vector<std::string> &notes);

/// The format that holds all matrices of `model` in `checkpoint`: their own if
/// they agree, else f32.
WeightFormat weightFormatOf(ModelOp model, const ssmrt::Checkpoint &checkpoint);

} // namespace ssm
