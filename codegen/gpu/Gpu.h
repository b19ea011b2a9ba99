//===- Gpu.h - Kernels for GPUs -*- C++ -*- -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/gpu/Target.h"

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <optional>
#include <string>

namespace ssm::gpu {

/// What a launch must know about an emitted kernel. The expression is over the
/// symbols s0 = rows, s1 = sequences, s2 = tiles, s3 = outputs of a call.
struct KernelInfo {
  std::string name;
  /// Blocks of a launch.
  mlir::AffineExpr grid;
  /// The kernel is for calls of at most this many rows; -1: any.
  int64_t maxRows = -1;
  /// Threads of a block, and shared memory that a launch adds to what the
  /// kernel declares: `emitKernel` reads them off the function.
  int64_t block = 0, shared = 0;
  /// Bytes of device memory of the kernel, over the same symbols; null: none.
  /// They are zero before its first launch and afterwards as a launch leaves
  /// them; their address is the last argument of a launch.
  mlir::AffineExpr scratch = {};
};

/// What `ptxas` says about a kernel.
struct KernelReport {
  std::string name;
  int64_t registers = 0, sharedBytes = 0, spillBytes = 0, stackBytes = 0;
};

/// The kernels of an artifact.
struct Image {
  struct Kernel {
    std::string name;
    int64_t block = 0;
    /// Bytes of shared memory that PTX declares, and that a launch must add.
    int64_t staticShared = 0, dynamicShared = 0;
  };

  /// One module in PTX, which every driver that knows the chip compiles.
  std::string ptx;
  /// The same as machine code, where `ptxas` is on this machine; else empty.
  std::string cubin;
  std::vector<Kernel> kernels;
  /// One per kernel where there is a cubin.
  std::vector<KernelReport> reports;

  const Kernel *find(llvm::StringRef name) const;
};

/// Makes the dialects, passes and translations that kernels need known.
void registerGpuCodegen(mlir::DialectRegistry &registry);

/// Appends to `module` the `tile.func`s of one `kern` operation; several where
/// its schedule has several entries, in their order. Reports what it cannot do
/// at the operation. Of products that stream their weights and `makeLogits`,
/// each block leaves the largest of its columns in scratch memory, as a
/// candidate for the largest of the row: [rows][blocks] pairs of the number
/// (f32) and its column (i32, -1: it has no number).
mlir::FailureOr<mlir::SmallVector<KernelInfo>>
emitKernel(mlir::Operation *kernOp, llvm::StringRef name, const Target &target,
           mlir::ModuleOp module, bool makeLogits = false);

/// Whether `ptxas` is asked for machine code.
enum class Assemble { Never, IfPresent };

/// Compiles the `tile.func`s of `module`, each by itself and in parallel where
/// the context has threads. The module is left as it was.
mlir::FailureOr<Image> compileKernels(mlir::ModuleOp module,
                                      const Target &target,
                                      Assemble assemble = Assemble::IfPresent);

/// Writes `module`, lowered to the LLVM dialect.
mlir::LogicalResult printNvvm(mlir::ModuleOp module, llvm::raw_ostream &stream);

/// The `ptxas` of this machine: in PATH, CUDA_HOME/bin or /usr/local/cuda/bin.
std::optional<std::string> findAssembler();

/// Machine code of `ptx` by the assembler `path`, and its report.
llvm::Error assemble(llvm::StringRef path, const Target &target, Image &image);

} // namespace ssm::gpu
