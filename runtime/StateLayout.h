//===- StateLayout.h - States in memory and in files ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// In memory states lie as the kernels want them; in a file they are canonical:
// conv [C, K-1], Mamba-1 [I, N], Mamba-2 [H, P, N], keys and values [Hkv, T,
// d], all in f32.

#pragma once

#include "runtime/Plan.h"

#include <cstdint>

namespace ssmrt {

/// Every f32 and every bf16 made of this byte is a NaN.
constexpr int kPoisonByte = 0xFF;

/// Bytes of one of the two copies in a convolution's slot.
int64_t convCopyBytes(const PlanState &state);

/// Between a slot and the canonical values; `position` is the number of tokens
/// that the sequence has seen. Not for keys and values.
void readSlot(const PlanState &state, const char *slot, int64_t position,
              float *canonical);
void writeSlot(const PlanState &state, char *slot, int64_t position,
               const float *canonical);

/// One token of a page of keys or values: element (head, channel) of token
/// `token` of the page is canonical[head * headStride + channel].
void readPageToken(const PlanState &state, const char *page, int64_t token,
                   float *canonical, int64_t headStride);
void writePageToken(const PlanState &state, char *page, int64_t token,
                    const float *canonical, int64_t headStride);

/// Fills a page with NaN, but its padding with zeros, which kernels may rely
/// on.
void poisonPageOf(const PlanState &state, char *page);

} // namespace ssmrt
