//===- Driver.cpp - The CUDA driver's entry points ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/Driver.h"

namespace ssmrt::cuda {

Status Driver::bind(void *library, const std::string &path,
                    void *(*find)(void *library, const char *symbol)) {
  std::string missing;
  auto lookUp = [&](const char *symbol) {
    void *address = find(library, symbol);
    if (!address && missing.empty())
      missing = symbol;
    return address;
  };
#define SSMRT_CUDA_BIND(member, symbol, ...) member.bind(lookUp(symbol));
  SSMRT_CUDA_CALLS(SSMRT_CUDA_BIND)
#undef SSMRT_CUDA_BIND
  errorName = reinterpret_cast<Result (*)(Result, const char **)>(
      lookUp("cuGetErrorName"));
  errorString = reinterpret_cast<Result (*)(Result, const char **)>(
      lookUp("cuGetErrorString"));
  if (!missing.empty())
    return error(path + ": no " + missing +
                 ", expected a driver for CUDA 12 or later");
  return {};
}

Status Driver::check(const char *call, Result result) const {
  if (result == 0)
    return {};
  const char *name = nullptr;
  const char *text = nullptr;
  if (errorName(result, &name) != 0 || !name)
    name = "unknown error";
  if (errorString(result, &text) != 0 || !text)
    text = "error";
  return error(std::string(call) + ": " + text + " (" + name + ", " +
               std::to_string(result) + ")");
}

} // namespace ssmrt::cuda
