//===- Status.h - Errors as values ----------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime reports failures as values: a function that can fail returns
// Status or Expected<T>, and no exception leaves the library.
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace ssmrt {

/// Success, or one line that says what went wrong. The line is lower case, has
/// no full stop and names the file, key and value at fault.
struct [[nodiscard]] Status {
  std::string message;

  bool ok() const { return message.empty(); }
  explicit operator bool() const { return ok(); }
};

/// A failed Status. An empty `message` would mean success, so it is replaced.
inline Status error(std::string message) {
  if (message.empty())
    message = "unknown error";
  return Status{std::move(message)};
}

/// A value, or the failed Status that explains why there is none. T may be
/// move-only. Dereferencing a failure is a programming error.
template <class T> class [[nodiscard]] Expected {
public:
  Expected(T value) : storage(std::in_place_index<0>, std::move(value)) {}

  /// `status` must be a failure: success without a value does not exist.
  Expected(Status status)
      : storage(std::in_place_index<1>,
                status.ok() ? error("no value") : std::move(status)) {}

  bool ok() const { return storage.index() == 0; }
  explicit operator bool() const { return ok(); }

  T &operator*() & { return *value(); }
  const T &operator*() const & { return *value(); }
  T &&operator*() && { return std::move(*value()); }
  T *operator->() { return value(); }
  const T *operator->() const { return value(); }

  /// The failure, or success if there is a value.
  Status status() const { return ok() ? Status{} : *std::get_if<1>(&storage); }

private:
  T *value() {
    assert(ok() && "dereferenced a failure");
    return std::get_if<0>(&storage);
  }
  const T *value() const {
    assert(ok() && "dereferenced a failure");
    return std::get_if<0>(&storage);
  }

  std::variant<T, Status> storage;
};

} // namespace ssmrt
