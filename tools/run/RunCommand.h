//===- RunCommand.h - Runs an artifact for a user -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "tools/run/RunOptions.h"

namespace ssmrt {

/// Runs the artifact `options.model`, prints what was generated and returns the
/// exit status: 0, or 1 after one line on stderr if the input is wrong.
int runCommand(const RunOptions &options);

/// Removes unfinished files when a signal ends the process.
void removeFilesOnSignals();

} // namespace ssmrt
