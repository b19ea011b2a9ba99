//===- Attention.h - What the attention kernels share -*- C++ -*- ---------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/gpu/Cache.h"
#include "codegen/gpu/Emitters.h"

namespace ssm::gpu {

/// Where the maximum of a row starts, and what masked scores become: 2^(s - m)
/// of a masked score is 0 even for a row that has seen no key yet.
inline constexpr double kNoScore = -1e30;
inline constexpr double kMasked = -3e38;

/// Sizes and arguments of `kern.attention`.
struct AttentionParts {
  /// `op` is a kern.attention or kern.attention_step.
  template <typename OpTy>
  AttentionParts(TileBuilder &builder, OpTy op)
      : b(builder), pages(op.getKeyCache().getType()), headDim(pages.headDim),
        heads(op.getResult().getType().getDimSize(1) / headDim),
        group(heads / pages.heads), window(op.getWindow()),
        input(op->getOperand(0)), output(op.getResult()) {}

  /// Adds the parameters of the kernel.
  Sequences addArguments(tile::FuncOp function) {
    KernelArgs args(b, function);
    query = args.rows(input);
    Sequences sequences = args.sequences();
    keys = args.pool();
    values = args.pool();
    result = args.rows(output);
    args.integer();
    return sequences;
  }
  /// First key that a row at `position` sees.
  mlir::Value firstKey(mlir::Value position) {
    if (!window)
      return b.i64(0);
    return b.max(b.sub(position, *window - 1), b.i64(0));
  }

  TileBuilder &b;
  CachePages pages;
  int64_t headDim, heads, group;
  std::optional<int64_t> window;
  /// Rows that the kernel reads, and its result.
  mlir::Value input, output;
  Rows query, result;
  Pool keys, values;
};

KernelInfo emitPrefillAttention(kern::AttentionOp op, llvm::StringRef name,
                                TileBuilder &builder, mlir::ModuleOp module);
KernelInfo emitDecodeAttention(kern::AttentionOp op, llvm::StringRef name,
                               TileBuilder &builder, mlir::ModuleOp module);

} // namespace ssm::gpu
