//===- TemporaryFile.h - A file that appears whole or not at all ----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"

#include <cstddef>
#include <string>

namespace ssmrt {

/// A new file beside `target` that takes its name when all of it is written.
/// Destruction without commit removes it. A device or a pipe is written as it
/// is: a file must not take its place.
class TemporaryFile {
public:
  static Expected<TemporaryFile> create(const std::string &target);

  TemporaryFile(TemporaryFile &&other) noexcept;
  TemporaryFile &operator=(TemporaryFile &&) = delete;
  ~TemporaryFile();

  int descriptor() const { return fileDescriptor; }

  /// Appends bytes.
  Status write(const void *bytes, size_t size);

  /// Gives the file its name.
  Status commit();

private:
  TemporaryFile() = default;

  std::string target;
  std::string destination; ///< The target behind links.
  std::string path;        ///< Empty if the target itself is written.
  int fileDescriptor = -1;
  int registration = -1;
};

/// Removes the temporary files that are being written. A tool calls this from
/// the handler of a signal that ends the process: it is async-signal-safe.
void removeTemporaryFiles();

} // namespace ssmrt
