//===- TemporaryFile.cpp - A file that appears whole or not at all --------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/TemporaryFile.h"
#include "runtime/MappedFile.h"

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace ssmrt {

namespace {

/// Paths that removeTemporaryFiles() knows. A signal handler may not take a
/// lock or touch a std::string, hence fixed slots.
constexpr int kMostRegistrations = 16;

struct Registration {
  std::atomic<int> state{0}; // 0 free, 1 being changed, 2 holds a path
  char path[PATH_MAX];
};

Registration registrations[kMostRegistrations];

int registerPath(const std::string &path) {
  if (path.size() >= sizeof(Registration::path))
    return -1;
  for (int i = 0; i < kMostRegistrations; ++i) {
    int expected = 0;
    if (!registrations[i].state.compare_exchange_strong(expected, 1))
      continue;
    std::memcpy(registrations[i].path, path.c_str(), path.size() + 1);
    registrations[i].state.store(2);
    return i;
  }
  return -1;
}

void unregisterPath(int index) {
  if (index >= 0)
    registrations[index].state.store(0);
}

/// `path`, or the file that it is a link to: the link stays.
std::string followLinks(const std::string &path) {
  const std::unique_ptr<char, decltype(&std::free)> real(
      realpath(path.c_str(), nullptr), &std::free);
  return real ? real.get() : path;
}

} // namespace

void removeTemporaryFiles() {
  for (Registration &registration : registrations)
    if (registration.state.load() == 2)
      unlink(registration.path);
}

Expected<TemporaryFile> TemporaryFile::create(const std::string &target) {
  static std::atomic<unsigned> counter{0};
  TemporaryFile file;
  file.target = target;
  struct stat attributes;
  if (stat(target.c_str(), &attributes) == 0 && !S_ISREG(attributes.st_mode)) {
    file.fileDescriptor = open(target.c_str(), O_WRONLY | O_CLOEXEC);
    if (file.fileDescriptor < 0)
      return systemError(target, "cannot create");
    return file;
  }
  file.destination = followLinks(target);
  file.path = file.destination + ".tmp" + std::to_string(getpid()) + "." +
              std::to_string(counter.fetch_add(1));
  file.registration = registerPath(file.path);
  file.fileDescriptor =
      open(file.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file.fileDescriptor < 0)
    return systemError(target, "cannot create");
  return file;
}

TemporaryFile::TemporaryFile(TemporaryFile &&other) noexcept
    : target(std::move(other.target)),
      destination(std::move(other.destination)), path(std::move(other.path)),
      fileDescriptor(std::exchange(other.fileDescriptor, -1)),
      registration(std::exchange(other.registration, -1)) {}

TemporaryFile::~TemporaryFile() {
  if (fileDescriptor >= 0) {
    if (!path.empty())
      unlink(path.c_str());
    close(fileDescriptor);
  }
  unregisterPath(registration);
}

Status TemporaryFile::write(const void *bytes, size_t size) {
  const char *next = static_cast<const char *>(bytes);
  while (size > 0) {
    ssize_t written = ::write(fileDescriptor, next, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return systemError(target, "cannot write");
    next += written;
    size -= static_cast<size_t>(written);
  }
  return {};
}

Status TemporaryFile::commit() {
  if (!path.empty() && rename(path.c_str(), destination.c_str()) != 0)
    return systemError(target, "cannot write");
  close(std::exchange(fileDescriptor, -1));
  unregisterPath(std::exchange(registration, -1));
  return {};
}

} // namespace ssmrt
