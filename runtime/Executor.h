//===- Executor.h - Runs the launches of a plan ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/CallTable.h"
#include "runtime/Device.h"
#include "runtime/Model.h"
#include "runtime/StateStore.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

namespace ssmrt {

/// Receives the residual stream [rows, hidden] with its row stride after layer
/// `layer`, or before the first layer for -1. After the last layer comes the
/// input of the head for the wanted rows, as one layer more.
using ResidualSink =
    std::function<void(int64_t layer, const float *rows, int64_t stride)>;

/// Launches of one kernel and the seconds they took; on a CPU those of
/// processors, a thread's share of them.
struct KernelTime {
  int64_t launches = 0;
  double seconds = 0;
};
/// One entry for each kernel of a plan.
using KernelTimes = std::vector<KernelTime>;

/// Owns the memory of calls and runs them. As the pool of the model, for one
/// thread at a time.
class Executor {
public:
  /// For calls of at most `rows` rows of at most `sequences` sequences with
  /// states in `store`, which must outlive the executor. With `poison`, all
  /// memory that a launch must not depend on holds NaN.
  static Expected<std::unique_ptr<Executor>>
  create(std::shared_ptr<Model> model, const StateStore &store, int64_t rows,
         int64_t sequences, bool poison);

  ~Executor();

  /// Runs one call. The states of the store advance; positions of sequences do
  /// not.
  Status run(Entry entry, const CallTable &call, const ResidualSink &sink);

  /// Puts the table of a call where kernels find it, for stepOnDevice.
  Status place(const CallTable &table);
  /// One step of the placed call, whose table the last launch moves on.
  /// Positions and logits stay on the device.
  Status stepOnDevice(const DeviceLaunch &last);
  /// Where the placed call has its table and tokens.
  DeviceAddress tableAddress() const { return placed.seqs; }
  DeviceAddress tokensAddress() const { return placed.tokens; }
  /// Among what a step of the placed call leaves the most probable token of
  /// each row to be found: its logits, or the candidates of their kernel.
  struct Choices {
    DeviceAddress first = 0;
    int64_t stride = 0; ///< f32 numbers from row to row
    int64_t count = 0;  ///< of a row
    int64_t bytes = 0;  ///< of a logit, or of a pair of it and its token
  };
  Choices choices() const;

  /// Logits of the `index`-th wanted row of the last call, until the next one.
  const float *logits(int64_t index) const;

  /// Adds the time of every launch to `times` from now on; null: no clock.
  void setKernelTimes(KernelTimes *times) { kernelTimes = times; }

  /// Launches of the last call.
  int64_t launches() const { return launchCount; }

private:
  /// A call as its launches see it.
  struct Context {
    SymbolValues symbols;
    DeviceAddress tokens = 0;
    DeviceAddress seqs = 0;
  };
  /// What tells recordings of a step apart: rows, outputs, and the arguments of
  /// the last launch.
  using RecordingKey = std::tuple<int64_t, int64_t, std::vector<uint64_t>>;
  struct Recording {
    int64_t number;
    int64_t launches;
  };

  Executor(std::shared_ptr<Model> model, const StateStore &store)
      : model(std::move(model)), device(this->model->device()), store(store) {}

  Status runAll(Entry entry, const Context &call, const ResidualSink &sink);
  Status runRecorded(const DeviceLaunch *last);
  Status runSection(const std::vector<PlanLaunch> &launches,
                    const Context &call, int64_t layer);
  Status showResidual(const Context &call, int64_t layer,
                      const ResidualSink &sink);
  Status showHeadInput(const Context &call, const ResidualSink &sink);
  Status fetchLogits(const Context &call);
  Status launch(const PlanLaunch &launch, const Context &call, int64_t layer);
  uint64_t resolve(const PlanArgument &argument, const Context &call,
                   int64_t layer) const;
  DeviceAddress bufferAddress(int64_t index) const;
  /// Rows of a buffer in host memory: in place, or a copy that the next call
  /// overwrites.
  Expected<const char *> readBuffer(int64_t index, int64_t rows);

  Status allocateScratch(const SymbolValues &largest);
  void findSharedBuffers(const Plan &plan);
  Status poisonBefore(const std::vector<PlanLaunch> &launches, size_t index,
                      const SymbolValues &symbols);

  std::shared_ptr<Model> model;
  Device &device;
  const StateStore &store;
  DeviceBuffer arena;
  /// Scratch memory of each kernel of a GPU.
  std::vector<DeviceBuffer> scratch;
  /// Tokens and table of sequences of a call, if the device needs a copy.
  DeviceBuffer tableArea;
  std::vector<char> tableBytes;
  /// What readBuffer returns a pointer to.
  std::vector<char> fetched;
  const float *firstLogits = nullptr;
  Context placed;
  std::map<RecordingKey, Recording> recordings;
  /// Rows that the arena is laid out for in the current call.
  int64_t capacity = 0;
  std::vector<uint64_t> arguments;
  int64_t launchCount = 0;
  KernelTimes *kernelTimes = nullptr;

  bool poison = false;
  /// Buffers that several sections use: always taken as alive.
  std::vector<bool> isShared;
};

} // namespace ssmrt
