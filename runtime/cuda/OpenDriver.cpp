//===- OpenDriver.cpp - Open the CUDA driver at run time ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Nothing else is in this file: a static program defines openDriver() itself,
// and the linker then leaves this one in the archive.

#include "runtime/cuda/Driver.h"

#include <cstdlib>
#include <dlfcn.h>

namespace ssmrt::cuda {

Expected<std::shared_ptr<const Driver>> openDriver() {
  const char *chosen = std::getenv("SSMC_CUDA_DRIVER");
  const std::string path = chosen && *chosen ? chosen : "libcuda.so.1";
  // Never closed: the driver does not survive that.
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    return error(std::string("no NVIDIA driver: ") +
                 (reason ? reason : path.c_str()));
  }
  auto driver = std::make_shared<Driver>();
  if (Status status = driver->bind(library, path, dlsym); !status)
    return status;
  return std::shared_ptr<const Driver>(std::move(driver));
}

} // namespace ssmrt::cuda
