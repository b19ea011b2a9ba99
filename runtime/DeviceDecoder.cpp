//===- DeviceDecoder.cpp - Greedy decoding that stays on a device ---------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/DeviceDecoder.h"
#include "runtime/Model.h"
#include "runtime/StepProgram.h"

namespace ssmrt {

Expected<std::unique_ptr<DeviceDecoder>>
DeviceDecoder::create(Device &device, const Plan &plan, const StateStore &store,
                      Executor &executor, int64_t sequences) {
  std::unique_ptr<DeviceDecoder> decoder(
      new DeviceDecoder(device, plan, store, executor));
  auto allocate = [&](DeviceBuffer &buffer, int64_t bytes) -> Status {
    Expected<DeviceBuffer> allocated = DeviceBuffer::allocate(
        device, bytes, "decoding state", PageSize::Small);
    if (!allocated)
      return allocated.status();
    buffer = *std::move(allocated);
    return {};
  };
  const int64_t entryBytes = sequences * sizeof(int32_t);
  const int64_t endBytes = plan.endTokens.size() * sizeof(int32_t);
  if (Status status =
          allocate(decoder->progress, sequences * sizeof(SequenceProgress));
      !status)
    return status;
  if (Status status = allocate(decoder->tokens, kEntries * entryBytes); !status)
    return status;
  if (Status status = allocate(decoder->endTokens, endBytes); !status)
    return status;
  if (Status status = device.upload(decoder->endTokens.address(),
                                    plan.endTokens.data(), endBytes);
      !status)
    return status;
  Expected<std::unique_ptr<DownloadRing>> ring =
      device.createRing(kEntries, entryBytes);
  if (!ring)
    return ring.status();
  decoder->ring = *std::move(ring);
  // Entries are copied as a whole, however many sequences a step has.
  if (Status status =
          device.fill(decoder->tokens.address(), 0, decoder->tokens.size());
      !status)
    return status;
  return decoder;
}

Status DeviceDecoder::start(Span<const CallPart> sequences, bool ignoreEnd) {
  parts = static_cast<int64_t>(sequences.size());
  ends = ignoreEnd ? 0 : static_cast<int64_t>(plan.endTokens.size());
  launched = fetched = 0;
  if (Status status = device.fill(progress.address(), 0, progress.size());
      !status)
    return status;
  return executor.place(CallTable(sequences, store.maxPages()));
}

Status DeviceDecoder::launchStep() {
  const Executor::Choices choices = executor.choices();
  const uint64_t arguments[] = {
      choices.first,
      static_cast<uint64_t>(choices.stride),
      static_cast<uint64_t>(choices.count),
      static_cast<uint64_t>(choices.bytes),
      executor.tableAddress(),
      executor.tokensAddress(),
      progress.address(),
      tokens.address(),
      kEntries,
      endTokens.address(),
      static_cast<uint64_t>(ends),
      static_cast<uint64_t>(store.spareSlot()),
      static_cast<uint64_t>(store.sparePage()),
  };
  const DeviceLaunch choose{
      device.chooser(), parts, {arguments, std::size(arguments)}};
  if (Status status = executor.stepOnDevice(choose); !status)
    return status;
  const int64_t entry = launched++ % kEntries;
  return ring->queue(entry, tokens.address() +
                                entry * parts * int64_t(sizeof(int32_t)));
}

Expected<const int32_t *> DeviceDecoder::nextTokens() {
  Expected<const char *> bytes = ring->wait(fetched++ % kEntries);
  if (!bytes)
    return bytes.status();
  return reinterpret_cast<const int32_t *>(*bytes);
}

} // namespace ssmrt
