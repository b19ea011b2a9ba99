//===- ssmc-run.cpp - Runs compiled models --------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Artifact.h"
#include "tools/run/RunCommand.h"
#include "tools/run/RunOptions.h"

#include <CLI/CLI.hpp>

int main(int argc, char **argv) {
  CLI::App app("Runs a model that ssmc compile has made.", "ssmc-run");
  app.set_version_flag("--version",
                       "ssmc-run " SSMC_VERSION ", artifact ABI " +
                           std::to_string(ssmrt::kArtifactVersion));
  ssmrt::RunOptions options;
  ssmrt::addRunOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    constexpr int kWrongUsage = 2;
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  ssmrt::removeFilesOnSignals();
  return ssmrt::runCommand(options);
}
