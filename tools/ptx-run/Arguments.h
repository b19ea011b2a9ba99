//===- Arguments.h - Kernel arguments of ptx-run -------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/ptx/Interpreter.h"
#include "tools/ptx-run/Values.h"

#include <map>

namespace ptxrun {

/// A buffer in device memory, named on the command line.
struct Buffer {
  std::string name;
  ElementType type = ElementType::F32;
  size_t count = 0;
  uint64_t address = 0;
};

/// The parameter bytes of a launch and the buffers they point to.
struct Arguments {
  std::vector<Buffer> buffers;
  std::vector<std::byte> bytes;

  const Buffer *find(std::string_view name) const;
};

/// Makes the arguments of `kernel` from one text per parameter:
///   TYPE:VALUE            a scalar, e.g. u32:5 or f32:1.5
///   NAME=TYPE[N]:CONTENT  a pointer to a new buffer, see fill()
///   NAME=TYPE[N]:CONTENT:readonly  kernels may not write it
///   &NAME or &NAME+BYTES  a pointer into a buffer
///   hex:0a0b...           bytes of a struct
///   map:NAME:TYPE:N0xN1...[/S1x...]:B0xB1...[:SWIZZLE]  the 128 bytes of a
///     map of a tensor in a buffer, see TensorMap.h: extents and box, innermost
///     first, strides in bytes (default: dense) and bytes of the swizzle
/// The elements of a list:A,B,... may be pointers as well. `buffers` are made
/// first, like those of parameters, for such pointers.
Expected<Arguments> makeArguments(const ssmrt::ptx::Kernel &kernel,
                                  const std::vector<std::string> &buffers,
                                  const std::vector<std::string> &texts,
                                  ssmrt::ptx::DeviceMemory &memory);

/// The elements of a buffer as bytes.
Expected<std::vector<std::byte>> read(const Buffer &buffer,
                                      const ssmrt::ptx::DeviceMemory &memory);

} // namespace ptxrun
