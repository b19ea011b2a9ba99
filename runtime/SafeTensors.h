//===- SafeTensors.h - Read and write safetensors files -------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Format: 8 bytes (little endian) with the length of a JSON header, the header,
// the data. Weights, artifacts, packed weights and states are such files.

#pragma once

#include "runtime/DType.h"
#include "runtime/MappedFile.h"
#include "runtime/Status.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ssmrt {

/// A tensor of a file; the bytes belong to the file.
struct TensorView {
  DType type = DType::F32;
  std::vector<int64_t> shape;
  const char *data = nullptr;
  int64_t bytes = 0;
  /// Offset in the file.
  int64_t offset = 0;
};

/// A safetensors file whose header was checked: every tensor lies inside the
/// file, has the size its shape says, and overlaps no other.
class SafeTensors {
public:
  static Expected<SafeTensors> open(const std::string &path);
  static Expected<SafeTensors> parse(std::shared_ptr<const MappedFile> file);

  const MappedFile &file() const { return *source; }
  std::shared_ptr<const MappedFile> sharedFile() const { return source; }

  const std::map<std::string, TensorView> &tensors() const { return views; }
  /// The tensor `name`, or null.
  const TensorView *find(const std::string &name) const;

  const std::map<std::string, std::string> &metadata() const { return texts; }
  /// The metadata text of `key`, or null.
  const std::string *findMetadata(const std::string &key) const;

  /// Bytes of the header, for hashing.
  std::string_view header() const { return headerText; }

private:
  SafeTensors() = default;

  std::shared_ptr<const MappedFile> source;
  std::string_view headerText;
  std::map<std::string, TensorView> views;
  std::map<std::string, std::string> texts;
};

/// Product of the dimensions, if it fits.
std::optional<int64_t> elementCount(const std::vector<int64_t> &shape);

/// "[2, 3]".
std::string printShape(const std::vector<int64_t> &shape);

/// Lays out and writes a file. Tensors lie in the order in which they were
/// added; the gaps that alignments make are tensors named "padding.<n>", as
/// readers elsewhere refuse holes.
class SafeTensorsWriter {
public:
  void setMetadata(std::string key, std::string text);

  /// Adds a tensor. `data` must stay until the file is written; it may be null
  /// if only header() is wanted. `alignment` is a power of two, at most 4096.
  void add(std::string name, DType type, std::vector<int64_t> shape,
           const void *data, int64_t alignment = 64);

  /// Length and header; its size is a multiple of 4096 if any alignment is
  /// above 64, else of 64.
  std::string header() const;

  /// Offset of the `index`-th added tensor, relative to the end of the header.
  int64_t offsetOf(size_t index) const { return entries[index].offset; }
  /// Bytes after the header.
  int64_t dataBytes() const { return end; }

  /// Writes the file: it appears whole or not at all.
  Status write(const std::string &path) const;
  /// The bytes of the file.
  std::string toBytes() const;

private:
  struct Entry {
    std::string name;
    DType type;
    std::vector<int64_t> shape;
    const void *data;
    int64_t offset;
    int64_t bytes;
  };

  std::map<std::string, std::string> texts;
  std::vector<Entry> entries;
  int64_t end = 0;
  int64_t largestAlignment = 64;
};

} // namespace ssmrt
