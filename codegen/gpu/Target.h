//===- Target.h - GPU targets and their numbers -*- C++ -*- ---------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace ssm::gpu {

/// Output channels of a panel of a packed weight, and the bytes of input
/// channels that lie beside each other in it: [N/8][K/KR][8][KR], so that a
/// warp reads 512 bytes in one piece and a thread 16.
inline constexpr int64_t kPanelRows = 8, kPieceBytes = 16;

/// Input channels of a piece of weights of so many bits.
constexpr int64_t pieceInputs(unsigned bits) { return kPieceBytes * 8 / bits; }

/// Output channels and rows of a block in the blocked form of a product.
inline constexpr int64_t kTileColumns = 64, kTileRows = 64;

/// What a kernel emitter must know about a GPU.
struct Target {
  /// Name in the artifact, and the chip for which LLVM compiles.
  llvm::StringLiteral name;
  /// Version of PTX, as a feature: the lowest that the chip has, so that old
  /// drivers take it.
  llvm::StringLiteral features;
  /// Shared memory that a block may have.
  int64_t sharedBytes;
  /// Multiprocessors of the chip that block counts are made for.
  int64_t multiprocessors;

  /// The target called `name`, or null.
  static const Target *lookup(llvm::StringRef name);
  /// All targets.
  static llvm::ArrayRef<Target> all();
};

} // namespace ssm::gpu
