//===- TensorTable.h - Tensors of a block-form model ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Ssm.h"

#include <string>

namespace ssm {

/// What a tensor is to the model.
enum class TensorRole {
  Matrix, ///< Stored in the model's weight format.
  Vector, ///< Gain, bias, convolution, A or D: computed with in f32.
  Buffer, ///< As Vector, but not counted as a parameter.
};

/// One checkpoint tensor that a model needs.
struct TensorSpec {
  std::string name;
  llvm::SmallVector<int64_t, 3> shape;
  TensorRole role;
  /// Elements of which one of the model is the mean.
  int64_t averaged = 1;

  /// Elements that the model has of it, saturating at 2^64 - 1.
  uint64_t elements() const;
};

/// The tensors of a norm over `width` features.
llvm::SmallVector<TensorSpec> normTensors(NormAttr norm, llvm::StringRef prefix,
                                          int64_t width);

/// The tensors of one block of a model of width `hidden`, in the order of the
/// checkpoint layouts: weights `prefix`.<leaf> of its kind.
llvm::SmallVector<TensorSpec> blockTensors(BlockOp block, int64_t hidden);

/// All tensors of `model`, each name once, in order of use.
llvm::SmallVector<TensorSpec> modelTensors(ModelOp model);

} // namespace ssm
