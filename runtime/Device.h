//===- Device.h - Where kernels run ---------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Expression.h"
#include "runtime/Span.h"
#include "runtime/Status.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ssmrt {

/// A byte as the kernels of a device address it.
using DeviceAddress = uint64_t;

/// A launch whose arguments are known.
struct DeviceLaunch {
  /// Index in the plan.
  int64_t kernel = 0;
  /// Units or blocks.
  int64_t grid = 0;
  Span<const uint64_t> arguments;
};

/// Copies of small device memory that the host fetches later. Each copy is of
/// one entry, in turn.
class DownloadRing {
public:
  virtual ~DownloadRing() = default;
  /// Asks for a copy of `source` as entry `index`, which must have been waited
  /// for if it was asked for before.
  virtual Status queue(int64_t index, DeviceAddress source) = 0;
  /// Waits for the copy of an entry. Valid until it is asked for again.
  virtual Expected<const char *> wait(int64_t index) = 0;
};

/// Whether memory is used as a whole and again and again, so that large pages
/// of the host's memory pay.
enum class PageSize : uint8_t { Small, Large };

/// Memory and the kernels of one plan. What is asked for happens in order: a
/// launch sees earlier uploads, a download sees earlier launches. For one
/// thread at a time. A failure of a launch may come late, from any later call;
/// after one nothing useful can be done with the device.
class Device {
public:
  virtual ~Device() = default;

  /// "cpu", "ptx" or "cuda".
  virtual std::string_view kind() const = 0;
  /// What a user calls it, e.g. "NVIDIA H100, sm_90"; empty: nothing to add.
  virtual std::string description() const { return {}; }

  /// Whether addresses are pointers of this process: then nothing is copied.
  virtual bool sharesHostMemory() const { return false; }
  /// Whether it reports reads of memory that nothing has written.
  virtual bool checksInitialised() const { return false; }

  /// Zeroed memory, at a multiple of at least 64. `purpose` appears in
  /// messages. Zero bytes have the address 0.
  virtual Expected<DeviceAddress>
  allocate(int64_t bytes, const std::string &purpose, PageSize pages) = 0;
  virtual void free(DeviceAddress address) = 0;

  /// Makes `bytes` of the host readable by kernels: in place if the device does
  /// not copy what it adopts; then they must outlive it.
  virtual Expected<DeviceAddress> adopt(const void *data, int64_t bytes,
                                        const std::string &purpose) = 0;
  virtual bool copiesAdopted() const { return false; }

  virtual Status upload(DeviceAddress target, const void *source,
                        int64_t bytes) = 0;
  virtual Status download(void *target, DeviceAddress source,
                          int64_t bytes) = 0;
  virtual Status fill(DeviceAddress target, uint8_t value, int64_t bytes) = 0;
  /// Makes the content invalid: NaN, and unwritten where that is checked.
  virtual Status poison(DeviceAddress target, int64_t bytes) = 0;

  /// Says how large calls can become.
  virtual Status prepare(const SymbolValues &largest) { return {}; }
  /// Poisons memory that only lives during a launch.
  virtual void poisonScratch() {}

  virtual Status launch(const DeviceLaunch &launch) = 0;
  /// The same, and how many seconds it took; of processors, a thread's share.
  virtual Expected<double> launchTimed(const DeviceLaunch &launch) = 0;
  /// Waits until all is done.
  virtual Status synchronize() { return {}; }

  /// The kernel of StepProgram.h, beyond those of the plan; -1 if there is
  /// none: then the host samples.
  virtual int64_t chooser() const { return -1; }
  /// A ring of copies of `bytes` each.
  virtual Expected<std::unique_ptr<DownloadRing>> createRing(int64_t entries,
                                                             int64_t bytes);

  /// Whether launches can be kept and run as one. From beginRecording to
  /// endRecording, which numbers the recording, launches are only kept;
  /// replay runs them. Who made a recording erases it.
  virtual bool canRecord() const { return false; }
  virtual Status beginRecording();
  virtual Expected<int64_t> endRecording();
  virtual Status replay(int64_t recording);
  virtual void eraseRecording(int64_t recording) {}
  /// Ends a recording that failed.
  virtual void dropRecording() {}

  /// Bytes that a copy within the device's memory reads and writes per second,
  /// measured now; 0 where this says nothing.
  virtual Expected<double> copyRate() { return 0.0; }
};

/// Memory of a device, which must outlive it.
class DeviceBuffer {
public:
  DeviceBuffer() = default;
  static Expected<DeviceBuffer> allocate(Device &device, int64_t bytes,
                                         const std::string &purpose,
                                         PageSize pages);

  DeviceBuffer(DeviceBuffer &&other) noexcept;
  DeviceBuffer &operator=(DeviceBuffer &&other) noexcept;
  ~DeviceBuffer();

  DeviceAddress address() const { return begin; }
  int64_t size() const { return length; }

private:
  Device *device = nullptr;
  DeviceAddress begin = 0;
  int64_t length = 0;
};

} // namespace ssmrt
