//===- ImportHelper.h - Importing in tests --------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "frontends/Frontend.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <string>

/// Path of a file below test/.
inline std::string testPath(const std::string &name) {
  return std::string(SSMC_TEST_DIR "/") + name;
}

/// The outcome of one import.
struct Imported {
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  ssm::ImportReport report;
  std::string errors; ///< One per line.

  explicit Imported(const std::string &path) {
    mlir::ScopedDiagnosticHandler handler(&context,
                                          [&](mlir::Diagnostic &diagnostic) {
                                            errors += diagnostic.str() + "\n";
                                            return mlir::success();
                                          });
    auto imported = ssm::importModel(path, context, report);
    if (mlir::succeeded(imported))
      module = std::move(*imported);
  }
  bool ok() const { return bool(module); }
  ssm::ModelOp model() { return *module->getOps<ssm::ModelOp>().begin(); }
  std::string text() {
    std::string result;
    llvm::raw_string_ostream os(result);
    module->print(os);
    return result;
  }
};

/// A temporary model folder.
class ModelFolder {
public:
  ModelFolder() {
    llvm::SmallString<128> created;
    llvm::sys::fs::createUniqueDirectory("ssmc-import", created);
    path = std::string(created);
  }
  /// A folder with one config.json.
  explicit ModelFolder(const std::string &config) : ModelFolder() {
    write("config.json", config);
  }
  ~ModelFolder() { llvm::sys::fs::remove_directories(path); }

  void write(const std::string &name, llvm::StringRef text) const {
    std::error_code code;
    llvm::raw_fd_ostream os(path + "/" + name, code);
    os << text;
  }

  std::string path;
};

/// The errors of a folder with this config.json, without the folder's name.
inline std::string errorsOf(const std::string &config) {
  ModelFolder folder(config);
  Imported imported(folder.path);
  std::string errors = imported.errors;
  for (size_t at; (at = errors.find(folder.path + "/")) != std::string::npos;)
    errors.erase(at, folder.path.size() + 1);
  return errors;
}
