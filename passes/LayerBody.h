//===- LayerBody.h - Builder of one layer's function ----------------------===//
//===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Ssm.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace ssm {
/// Builds the op-form function (x, seqs, weights..., states...) -> (x,
/// states...) of one layer. Weights and states become arguments as they are
/// asked for.
class LayerBody {
public:
  /// A weight argument by the prefix it hangs on and its leaf. `owner` is the
  /// index of the block in the layer, or kNorm.
  struct Weight {
    static constexpr int kNorm = -1;
    int owner;
    std::string leaf;
  };

  LayerBody(mlir::OpBuilder &builder, LayerOp layer, llvm::StringRef name,
            int64_t hidden, mlir::Type matrixElement);

  /// Ends the function: `result` and the new states are returned.
  void finish(mlir::Value result);

  /// Weights asked for from now on belong to `owner`.
  void setOwner(int newOwner) { owner = newOwner; }

  mlir::Value input() { return function.front().getArgument(0); }
  mlir::Value seqs() { return function.front().getArgument(1); }

  /// A new argument for the f32 parameter `leaf`.
  mlir::Value parameter(llvm::StringRef leaf, llvm::ArrayRef<int64_t> shape);
  /// A new argument for the matrix `leaf`, in the format of the model's
  /// weights.
  mlir::Value matrix(llvm::StringRef leaf, llvm::ArrayRef<int64_t> shape);
  /// As `parameter`, or null if `present` is false.
  mlir::Value parameterIf(bool present, llvm::StringRef leaf, int64_t size);
  /// A new argument for a state; the first dimension is that of the slots.
  mlir::Value state(llvm::ArrayRef<int64_t> shape);
  /// What becomes of the states, in the order in which they were asked for.
  void addNewState(mlir::Value state) { newStates.push_back(state); }

  /// `input` times the matrix `leaf`.weight, plus `leaf`.bias.
  mlir::Value linear(mlir::Value input, llvm::StringRef leaf, int64_t width,
                     bool bias = false);
  /// Consecutive columns of `input`.
  llvm::SmallVector<mlir::Value> split(mlir::Value input,
                                       llvm::ArrayRef<int64_t> widths);
  /// `input` times a constant; nothing if that is 1.
  mlir::Value scale(mlir::Value input, const llvm::APFloat &factor);
  /// Rows of `width` columns.
  mlir::RankedTensorType rows(int64_t width);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::func::FuncOp function;
  llvm::SmallVector<Weight> weights;

private:
  mlir::Value addArgument(unsigned index, mlir::Type element,
                          llvm::ArrayRef<int64_t> shape);

  mlir::Type matrixElement;
  int owner = Weight::kNorm;
  llvm::SmallVector<mlir::Value> newStates;
};

/// Width of rows.
inline int64_t widthOf(mlir::Value rows) {
  return llvm::cast<mlir::RankedTensorType>(rows.getType()).getDimSize(1);
}

/// Norm of `input` with the parameters `leaf`.weight and, for layer norms,
/// `leaf`.bias (without a leaf: weight, bias).
mlir::Value buildNorm(LayerBody &body, mlir::Value input, NormAttr kind,
                      llvm::StringRef leaf = "");

/// The mathematics of one block on `input`; fails with a diagnostic at it.
mlir::FailureOr<mlir::Value> buildBlock(LayerBody &body, BlockOp block,
                                        mlir::Value input);
} // namespace ssm
