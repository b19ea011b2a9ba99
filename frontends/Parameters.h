//===- Parameters.h - Parameters of a block-form model --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Ssm.h"

namespace ssm {

/// Parameters by kind. A block counts with the norm in front of it; weights
/// that blocks share, and a tied head, count once.
struct ParameterCount {
  uint64_t mamba = 0;
  uint64_t mamba2 = 0;
  uint64_t attention = 0;
  uint64_t mlp = 0;
  uint64_t experts = 0;
  uint64_t embedding = 0;
  uint64_t head = 0;
  uint64_t finalNorm = 0;

  uint64_t total() const;
};

/// Counts the parameters of `model` exactly (saturating at 2^64 - 1).
ParameterCount countParameters(ModelOp model);

} // namespace ssm
