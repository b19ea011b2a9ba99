//===- FakeCuda.cpp - A CUDA driver without a GPU -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A shared library with the entry points of the driver that the runtime uses,
// on the PTX interpreter. As a GPU may be late, so is this one: what is queued
// in the stream happens when somebody waits for it, so a missing wait shows.
// It refuses what a driver would make slow or wrong in silence: copies from
// memory that is not pinned, calls without a context.
//
// SSMC_FAKE_CUDA, read by cuInit, is a list of settings, separated by commas:
//   chip=75       memory=100000 (bytes)   version=11040   devices=0
//   fail=SYMBOL:N  the N-th call of SYMBOL fails with CUDA_ERROR_UNKNOWN

#include "runtime/cuda/Driver.h"
#include "runtime/ptx/Interpreter.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace ssmrt;
using namespace ssmrt::cuda;

namespace ssmrt::cuda {

struct ModuleObject {
  ptx::Module module;
  std::map<std::string, std::unique_ptr<FunctionObject>> functions;
};
struct FunctionObject {
  ModuleObject *owner;
  std::string name;
  unsigned dynamicShared = 48 << 10;
};
struct EventObject {
  /// Operations that were queued before the last record.
  uint64_t queuedBefore = 0;
  /// When the record happened; it may after the event was destroyed.
  std::shared_ptr<uint64_t> time = std::make_shared<uint64_t>(0);
};

} // namespace ssmrt::cuda

namespace {

constexpr Result kInvalidValue = 1;
constexpr Result kNoDevice = 100;
constexpr Result kInvalidContext = 201;
constexpr Result kInvalidPtx = 218;
constexpr Result kNotFound = 500;
constexpr Result kLaunchFailed = 719;
constexpr Result kUnknown = 999;

struct Node {
  FunctionObject *function;
  ptx::Launch launch;
  std::vector<uint64_t> parameters;
};

struct State {
  State() = default;
  State(const State &) = delete;
  /// As a driver does when its process ends: a failed call leaves some behind.
  ~State() {
    for (auto [data, bytes] : pinned)
      std::free(data);
  }

  std::map<std::string, std::string> settings;
  std::map<std::string, int> calls;
  ptx::DeviceMemory memory;
  std::map<uint64_t, uint64_t> allocations;
  std::map<char *, size_t> pinned;
  /// Events, modules and graphs by address.
  std::map<const void *, std::shared_ptr<void>> objects;

  template <typename T> T *own(T *object) {
    objects[object] = std::shared_ptr<T>(object);
    return object;
  }
  std::deque<std::function<Status()>> queue;
  uint64_t queued = 0;
  uint64_t done = 0;
  std::string failure;

  int64_t setting(const std::string &name, int64_t absent) const {
    auto found = settings.find(name);
    return found == settings.end() ? absent : std::atoll(found->second.c_str());
  }
  uint64_t available() const {
    uint64_t used = 0;
    for (auto [address, bytes] : allocations)
      used += bytes;
    const uint64_t total = setting("memory", 1 << 30);
    return total > used ? total - used : 0;
  }
};

std::unique_ptr<State> state;
thread_local bool hasContext = false;
int context;
int stream;

/// 0, or what a call shall return instead of working.
Result enter(const char *symbol, bool needsContext = true) {
  if (!state)
    return kUnknown;
  const int count = ++state->calls[symbol];
  if (state->settings["fail"] == symbol + (":" + std::to_string(count)))
    return kUnknown;
  return needsContext && !hasContext ? kInvalidContext : 0;
}

void push(std::function<Status()> operation) {
  state->queue.push_back(std::move(operation));
  ++state->queued;
}

/// Does what was queued first, up to the `end`-th operation of all.
Result drain(uint64_t end) {
  while (state->done < end && !state->queue.empty()) {
    const Status status = state->queue.front()();
    state->queue.pop_front();
    ++state->done;
    if (!status && state->failure.empty())
      state->failure = status.message;
  }
  return state->failure.empty() ? 0 : kLaunchFailed;
}

bool isPinned(const void *data, size_t bytes) {
  const char *begin = static_cast<const char *>(data);
  auto after = state->pinned.upper_bound(const_cast<char *>(begin));
  if (after == state->pinned.begin())
    return false;
  auto [first, size] = *std::prev(after);
  return begin + bytes <= first + size;
}

Status run(const Node &node) {
  ptx::Launch launch = node.launch;
  launch.kernel = node.function->name;
  launch.parameters = {
      reinterpret_cast<const std::byte *>(node.parameters.data()),
      node.parameters.size() * sizeof(uint64_t)};
  ptx::Options options;
  // Sequences that have ended share a spare slot: races there hurt nobody.
  options.checks.races = false;
  return ptx::launch(node.function->owner->module, launch, state->memory,
                     options)
      .status();
}

std::optional<Node> makeNode(FunctionObject *function, ptx::Dim3 grid,
                             ptx::Dim3 block, unsigned shared,
                             void **parameters) {
  if (shared > function->dynamicShared)
    return std::nullopt;
  Node node;
  node.function = function;
  node.launch.grid = grid;
  node.launch.block = block;
  node.launch.dynamicShared = shared;
  const ptx::Kernel *kernel =
      function->owner->module.findKernel(function->name);
  for (size_t i = 0; i < kernel->parameters.size(); ++i)
    node.parameters.push_back(*static_cast<uint64_t *>(parameters[i]));
  return node;
}

} // namespace

namespace ssmrt::cuda {
struct GraphObject {
  std::vector<Node> nodes;
};
struct GraphExecObject {
  std::vector<Node> nodes;
};
} // namespace ssmrt::cuda

extern "C" {

Result cuInit(unsigned) {
  state = std::make_unique<State>();
  if (const char *text = std::getenv("SSMC_FAKE_CUDA")) {
    std::istringstream list(text);
    for (std::string item; std::getline(list, item, ',');) {
      const size_t equal = item.find('=');
      if (equal != std::string::npos)
        state->settings.insert({item.substr(0, equal), item.substr(equal + 1)});
    }
  }
  if (Result result = enter("cuInit", false))
    return result;
  return state->setting("devices", 1) < 0 ? kNoDevice : 0;
}

Result cuGetErrorName(Result result, const char **name) {
  static const std::map<Result, const char *> names = {
      {kInvalidValue, "CUDA_ERROR_INVALID_VALUE"},
      {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY"},
      {kNoDevice, "CUDA_ERROR_NO_DEVICE"},
      {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT"},
      {kInvalidPtx, "CUDA_ERROR_INVALID_PTX"},
      {kNotFound, "CUDA_ERROR_NOT_FOUND"},
      {kLaunchFailed, "CUDA_ERROR_LAUNCH_FAILED"},
      {kUnknown, "CUDA_ERROR_UNKNOWN"}};
  auto found = names.find(result);
  *name = found == names.end() ? nullptr : found->second;
  return *name ? 0 : kInvalidValue;
}

Result cuGetErrorString(Result result, const char **text) {
  static const std::map<Result, const char *> texts = {
      {kInvalidValue, "invalid argument"},
      {kOutOfMemory, "out of memory"},
      {kNoDevice, "no CUDA-capable device is detected"},
      {kInvalidContext, "invalid device context"},
      {kInvalidPtx, "a PTX JIT compilation failed"},
      {kNotFound, "named symbol not found"},
      {kUnknown, "unknown error"}};
  auto found = texts.find(result);
  *text = found == texts.end() ? nullptr : found->second;
  if (result == kLaunchFailed)
    *text = state->failure.c_str();
  return *text ? 0 : kInvalidValue;
}

Result cuDriverGetVersion(int *version) {
  *version = static_cast<int>(state->setting("version", 12020));
  return enter("cuDriverGetVersion", false);
}

Result cuDeviceGetCount(int *count) {
  *count = static_cast<int>(state->setting("devices", 1));
  return enter("cuDeviceGetCount", false);
}

Result cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  return enter("cuDeviceGet", false);
}

Result cuDeviceGetName(char *name, int length, int) {
  std::strncpy(name, "Fake GPU", static_cast<size_t>(length));
  return enter("cuDeviceGetName", false);
}

Result cuDeviceGetAttribute(int *value, int attribute, int) {
  const int64_t chip = state->setting("chip", 90);
  *value = static_cast<int>(attribute == kComputeCapabilityMajor ? chip / 10
                                                                 : chip % 10);
  return enter("cuDeviceGetAttribute", false);
}

Result cuDevicePrimaryCtxRetain(Context *result, int) {
  *result = reinterpret_cast<Context>(&context);
  return enter("cuDevicePrimaryCtxRetain", false);
}

Result cuDevicePrimaryCtxRelease_v2(int) {
  hasContext = false;
  return enter("cuDevicePrimaryCtxRelease_v2", false);
}

Result cuCtxSetCurrent(Context current) {
  hasContext = current == reinterpret_cast<Context>(&context);
  return enter("cuCtxSetCurrent");
}

Result cuMemGetInfo_v2(size_t *available, size_t *total) {
  *available = state->available();
  *total = static_cast<size_t>(state->setting("memory", 1 << 30));
  return enter("cuMemGetInfo_v2");
}

Result cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  if (Result result = enter("cuMemAlloc_v2"))
    return result;
  if (bytes == 0)
    return kInvalidValue;
  if (bytes > state->available())
    return kOutOfMemory;
  Expected<uint64_t> allocated = state->memory.allocate(bytes);
  if (!allocated)
    return kOutOfMemory;
  *address = *allocated;
  state->allocations[*address] = bytes;
  return 0;
}

Result cuMemFree_v2(uint64_t address) {
  if (Result result = enter("cuMemFree_v2"))
    return result;
  drain(state->queued);
  state->allocations.erase(address);
  return state->memory.free(address) ? 0 : kInvalidValue;
}

Result cuMemHostAlloc(void **data, size_t bytes, unsigned) {
  if (Result result = enter("cuMemHostAlloc"))
    return result;
  *data = std::malloc(bytes);
  state->pinned[static_cast<char *>(*data)] = bytes;
  return *data ? 0 : kOutOfMemory;
}

Result cuMemFreeHost(void *data) {
  if (Result result = enter("cuMemFreeHost"))
    return result;
  drain(state->queued);
  if (!state->pinned.erase(static_cast<char *>(data)))
    return kInvalidValue;
  std::free(data);
  return 0;
}

Result cuMemcpyHtoDAsync_v2(uint64_t target, const void *source, size_t bytes,
                            Stream) {
  if (Result result = enter("cuMemcpyHtoDAsync_v2"))
    return result;
  if (!isPinned(source, bytes))
    return kInvalidValue;
  push([=] { return state->memory.write(target, source, bytes); });
  return 0;
}

Result cuMemcpyDtoHAsync_v2(void *target, uint64_t source, size_t bytes,
                            Stream) {
  if (Result result = enter("cuMemcpyDtoHAsync_v2"))
    return result;
  if (!isPinned(target, bytes))
    return kInvalidValue;
  push([=] { return state->memory.read(source, target, bytes); });
  return 0;
}

Result cuMemcpyDtoDAsync_v2(uint64_t target, uint64_t source, size_t bytes,
                            Stream) {
  if (Result result = enter("cuMemcpyDtoDAsync_v2"))
    return result;
  push([=] { return state->memory.copy(target, source, bytes); });
  return 0;
}

Result cuMemsetD8Async(uint64_t target, unsigned char value, size_t bytes,
                       Stream) {
  if (Result result = enter("cuMemsetD8Async"))
    return result;
  push([=] { return state->memory.fill(target, value, bytes); });
  return 0;
}

Result cuStreamCreate(Stream *result, unsigned) {
  *result = reinterpret_cast<Stream>(&stream);
  return enter("cuStreamCreate");
}

Result cuStreamDestroy_v2(Stream) { return enter("cuStreamDestroy_v2"); }

Result cuStreamSynchronize(Stream) {
  if (Result result = enter("cuStreamSynchronize"))
    return result;
  return drain(state->queued);
}

Result cuEventCreate(Event *event, unsigned) {
  if (Result result = enter("cuEventCreate"))
    return result;
  *event = state->own(new EventObject);
  return 0;
}

Result cuEventDestroy_v2(Event event) {
  if (Result result = enter("cuEventDestroy_v2"))
    return result;
  state->objects.erase(event);
  return 0;
}

Result cuEventRecord(Event event, Stream) {
  if (Result result = enter("cuEventRecord"))
    return result;
  event->queuedBefore = state->queued;
  push([time = event->time] {
    *time = state->done;
    return Status{};
  });
  return 0;
}

Result cuEventSynchronize(Event event) {
  if (Result result = enter("cuEventSynchronize"))
    return result;
  return drain(event->queuedBefore + 1);
}

Result cuEventElapsedTime(float *milliseconds, Event begin, Event end) {
  if (Result result = enter("cuEventElapsedTime"))
    return result;
  *milliseconds = 0.001f * static_cast<float>(*end->time - *begin->time);
  return 0;
}

Result cuModuleLoadDataEx(Module *module, const void *data, unsigned count,
                          int *options, void **values) {
  if (Result result = enter("cuModuleLoadDataEx"))
    return result;
  // What tests give as a cubin is PTX after this word.
  std::string text = static_cast<const char *>(data);
  const std::string cubin = "cubin";
  if (text.compare(0, cubin.size(), cubin) == 0)
    text.erase(0, cubin.size());
  Expected<ptx::Module> parsed = ptx::Module::parse(text, "ptxas");
  if (parsed) {
    *module = state->own(new ModuleObject{*parsed, {}});
    return 0;
  }
  char *log = nullptr;
  size_t bytes = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == kJitErrorLog)
      log = static_cast<char *>(values[i]);
    if (options[i] == kJitErrorLogBytes)
      bytes = reinterpret_cast<size_t>(values[i]);
  }
  if (log && bytes > 0)
    std::strncpy(log, (parsed.status().message + "\nfatal\n").c_str(),
                 bytes - 1);
  return kInvalidPtx;
}

Result cuModuleUnload(Module module) {
  if (Result result = enter("cuModuleUnload"))
    return result;
  drain(state->queued);
  state->objects.erase(module);
  return 0;
}

Result cuModuleGetFunction(Function *function, Module module,
                           const char *name) {
  if (Result result = enter("cuModuleGetFunction"))
    return result;
  if (!module->module.findKernel(name))
    return kNotFound;
  std::unique_ptr<FunctionObject> &entry = module->functions[name];
  if (!entry)
    entry.reset(new FunctionObject{module, name});
  *function = entry.get();
  return 0;
}

Result cuFuncSetAttribute(Function function, int attribute, int value) {
  if (Result result = enter("cuFuncSetAttribute"))
    return result;
  if (attribute != kDynamicSharedBytes)
    return kInvalidValue;
  function->dynamicShared = static_cast<unsigned>(value);
  return 0;
}

Result cuLaunchKernel(Function function, unsigned gridX, unsigned gridY,
                      unsigned gridZ, unsigned blockX, unsigned blockY,
                      unsigned blockZ, unsigned shared, Stream,
                      void **parameters, void **) {
  if (Result result = enter("cuLaunchKernel"))
    return result;
  std::optional<Node> node =
      makeNode(function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ},
               shared, parameters);
  if (!node)
    return kInvalidValue;
  push([node = *node] { return run(node); });
  return 0;
}

Result cuGraphCreate(Graph *graph, unsigned) {
  if (Result result = enter("cuGraphCreate"))
    return result;
  *graph = state->own(new GraphObject);
  return 0;
}

Result cuGraphAddKernelNode_v2(GraphNode *result, Graph graph,
                               const GraphNode *dependencies, size_t count,
                               const KernelNode *node) {
  if (Result failed = enter("cuGraphAddKernelNode_v2"))
    return failed;
  // A chain: the number of a node stands for it.
  const uintptr_t number = graph->nodes.size();
  if (count != (number > 0) ||
      (count && reinterpret_cast<uintptr_t>(dependencies[0]) != number))
    return kInvalidValue;
  std::optional<Node> made =
      makeNode(node->function, {node->gridX, node->gridY, node->gridZ},
               {node->blockX, node->blockY, node->blockZ}, node->sharedBytes,
               node->parameters);
  if (!made)
    return kInvalidValue;
  graph->nodes.push_back(*made);
  *result = reinterpret_cast<GraphNode>(number + 1);
  return 0;
}

Result cuGraphInstantiateWithFlags(GraphExec *result, Graph graph,
                                   unsigned long long) {
  if (Result failed = enter("cuGraphInstantiateWithFlags"))
    return failed;
  *result = state->own(new GraphExecObject{graph->nodes});
  return 0;
}

Result cuGraphLaunch(GraphExec graph, Stream) {
  if (Result result = enter("cuGraphLaunch"))
    return result;
  for (const Node &node : graph->nodes)
    push([node] { return run(node); });
  return 0;
}

Result cuGraphDestroy(Graph graph) {
  if (Result result = enter("cuGraphDestroy"))
    return result;
  state->objects.erase(graph);
  return 0;
}

Result cuGraphExecDestroy(GraphExec graph) {
  if (Result result = enter("cuGraphExecDestroy"))
    return result;
  state->objects.erase(graph);
  return 0;
}

} // extern "C"
