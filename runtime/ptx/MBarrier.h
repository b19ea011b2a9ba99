//===- MBarrier.h - mbarriers --------------------------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/ptx/Machine.h"

namespace ssmrt::ptx {

/// The mbarrier at `offset` of shared memory, or null.
MBarrier *findMBarrier(Block &block, uint32_t offset);

/// `bytes` of an asynchronous operation have arrived.
void completeBytes(Block &block, uint32_t offset, uint32_t bytes);

} // namespace ssmrt::ptx
