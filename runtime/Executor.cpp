//===- Executor.cpp - Runs the launches of a plan -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Executor.h"
#include "runtime/Checked.h"
#include "runtime/Guarded.h"

#include <algorithm>
#include <ctime>

namespace ssmrt {

namespace {

/// The arena of a call is laid out for a multiple of so many rows, which keeps
/// every buffer at a multiple of 64 bytes.
constexpr int64_t kCapacityStep = 16;
constexpr int64_t kScratchAlignment = 4096;
/// Kernels may load whole vectors at the end of a row.
constexpr int64_t kArenaSlack = 4096;

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

} // namespace

struct Executor::Context {
  Entry entry;
  const CallTable &table;
  const StateStore &store;
  SymbolValues symbols;
};

Expected<std::unique_ptr<Executor>>
Executor::create(std::shared_ptr<Model> model, int64_t rows, int64_t sequences,
                 bool poison) {
  return guarded([&]() -> Expected<std::unique_ptr<Executor>> {
    std::unique_ptr<Executor> executor(new Executor(std::move(model)));
    const Plan &plan = executor->model->plan();
    const int64_t capacity = roundUp(rows, kCapacityStep);
    const std::optional<int64_t> bytes =
        checkedMultiply(plan.arenaRowBytes, capacity);
    Expected<Memory> arena = Memory::allocate(
        bytes && *bytes < kLargestSize ? *bytes + kArenaSlack : -1,
        "activations");
    if (!arena)
      return arena.status();
    executor->arena = *std::move(arena);
    executor->arena.adviseHugePages();

    const SymbolValues largest{rows, sequences,
                               rows / SSM_TILE_ROWS + 2 * sequences, rows};
    int64_t scratchBytes = 0;
    for (const PlanKernel &kernel : plan.kernels)
      scratchBytes = std::max(scratchBytes, kernel.scratch.evaluate(largest));
    scratchBytes = std::min(scratchBytes, kLargestSize);
    executor->scratchStride = roundUp(scratchBytes, kScratchAlignment);
    Expected<Memory> scratch =
        Memory::allocate(checkedMultiply(executor->scratchStride,
                                         executor->model->pool().threads())
                             .value_or(-1),
                         "scratch of kernels");
    if (!scratch)
      return scratch.status();
    executor->scratch = *std::move(scratch);
    executor->scratch.adviseHugePages();
    executor->poison = poison;
    if (poison)
      executor->findSharedBuffers(plan);
    return executor;
  });
}

void Executor::run(Entry entry, const CallTable &table, const StateStore &store,
                   const ResidualSink &sink) {
  const Plan &plan = model->plan();
  const Context call{entry, table, store, table.symbols()};
  capacity = roundUp(call.symbols.rows, kCapacityStep);
  launchCount = 0;
  const PlanBuffer &residual = plan.buffers[plan.residual];
  auto show = [&](int64_t layer) {
    if (sink)
      sink(layer, reinterpret_cast<const float *>(bufferAddress(plan.residual)),
           residual.stride);
  };
  runSection(plan.before.of(entry), call, -1);
  show(-1);
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const PlanBody &body = plan.bodies[plan.layers[i].body];
    runSection(body.launches.of(entry), call, static_cast<int64_t>(i));
    show(static_cast<int64_t>(i));
  }
  if (call.symbols.outputs == 0)
    return;
  runSection(plan.after.of(entry), call, -1);
  if (sink && plan.headInput >= 0)
    showHeadInput(call, sink);
}

void Executor::showHeadInput(const Context &call,
                             const ResidualSink &sink) const {
  const Plan &plan = model->plan();
  const PlanBuffer &buffer = plan.buffers[plan.headInput];
  std::vector<float> rows(call.symbols.outputs * plan.hidden);
  for (int64_t row = 0; row < call.symbols.outputs; ++row)
    widen(buffer.type, bufferAddress(plan.headInput) + row * buffer.rowBytes(),
          plan.hidden, rows.data() + row * plan.hidden);
  sink(static_cast<int64_t>(plan.layers.size()), rows.data(), plan.hidden);
}

const float *Executor::logits(int64_t index) const {
  const Plan &plan = model->plan();
  return reinterpret_cast<const float *>(bufferAddress(plan.logits)) +
         index * plan.buffers[plan.logits].stride;
}

char *Executor::bufferAddress(int64_t index) const {
  return arena.data() + capacity * model->plan().buffers[index].offset;
}

void Executor::runSection(const std::vector<PlanLaunch> &launches,
                          const Context &call, int64_t layer) {
  for (size_t i = 0; i < launches.size(); ++i) {
    if (poison)
      poisonBefore(launches, i, call.symbols);
    launch(launches[i], call, layer);
  }
}

void Executor::launch(const PlanLaunch &launch, const Context &call,
                      int64_t layer) {
  const int64_t rows = launch.rowsOf(call.symbols);
  const PlanLaunch::Variant *variant = &launch.variants.front();
  while (variant->maxRows >= 0 && rows > variant->maxRows)
    ++variant;
  arguments.clear();
  for (const PlanArgument &argument : launch.arguments)
    arguments.push_back(resolve(argument, call, layer));
  KernelCall kernelCall{model->kernel(variant->kernel), arguments.data(),
                        scratch.data(), scratchStride};
  const double start = kernelTimes ? processorSeconds() : 0;
  model->pool().run(variant->grid.evaluate(call.symbols), runChunk,
                    &kernelCall);
  if (kernelTimes) {
    KernelTime &time = (*kernelTimes)[variant->kernel];
    time.seconds +=
        (processorSeconds() - start) / double(model->pool().threads());
    ++time.launches;
  }
  ++launchCount;
}

uint64_t Executor::resolve(const PlanArgument &argument, const Context &call,
                           int64_t layer) const {
  using Kind = PlanArgument::Kind;
  auto address = [](const void *pointer) {
    return static_cast<uint64_t>(reinterpret_cast<uintptr_t>(pointer));
  };
  const Plan &plan = model->plan();
  switch (argument.kind) {
  case Kind::Buffer:
    return address(bufferAddress(argument.index) +
                   argument.value * sizeOf(plan.buffers[argument.index].type));
  case Kind::Stride:
    return plan.buffers[argument.index].stride;
  case Kind::Weight:
    return address(
        model->weights().weight(plan.layers[layer].weights[argument.index]));
  case Kind::GlobalWeight:
    return address(model->weights().weight(argument.index));
  case Kind::State:
    return address(call.store.pool(layer, argument.index));
  case Kind::StateStride:
    return call.store.state(layer, argument.index).bytes;
  case Kind::Tokens:
    return address(call.table.tokens());
  case Kind::Seqs:
    return address(&call.table.table());
  case Kind::Symbol:
    return call.symbols.of(argument.symbol);
  case Kind::Integer:
    return argument.value;
  }
  return 0;
}

} // namespace ssmrt
