//===- KernRecipe.h - What a weight recipe makes --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Kern.h"

namespace kern {

/// The matrix that a recipe makes, and its bytes once packed.
struct RecipeResult {
  int64_t rows = 0;
  int64_t columns = 0;
  /// Zero as long as the recipe does not end in `pack`.
  int64_t bytes = 0;
};

/// Runs `steps` on shapes alone. Fails with an error of `emitError` where a
/// step lacks operands, does not fit them, or more than one matrix is left.
mlir::FailureOr<RecipeResult>
shapeOfRecipe(llvm::ArrayRef<StepAttr> steps,
              llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// True if the last step is `pack`.
bool isPacked(RecipeAttr recipe);

/// Index of the step from which on `steps` make the last matrix on the stack,
/// which uses nothing that earlier steps made.
size_t beginOfLastMatrix(llvm::ArrayRef<StepAttr> steps);

} // namespace kern
