//===- Interpreter.h - Runs PTX on the CPU with checks ----------*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A functional interpreter for the PTX that LLVM's NVPTX backend emits. It runs
// the text that ships, so it also tests the backend, the parameter layout and
// the shared-memory layout. It has no notion of time.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Span.h"
#include "runtime/Status.h"
#include "runtime/ptx/DeviceMemory.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ssmrt::ptx {

struct Program;

/// Extents of a grid, a block or a cluster; all at least 1.
struct Dim3 {
  uint32_t x = 1;
  uint32_t y = 1;
  uint32_t z = 1;

  uint64_t count() const { return uint64_t(x) * y * z; }
};

/// One parameter of a kernel in its parameter bytes.
struct Parameter {
  std::string name;
  uint32_t offset = 0;
  uint32_t bytes = 0;
};

/// What a driver would report about a kernel.
struct Kernel {
  std::string name;
  std::vector<Parameter> parameters;
  uint32_t parameterBytes = 0;
  /// `.reqntid`, all 0 when the kernel does not require a block.
  Dim3 requiredBlock = {0, 0, 0};
  /// `.maxntid` as a number of threads, 0 when absent.
  uint32_t maxThreads = 0;
  /// `.reqnctapercluster`, 1 when absent.
  Dim3 cluster;
  /// Static shared memory and local memory of one thread, in bytes.
  uint32_t sharedBytes = 0;
  uint32_t localBytes = 0;
};

/// A parsed and decoded PTX file. Cheap to copy; immutable.
class Module {
public:
  /// Decodes every kernel of `text`. Anything that the interpreter does not
  /// know is an error with line and instruction. `name` starts the messages.
  static Expected<Module> parse(std::string_view text,
                                std::string_view name = "ptx");

  Span<const Kernel> kernels() const;
  /// The kernel called `name`, or null.
  const Kernel *findKernel(std::string_view name) const;
  /// `.target`, e.g. "sm_80".
  std::string_view target() const;

  /// Device address of the module variable `name` in `memory`, which then
  /// holds the module's variables with their initial values.
  Expected<uint64_t> addressOf(std::string_view name,
                               DeviceMemory &memory) const;

  const Program &program() const { return *storage; }

private:
  std::shared_ptr<const Program> storage;
};

/// What is checked beyond bounds and alignment, which always are.
struct Checks {
  /// Conflicting accesses that no synchronisation orders, stale asynchronous
  /// data included.
  bool races = true;
  /// Reads of memory or registers that nothing has written.
  bool initialised = true;

  static Checks none() { return {false, false}; }
};

struct Options {
  /// Chooses the order of blocks and warps and when asynchronous operations
  /// take effect.
  uint64_t seed = 0;
  Checks checks;
  /// Count sectors and bank conflicts.
  bool countAccesses = true;
  /// Warp instructions after which the launch fails.
  uint64_t instructionLimit = UINT64_MAX;
  /// Blocks of a grid run on that many threads; 1 when anything is checked.
  unsigned threads = 1;
};

struct Launch {
  std::string_view kernel;
  Dim3 grid;
  Dim3 block;
  /// Blocks per cluster; the kernel's own `.reqnctapercluster` must agree.
  Dim3 cluster;
  /// Bytes of `.extern .shared`.
  uint32_t dynamicShared = 0;
  /// Exactly Kernel::parameterBytes, laid out as Kernel::parameters says.
  Span<const std::byte> parameters;
};

/// Groups of instructions that Counters tells apart.
enum class Class : uint8_t {
  Integer,
  F32,
  F16, ///< f16, bf16 and their pairs
  F64,
  Conversion,
  Special, ///< rcp, rsqrt, sqrt, ex2, lg2, sin, cos, tanh
  Move,
  Memory,
  Atomic,
  Warp, ///< shuffles, votes, matches
  Barrier,
  Control,
  Tensor,
  Async,
};
constexpr size_t kClasses = size_t(Class::Async) + 1;
std::string_view nameOf(Class group);

/// Accesses to one memory space.
struct Traffic {
  /// Warp-wide requests.
  uint64_t requests = 0;
  /// Bytes that threads asked for; a byte counts once per request.
  uint64_t bytes = 0;
  /// Global: 32-byte sectors touched. Shared: passes over the banks needed.
  uint64_t transactions = 0;
};

/// Traffic of one instruction.
struct AccessCount {
  uint32_t line = 0; ///< in the PTX text
  bool shared = false;
  bool write = false;
  Traffic traffic;
};

/// What a launch did. Exact, and independent of the seed for kernels whose
/// control flow does not depend on it.
struct Counters {
  uint64_t warpInstructions = 0;
  uint64_t threadInstructions = 0;
  std::array<uint64_t, kClasses> classes = {}; ///< warp instructions
  Traffic globalReads;
  Traffic globalWrites;
  Traffic sharedReads;
  Traffic sharedWrites;
  /// Passes over the banks beyond one per 128 bytes.
  uint64_t bankConflicts = 0;
  uint64_t asyncBytes = 0;
  uint64_t tensorFlop = 0;
  std::vector<AccessCount> accesses;

  Counters &operator+=(const Counters &other);
};

/// Runs a kernel to its end. Errors are one line that names kernel, PTX line,
/// block, thread and address; after one, memory holds what was written so far.
Expected<Counters> launch(const Module &module, const Launch &launch,
                          DeviceMemory &memory, const Options &options = {});

} // namespace ssmrt::ptx
