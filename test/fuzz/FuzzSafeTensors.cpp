//===- FuzzSafeTensors.cpp - Fuzz the safetensors reader ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/SafeTensors.h"

#include <cstdint>

using namespace ssmrt;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Expected<SafeTensors> file = SafeTensors::parse(MappedFile::fromBytes(
      "fuzz", std::string(reinterpret_cast<const char *>(data), size)));
  if (!file)
    return 0;
  // Every byte that a checked header promises can be read.
  uint64_t sum = 0;
  for (const auto &[name, view] : file->tensors())
    for (int64_t i = 0; i < view.bytes; ++i)
      sum += static_cast<unsigned char>(view.data[i]);
  volatile uint64_t sink = sum;
  (void)sink;
  return 0;
}
