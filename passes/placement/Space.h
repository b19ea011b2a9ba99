//===- Space.h - A transform script as a space of variants ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Ssm.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace ssm {

/// One choice of a script: a transform.tune.knob (all of that name) or a
/// transform.tune.alternatives.
struct Choice {
  std::string name;
  /// Values of a knob as text; numbers of regions of alternatives.
  std::vector<std::string> options;
  std::vector<mlir::Operation *> operations;
};

/// A script whose knobs and alternatives span a space of variants.
class Space {
public:
  /// Reads the choices of `script`, which has a @__transform_main. Errors are
  /// diagnostics.
  static mlir::FailureOr<Space>
  create(mlir::OwningOpRef<mlir::ModuleOp> script);

  const std::vector<Choice> &choices() const { return all; }
  /// Number of assignments, those included that differ only in what is not
  /// selected; saturating.
  uint64_t size() const;

  /// The assignment that selects the first option everywhere.
  std::vector<size_t> first() const {
    return std::vector<size_t>(all.size(), 0);
  }
  /// Makes `assignment` the next one of the space; false after the last.
  /// Choices inside alternatives that are not selected stay at 0.
  bool next(std::vector<size_t> &assignment) const;

  /// Resolves the script by `assignment` and applies it to `payload`. Errors
  /// are diagnostics; the payload is then spoilt.
  mlir::LogicalResult apply(const std::vector<size_t> &assignment,
                            mlir::ModuleOp payload);

private:
  bool isCanonical(const std::vector<size_t> &assignment) const;

  mlir::OwningOpRef<mlir::ModuleOp> script;
  std::vector<Choice> all;
};

} // namespace ssm
