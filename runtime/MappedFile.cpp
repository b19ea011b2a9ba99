//===- MappedFile.cpp - A file, or memory, as bytes -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ssmrt {

Status systemError(const std::string &path, const std::string &what) {
  return error(path + ": " + what + ": " + std::strerror(errno));
}

Expected<std::shared_ptr<const MappedFile>>
MappedFile::open(const std::string &path) {
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->filePath = path;
  file->fileDescriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file->fileDescriptor < 0)
    return systemError(path, "cannot open");
  struct stat attributes;
  if (fstat(file->fileDescriptor, &attributes) != 0)
    return systemError(path, "cannot read attributes");
  if (!S_ISREG(attributes.st_mode))
    return error(path + ": not a regular file");
  file->modificationTime = attributes.st_mtim.tv_sec * int64_t{1000000000} +
                           attributes.st_mtim.tv_nsec;
  file->length = static_cast<size_t>(attributes.st_size);
  if (file->length == 0)
    return std::shared_ptr<const MappedFile>(std::move(file));
  void *address = mmap(nullptr, file->length, PROT_READ, MAP_PRIVATE,
                       file->fileDescriptor, 0);
  if (address == MAP_FAILED)
    return systemError(path, "cannot map");
  file->begin = static_cast<const char *>(address);
  return std::shared_ptr<const MappedFile>(std::move(file));
}

std::shared_ptr<const MappedFile> MappedFile::fromBytes(std::string name,
                                                        std::string bytes) {
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->filePath = std::move(name);
  file->ownedBytes = std::move(bytes);
  file->begin = file->ownedBytes.data();
  file->length = file->ownedBytes.size();
  return file;
}

MappedFile::~MappedFile() {
  if (fileDescriptor < 0)
    return;
  if (begin)
    munmap(const_cast<char *>(begin), length);
  close(fileDescriptor);
}

void MappedFile::release(const char *first, const char *last) const {
  if (fileDescriptor < 0)
    return;
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  uintptr_t from =
      (reinterpret_cast<uintptr_t>(first) + page - 1) / page * page;
  uintptr_t to = reinterpret_cast<uintptr_t>(last) / page * page;
  if (from < to)
    madvise(reinterpret_cast<void *>(from), to - from, MADV_DONTNEED);
}

} // namespace ssmrt
