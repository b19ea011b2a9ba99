//===- CodeImage.cpp - Machine code of an artifact ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/CodeImage.h"
#include "runtime/Checked.h"

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace ssmrt {

Expected<CodeImage> CodeImage::load(const Artifact &artifact,
                                    const ArtifactImage &image) {
  const MappedFile &file = artifact.file();
  const size_t size = static_cast<size_t>(image.code->bytes);
  if (size == 0)
    return error(artifact.path() + ": empty image for " + image.target);
  const int64_t page = sysconf(_SC_PAGESIZE);
  if (file.descriptor() >= 0 && image.code->offset % page == 0) {
    void *address = mmap(nullptr, size, PROT_READ | PROT_EXEC, MAP_PRIVATE,
                         file.descriptor(), image.code->offset);
    if (address != MAP_FAILED)
      return CodeImage(static_cast<char *>(address), size);
  }
  // Not at a page border, in memory, or on a file system without execution.
  void *address = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED)
    return systemError(artifact.path(), "cannot get memory for code");
  CodeImage result(static_cast<char *>(address), size);
  std::memcpy(address, image.code->data, size);
  if (mprotect(address, size, PROT_READ | PROT_EXEC) != 0)
    return systemError(artifact.path(), "cannot make code executable");
  __builtin___clear_cache(result.begin, result.begin + size);
  return result;
}

CodeImage::CodeImage(CodeImage &&other) noexcept
    : begin(std::exchange(other.begin, nullptr)), size(other.size) {}

CodeImage::~CodeImage() {
  if (begin)
    munmap(begin, size);
}

KernelFunction CodeImage::kernelAt(int64_t offset) const {
  return reinterpret_cast<KernelFunction>(begin + offset);
}

} // namespace ssmrt
