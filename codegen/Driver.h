//===- Driver.h - From a model to an artifact -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/Artifact.h"

#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <string>
#include <vector>

namespace ssm {

/// The levels of the IR, from the model's description down.
enum class Level { Block, Ops, Kern, Plan };

/// What `emitText` writes.
enum class EmitLevel {
  Block,
  Ops,
  Kern,
  Plan,
  Llvm,
  Assembly,
  Object,
  Tile,
  Nvvm,
  Ptx
};

/// The level that --emit=`name` asks for: block, ops, kern, plan, llvm, asm,
/// obj.
std::optional<EmitLevel> emitLevelOf(llvm::StringRef name);

struct CompileOptions {
  /// Names of CPU targets (`Target::names()`) and GPU targets
  /// (`gpu::Target::all()`).
  std::vector<std::string> targets = {"native"};
  /// `auto`, `f32` or `bf16`.
  std::vector<std::string> precisions = {"auto"};
  /// Leave out every pass that changes rounding.
  bool strict = false;
  /// Bytes of tokenizer.json for the artifact; may be empty.
  std::string tokenizer;
  /// Called before each image with its name and how many of how many are done.
  std::function<void(const std::string &image, size_t done, size_t total)>
      progress;
};

/// Makes everything known to `registry` that compiling needs.
void registerCompiler(mlir::DialectRegistry &registry);

/// The level of a module; fails with a diagnostic if it holds no model or is
/// not of one level.
mlir::FailureOr<Level> levelOf(mlir::ModuleOp module);

/// SHA-256 of the module's text in hexadecimal digits: the identity of a model
/// in artifacts and states.
std::string descriptionHash(mlir::ModuleOp module);

/// Lowers `module`, in place, to op form; no change if it is there. Fails
/// below.
mlir::LogicalResult lowerToOps(mlir::ModuleOp module);

/// Compiles the model of `module`, which may be at any level and is left as it
/// was, for each target and precision. Errors are diagnostics of its context.
mlir::FailureOr<Artifact> compile(mlir::ModuleOp module,
                                  const CompileOptions &options);

/// Writes the model of `module` at another level, for the first target and
/// precision of `options`.
mlir::LogicalResult emitText(mlir::ModuleOp module,
                             const CompileOptions &options, EmitLevel level,
                             llvm::raw_pwrite_stream &stream);

} // namespace ssm
