//===- PtxDevice.cpp - Kernels as PTX on the interpreter ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/PtxDevice.h"
#include "runtime/StateLayout.h"
#include "runtime/StepProgram.h"

#include <chrono>

namespace ssmrt {

namespace {

constexpr int64_t kMostBlocks = UINT32_MAX;

std::string_view textOf(const TensorView &view) {
  return {static_cast<const char *>(static_cast<const void *>(view.data)),
          static_cast<size_t>(view.bytes)};
}

} // namespace

Expected<std::unique_ptr<PtxDevice>>
PtxDevice::create(const Artifact &artifact, const ArtifactImage &image,
                  const Plan &plan, const PtxOptions &options, int threads) {
  ptx::Options interpreter;
  interpreter.seed = options.seed;
  interpreter.countAccesses = false;
  if (!options.checks)
    interpreter.checks = ptx::Checks::none();
  interpreter.threads = options.checks ? 1 : static_cast<unsigned>(threads);
  std::unique_ptr<PtxDevice> device(new PtxDevice(interpreter));
  const std::string place =
      artifact.path() + ": image." + std::to_string(image.number);
  if (image.code->bytes == 0)
    return error(place + ": empty");
  Expected<ptx::Module> module = ptx::Module::parse(textOf(*image.code), place);
  if (!module)
    return module.status();
  device->target = std::string(module->target());
  for (const PlanKernel &kernel : plan.kernels)
    if (Status status = device->load(*module, kernel); !status)
      return error(artifact.path() + ": " + status.message);
  Expected<ptx::Module> step = ptx::Module::parse(kStepProgram, "step program");
  if (!step)
    return step.status();
  device->choose = chooserKernel();
  if (Status status = device->load(*step, device->choose); !status)
    return status;
  return device;
}

Status PtxDevice::load(const ptx::Module &module, const PlanKernel &kernel) {
  if (!module.findKernel(kernel.name))
    return error("missing kernel '" + kernel.name + "'");
  kernels.push_back({&kernel, module});
  return {};
}

std::string PtxDevice::description() const {
  return "interpreter of " + target + " code, seed " +
         std::to_string(options.seed) +
         (checksInitialised() ? "" : ", without checks");
}

Expected<DeviceAddress>
PtxDevice::allocate(int64_t bytes, const std::string &purpose, PageSize) {
  if (bytes == 0)
    return DeviceAddress(0);
  Expected<uint64_t> address =
      bytes > 0 ? memory.allocate(static_cast<uint64_t>(bytes))
                : Expected<uint64_t>(error("too many bytes"));
  if (!address)
    return error(purpose + ": " + address.status().message);
  return *address;
}

void PtxDevice::free(DeviceAddress address) {
  // Fails only for an address that allocate() has not returned.
  (void)memory.free(address);
}

Expected<DeviceAddress> PtxDevice::adopt(const void *data, int64_t bytes,
                                         const std::string &) {
  return memory.registerHost(data, static_cast<uint64_t>(bytes));
}

Status PtxDevice::upload(DeviceAddress target, const void *source,
                         int64_t bytes) {
  return memory.write(target, source, static_cast<uint64_t>(bytes));
}

Status PtxDevice::download(void *target, DeviceAddress source, int64_t bytes) {
  return memory.read(source, target, static_cast<uint64_t>(bytes));
}

Status PtxDevice::fill(DeviceAddress target, uint8_t value, int64_t bytes) {
  return memory.fill(target, value, static_cast<uint64_t>(bytes));
}

Status PtxDevice::poison(DeviceAddress target, int64_t bytes) {
  if (Status status = fill(target, kPoisonByte, bytes); !status)
    return status;
  return memory.forget(target, static_cast<uint64_t>(bytes));
}

Status PtxDevice::launch(const DeviceLaunch &launch) {
  if (launch.grid <= 0)
    return {};
  const Kernel &kernel = kernels[launch.kernel];
  if (launch.grid > kMostBlocks)
    return error("kernel '" + kernel.plan->name +
                 "': " + std::to_string(launch.grid) + " blocks, supported " +
                 std::to_string(kMostBlocks));
  ptx::Launch call;
  call.kernel = kernel.plan->name;
  call.grid.x = static_cast<uint32_t>(launch.grid);
  call.block.x = static_cast<uint32_t>(kernel.plan->block);
  call.cluster = kernel.module.findKernel(kernel.plan->name)->cluster;
  call.dynamicShared = static_cast<uint32_t>(kernel.plan->shared);
  call.parameters = {
      reinterpret_cast<const std::byte *>(launch.arguments.data()),
      launch.arguments.size() * sizeof(uint64_t)};
  return ptx::launch(kernel.module, call, memory, options).status();
}

Expected<double> PtxDevice::launchTimed(const DeviceLaunch &timed) {
  const auto start = std::chrono::steady_clock::now();
  if (Status status = launch(timed); !status)
    return status;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

int64_t PtxDevice::chooser() const {
  return static_cast<int64_t>(kernels.size()) - 1;
}

} // namespace ssmrt
