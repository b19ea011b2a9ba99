//===- Report.h - What ptx-run prints ------------------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "tools/ptx-run/Arguments.h"

namespace ptxrun {

/// "NAME" or "NAME[FROM:TO]" printed as one line "NAME: 1 2 3".
Expected<std::string> printBuffer(const Arguments &arguments,
                                  std::string_view range,
                                  const ssmrt::ptx::DeviceMemory &memory);

/// Compares a buffer with "NAME=CONTENT" (see fill()); differences up to
/// `tolerance` + `tolerance` * |expected| are equal. The failure names the
/// first difference.
Status compareBuffer(const Arguments &arguments, std::string_view expectation,
                     double tolerance, const ssmrt::ptx::DeviceMemory &memory);

/// Writes "NAME=PATH".
Status saveBuffer(const Arguments &arguments, std::string_view target,
                  const ssmrt::ptx::DeviceMemory &memory);

/// Counters as lines of text.
std::string printCounters(const ssmrt::ptx::Counters &counters);
/// Counters as a JSON object.
std::string printJson(const ssmrt::ptx::Counters &counters);
/// One line per kernel: name, parameters, required block, memory.
std::string printKernels(const ssmrt::ptx::Module &module);

} // namespace ptxrun
