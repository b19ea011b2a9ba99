//===- Rewrites.h - Rewrites of the list of layers ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each function rewrites one model in block form, in place, or reports through
// `emitError` and leaves it as it was. What happens to weights stands in
// dialect/SsmTransformOps.td.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Ssm.h"
#include "mlir/IR/PatternMatch.h"

#include <optional>

namespace ssm {

using EmitError = llvm::function_ref<mlir::InFlightDiagnostic()>;

/// Beginning of the names of tensors that no checkpoint holds.
inline constexpr llvm::StringLiteral kUninitialized = "uninitialized.";

/// The name of the first tensor of `model` that no checkpoint holds; empty if
/// its weights are all known.
llvm::StringRef firstUninitialized(ModelOp model);

/// Hyper-parameters of a layer of `letter` in the proportions of the paper's
/// 8B models; null for experts.
mlir::Attribute defaultMixer(char letter, int64_t hidden,
                             mlir::MLIRContext *context);

//===----------------------------------------------------------------------===//
// The list
//===----------------------------------------------------------------------===//

mlir::LogicalResult placeLayers(mlir::RewriterBase &rewriter, ModelOp model,
                                llvm::StringRef pattern,
                                mlir::ArrayAttr prototypes,
                                EmitError emitError);

/// `layers` of 0: as many as there are.
mlir::LogicalResult spreadLayers(mlir::RewriterBase &rewriter, ModelOp model,
                                 int64_t layers, int64_t attention, int64_t mlp,
                                 mlir::ArrayAttr prototypes,
                                 EmitError emitError);

mlir::LogicalResult moveLayer(ModelOp model, int64_t from, int64_t to,
                              EmitError emitError);
mlir::LogicalResult swapLayers(ModelOp model, int64_t first, int64_t second,
                               EmitError emitError);
mlir::LogicalResult eraseLayer(mlir::RewriterBase &rewriter, ModelOp model,
                               int64_t at, EmitError emitError);
mlir::LogicalResult insertLayer(mlir::RewriterBase &rewriter, ModelOp model,
                                int64_t at, mlir::Attribute mixer,
                                EmitError emitError);
mlir::LogicalResult replaceMixers(ModelOp model, llvm::ArrayRef<int64_t> at,
                                  mlir::Attribute mixer, EmitError emitError);
mlir::LogicalResult replaceMixers(ModelOp model, llvm::StringRef kind,
                                  mlir::Attribute mixer, EmitError emitError);

//===----------------------------------------------------------------------===//
// Hyper-parameters
//===----------------------------------------------------------------------===//

mlir::LogicalResult setKvHeads(ModelOp model, int64_t heads,
                               EmitError emitError);
/// No `theta`: no positions.
mlir::LogicalResult setRope(ModelOp model, std::optional<double> theta,
                            EmitError emitError);
mlir::LogicalResult setWindow(ModelOp model, std::optional<int64_t> window,
                              EmitError emitError);
mlir::LogicalResult setMlpRatio(ModelOp model, double ratio,
                                EmitError emitError);
mlir::LogicalResult setActivation(ModelOp model, llvm::StringRef name,
                                  EmitError emitError);
mlir::LogicalResult setState(ModelOp model, int64_t state, EmitError emitError);
mlir::LogicalResult setHeadDim(ModelOp model, int64_t width,
                               EmitError emitError);
mlir::LogicalResult setGroups(ModelOp model, int64_t groups,
                              EmitError emitError);
mlir::LogicalResult fitParameters(ModelOp model, double budget,
                                  EmitError emitError);

} // namespace ssm
