//===- StaticDriver.cpp - No driver in a static program -------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/Driver.h"

namespace ssmrt::cuda {

Expected<std::shared_ptr<const Driver>> openDriver() {
  return error("device cuda: this program is linked statically and cannot open "
               "the NVIDIA driver, use ssmc-run");
}

} // namespace ssmrt::cuda
