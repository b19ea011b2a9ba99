//===- ModelBuilder.h - Building the block form ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Ssm.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "runtime/Checkpoint.h"

namespace ssm {

/// Appends the parts of one model in order: start, layers with their blocks,
/// head. A null attribute (whose error was emitted when it was made) leaves the
/// part out; the caller then throws the module away.
class ModelBuilder {
public:
  ModelBuilder(mlir::MLIRContext &context, const ssmrt::Checkpoint *weights)
      : builder(&context), weights(weights) {}

  /// True if the checkpoint at hand holds a tensor of this name.
  bool hasTensor(llvm::StringRef name) const {
    return weights && weights->find(name.str());
  }

  void start(llvm::StringRef name, int64_t hidden, int64_t vocab,
             llvm::StringRef embedPrefix, double multiplier = 1);
  /// `number` is the layer's in the checkpoint, if that is not its place.
  void layer(NormAttr norm, const llvm::Twine &normPrefix,
             std::optional<int64_t> number = {}, double multiplier = 1);
  void block(const llvm::Twine &prefix, mlir::Attribute mixer,
             double inMultiplier = 1, double outMultiplier = 1);
  void head(llvm::StringRef prefix, NormAttr norm, llvm::StringRef normPrefix,
            double multiplier = 1);

  ModelOp getModel() const { return model; }
  mlir::OwningOpRef<mlir::ModuleOp> take() { return std::move(module); }

private:
  /// Location that later passes report: the tensor prefix.
  mlir::Location locationOf(llvm::StringRef prefix);

  mlir::OpBuilder builder;
  const ssmrt::Checkpoint *weights;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  ModelOp model;
  LayerOp currentLayer;
};

} // namespace ssm
