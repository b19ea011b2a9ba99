//===- Executor.cpp - Runs the launches of a plan -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Executor.h"
#include "runtime/Checked.h"
#include "runtime/Guarded.h"

namespace ssmrt {

namespace {

/// The arena of a call is laid out for a multiple of so many rows, which keeps
/// every buffer at a multiple of 64 bytes.
constexpr int64_t kCapacityStep = 16;
/// Kernels may load whole vectors at the end of a row.
constexpr int64_t kArenaSlack = 4096;

} // namespace

Expected<std::unique_ptr<Executor>>
Executor::create(std::shared_ptr<Model> model, const StateStore &store,
                 int64_t rows, int64_t sequences, bool poison) {
  return guarded([&]() -> Expected<std::unique_ptr<Executor>> {
    std::unique_ptr<Executor> executor(new Executor(std::move(model), store));
    Device &device = executor->device;
    const Plan &plan = executor->model->plan();
    const int64_t capacity = roundUp(rows, kCapacityStep);
    const std::optional<int64_t> bytes =
        checkedMultiply(plan.arenaRowBytes, capacity);
    Expected<DeviceBuffer> arena = DeviceBuffer::allocate(
        device, bytes && *bytes < kLargestSize ? *bytes + kArenaSlack : -1,
        "activations", PageSize::Large);
    if (!arena)
      return arena.status();
    executor->arena = *std::move(arena);

    const SymbolValues largest{rows, sequences,
                               rows / SSM_TILE_ROWS + 2 * sequences, rows};
    if (Status status = device.prepare(largest); !status)
      return status;
    if (Status status = executor->allocateScratch(largest); !status)
      return status;
    if (!device.sharesHostMemory()) {
      Expected<DeviceBuffer> area = DeviceBuffer::allocate(
          device, CallTable::packedBytes(largest, store.maxPages()),
          "tables of calls", PageSize::Small);
      if (!area)
        return area.status();
      executor->tableArea = *std::move(area);
    }
    executor->poison = poison;
    if (poison)
      executor->findSharedBuffers(plan);
    return executor;
  });
}

Status Executor::allocateScratch(const SymbolValues &largest) {
  const Plan &plan = model->plan();
  if (!plan.isGpu)
    return {};
  for (const PlanKernel &kernel : plan.kernels) {
    const int64_t bytes = kernel.scratch.evaluate(largest);
    Expected<DeviceBuffer> memory = DeviceBuffer::allocate(
        device, bytes < kLargestSize ? bytes : -1,
        "scratch of kernel '" + kernel.name + "'", PageSize::Large);
    if (!memory)
      return memory.status();
    scratch.push_back(*std::move(memory));
  }
  return {};
}

Executor::~Executor() {
  for (const auto &[key, recording] : recordings)
    device.eraseRecording(recording.number);
}

Status Executor::place(const CallTable &table) {
  placed.symbols = table.symbols();
  capacity = roundUp(placed.symbols.rows, kCapacityStep);
  if (device.sharesHostMemory()) {
    placed.tokens = reinterpret_cast<uintptr_t>(table.tokens());
    placed.seqs = reinterpret_cast<uintptr_t>(&table.table());
    return {};
  }
  placed.seqs = tableArea.address();
  placed.tokens = placed.seqs + table.pack(placed.seqs, tableBytes);
  return device.upload(placed.seqs, tableBytes.data(),
                       static_cast<int64_t>(tableBytes.size()));
}

Status Executor::run(Entry entry, const CallTable &table,
                     const ResidualSink &sink) {
  launchCount = 0;
  firstLogits = nullptr;
  if (Status status = place(table); !status)
    return status;
  const bool isRecorded = entry == Entry::Step && device.canRecord() && !sink &&
                          !poison && !kernelTimes;
  const Status status =
      isRecorded ? runRecorded(nullptr) : runAll(entry, placed, sink);
  if (!status)
    return status;
  return placed.symbols.outputs > 0 ? fetchLogits(placed)
                                    : device.synchronize();
}

Status Executor::stepOnDevice(const DeviceLaunch &last) {
  launchCount = 0;
  firstLogits = nullptr;
  if (device.canRecord() && !poison && !kernelTimes)
    return runRecorded(&last);
  if (Status status = runAll(Entry::Step, placed, nullptr); !status)
    return status;
  ++launchCount;
  return device.launch(last);
}

Status Executor::runRecorded(const DeviceLaunch *last) {
  RecordingKey key(placed.symbols.rows, placed.symbols.outputs, {});
  if (last)
    std::get<2>(key).assign(last->arguments.begin(), last->arguments.end());
  auto found = recordings.find(key);
  if (found == recordings.end()) {
    if (Status status = device.beginRecording(); !status)
      return status;
    Status status = runAll(Entry::Step, placed, nullptr);
    if (status && last) {
      ++launchCount;
      status = device.launch(*last);
    }
    if (!status) {
      device.dropRecording();
      return status;
    }
    Expected<int64_t> number = device.endRecording();
    if (!number)
      return number.status();
    found = recordings.insert({key, {*number, launchCount}}).first;
  }
  launchCount = found->second.launches;
  return device.replay(found->second.number);
}

Status Executor::runAll(Entry entry, const Context &call,
                        const ResidualSink &sink) {
  const Plan &plan = model->plan();
  if (Status status = runSection(plan.before.of(entry), call, -1); !status)
    return status;
  if (Status status = showResidual(call, -1, sink); !status)
    return status;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const PlanBody &body = plan.bodies[plan.layers[i].body];
    const int64_t layer = static_cast<int64_t>(i);
    if (Status status = runSection(body.launches.of(entry), call, layer);
        !status)
      return status;
    if (Status status = showResidual(call, layer, sink); !status)
      return status;
  }
  if (call.symbols.outputs == 0)
    return {};
  if (Status status = runSection(plan.after.of(entry), call, -1); !status)
    return status;
  return showHeadInput(call, sink);
}

Expected<const char *> Executor::readBuffer(int64_t index, int64_t rows) {
  const DeviceAddress address = bufferAddress(index);
  if (device.sharesHostMemory())
    return reinterpret_cast<const char *>(static_cast<uintptr_t>(address));
  fetched.resize(rows * model->plan().buffers[index].rowBytes());
  if (Status status = device.download(fetched.data(), address,
                                      static_cast<int64_t>(fetched.size()));
      !status)
    return status;
  return fetched.data();
}

Status Executor::showResidual(const Context &call, int64_t layer,
                              const ResidualSink &sink) {
  if (!sink)
    return {};
  const Plan &plan = model->plan();
  Expected<const char *> rows = readBuffer(plan.residual, call.symbols.rows);
  if (!rows)
    return rows.status();
  sink(layer, reinterpret_cast<const float *>(*rows),
       plan.buffers[plan.residual].stride);
  return {};
}

Status Executor::showHeadInput(const Context &call, const ResidualSink &sink) {
  const Plan &plan = model->plan();
  if (!sink || plan.headInput < 0)
    return {};
  const PlanBuffer &buffer = plan.buffers[plan.headInput];
  Expected<const char *> data =
      readBuffer(plan.headInput, call.symbols.outputs);
  if (!data)
    return data.status();
  std::vector<float> rows(call.symbols.outputs * plan.hidden);
  for (int64_t row = 0; row < call.symbols.outputs; ++row)
    widen(buffer.type, *data + row * buffer.rowBytes(), plan.hidden,
          rows.data() + row * plan.hidden);
  sink(static_cast<int64_t>(plan.layers.size()), rows.data(), plan.hidden);
  return {};
}

Status Executor::fetchLogits(const Context &call) {
  Expected<const char *> rows =
      readBuffer(model->plan().logits, call.symbols.outputs);
  if (!rows)
    return rows.status();
  firstLogits = reinterpret_cast<const float *>(*rows);
  return {};
}

const float *Executor::logits(int64_t index) const {
  const Plan &plan = model->plan();
  return firstLogits + index * plan.buffers[plan.logits].stride;
}

Executor::Choices Executor::choices() const {
  const Plan &plan = model->plan();
  for (const PlanLaunch &launch : plan.after.step) {
    const int64_t rows = launch.rowsOf(placed.symbols);
    const int64_t kernel = launch.variantFor(rows).kernel;
    if (const int64_t count = plan.kernels[kernel].candidates; count > 0)
      return {scratch[kernel].address(), 2 * count, count, 2 * sizeof(float)};
  }
  return {bufferAddress(plan.logits), plan.buffers[plan.logits].stride,
          plan.vocab, sizeof(float)};
}

DeviceAddress Executor::bufferAddress(int64_t index) const {
  return arena.address() + capacity * model->plan().buffers[index].offset;
}

Status Executor::runSection(const std::vector<PlanLaunch> &launches,
                            const Context &call, int64_t layer) {
  for (size_t i = 0; i < launches.size(); ++i) {
    if (poison)
      if (Status status = poisonBefore(launches, i, call.symbols); !status)
        return status;
    if (Status status = launch(launches[i], call, layer); !status)
      return status;
  }
  return {};
}

Status Executor::launch(const PlanLaunch &launch, const Context &call,
                        int64_t layer) {
  const PlanLaunch::Variant &variant =
      launch.variantFor(launch.rowsOf(call.symbols));
  arguments.clear();
  for (const PlanArgument &argument : launch.arguments)
    arguments.push_back(resolve(argument, call, layer));
  if (!scratch.empty() && scratch[variant.kernel].size() > 0)
    arguments.push_back(scratch[variant.kernel].address());
  const DeviceLaunch resolved{variant.kernel,
                              variant.grid.evaluate(call.symbols), arguments};
  ++launchCount;
  if (!kernelTimes)
    return device.launch(resolved);
  Expected<double> seconds = device.launchTimed(resolved);
  if (!seconds)
    return seconds.status();
  KernelTime &time = (*kernelTimes)[variant.kernel];
  time.seconds += *seconds;
  ++time.launches;
  return {};
}

uint64_t Executor::resolve(const PlanArgument &argument, const Context &call,
                           int64_t layer) const {
  using Kind = PlanArgument::Kind;
  const Plan &plan = model->plan();
  switch (argument.kind) {
  case Kind::Buffer:
    return bufferAddress(argument.index) +
           argument.value * sizeOf(plan.buffers[argument.index].type);
  case Kind::Stride:
    return plan.buffers[argument.index].stride;
  case Kind::Weight:
    return model->weight(plan.layers[layer].weights[argument.index]);
  case Kind::GlobalWeight:
    return model->weight(argument.index);
  case Kind::State:
    return store.pool(layer, argument.index);
  case Kind::StateStride:
    return store.state(layer, argument.index).bytes;
  case Kind::Tokens:
    return call.tokens;
  case Kind::Seqs:
    return call.seqs;
  case Kind::Symbol:
    return call.symbols.of(argument.symbol);
  case Kind::Integer:
    return argument.value;
  }
  return 0;
}

} // namespace ssmrt
