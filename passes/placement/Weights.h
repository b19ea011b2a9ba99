//===- Weights.h - What rewrites do to weights ----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "passes/placement/Rewrites.h"

namespace ssm {

/// Gives uninitialised weights names that no checkpoint holds and no other
/// layer of the model has.
class FreshNames {
public:
  explicit FreshNames(ModelOp model);

  /// A block whose weights are unknown from now on.
  void rename(BlockOp block);
  /// A layer of one block, norm included.
  void rename(LayerOp layer);

private:
  mlir::MLIRContext *context;
  int64_t next = 0;
};

inline bool isUninitialized(llvm::StringRef prefix) {
  return prefix.starts_with(kUninitialized);
}

/// Layers that move have their place as number.
void dropNumbers(ModelOp model);

/// Says at the model what `rewrite` did to its weights, as a remark.
void sayWeights(ModelOp model, llvm::StringRef rewrite, int64_t kept,
                int64_t fresh);

} // namespace ssm
