//===- NormInput.h - The norm in front of a product -*- C++ -*- -----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/gpu/Gemm.h"

#include <optional>

namespace ssm::gpu {

/// The inputs of the product of a `kern.norm_gemm`, computed where they are
/// used.
class NormInput : public GemmInput {
public:
  explicit NormInput(kern::NormGemmOp op)
      : op(op), groupWidth(op.getInput().getType().getDimSize(1) /
                           int64_t(op.getGroups())) {}

  void prepare(TileBuilder &builder, mlir::Value firstRow,
               int64_t rows) override;
  mlir::Value load(TileBuilder &builder, mlir::Value row, mlir::Value channel,
                   mlir::Value mask) override;

  /// Parameters of the kernel: input and elements, columns, the call.
  llvm::SmallVector<Rows> inputs;
  llvm::SmallVector<mlir::Value> columns;
  std::optional<Sequences> sequences;
  mlir::Value rowCount;

private:
  /// A group of a row, and the part of it that is the warp's.
  struct Task {
    int64_t parts;
    mlir::Value part, source, firstChannel;
  };
  /// Row of the operands for row `row` of the product; rows behind the last
  /// repeat it.
  mlir::Value sourceOf(TileBuilder &builder, mlir::Value row);
  TileBuilder::Values operandsAt(TileBuilder &builder,
                                 llvm::ArrayRef<Rows> rows, mlir::Value source,
                                 mlir::Value channel, mlir::Value mask);
  mlir::Value sumOfGroup(TileBuilder &builder, const Task &task,
                         llvm::function_ref<mlir::Value(mlir::Value)> term);
  void computeStatistic(TileBuilder &builder, const Task &task,
                        mlir::Value number);

  kern::NormGemmOp op;
  int64_t groupWidth, taskCount = 0;
  mlir::Value firstRow, statistics, partial;
};

} // namespace ssm::gpu
