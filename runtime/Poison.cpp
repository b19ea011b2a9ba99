//===- Poison.cpp - NaN where a kernel must not look ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The debug mode of the executor: before each launch, everything in the arena
// that is not alive, and all scratch memory, is filled with NaN. Reading
// padding, rows past the end or a dead buffer then shows in the results.

#include "runtime/Executor.h"

#include <algorithm>

namespace ssmrt {

namespace {

/// Marks the buffers that `launches` mention.
void markBuffers(const std::vector<PlanLaunch> &launches,
                 std::vector<bool> &marks) {
  for (const PlanLaunch &launch : launches)
    for (const PlanArgument &argument : launch.arguments)
      if (argument.kind == PlanArgument::Kind::Buffer)
        marks[argument.index] = true;
}

int64_t rowsOf(const PlanBuffer &buffer, const SymbolValues &symbols) {
  return buffer.rows == RowCount::Rows ? symbols.rows : symbols.outputs;
}

} // namespace

void Executor::findSharedBuffers(const Plan &plan) {
  const size_t count = plan.buffers.size();
  std::vector<int> sections(count, 0);
  auto addSection = [&](const PlanSection &section) {
    std::vector<bool> marks(count, false);
    markBuffers(section.prefill, marks);
    markBuffers(section.step, marks);
    for (size_t i = 0; i < count; ++i)
      sections[i] += marks[i];
  };
  addSection(plan.before);
  addSection(plan.after);
  for (const PlanBody &body : plan.bodies)
    addSection(body.launches);
  isShared.assign(count, false);
  for (size_t i = 0; i < count; ++i)
    isShared[i] = sections[i] > 1;
}

Status Executor::poisonBefore(const std::vector<PlanLaunch> &launches,
                              size_t index, const SymbolValues &symbols) {
  const std::vector<PlanBuffer> &buffers = model->plan().buffers;
  std::vector<bool> earlier(buffers.size(), false);
  std::vector<bool> later(buffers.size(), false);
  markBuffers({launches.begin(), launches.begin() + index}, earlier);
  markBuffers({launches.begin() + index, launches.end()}, later);

  // Where the rows that are alive begin and end.
  std::vector<std::pair<DeviceAddress, DeviceAddress>> alive;
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (!isShared[i] && !(earlier[i] && later[i]))
      continue;
    const PlanBuffer &buffer = buffers[i];
    DeviceAddress row = bufferAddress(static_cast<int64_t>(i));
    for (int64_t r = 0; r < rowsOf(buffer, symbols); ++r) {
      alive.push_back({row, row + buffer.columns * sizeOf(buffer.type)});
      row += buffer.rowBytes();
    }
  }
  const DeviceAddress end =
      arena.address() + capacity * model->plan().arenaRowBytes;
  alive.push_back({end, end});
  std::sort(alive.begin(), alive.end());
  DeviceAddress done = arena.address();
  for (auto [first, last] : alive) {
    if (first > done)
      if (Status status =
              device.poison(done, static_cast<int64_t>(first - done));
          !status)
        return status;
    done = std::max(done, last);
  }
  device.poisonScratch();
  return {};
}

} // namespace ssmrt
