//===- ssmc.cpp - The compiler's command line -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Commands.h"

#include "codegen/Driver.h"
#include "runtime/Artifact.h"
#include "tools/run/RunCommand.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

using namespace ssm;

int ssm::fail(const llvm::Twine &message) {
  llvm::errs() << "error: " << message << "\n";
  return kBadInput;
}

int ssm::writeText(const std::string &path,
                   llvm::function_ref<void(llvm::raw_ostream &)> write) {
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
    write(os);
    return llvm::Error::success();
  });
  if (error)
    return fail(path + ": " + llvm::toString(std::move(error)));
  return kDone;
}

/// Prints a diagnostic and its notes on one line.
static void printDiagnostic(mlir::Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Remark)
    return;
  llvm::raw_ostream &os = llvm::errs();
  os << (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error
             ? "error: "
             : "warning: ");
  auto place = llvm::dyn_cast<mlir::FileLineColLoc>(diagnostic.getLocation());
  if (place && place.getLine())
    os << place.getFilename().getValue() << ":" << place.getLine() << ":"
       << place.getColumn() << ": ";
  os << diagnostic;
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    os << "; " << note;
  os << "\n";
}

static mlir::DialectRegistry allDialects() {
  mlir::DialectRegistry registry;
  registerCompiler(registry);
  return registry;
}

Session::Session() : context(allDialects()) {
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false);
  handler = context.getDiagEngine().registerHandler(
      [](mlir::Diagnostic &diagnostic) { printDiagnostic(diagnostic); });
}

mlir::OwningOpRef<mlir::ModuleOp> Session::import(const std::string &path,
                                                  ImportReport &report) {
  auto module = importModel(path, context, report);
  return failed(module) ? nullptr : std::move(*module);
}

static std::string versionText() {
  return "ssmc " SSMC_VERSION ", LLVM " LLVM_VERSION_STRING ", artifact ABI " +
         std::to_string(ssmrt::kArtifactVersion) +
         ", targets: x86-64-v3, x86-64-v4, aarch64, native";
}

/// `status`, unless what was printed did not reach its reader.
static int finishOutput(int status) {
  llvm::outs().flush();
  std::error_code error = llvm::outs().error();
  if (!error)
    return status;
  llvm::outs().clear_error();
  return fail("standard output: cannot write: " + error.message());
}

int main(int argc, char **argv) {
  CLI::App app(
      "ssmc compiles language models of state-space, attention and MLP "
      "layers ahead of time, and runs them.",
      "ssmc");
  app.set_version_flag("--version", versionText());
  app.require_subcommand(1);
  app.footer("Examples:\n"
             "  ssmc import DIR --explain\n"
             "  ssmc compile DIR -o model.ssmx --target=x86-64-v3,native\n"
             "  ssmc run DIR --prompt \"...\" -n 32\n"
             "  ssmc inspect model.ssmx\n"
             "  ssmc bench DIR --threads 2\n"
             "  ssmc explore DIR --attention 0..8 --device h200 --html "
             "report.html");
  Action action;
  addImportCommand(app, action);
  addCompileCommand(app, action);
  addRunCommand(app, action);
  addInspectCommand(app, action);
  addBenchCommand(app, action);
  addExploreCommand(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? kDone : kBadUsage;
  }
  ssmrt::removeFilesOnSignals();
  return finishOutput(action());
}
