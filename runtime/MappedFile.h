//===- MappedFile.h - A file, or memory, as bytes -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ssmrt {

/// The bytes of a whole file, mapped read-only, or bytes held in memory.
/// Immutable; any thread may read.
class MappedFile {
public:
  /// Maps the regular file at `path`.
  static Expected<std::shared_ptr<const MappedFile>>
  open(const std::string &path);

  /// Keeps `bytes` in memory under a name for messages.
  static std::shared_ptr<const MappedFile> fromBytes(std::string name,
                                                     std::string bytes);

  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  const std::string &path() const { return filePath; }
  const char *data() const { return begin; }
  size_t size() const { return length; }
  std::string_view bytes() const { return {begin, length}; }

  /// File descriptor for further mappings, or -1 for bytes in memory.
  int descriptor() const { return fileDescriptor; }
  /// Time of last modification in nanoseconds, 0 for bytes in memory.
  int64_t modified() const { return modificationTime; }

  /// Lets the process drop the pages inside [first, last): they are read again
  /// from the file when touched.
  void release(const char *first, const char *last) const;

private:
  MappedFile() = default;

  std::string filePath;
  std::string ownedBytes;
  const char *begin = nullptr;
  size_t length = 0;
  int fileDescriptor = -1;
  int64_t modificationTime = 0;
};

/// "path: what: reason of errno".
Status systemError(const std::string &path, const std::string &what);

} // namespace ssmrt
