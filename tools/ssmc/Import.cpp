//===- Import.cpp - ssmc import -------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Commands.h"

#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

using namespace ssm;

namespace {
struct ImportOptions {
  std::string model, output;
  bool explain = false, json = false;
};
} // namespace

static int runImport(const ImportOptions &options) {
  Session session;
  ImportReport report;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      session.import(options.model, report);
  if (!module)
    return kBadInput;
  if (options.json) {
    llvm::outs() << llvm::formatv("{0:2}", toJson(report)) << "\n";
  } else if (options.explain) {
    printExplain(report, llvm::outs());
  }
  if (options.output.empty()) {
    if (!options.json && !options.explain)
      module->print(llvm::outs());
    return kDone;
  }
  return writeText(options.output,
                   [&](llvm::raw_ostream &os) { module->print(os); });
}

void ssm::addImportCommand(CLI::App &app, Action &action) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App *command = app.add_subcommand(
      "import", "Read a model description and print it as IR");
  command
      ->add_option("MODEL", options->model,
                   "Hugging Face directory, model card (.json) or IR (.mlir)")
      ->required();
  command->add_flag("--explain", options->explain,
                    "Say what was understood, per layer, and what was ignored");
  command->add_flag("--json", options->json, "The same as JSON");
  command->add_option("-o,--output", options->output, "Write the IR to a file");
  command->footer("Example: ssmc import test/models/hybrid --explain");
  command->callback([&action, options] {
    action = [options] { return runImport(*options); };
  });
}
