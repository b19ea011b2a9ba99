//===- Guarded.h - No exception leaves the library ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"

#include <exception>
#include <new>

namespace ssmrt {

/// Runs `body`, which returns a Status or an Expected, and turns an exception
/// of the standard library (in practice: no memory) into a failure.
template <class Body> auto guarded(Body &&body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return error("out of memory");
  } catch (const std::exception &exception) {
    return error(std::string("internal error: ") + exception.what());
  }
}

} // namespace ssmrt
