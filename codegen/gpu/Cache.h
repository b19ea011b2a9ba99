//===- Cache.h - Pages of keys and values -*- C++ -*- ---------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/gpu/TileBuilder.h"

#include "llvm/Support/MathExtras.h"

namespace ssm::gpu {

/// Tokens of a page, and of one panel of keys in it: as many as a warp has
/// lanes, so that a warp reads a number of each token in one piece.
inline constexpr int64_t kPageTokens = 64;
inline constexpr int64_t kPanelTokens = tile::kWarpLanes;

/// The layout of pages: keys [heads][64 / 32][keyDim / pair][32][pair], values
/// [heads][64][headDim]. Two keys of 16 bits are a pair; an odd head dimension
/// is filled up with zeros.
struct CachePages {
  explicit CachePages(mlir::RankedTensorType cache)
      : element(cache.getElementType()), heads(cache.getDimSize(1)),
        headDim(cache.getDimSize(3)), pair(element.isF32() ? 1 : 2),
        keyDim(llvm::alignTo(headDim, pair)) {}

  mlir::Type element;
  int64_t heads, headDim, pair, keyDim;

  /// Numbers of a panel of keys.
  int64_t panelSize() const { return kPanelTokens * keyDim; }
  /// Index of the first number of panel `panel` of a head's keys.
  mlir::Value panelIndex(TileBuilder &b, mlir::Value head,
                         mlir::Value panel) const {
    mlir::Value number = b.add(b.mul(head, kPageTokens / kPanelTokens), panel);
    return b.mul(number, panelSize());
  }
  /// Index of dimension `dim` of token `token` of a page.
  mlir::Value keyIndex(TileBuilder &b, mlir::Value head, mlir::Value token,
                       mlir::Value dim) const {
    mlir::Value first = panelIndex(b, head, b.div(token, kPanelTokens));
    mlir::Value line = b.mul(b.div(dim, pair), kPanelTokens);
    mlir::Value place = b.add(line, b.rem(token, kPanelTokens));
    return b.add(first, b.add(b.mul(place, pair), b.rem(dim, pair)));
  }
  mlir::Value valueIndex(TileBuilder &b, mlir::Value head, mlir::Value token,
                         mlir::Value dim) const {
    mlir::Value line = b.add(b.mul(head, kPageTokens), token);
    return b.add(b.mul(line, headDim), dim);
  }
};

} // namespace ssm::gpu
