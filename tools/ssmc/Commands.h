//===- Commands.h - The commands of ssmc ----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "frontends/Frontend.h"

#include "CLI/CLI.hpp"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringRef.h"

#include <functional>
#include <memory>
#include <string>

namespace ssm {

/// Exit statuses that scripts rely on.
inline constexpr int kDone = 0;
inline constexpr int kBadInput = 1;
inline constexpr int kBadUsage = 2;

/// A command adds its flags to the application and sets `action`, which `main`
/// calls after parsing; its result is the exit status.
using Action = std::function<int()>;
void addImportCommand(CLI::App &app, Action &action);
void addCompileCommand(CLI::App &app, Action &action);
void addRunCommand(CLI::App &app, Action &action);
void addInspectCommand(CLI::App &app, Action &action);
void addBenchCommand(CLI::App &app, Action &action);
void addExploreCommand(CLI::App &app, Action &action);

/// Prints `error: message` on stderr; returns kBadInput.
int fail(const llvm::Twine &message);

/// Writes a file that appears whole or not at all ("-": standard output).
int writeText(const std::string &path,
              llvm::function_ref<void(llvm::raw_ostream &)> write);

/// A context with all dialects whose diagnostics print as one line each,
/// `error: FILE:LINE:COLUMN: message` where the place is known.
class Session {
public:
  Session();
  mlir::MLIRContext context;

  /// Reads a model description; null after a diagnostic.
  mlir::OwningOpRef<mlir::ModuleOp> import(const std::string &path,
                                           ImportReport &report);

private:
  mlir::DiagnosticEngine::HandlerID handler;
};

} // namespace ssm
