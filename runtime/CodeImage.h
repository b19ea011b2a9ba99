//===- CodeImage.h - Machine code of an artifact --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Artifact.h"
#include "runtime/Status.h"

#include <cstdint>

namespace ssmrt {

/// The entry of a kernel: argument slots, the range of grid units to compute,
/// scratch memory of the calling thread.
using KernelFunction = void (*)(const uint64_t *arguments, int64_t begin,
                                int64_t end, void *scratch);

/// A code image in executable memory, never writable while executable.
class CodeImage {
public:
  /// Maps the image from the file, or copies it where that is not possible.
  static Expected<CodeImage> load(const Artifact &artifact,
                                  const ArtifactImage &image);

  CodeImage(CodeImage &&other) noexcept;
  CodeImage &operator=(CodeImage &&) = delete;
  ~CodeImage();

  /// The kernel at an offset that Artifact::plan() has checked.
  KernelFunction kernelAt(int64_t offset) const;

private:
  CodeImage(char *begin, size_t size) : begin(begin), size(size) {}

  char *begin;
  size_t size;
};

} // namespace ssmrt
