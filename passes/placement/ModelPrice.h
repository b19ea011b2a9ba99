//===- ModelPrice.h - What a model in block form costs --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Ssm.h"
#include "passes/placement/Price.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include <string>
#include <vector>

namespace ssm {

/// How `device` stores and computes a model of that weight format.
Workload workloadFor(WeightFormat weights, const Device &device,
                     int64_t context, int64_t batch);

/// The hyper-parameters of a block that decide its price.
BlockShape shapeOf(mlir::Attribute mixer);

/// The price of one block of the model, or of embedding or head.
struct PricedPart {
  /// Place in the list of layers; -1 for embedding and head.
  int64_t layer = -1;
  /// mamba, mamba2, attention, mlp, experts, embedding or head.
  std::string kind;
  Price price;
};

/// Prices models on one device. Equal layers are priced once, whatever model
/// they stand in, so that a variant costs one look-up per layer.
class ModelPricer {
public:
  ModelPricer(const Device &device, int64_t context, int64_t batch)
      : device(device), context(context), batch(batch) {}

  /// All of `model`. Weights that blocks share count once.
  Price total(ModelOp model);

  /// The parts of `model` in order; their sum is `total`.
  std::vector<PricedPart> parts(ModelOp model);

  const Device &getDevice() const { return device; }
  Workload workloadOf(ModelOp model) const {
    return workloadFor(model.getWeights(), device, context, batch);
  }

private:
  template <typename Sink> void visit(ModelOp model, Sink sink);
  const Price &priceOf(mlir::Attribute mixer, int normVectors,
                       const Workload &workload);

  Device device;
  int64_t context, batch;
  /// What `known` holds for: prices depend on it.
  int64_t hidden = 0;
  WeightFormat weights = WeightFormat::F32;
  llvm::DenseMap<std::pair<mlir::Attribute, int>, Price> known;
  /// Prefixes of the model at hand.
  llvm::SmallDenseSet<mlir::Attribute, 64> seen;
};

/// The name of a block's kind.
llvm::StringRef kindName(mlir::Attribute mixer);

} // namespace ssm
