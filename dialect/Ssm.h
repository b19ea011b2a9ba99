//===- Ssm.h - The ssm dialect --------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/bit.h"

#include "dialect/SsmDialect.h.inc"
#include "dialect/SsmEnums.h.inc"

namespace ssm {
/// A real hyper-parameter: a double that attributes can hash, print and parse.
struct Real {
  explicit Real(double value = 0) : value(value) {}
  operator double() const { return value; }
  bool operator==(const Real &other) const {
    return llvm::bit_cast<uint64_t>(value) ==
           llvm::bit_cast<uint64_t>(other.value);
  }
  double value;
};
inline llvm::hash_code hash_value(const Real &real) {
  return llvm::hash_value(llvm::bit_cast<uint64_t>(real.value));
}
mlir::AsmPrinter &operator<<(mlir::AsmPrinter &printer, const Real &real);

/// True if dimension `aDim` of shaped type `a` may equal dimension `bDim` of
/// `b`: equal, or one of them dynamic.
bool dimsCompatible(mlir::Type a, int64_t aDim, mlir::Type b, int64_t bDim);
} // namespace ssm

namespace mlir {
template <> struct FieldParser<ssm::Real> {
  static FailureOr<ssm::Real> parse(AsmParser &parser) {
    double value;
    if (parser.parseFloat(value))
      return failure();
    return ssm::Real(value);
  }
};
template <> struct FieldParser<std::optional<ssm::Real>> {
  static FailureOr<std::optional<ssm::Real>> parse(AsmParser &parser) {
    FailureOr<ssm::Real> value = FieldParser<ssm::Real>::parse(parser);
    if (failed(value))
      return failure();
    return std::optional<ssm::Real>(*value);
  }
};
} // namespace mlir

#define GET_ATTRDEF_CLASSES
#include "dialect/SsmAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/SsmTypes.h.inc"
#define GET_OP_CLASSES
#include "dialect/SsmOps.h.inc"
