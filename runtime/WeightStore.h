//===- WeightStore.h - Packed weights in memory ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Artifact.h"
#include "runtime/Checkpoint.h"
#include "runtime/Memory.h"
#include "runtime/Plan.h"
#include "runtime/Status.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ssmrt {

class ThreadPool;

/// Called now and then with what is done and all there is, in bytes.
using Progress = std::function<void(int64_t done, int64_t total)>;

/// The weights of a plan as its kernels read them: from the artifact, from the
/// cache of an earlier start, or packed now.
class WeightStore {
public:
  /// Uses the weights that were packed by the compiler.
  static Expected<WeightStore> fromArtifact(const Artifact &artifact,
                                            const ArtifactImage &image,
                                            const Plan &plan);

  /// Packs the weights of a checkpoint. With `useCache` the result is kept in
  /// the cache folder, and taken from there next time; a cache that cannot be
  /// written is no failure.
  static Expected<WeightStore> pack(const Plan &plan,
                                    const Checkpoint &checkpoint,
                                    ThreadPool &pool, bool useCache,
                                    const Progress &progress);

  /// Address of a weight, a multiple of 64.
  const void *weight(int64_t index) const { return addresses[index]; }

  /// Bytes of all weights.
  int64_t bytes() const { return totalBytes; }

private:
  std::vector<const void *> addresses;
  int64_t totalBytes = 0;
  /// What holds the bytes: a file, or memory.
  std::shared_ptr<const MappedFile> file;
  std::shared_ptr<void> mapping;
  Memory memory;
};

/// $XDG_CACHE_HOME/ssmc or ~/.cache/ssmc, created if need be; empty if neither
/// exists.
std::string cacheFolder();

} // namespace ssmrt
