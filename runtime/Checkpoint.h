//===- Checkpoint.h - Weights of a model by name --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/SafeTensors.h"
#include "runtime/Status.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ssmrt {

/// Where tensors come from: a folder with model.safetensors or with shards and
/// model.safetensors.index.json; or "random:SEED", which has every tensor in
/// every shape. Immutable; any thread may read.
class Checkpoint {
public:
  static Expected<Checkpoint> open(const std::string &folderOrRandom);

  /// Name for messages.
  const std::string &name() const { return source; }
  bool isRandom() const { return seed.has_value(); }

  /// Fails unless the tensor exists with this shape and a supported type.
  Status check(const std::string &tensor,
               const std::vector<int64_t> &shape) const;

  /// Writes elements [first, first + count) of a checked tensor as f32.
  void read(const std::string &tensor, const std::vector<int64_t> &shape,
            int64_t first, int64_t count, float *target) const;

  /// Drops pages of the elements [first, first + count) from memory.
  void release(const std::string &tensor, int64_t first, int64_t count) const;

  /// The tensor in its file; null for random weights or an unknown name.
  const TensorView *find(const std::string &tensor) const;

  /// Names of all tensors, and paths of all files; none for random weights.
  std::vector<std::string> tensorNames() const;
  std::vector<std::string> filePaths() const;

  /// Changes whenever the weights may have: sizes, times and headers.
  uint64_t fingerprint() const;

  /// The folder, empty for random weights.
  std::string folder() const { return seed ? std::string() : source; }

private:
  struct Location {
    size_t file;
    const TensorView *view;
  };

  Status openSharded(const std::string &indexPath);
  Status addFile(const std::string &path);

  std::string source;
  std::optional<uint64_t> seed;
  std::vector<std::unique_ptr<SafeTensors>> files;
  std::map<std::string, Location> locations;
};

/// Elements [first, first + count) of a random tensor: a function of seed,
/// name, shape and index alone. Magnitudes suit what the name says the tensor
/// is, and matrices are exact in every weight type.
void randomTensor(uint64_t seed, const std::string &name,
                  const std::vector<int64_t> &shape, int64_t first,
                  int64_t count, float *target);

} // namespace ssmrt
