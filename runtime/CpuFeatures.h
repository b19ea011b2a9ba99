//===- CpuFeatures.h - What this CPU can do -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ssmrt {

/// Whether the CPU and the system offer `feature`, by its name in
/// /proc/cpuinfo, e.g. "avx512_bf16". An unknown feature is not there.
bool hasCpuFeature(std::string_view feature);

/// The first of `features` that is not there, or an empty text.
std::string firstMissingFeature(const std::vector<std::string> &features);

/// "x86-64", "aarch64".
std::string_view cpuArchitecture();

} // namespace ssmrt
