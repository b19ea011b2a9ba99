//===- GpuCode.cpp - Runs a GPU kernel in a test --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The PTX of a kernel runs on the interpreter with all its checks: bounds,
// alignment, races, what is read before it is written. Where ptxas is on the
// machine, a kernel that spills or uses local memory fails its test.
//
//===----------------------------------------------------------------------===//

#include "test/codegen/KernelCode.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace ssm::test;
using ssmrt::ptx::DeviceMemory;

static ssmrt::ptx::Counters counters;
static std::vector<std::byte> scratchBytes;

const ssmrt::ptx::Counters &ssm::test::lastCounters() { return counters; }
const std::vector<std::byte> &ssm::test::lastScratch() { return scratchBytes; }

void ssm::test::expectTraffic(int64_t readBytes, int64_t writtenBytes) {
  constexpr int64_t kSectorBytes = 32, kNumberBytes = 8;
  int64_t sectors[2] = {0, 0};
  for (const ssmrt::ptx::AccessCount &access : counters.accesses)
    if (!access.shared &&
        access.traffic.bytes > kNumberBytes * access.traffic.requests)
      sectors[access.write] += access.traffic.transactions;
  EXPECT_LE(sectors[0] * kSectorBytes, readBytes * 105 / 100);
  EXPECT_LE(sectors[1] * kSectorBytes, writtenBytes * 105 / 100);
}

Machine::Machine(const ssm::gpu::Target &target)
    : name(target.name), panel(ssm::gpu::kPanelRows), gpu(&target) {}

int64_t Machine::pair(Element type) const {
  if (gpu)
    return ssm::gpu::pieceInputs(8 * sizeOf(type));
  return type == Element::F32 ? 1 : 2;
}

Machine ssm::test::testGpu() { return *ssm::gpu::Target::lookup("sm_80"); }

std::vector<Machine> ssm::test::testMachines() {
  std::vector<Machine> machines;
  for (const Target &target : testTargets())
    machines.push_back(target);
  machines.push_back(testGpu());
  return machines;
}

namespace {
class GpuCode : public Kernel::Code {
public:
  void run(size_t index, int64_t grid, const Arguments &arguments,
           const Symbols &symbols, Order order) const override;

  std::vector<ssm::gpu::KernelInfo> infos;
  ssmrt::ptx::Module module;
  /// Scratch memory of each variant, as its last run left it.
  mutable std::map<size_t, std::vector<std::byte>> scratch;
};

/// Memory of a launch: copies of what the slots point to.
class DeviceCopy {
public:
  explicit DeviceCopy(const Arguments &arguments);
  /// Adds a slot for scratch memory.
  void addScratch(std::vector<std::byte> &bytes);
  /// Brings the buffers back.
  void fetch();

  DeviceMemory memory;
  std::vector<uint64_t> slots;

private:
  uint64_t copy(const void *data, size_t bytes);
  template <typename T> void copyList(const T *&list, int64_t count) {
    uint64_t address = copy(list, size_t(count) * sizeof(T));
    list = reinterpret_cast<const T *>(address);
  }
  uint64_t copyTable(SeqTable table);

  std::map<const Buffer *, uint64_t> addresses;
  std::vector<std::byte> *scratch = nullptr;
};
} // namespace

uint64_t DeviceCopy::copy(const void *data, size_t bytes) {
  ssmrt::Expected<uint64_t> address = memory.allocate(bytes);
  if (!address) {
    ADD_FAILURE() << address.status().message;
    return 0;
  }
  if (ssmrt::Status status = memory.write(*address, data, bytes); !status)
    ADD_FAILURE() << status.message;
  return *address;
}

uint64_t DeviceCopy::copyTable(SeqTable table) {
  copyList(table.firstRow, table.sequences + 1);
  copyList(table.slot, table.sequences);
  copyList(table.position, table.sequences);
  copyList(table.rowSequence, table.rows);
  copyList(table.rowPosition, table.rows);
  copyList(table.tileSequence, table.tiles);
  copyList(table.tileFirst, table.tiles);
  copyList(table.pages, table.sequences * table.maxPages);
  copyList(table.outputRow, table.outputs);
  return copy(&table, sizeof(table));
}

DeviceCopy::DeviceCopy(const Arguments &arguments)
    : slots(arguments.data(), arguments.data() + arguments.size()) {
  // A buffer in two slots is one, as where a result replaces an operand.
  for (auto [slot, buffer] : arguments.buffers()) {
    auto [found, isNew] = addresses.try_emplace(buffer, 0);
    if (isNew)
      found->second = copy(buffer->data(), buffer->size());
    slots[slot] = found->second;
  }
  for (auto [slot, table] : arguments.tables())
    slots[slot] = copyTable(*table);
}

void DeviceCopy::addScratch(std::vector<std::byte> &bytes) {
  scratch = &bytes;
  slots.push_back(copy(bytes.data(), bytes.size()));
}

void DeviceCopy::fetch() {
  if (scratch)
    if (ssmrt::Status status =
            memory.read(slots.back(), scratch->data(), scratch->size());
        !status)
      ADD_FAILURE() << status.message;
  for (auto [buffer, address] : addresses)
    if (ssmrt::Status status =
            memory.read(address, buffer->data(), buffer->size());
        !status)
      ADD_FAILURE() << status.message;
}

void GpuCode::run(size_t index, int64_t grid, const Arguments &arguments,
                  const Symbols &symbols, Order order) const {
  const ssm::gpu::KernelInfo &info = infos[index];
  DeviceCopy device(arguments);
  if (info.scratch) {
    std::vector<std::byte> &bytes = scratch[index];
    bytes.resize(size_t(evaluate(info.scratch, symbols)));
    device.addScratch(bytes);
  }
  ssmrt::ptx::Launch launch;
  launch.kernel = info.name;
  launch.grid.x = static_cast<uint32_t>(grid);
  launch.block.x = static_cast<uint32_t>(info.block);
  launch.dynamicShared = static_cast<uint32_t>(info.shared);
  launch.parameters = {reinterpret_cast<const std::byte *>(device.slots.data()),
                       device.slots.size() * sizeof(uint64_t)};
  ssmrt::ptx::Options options;
  options.seed = static_cast<uint64_t>(order);
  ssmrt::Expected<ssmrt::ptx::Counters> counted =
      ssmrt::ptx::launch(module, launch, device.memory, options);
  if (!counted) {
    ADD_FAILURE() << counted.status().message;
    return;
  }
  counters = *counted;
  device.fetch();
  if (info.scratch)
    scratchBytes = scratch[index];
}

std::unique_ptr<Kernel::Code>
ssm::test::compileForGpu(Operation *kernel, const gpu::Target &target,
                         bool makeLogits) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel->getLoc());
  FailureOr<SmallVector<gpu::KernelInfo>> emitted =
      gpu::emitKernel(kernel, "kernel", target, *module, makeLogits);
  if (failed(emitted))
    return nullptr;
  FailureOr<gpu::Image> image = gpu::compileKernels(*module, target);
  if (failed(image))
    return nullptr;
  for (const gpu::KernelReport &report : image->reports)
    EXPECT_EQ(report.spillBytes + report.stackBytes, 0)
        << report.name << " spills or has local memory";
  ssmrt::Expected<ssmrt::ptx::Module> parsed =
      ssmrt::ptx::Module::parse(image->ptx);
  if (!parsed) {
    ADD_FAILURE() << parsed.status().message;
    return nullptr;
  }
  auto code = std::make_unique<GpuCode>();
  code->module = *parsed;
  for (const gpu::KernelInfo &info : *emitted) {
    code->variants.push_back({info.maxRows, info.grid});
    code->infos.push_back(info);
  }
  return code;
}
