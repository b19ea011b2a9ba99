//===- Target.cpp - Table of GPU targets ----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Target.h"

using namespace ssm::gpu;

static constexpr Target kTargets[] = {
    {"sm_80", "+ptx70", 163 * 1024, 108},
};

llvm::ArrayRef<Target> Target::all() { return kTargets; }

const Target *Target::lookup(llvm::StringRef name) {
  for (const Target &target : kTargets)
    if (name == target.name)
      return &target;
  return nullptr;
}
