//===- CudaDevice.cpp - Kernels on an NVIDIA GPU --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/CudaDevice.h"
#include "runtime/StateLayout.h"
#include "runtime/StepProgram.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace ssmrt {

using namespace cuda;

namespace {

constexpr int64_t kMostBlocks = INT32_MAX;

std::string megabytes(uint64_t bytes) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.1f MB",
                static_cast<double>(bytes) * 1e-6);
  return text;
}

/// Code for sm_80 runs on chips 8.x from 8.0 on, code for sm_90a on 9.0 only.
bool cubinFits(const GpuArch &arch, int chip) {
  return arch.runsOn(chip) && arch.number / 10 == chip / 10;
}

/// A log as a part of one line.
std::string onOneLine(const char *log) {
  std::string line;
  for (; *log; ++log)
    line += *log == '\n' ? ' ' : *log;
  while (!line.empty() && line.back() == ' ')
    line.pop_back();
  return line;
}

} // namespace

Expected<std::unique_ptr<CudaDevice>>
CudaDevice::create(std::shared_ptr<Gpu> gpu, const Artifact &artifact,
                   const ArtifactImage &image, const Plan &plan) {
  std::unique_ptr<CudaDevice> device(new CudaDevice(std::move(gpu)));
  if (Status status = device->gpu->enter(); !status)
    return status;
  if (Status status = device->checkMemory(plan); !status)
    return status;
  if (Status status = device->loadImage(artifact, image, plan); !status)
    return status;
  Expected<Staging> staging = Staging::create(*device->gpu);
  if (!staging)
    return staging.status();
  device->staging.push_back(*std::move(staging));
  return device;
}

CudaDevice::~CudaDevice() {
  // Failures of giving back change nothing any more.
  if (!gpu->enter())
    return;
  (void)synchronize();
  dropRecording();
  for (DeviceAddress address : adopted)
    free(address);
  staging.clear();
  for (Module module : modules)
    (void)call.unloadModule(module);
}

Status CudaDevice::checkMemory(const Plan &plan) const {
  size_t available = 0, total = 0;
  if (Status status = call.memoryInfo(&available, &total); !status)
    return status;
  uint64_t needed = 0;
  for (const PlanWeight &weight : plan.weights)
    needed += static_cast<uint64_t>(weight.layout.bytes());
  if (needed > available)
    return error("memory of " + gpu->name() + ", got " + megabytes(available) +
                 " free, expected " + megabytes(needed) + " for weights");
  return {};
}

Status CudaDevice::loadModule(const void *data, const std::string &place,
                              Module &module) {
  char log[4096] = "";
  int options[] = {kJitErrorLog, kJitErrorLogBytes};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log) - 1)};
  Status status =
      call.loadModule(&module, data, std::size(options), options, values);
  if (!status)
    return error(place + ": " + status.message +
                 (*log ? ": " + onOneLine(log) : ""));
  modules.push_back(module);
  return {};
}

Status CudaDevice::loadImage(const Artifact &artifact,
                             const ArtifactImage &image, const Plan &plan) {
  const bool isCubin = image.cubin && image.cubin->bytes > 0 &&
                       cubinFits(image.arch, gpu->chip());
  const TensorView &view = isCubin ? *image.cubin : *image.code;
  const std::string place = artifact.path() +
                            (isCubin ? ": cubin." : ": image.") +
                            std::to_string(image.number);
  if (view.bytes == 0)
    return error(place + ": empty");
  code = isCubin ? "cubin" : "PTX";
  // The driver wants a zero at the end of PTX.
  const std::string copy(view.data, static_cast<size_t>(view.bytes));
  Module module = nullptr;
  if (Status status = loadModule(copy.c_str(), place, module); !status)
    return status;
  for (const PlanKernel &kernel : plan.kernels)
    if (Status status = addKernel(module, kernel); !status)
      return error(place + ": kernel '" + kernel.name + "': " + status.message);
  const std::string step(kStepProgram);
  if (Status status = loadModule(step.c_str(), "step program", module); !status)
    return status;
  return addKernel(module, chooserKernel());
}

Status CudaDevice::addKernel(Module module, const PlanKernel &kernel) {
  Function function = nullptr;
  if (Status status = call.findFunction(&function, module, kernel.name.c_str());
      !status)
    return status;
  // Without it the limit is 48 KB, less what the kernel declares.
  if (kernel.shared > 0)
    if (Status status = call.setAttribute(function, kDynamicSharedBytes,
                                          static_cast<int>(kernel.shared));
        !status)
      return status;
  kernels.push_back({function, static_cast<unsigned>(kernel.block),
                     static_cast<unsigned>(kernel.shared)});
  return {};
}

std::string CudaDevice::description() const {
  return gpu->name() + ", sm_" + std::to_string(gpu->chip()) + ", " + code;
}

Expected<DeviceAddress>
CudaDevice::allocate(int64_t bytes, const std::string &purpose, PageSize) {
  if (bytes == 0)
    return DeviceAddress(0);
  if (Status status = gpu->enter(); !status)
    return status;
  size_t available = 0, total = 0;
  if (Status status = call.memoryInfo(&available, &total); !status)
    return status;
  if (bytes < 0 || static_cast<uint64_t>(bytes) > available)
    return error("memory of " + gpu->name() + ", got " + megabytes(available) +
                 " free, expected " +
                 (bytes < 0 ? "too much" : megabytes(bytes)) + " for " +
                 purpose);
  uint64_t address = 0;
  if (Status status = call.allocate(&address, static_cast<size_t>(bytes));
      !status)
    return error(purpose + ": " + status.message);
  if (Status status = fill(address, 0, bytes); !status) {
    free(address);
    return status;
  }
  return address;
}

void CudaDevice::free(DeviceAddress address) {
  if (gpu->enter())
    (void)call.free(address);
}

Expected<DeviceAddress> CudaDevice::adopt(const void *data, int64_t bytes,
                                          const std::string &purpose) {
  Expected<DeviceAddress> address = allocate(bytes, purpose, PageSize::Large);
  if (!address)
    return address;
  adopted.push_back(*address);
  if (Status status = upload(*address, data, bytes); !status)
    return status;
  return address;
}

Status CudaDevice::upload(DeviceAddress target, const void *source,
                          int64_t bytes) {
  if (Status status = gpu->enter(); !status)
    return status;
  return staging.front().upload(target, static_cast<const char *>(source),
                                bytes);
}

Status CudaDevice::download(void *target, DeviceAddress source, int64_t bytes) {
  if (Status status = gpu->enter(); !status)
    return status;
  return staging.front().download(static_cast<char *>(target), source, bytes);
}

Status CudaDevice::fill(DeviceAddress target, uint8_t value, int64_t bytes) {
  if (bytes == 0)
    return {};
  if (Status status = gpu->enter(); !status)
    return status;
  return call.fill(target, value, static_cast<size_t>(bytes), gpu->stream());
}

Status CudaDevice::poison(DeviceAddress target, int64_t bytes) {
  return fill(target, kPoisonByte, bytes);
}

Status CudaDevice::launch(const DeviceLaunch &launch) {
  if (launch.grid <= 0)
    return {};
  if (launch.grid > kMostBlocks)
    return error("launch of " + std::to_string(launch.grid) +
                 " blocks, supported " + std::to_string(kMostBlocks));
  if (Status status = gpu->enter(); !status)
    return status;
  std::vector<void *> parameters;
  for (const uint64_t &argument : launch.arguments)
    parameters.push_back(const_cast<uint64_t *>(&argument));
  const Kernel &kernel = kernels[launch.kernel];
  const unsigned grid = static_cast<unsigned>(launch.grid);
  if (graph)
    return record(kernel, grid, parameters.data());
  return call.launch(kernel.function, grid, 1, 1, kernel.block, 1, 1,
                     kernel.shared, gpu->stream(), parameters.data(), nullptr);
}

Expected<double> CudaDevice::launchTimed(const DeviceLaunch &timed) {
  GpuEvent begin(*gpu, 0), end(*gpu, 0);
  if (Status status = gpu->enter(); !status)
    return status;
  if (Status status = begin.record(); !status)
    return status;
  if (Status status = launch(timed); !status)
    return status;
  if (Status status = end.record(); !status)
    return status;
  if (Status status = end.wait(); !status)
    return status;
  Expected<float> milliseconds = end.since(begin);
  if (!milliseconds)
    return milliseconds.status();
  return *milliseconds * 1e-3;
}

Status CudaDevice::synchronize() {
  if (Status status = gpu->enter(); !status)
    return status;
  return call.waitForStream(gpu->stream());
}

Expected<std::unique_ptr<DownloadRing>> CudaDevice::createRing(int64_t entries,
                                                               int64_t bytes) {
  if (Status status = gpu->enter(); !status)
    return status;
  return PinnedRing::create(gpu, entries, bytes);
}

Status CudaDevice::beginRecording() {
  lastNode = nullptr;
  if (Status status = gpu->enter(); !status)
    return status;
  return call.createGraph(&graph, 0);
}

Status CudaDevice::record(const Kernel &kernel, unsigned grid,
                          void **parameters) {
  KernelNode node{};
  node.function = kernel.function;
  node.gridX = grid;
  node.blockX = kernel.block;
  node.gridY = node.gridZ = node.blockY = node.blockZ = 1;
  node.sharedBytes = kernel.shared;
  node.parameters = parameters;
  GraphNode added = nullptr;
  if (Status status =
          call.addKernel(&added, graph, &lastNode, lastNode ? 1 : 0, &node);
      !status)
    return status;
  lastNode = added;
  return {};
}

Expected<int64_t> CudaDevice::endRecording() {
  GraphExec executable = nullptr;
  const Status status = call.instantiate(&executable, graph, 0);
  dropRecording();
  if (!status)
    return status;
  recordings.push_back(executable);
  return static_cast<int64_t>(recordings.size()) - 1;
}

void CudaDevice::eraseRecording(int64_t recording) {
  if (gpu->enter())
    (void)call.destroyGraphExec(recordings[recording]);
  recordings[recording] = nullptr;
}

void CudaDevice::dropRecording() {
  if (graph)
    (void)call.destroyGraph(graph);
  graph = nullptr;
}

Status CudaDevice::replay(int64_t recording) {
  if (Status status = gpu->enter(); !status)
    return status;
  return call.launchGraph(recordings[recording], gpu->stream());
}

/// Of repeated copies within the GPU, each of half of `kBytes` or less, the
/// best: bytes read and bytes written count.
Expected<double> CudaDevice::copyRate() {
  constexpr int64_t kMostBytes = int64_t{1} << 30;
  constexpr int kCopies = 10;
  size_t available = 0, total = 0;
  if (Status status = gpu->enter(); !status)
    return status;
  if (Status status = call.memoryInfo(&available, &total); !status)
    return status;
  const int64_t bytes =
      std::min<int64_t>(kMostBytes, static_cast<int64_t>(available / 2)) / 2 /
      256 * 256;
  Expected<DeviceBuffer> memory = DeviceBuffer::allocate(
      *this, 2 * bytes, "measuring copies", PageSize::Large);
  if (!memory)
    return memory.status();
  double best = 0;
  for (int i = 0; i < kCopies; ++i) {
    GpuEvent begin(*gpu, 0), end(*gpu, 0);
    if (Status status = begin.record(); !status)
      return status;
    if (Status status = call.copyOnDevice(
            memory->address() + bytes, memory->address(), bytes, gpu->stream());
        !status)
      return status;
    if (Status status = end.record(); !status)
      return status;
    if (Status status = end.wait(); !status)
      return status;
    Expected<float> milliseconds = end.since(begin);
    if (!milliseconds)
      return milliseconds.status();
    best = std::max(best, 2e3 * static_cast<double>(bytes) /
                              std::max(*milliseconds, 1e-6f));
  }
  return best;
}

} // namespace ssmrt
