//===- DeviceDecoder.h - Greedy decoding that stays on a device -----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Device.h"
#include "runtime/Executor.h"
#include "runtime/Span.h"
#include "runtime/StateStore.h"

#include <memory>
#include <vector>

namespace ssmrt {

/// Runs steps whose tokens the device chooses and feeds to the next step. The
/// host may be some steps behind.
class DeviceDecoder {
public:
  /// Most steps that were launched and not waited for.
  static constexpr int64_t kEntries = 8;

  /// For calls of `executor`, all of which must outlive the decoder.
  static Expected<std::unique_ptr<DeviceDecoder>>
  create(Device &device, const Plan &plan, const StateStore &store,
         Executor &executor, int64_t sequences);

  /// Begins to decode: one token of each part is the first input. Every part
  /// has the pages of all steps to come. An end token ends a sequence unless
  /// `ignoreEnd`.
  Status start(Span<const CallPart> parts, bool ignoreEnd);
  /// Launches the next step.
  Status launchStep();
  /// Waits for the oldest step not waited for: for each part its token, or
  /// kAlreadyDone, or kNoNumber.
  Expected<const int32_t *> nextTokens();
  /// Steps that were launched and not waited for.
  int64_t pending() const { return launched - fetched; }

private:
  DeviceDecoder(Device &device, const Plan &plan, const StateStore &store,
                Executor &executor)
      : device(device), plan(plan), store(store), executor(executor) {}

  Device &device;
  const Plan &plan;
  const StateStore &store;
  Executor &executor;
  DeviceBuffer progress;
  DeviceBuffer tokens;
  DeviceBuffer endTokens;
  std::unique_ptr<DownloadRing> ring;
  int64_t parts = 0;
  int64_t ends = 0;
  int64_t launched = 0;
  int64_t fetched = 0;
};

} // namespace ssmrt
