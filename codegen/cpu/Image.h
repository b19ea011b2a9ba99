//===- Image.h - Flat image of kernels ------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBufferRef.h"

#include <string>
#include <vector>

namespace ssm {

/// Machine code and constants of a set of kernels, without relocations: mapped
/// anywhere at a page border, read and execute, it runs.
struct Image {
  struct Kernel {
    std::string name;
    uint64_t offset = 0;
    uint64_t size = 0;
  };
  std::vector<uint8_t> bytes;
  std::vector<Kernel> kernels;

  /// The kernel called `name`, or null.
  const Kernel *find(llvm::StringRef name) const;
};

/// Lays out ELF objects one after the other, all code before all constants, and
/// applies their relocations. Refuses symbols that no object defines locally,
/// writable data and relocations that are not relative.
llvm::Expected<Image> makeImage(llvm::ArrayRef<llvm::MemoryBufferRef> objects);

} // namespace ssm
