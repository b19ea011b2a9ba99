//===- Cpu.h - Kernels for CPUs -------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/cpu/Image.h"
#include "codegen/cpu/Target.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

namespace ssm {

/// What a launch must know about an emitted kernel. Expressions are over the
/// symbols s0 = rows, s1 = sequences, s2 = tiles, s3 = outputs of a call.
struct KernelInfo {
  std::string name;
  /// Units of work; a launch cuts them into ranges.
  mlir::AffineExpr grid;
  /// Bytes of scratch memory that each thread must offer.
  mlir::AffineExpr scratch;
  /// The kernel is for calls of at most this many rows; -1: any.
  int64_t maxRows = -1;
};

/// Symbols of the expressions of a `KernelInfo`.
enum class CallSymbol : unsigned { Rows, Sequences, Tiles, Outputs };

/// Makes the dialects and translations that kernels need known to `registry`.
void registerCpuCodegen(mlir::DialectRegistry &registry);

/// Appends to `module` the functions of one `kern` operation; several where its
/// schedule has several entries, in their order. Reports what it cannot do at
/// the operation.
///
/// A function is `void (const uint64_t *args, int64_t begin, int64_t end, void
/// *scratch)`. The module's context must have loaded what `registerCpuCodegen`
/// registers.
mlir::FailureOr<mlir::SmallVector<KernelInfo>>
emitKernel(mlir::Operation *kernOp, llvm::StringRef name, const Target &target,
           mlir::ModuleOp module);

/// Forms of output that `printKernels` knows.
enum class EmitKind { Llvm, Assembly, Object };

/// Compiles the public functions of `module`, each by itself and in parallel
/// where the context has threads, into one image. The module is left as it was.
mlir::FailureOr<Image> compileKernels(mlir::ModuleOp module,
                                      const Target &target);

/// Compiles `module` as a whole and writes it in the form `kind`.
mlir::LogicalResult printKernels(mlir::ModuleOp module, const Target &target,
                                 EmitKind kind,
                                 llvm::raw_pwrite_stream &stream);

} // namespace ssm
