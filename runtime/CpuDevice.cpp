//===- CpuDevice.cpp - Kernels as machine code of this process ------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/CpuDevice.h"
#include "runtime/Checked.h"
#include "runtime/StateLayout.h"

#include <algorithm>
#include <cstring>
#include <ctime>

namespace ssmrt {

namespace {

constexpr int64_t kScratchAlignment = 4096;

struct KernelCall {
  KernelFunction kernel;
  const uint64_t *arguments;
  char *scratch;
  int64_t scratchStride;
};

void runChunk(void *context, int64_t begin, int64_t end, int thread) {
  const KernelCall &call = *static_cast<const KernelCall *>(context);
  FlushDenormals flush;
  call.kernel(call.arguments, begin, end,
              call.scratch + thread * call.scratchStride);
}

double processorSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_nsec) * 1e-9;
}

char *pointerTo(DeviceAddress address) {
  return reinterpret_cast<char *>(static_cast<uintptr_t>(address));
}

DeviceAddress addressOf(const void *pointer) {
  return static_cast<DeviceAddress>(reinterpret_cast<uintptr_t>(pointer));
}

} // namespace

Expected<std::unique_ptr<CpuDevice>>
CpuDevice::create(const Artifact &artifact, const ArtifactImage &image,
                  const Plan &plan, ThreadPool &pool,
                  const KernelLookup &lookup) {
  std::unique_ptr<CpuDevice> device(new CpuDevice(plan, pool));
  if (!lookup) {
    Expected<CodeImage> loaded = CodeImage::load(artifact, image);
    if (!loaded)
      return loaded.status();
    device->code.emplace(*std::move(loaded));
  }
  for (const PlanKernel &kernel : plan.kernels) {
    device->kernels.push_back(lookup ? lookup(kernel.name)
                                     : device->code->kernelAt(kernel.offset));
    if (!device->kernels.back())
      return error(artifact.path() + ": missing kernel '" + kernel.name + "'");
  }
  return device;
}

Expected<DeviceAddress>
CpuDevice::allocate(int64_t bytes, const std::string &purpose, PageSize pages) {
  Expected<Memory> memory = Memory::allocate(bytes, purpose);
  if (!memory)
    return memory.status();
  if (pages == PageSize::Large)
    memory->adviseHugePages();
  const DeviceAddress address = addressOf(memory->data());
  if (bytes > 0)
    memories.emplace(address, *std::move(memory));
  return address;
}

void CpuDevice::free(DeviceAddress address) { memories.erase(address); }

Expected<DeviceAddress> CpuDevice::adopt(const void *data, int64_t,
                                         const std::string &) {
  return addressOf(data);
}

Status CpuDevice::upload(DeviceAddress target, const void *source,
                         int64_t bytes) {
  if (bytes > 0)
    std::memcpy(pointerTo(target), source, bytes);
  return {};
}

Status CpuDevice::download(void *target, DeviceAddress source, int64_t bytes) {
  if (bytes > 0)
    std::memcpy(target, pointerTo(source), bytes);
  return {};
}

Status CpuDevice::fill(DeviceAddress target, uint8_t value, int64_t bytes) {
  if (bytes > 0)
    std::memset(pointerTo(target), value, bytes);
  return {};
}

Status CpuDevice::poison(DeviceAddress target, int64_t bytes) {
  return fill(target, kPoisonByte, bytes);
}

Status CpuDevice::prepare(const SymbolValues &largest) {
  int64_t bytes = 0;
  for (const PlanKernel &kernel : plan.kernels)
    bytes = std::max(bytes, kernel.scratch.evaluate(largest));
  bytes = std::min(bytes, kLargestSize);
  const int64_t stride = roundUp(bytes, kScratchAlignment);
  if (stride <= scratchStride)
    return {};
  Expected<Memory> memory =
      Memory::allocate(checkedMultiply(stride, pool.threads()).value_or(-1),
                       "scratch of kernels");
  if (!memory)
    return memory.status();
  scratch = *std::move(memory);
  scratch.adviseHugePages();
  scratchStride = stride;
  return {};
}

void CpuDevice::poisonScratch() {
  if (scratch.size() > 0)
    std::memset(scratch.data(), kPoisonByte, scratch.size());
}

Status CpuDevice::launch(const DeviceLaunch &launch) {
  KernelCall call{kernels[launch.kernel], launch.arguments.data(),
                  scratch.data(), scratchStride};
  pool.run(launch.grid, runChunk, &call);
  return {};
}

Expected<double> CpuDevice::launchTimed(const DeviceLaunch &timed) {
  const double start = processorSeconds();
  if (Status status = launch(timed); !status)
    return status;
  return (processorSeconds() - start) / double(pool.threads());
}

} // namespace ssmrt
