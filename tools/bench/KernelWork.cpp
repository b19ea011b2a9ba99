//===- KernelWork.cpp - What the kernels of a plan must do ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/bench/KernelWork.h"

#include <algorithm>

using namespace ssmbench;
using namespace ssmrt;

namespace {
/// Adds up the launches of one call.
class Counter {
public:
  Counter(const Plan &plan, const Call &call)
      : plan(plan), call(call), work(plan.kernels.size()) {}

  void add(const std::vector<PlanLaunch> &launches, const PlanLayer *layer);
  std::vector<KernelWork> take() { return std::move(work); }

private:
  void addProduct(KernelWork &kernel, const PlanWeight &weight, double rows);
  void addState(KernelWork &kernel, const PlanState &state, int64_t columns);

  const Plan &plan;
  const Call &call;
  std::vector<KernelWork> work;
};
} // namespace

void Counter::addProduct(KernelWork &kernel, const PlanWeight &weight,
                         double rows) {
  kernel.bytes += double(weight.layout.bytes());
  kernel.flops +=
      2 * rows * double(weight.layout.rows) * double(weight.layout.columns);
}

/// What the kernel that has `state` and results of `columns` does with it.
void Counter::addState(KernelWork &kernel, const PlanState &state,
                       int64_t columns) {
  constexpr double kScanOperations = 12;
  double tokens = double(call.batch * call.tokens);
  switch (state.kind) {
  case StateKind::Conv: // two copies: one is read, one written
    kernel.bytes += double(call.batch * state.bytes);
    kernel.flops += 2 * tokens * double(state.shape[0] * (state.shape[1] + 1));
    return;
  case StateKind::Ssm1:
    kernel.bytes += 2 * double(call.batch * state.bytes);
    kernel.flops +=
        2 * kScanOperations * tokens * double(state.shape[0] * state.shape[1]);
    return;
  case StateKind::Ssm2: // into the state and out of it
    kernel.bytes += 2 * double(call.batch * state.bytes);
    kernel.flops +=
        4 * tokens * double(state.shape[0] * state.shape[1] * state.shape[2]);
    return;
  case StateKind::Key:
  case StateKind::Value: {
    double seen = double(call.context) + double(call.tokens + 1) / 2;
    kernel.bytes += double(call.batch) * double(state.bytes) / kPageTokens *
                    double(call.context + call.tokens);
    kernel.flops += 2 * tokens * seen * double(columns);
    return;
  }
  }
}

void Counter::add(const std::vector<PlanLaunch> &launches,
                  const PlanLayer *layer) {
  SymbolValues symbols;
  symbols.sequences = symbols.outputs = call.batch;
  symbols.rows = std::min(call.batch * call.tokens,
                          std::max(plan.prefillChunk, call.batch));
  for (const PlanLaunch &launch : launches) {
    auto variant = launch.variants.begin();
    int64_t rows = launch.rowsOf(symbols);
    while (variant->maxRows >= 0 && rows > variant->maxRows)
      ++variant;
    KernelWork &kernel = work[variant->kernel];
    bool isOutput = launch.arguments.back().symbol == Symbol::Outputs;
    double allRows = double(isOutput ? call.batch : call.batch * call.tokens);
    int64_t columns = 0;
    for (const PlanArgument &argument : launch.arguments)
      if (argument.kind == PlanArgument::Kind::Buffer)
        columns = plan.buffers[argument.index].columns;
    const std::string &name = plan.kernels[variant->kernel].name;
    bool isProduct = name.rfind("gemm", 0) == 0;
    bool appends = name.rfind("kv_append", 0) == 0;
    for (const PlanArgument &argument : launch.arguments) {
      if (isProduct && argument.kind == PlanArgument::Kind::GlobalWeight &&
          plan.weights[argument.index].layout.panelRows > 0)
        addProduct(kernel, plan.weights[argument.index], allRows);
      if (!layer)
        continue;
      if (isProduct && argument.kind == PlanArgument::Kind::Weight) {
        const PlanWeight &weight = plan.weights[layer->weights[argument.index]];
        if (weight.layout.panelRows > 0)
          addProduct(kernel, weight, allRows);
      }
      if (argument.kind == PlanArgument::Kind::State && !appends)
        addState(kernel,
                 plan.states[plan.bodies[layer->body].states[argument.index]],
                 columns);
    }
  }
}

std::vector<KernelWork> ssmbench::kernelWork(const Plan &plan,
                                             const Call &call) {
  Counter counter(plan, call);
  counter.add(plan.before.of(call.entry), nullptr);
  for (const PlanLayer &layer : plan.layers)
    counter.add(plan.bodies[layer.body].launches.of(call.entry), &layer);
  counter.add(plan.after.of(call.entry), nullptr);
  return counter.take();
}
