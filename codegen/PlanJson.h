//===- PlanJson.h - Plans as JSON -----------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Plan.h"

#include <nlohmann/json_fwd.hpp>

namespace ssm {

/// An expression over the sizes of a call as the runtime reads it; null if it
/// has an operation that the runtime does not evaluate.
nlohmann::ordered_json expressionToJson(mlir::AffineExpr expression);

/// The plan as the runtime reads it. `offsetOf` tells where the code of a
/// kernel begins in the image of a CPU; kernels of a GPU are found by name.
/// Fails where a kernel is not compiled or an expression has an operation that
/// the runtime does not evaluate.
mlir::FailureOr<nlohmann::ordered_json>
planToJson(plan::ProgramOp program,
           llvm::function_ref<int64_t(llvm::StringRef)> offsetOf);

} // namespace ssm
