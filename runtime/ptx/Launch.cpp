//===- Launch.cpp - Modules and launches ----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Interpreter.h"
#include "runtime/ptx/Machine.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>

namespace ssmrt::ptx {

namespace {

constexpr uint32_t kLargestBlock = 1024;
constexpr uint32_t kLargestShared = 227 * 1024;

std::string text(const Dim3 &extent) {
  return "(" + std::to_string(extent.x) + "," + std::to_string(extent.y) + "," +
         std::to_string(extent.z) + ")";
}

/// Index among the global and constant variables, or -1.
int64_t findVariable(const Program &program, std::string_view name) {
  for (size_t i = 0; i < program.variables.size(); ++i)
    if (program.variables[i].name == name)
      return static_cast<int64_t>(i);
  return -1;
}

Status layoutVariables(Program &program) {
  for (const VariableSyntax &syntax : program.syntax.variables) {
    if ((syntax.space != Space::Global && syntax.space != Space::Const) ||
        syntax.isExtern)
      continue;
    ModuleVariable variable;
    variable.name = syntax.name;
    variable.line = syntax.line;
    variable.bytes = std::max<uint64_t>(syntax.bytes, 1);
    variable.isConstant = syntax.space == Space::Const;
    variable.isInitialised = !syntax.values.empty() || variable.isConstant;
    variable.image.assign(variable.bytes, 0);
    program.variables.push_back(std::move(variable));
  }
  size_t index = 0;
  for (const VariableSyntax &syntax : program.syntax.variables) {
    if ((syntax.space != Space::Global && syntax.space != Space::Const) ||
        syntax.isExtern)
      continue;
    ModuleVariable &variable = program.variables[index++];
    for (size_t i = 0; i < syntax.values.size(); ++i) {
      const InitialValue &value = syntax.values[i];
      const uint64_t offset = i * syntax.elementBytes;
      if (value.symbol.empty()) {
        std::memcpy(variable.image.data() + offset, &value.bits,
                    syntax.elementBytes);
        continue;
      }
      const int64_t other = findVariable(program, value.symbol);
      if (other < 0 || syntax.elementBytes != 8)
        return error("line " + std::to_string(syntax.line) + ": '" +
                     variable.name + "': unsupported initial value '" +
                     std::string(value.symbol) + "'");
      variable.relocations.push_back(
          {offset, static_cast<uint32_t>(other), value.bits});
    }
  }
  return {};
}

/// Addresses of the module's variables, which are created at first use.
Expected<std::vector<uint64_t>> load(const Program &program,
                                     DeviceMemory &memory) {
  auto found = memory.variables.find(program.key);
  if (found != memory.variables.end())
    return found->second;
  std::vector<uint64_t> addresses;
  for (const ModuleVariable &variable : program.variables) {
    Expected<uint64_t> address = memory.allocate(variable.bytes);
    if (!address)
      return address.status();
    addresses.push_back(*address);
  }
  for (size_t i = 0; i < addresses.size(); ++i) {
    const ModuleVariable &variable = program.variables[i];
    std::vector<uint8_t> image = variable.image;
    for (const ModuleVariable::Relocation &relocation : variable.relocations) {
      const uint64_t value = addresses[relocation.variable] + relocation.addend;
      std::memcpy(image.data() + relocation.offset, &value, sizeof(value));
    }
    // A driver zeroes variables without initial values.
    if (Status status = memory.write(addresses[i], image.data(), image.size());
        !status)
      return status;
  }
  memory.variables[program.key] = addresses;
  return addresses;
}

Status checkShape(const Kernel &kernel, const Launch &launch) {
  const std::string start = "launch of '" + kernel.name + "': ";
  if (launch.grid.count() == 0 || launch.block.count() == 0 ||
      launch.cluster.count() == 0)
    return error(start + "grid " + text(launch.grid) + ", block " +
                 text(launch.block) + " or cluster " + text(launch.cluster) +
                 " is empty");
  if (launch.block.count() > kLargestBlock)
    return error(start + "block of " + std::to_string(launch.block.count()) +
                 " threads, supported up to " + std::to_string(kLargestBlock));
  const Dim3 &required = kernel.requiredBlock;
  if (required.x &&
      (launch.block.x != required.x || launch.block.y != required.y ||
       launch.block.z != required.z))
    return error(start + "block " + text(launch.block) +
                 ", the kernel requires " + text(required));
  if (kernel.maxThreads && launch.block.count() > kernel.maxThreads)
    return error(start + "block of " + std::to_string(launch.block.count()) +
                 " threads, the kernel allows " +
                 std::to_string(kernel.maxThreads));
  if (kernel.cluster.count() > 1 && (launch.cluster.x != kernel.cluster.x ||
                                     launch.cluster.y != kernel.cluster.y ||
                                     launch.cluster.z != kernel.cluster.z))
    return error(start + "cluster " + text(launch.cluster) +
                 ", the kernel requires " + text(kernel.cluster));
  if (launch.grid.x % launch.cluster.x || launch.grid.y % launch.cluster.y ||
      launch.grid.z % launch.cluster.z)
    return error(start + "grid " + text(launch.grid) +
                 " is no multiple of cluster " + text(launch.cluster));
  if (launch.parameters.size() != kernel.parameterBytes)
    return error(start + "got " + std::to_string(launch.parameters.size()) +
                 " parameter bytes, expected " +
                 std::to_string(kernel.parameterBytes));
  if (uint64_t(kernel.sharedBytes) + launch.dynamicShared > kLargestShared)
    return error(
        start +
        std::to_string(uint64_t(kernel.sharedBytes) + launch.dynamicShared) +
        " bytes of shared memory, supported up to " +
        std::to_string(kLargestShared));
  return {};
}

/// Clusters in the order in which they start, last one first.
std::vector<uint64_t> clusterOrder(uint64_t count, uint64_t seed) {
  std::vector<uint64_t> order(count);
  for (uint64_t i = 0; i < count; ++i)
    order[i] = count - 1 - i;
  Random random(seed ^ 0x5eed);
  if (seed != 0)
    for (uint64_t i = count; i > 1; --i)
      std::swap(order[i - 1], order[random.next() % i]);
  return order;
}

void collect(const Worker &worker, const KernelCode &code, Counters &counters) {
  for (size_t pc = 0; pc < code.code.size(); ++pc) {
    const Instruction &instruction = code.code[pc];
    counters.warpInstructions += worker.executed[pc];
    counters.threadInstructions += worker.executedThreads[pc];
    counters.classes[size_t(instruction.group)] += worker.executed[pc];
    const AccessTotals &totals = worker.accesses[pc];
    if (totals.traffic.requests)
      counters.accesses.push_back(
          {instruction.line, totals.shared, totals.write, totals.traffic});
  }
  counters.bankConflicts += worker.bankConflicts;
  counters.asyncBytes += worker.asyncBytes;
  counters.tensorFlop += worker.tensorFlop;
}

Traffic &operator+=(Traffic &a, const Traffic &b) {
  a.requests += b.requests;
  a.bytes += b.bytes;
  a.transactions += b.transactions;
  return a;
}

} // namespace

std::string_view nameOf(Class group) {
  static constexpr std::string_view kNames[] = {
      "integer", "f32",    "f16",  "f64",     "conversion", "special", "move",
      "memory",  "atomic", "warp", "barrier", "control",    "tensor",  "async"};
  static_assert(std::size(kNames) == kClasses);
  return kNames[size_t(group)];
}

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%llx",
                static_cast<unsigned long long>(value));
  return text;
}

std::string describe(const Grid &grid, const Instruction &instruction) {
  const size_t pc = static_cast<size_t>(&instruction - grid.code->code.data());
  return "kernel '" + grid.code->info.name + "', line " +
         std::to_string(instruction.line) + " '" +
         std::string(grid.code->mnemonics[pc]) + "'";
}

std::string describeThread(const Warp &warp, uint32_t lane) {
  const Grid &grid = *warp.block->worker->grid;
  const uint32_t thread = warp.index * kLanes + lane;
  const Dim3 &extent = grid.block;
  return "block " + text(warp.block->index) + " thread " +
         text({thread % extent.x, thread / extent.x % extent.y,
               thread / extent.x / extent.y});
}

Flow fail(Warp &warp, const Instruction &instruction, uint32_t lane,
          const std::string &message) {
  Grid &grid = *warp.block->worker->grid;
  std::lock_guard<std::mutex> lock(grid.mutex);
  if (!grid.failed)
    grid.failure = error(describe(grid, instruction) + ", " +
                         describeThread(warp, lane) + ": " + message);
  grid.failed = true;
  return Flow::Fail;
}

Expected<Module> Module::parse(std::string_view text, std::string_view name) {
  static std::atomic<uint64_t> nextKey{1};
  auto program = std::make_shared<Program>();
  program->name = name;
  program->key = nextKey++;
  program->syntax.text = text;
  auto prefix = [&](const Status &status) {
    return error(std::string(name) + ": " + status.message);
  };
  if (Status status = parseSyntax(program->syntax); !status)
    return prefix(status);
  if (Status status = layoutVariables(*program); !status)
    return prefix(status);
  for (const FunctionSyntax &function : program->syntax.functions) {
    if (!function.isKernel || function.isDeclaration)
      continue;
    KernelCode code;
    if (Status status = lowerKernel(*program, function, code); !status)
      return prefix(status);
    program->kernels.push_back(code.info);
    program->codes.push_back(std::move(code));
  }
  Module module;
  module.storage = std::move(program);
  return module;
}

Span<const Kernel> Module::kernels() const { return storage->kernels; }

const Kernel *Module::findKernel(std::string_view name) const {
  for (const Kernel &kernel : storage->kernels)
    if (kernel.name == name)
      return &kernel;
  return nullptr;
}

std::string_view Module::target() const { return storage->syntax.target; }

Expected<uint64_t> Module::addressOf(std::string_view name,
                                     DeviceMemory &memory) const {
  const int64_t index = findVariable(*storage, name);
  if (index < 0)
    return error(storage->name + ": no variable '" + std::string(name) + "'");
  Expected<std::vector<uint64_t>> addresses = load(*storage, memory);
  if (!addresses)
    return addresses.status();
  return (*addresses)[static_cast<size_t>(index)];
}

Counters &Counters::operator+=(const Counters &other) {
  warpInstructions += other.warpInstructions;
  threadInstructions += other.threadInstructions;
  for (size_t i = 0; i < kClasses; ++i)
    classes[i] += other.classes[i];
  globalReads += other.globalReads;
  globalWrites += other.globalWrites;
  sharedReads += other.sharedReads;
  sharedWrites += other.sharedWrites;
  bankConflicts += other.bankConflicts;
  asyncBytes += other.asyncBytes;
  tensorFlop += other.tensorFlop;
  for (const AccessCount &access : other.accesses) {
    auto same = std::find_if(
        accesses.begin(), accesses.end(), [&](const AccessCount &mine) {
          return mine.line == access.line && mine.shared == access.shared &&
                 mine.write == access.write;
        });
    if (same == accesses.end())
      accesses.push_back(access);
    else
      same->traffic += access.traffic;
  }
  return *this;
}

Expected<Counters> launch(const Module &module, const Launch &launch,
                          DeviceMemory &memory, const Options &options) {
  const Program &program = module.program();
  const Kernel *kernel = module.findKernel(launch.kernel);
  if (!kernel)
    return error(program.name + ": no kernel '" + std::string(launch.kernel) +
                 "'");
  if (Status status = checkShape(*kernel, launch); !status)
    return status;
  Expected<std::vector<uint64_t>> variables = load(program, memory);
  if (!variables)
    return variables.status();
  Grid grid;
  grid.program = &program;
  grid.code =
      &program.codes[static_cast<size_t>(kernel - program.kernels.data())];
  grid.grid = launch.grid;
  grid.block = launch.block;
  grid.cluster = launch.cluster;
  grid.dynamicShared = launch.dynamicShared;
  const uint8_t *parameters =
      reinterpret_cast<const uint8_t *>(launch.parameters.data());
  grid.parameters.assign(parameters, parameters + launch.parameters.size());
  grid.memory = &memory;
  grid.options = options;
  for (const AddressSlot &slot : grid.code->addresses)
    grid.addresses.push_back((*variables)[slot.variable] + slot.addend);
  grid.threadsPerBlock = static_cast<uint32_t>(launch.block.count());
  grid.warpsPerBlock = (grid.threadsPerBlock + kLanes - 1) / kLanes;
  grid.blocks = launch.grid.count();
  const uint64_t clusters = grid.blocks / grid.cluster.count();
  grid.pendingClusters = clusterOrder(clusters, options.seed);

  const bool checked = options.checks.races || options.checks.initialised;
  const size_t threads = static_cast<size_t>(std::min<uint64_t>(
      checked ? 1 : std::max(options.threads, 1u), grid.blocks));
  std::vector<Worker> workers(threads);
  for (size_t i = 0; i < threads; ++i) {
    Worker &worker = workers[i];
    worker.grid = &grid;
    worker.random = Random(options.seed * 0x10001 + i);
    worker.executed.resize(grid.code->code.size());
    worker.executedThreads.resize(grid.code->code.size());
    worker.accesses.resize(grid.code->code.size());
  }
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < threads; ++i)
    helpers.emplace_back([&workers, i] { runWorker(workers[i]); });
  runWorker(workers[0]);
  for (std::thread &helper : helpers)
    helper.join();
  if (grid.failed)
    return grid.failure;
  Counters counters;
  for (const Worker &worker : workers) {
    Counters part;
    collect(worker, *grid.code, part);
    for (const AccessCount &access : part.accesses) {
      Traffic &total =
          access.shared ? (access.write ? part.sharedWrites : part.sharedReads)
                        : (access.write ? part.globalWrites : part.globalReads);
      total += access.traffic;
    }
    counters += part;
  }
  return counters;
}

} // namespace ssmrt::ptx
