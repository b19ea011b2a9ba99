//===- KernelWork.h - What the kernels of a plan must do ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Plan.h"

namespace ssmbench {

/// A call of an entry point: `batch` sequences of `tokens` new tokens each,
/// after `context` earlier ones.
struct Call {
  ssmrt::Entry entry = ssmrt::Entry::Step;
  int64_t batch = 1, tokens = 1, context = 0;
};

/// What all launches of a kernel in one call cannot do without. `flops` counts
/// two for a multiply-add; a scan counts twelve vector operations for an update
/// of a state (exp2 of degree 5 and two multiply-adds) as as many
/// multiply-adds. `bytes` are packed weights of products, fixed states read and
/// written, keys and values of the context.
struct KernelWork {
  double flops = 0, bytes = 0;
};

/// Work by index of the kernel; zero where a kernel only moves activations.
std::vector<KernelWork> kernelWork(const ssmrt::Plan &plan, const Call &call);

} // namespace ssmbench
