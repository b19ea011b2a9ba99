//===- Driver.h - The CUDA driver's entry points --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// What we use of the driver API of CUDA 12, declared here so that building
// needs nothing of NVIDIA's. Every call returns a Status: a failure is one line
// with the call's name and the driver's words.

#pragma once

#include "runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace ssmrt::cuda {

/// Names an error that calls return (CUresult); 0 is success.
using Result = int;

using Context = struct ContextObject *;
using Module = struct ModuleObject *;
using Function = struct FunctionObject *;
using Stream = struct StreamObject *;
using Event = struct EventObject *;
using Graph = struct GraphObject *;
using GraphNode = struct GraphNodeObject *;
using GraphExec = struct GraphExecObject *;

/// CUDA_KERNEL_NODE_PARAMS_v2.
struct KernelNode {
  Function function;
  unsigned gridX, gridY, gridZ;
  unsigned blockX, blockY, blockZ;
  unsigned sharedBytes;
  void **parameters;
  void **extra;
  void *kernel;
  Context context;
};
static_assert(sizeof(KernelNode) == 72, "layout of the driver");

/// Numbers of the driver's enumerations.
constexpr Result kOutOfMemory = 2;
constexpr int kComputeCapabilityMajor = 75;
constexpr int kComputeCapabilityMinor = 76;
constexpr int kJitErrorLog = 5;
constexpr int kJitErrorLogBytes = 6;
constexpr int kDynamicSharedBytes = 8;
constexpr unsigned kNonBlockingStream = 1;
constexpr unsigned kEventWithoutTiming = 2;

// Member, symbol, parameters.
#define SSMRT_CUDA_CALLS(CALL)                                                 \
  CALL(init, "cuInit", unsigned)                                               \
  CALL(driverVersion, "cuDriverGetVersion", int *)                             \
  CALL(deviceCount, "cuDeviceGetCount", int *)                                 \
  CALL(device, "cuDeviceGet", int *, int)                                      \
  CALL(deviceName, "cuDeviceGetName", char *, int, int)                        \
  CALL(deviceAttribute, "cuDeviceGetAttribute", int *, int, int)               \
  CALL(retainContext, "cuDevicePrimaryCtxRetain", Context *, int)              \
  CALL(releaseContext, "cuDevicePrimaryCtxRelease_v2", int)                    \
  CALL(setContext, "cuCtxSetCurrent", Context)                                 \
  CALL(memoryInfo, "cuMemGetInfo_v2", size_t *, size_t *)                      \
  CALL(allocate, "cuMemAlloc_v2", uint64_t *, size_t)                          \
  CALL(free, "cuMemFree_v2", uint64_t)                                         \
  CALL(allocateHost, "cuMemHostAlloc", void **, size_t, unsigned)              \
  CALL(freeHost, "cuMemFreeHost", void *)                                      \
  CALL(copyToDevice, "cuMemcpyHtoDAsync_v2", uint64_t, const void *, size_t,   \
       Stream)                                                                 \
  CALL(copyToHost, "cuMemcpyDtoHAsync_v2", void *, uint64_t, size_t, Stream)   \
  CALL(copyOnDevice, "cuMemcpyDtoDAsync_v2", uint64_t, uint64_t, size_t,       \
       Stream)                                                                 \
  CALL(fill, "cuMemsetD8Async", uint64_t, unsigned char, size_t, Stream)       \
  CALL(createStream, "cuStreamCreate", Stream *, unsigned)                     \
  CALL(destroyStream, "cuStreamDestroy_v2", Stream)                            \
  CALL(waitForStream, "cuStreamSynchronize", Stream)                           \
  CALL(createEvent, "cuEventCreate", Event *, unsigned)                        \
  CALL(destroyEvent, "cuEventDestroy_v2", Event)                               \
  CALL(recordEvent, "cuEventRecord", Event, Stream)                            \
  CALL(waitForEvent, "cuEventSynchronize", Event)                              \
  CALL(elapsed, "cuEventElapsedTime", float *, Event, Event)                   \
  CALL(loadModule, "cuModuleLoadDataEx", Module *, const void *, unsigned,     \
       int *, void **)                                                         \
  CALL(unloadModule, "cuModuleUnload", Module)                                 \
  CALL(findFunction, "cuModuleGetFunction", Function *, Module, const char *)  \
  CALL(setAttribute, "cuFuncSetAttribute", Function, int, int)                 \
  CALL(launch, "cuLaunchKernel", Function, unsigned, unsigned, unsigned,       \
       unsigned, unsigned, unsigned, unsigned, Stream, void **, void **)       \
  CALL(createGraph, "cuGraphCreate", Graph *, unsigned)                        \
  CALL(addKernel, "cuGraphAddKernelNode_v2", GraphNode *, Graph,               \
       const GraphNode *, size_t, const KernelNode *)                          \
  CALL(instantiate, "cuGraphInstantiateWithFlags", GraphExec *, Graph,         \
       unsigned long long)                                                     \
  CALL(launchGraph, "cuGraphLaunch", GraphExec, Stream)                        \
  CALL(destroyGraph, "cuGraphDestroy", Graph)                                  \
  CALL(destroyGraphExec, "cuGraphExecDestroy", GraphExec)

class Driver;

/// An entry point with the name that its failures carry.
template <class... Arguments> class Call {
public:
  Call(const Driver &driver, const char *symbol)
      : driver(driver), symbol(symbol) {}
  Call(const Call &) = delete;
  Call &operator=(const Call &) = delete;

  Status operator()(Arguments... arguments) const;

  const char *name() const { return symbol; }
  void bind(void *address) {
    function = reinterpret_cast<Result (*)(Arguments...)>(address);
  }

private:
  const Driver &driver;
  const char *symbol;
  Result (*function)(Arguments...) = nullptr;
};

/// The driver's library.
class Driver {
public:
  Driver() = default;
  Driver(const Driver &) = delete;
  Driver &operator=(const Driver &) = delete;

  /// Finds every entry point in `library`, a handle of dlopen, by `find`.
  Status bind(void *library, const std::string &path,
              void *(*find)(void *library, const char *symbol));

  /// `result` of a call as a failure, or success.
  Status check(const char *call, Result result) const;

#define SSMRT_CUDA_MEMBER(member, symbol, ...)                                 \
  Call<__VA_ARGS__> member{*this, symbol};
  SSMRT_CUDA_CALLS(SSMRT_CUDA_MEMBER)
#undef SSMRT_CUDA_MEMBER

private:
  Result (*errorName)(Result, const char **) = nullptr;
  Result (*errorString)(Result, const char **) = nullptr;
};

template <class... Arguments>
Status Call<Arguments...>::operator()(Arguments... arguments) const {
  const Result result = function(arguments...);
  return result == 0 ? Status{} : driver.check(symbol, result);
}

/// Opens the library that SSMC_CUDA_DRIVER names, else libcuda.so.1. A program
/// that cannot open libraries has an openDriver of its own, which says so.
Expected<std::shared_ptr<const Driver>> openDriver();

} // namespace ssmrt::cuda
