//===- Gpu.cpp - One GPU and its context ----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/Gpu.h"

namespace ssmrt::cuda {

/// As the driver counts: 1000 * major + 10 * minor.
static constexpr int kOldestDriver = 12000;

static std::string versionText(int version) {
  return std::to_string(version / 1000) + "." +
         std::to_string(version % 1000 / 10);
}

Expected<std::shared_ptr<Gpu>> Gpu::open() {
  Expected<std::shared_ptr<const Driver>> driver = openDriver();
  if (!driver)
    return driver.status();
  std::shared_ptr<Gpu> gpu(new Gpu(*std::move(driver)));
  if (Status status = gpu->start(); !status)
    return status;
  return gpu;
}

Status Gpu::start() {
  const Driver &call = *library;
  if (Status status = call.init(0); !status)
    return status;
  int version = 0;
  if (Status status = call.driverVersion(&version); !status)
    return status;
  if (version < kOldestDriver)
    return error("NVIDIA driver, got one for CUDA " + versionText(version) +
                 ", supported from " + versionText(kOldestDriver));
  int count = 0;
  if (Status status = call.deviceCount(&count); !status)
    return status;
  if (count < 1)
    return error("the NVIDIA driver shows no GPU");
  if (Status status = call.device(&device, 0); !status)
    return status;
  char text[256] = "";
  if (Status status = call.deviceName(text, sizeof(text) - 1, device); !status)
    return status;
  label = text;
  int major = 0, minor = 0;
  if (Status status =
          call.deviceAttribute(&major, kComputeCapabilityMajor, device);
      !status)
    return status;
  if (Status status =
          call.deviceAttribute(&minor, kComputeCapabilityMinor, device);
      !status)
    return status;
  capability = 10 * major + minor;
  if (Status status = call.retainContext(&context, device); !status)
    return status;
  if (Status status = enter(); !status)
    return status;
  return call.createStream(&queue, kNonBlockingStream);
}

// What fails while everything is given back changes nothing any more.
Gpu::~Gpu() {
  if (queue && enter())
    (void)library->destroyStream(queue);
  if (context)
    (void)library->releaseContext(device);
}

} // namespace ssmrt::cuda
