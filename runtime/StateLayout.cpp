//===- StateLayout.cpp - States in memory and in files --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/StateLayout.h"
#include "runtime/Checked.h"

#include <cstring>

namespace ssmrt {

namespace {

/// Calls visit(index in memory, index in canonical order) for each element of a
/// slot: conv [K-1][C], Mamba-1 [I/16][N][16], Mamba-2 [H][N][P].
template <class Visit>
void forEachElement(const PlanState &state, Visit visit) {
  const std::vector<int64_t> &shape = state.shape;
  const int64_t blocks = shape.size() == 3 ? shape[0] : 1;
  const int64_t rows = shape[shape.size() - 2];
  const int64_t columns = shape.back();
  const int64_t panel = state.kind == StateKind::Ssm1 ? kScanPanel : rows;
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column)
        visit((block * rows + row / panel * panel) * columns + column * panel +
                  row % panel,
              (block * rows + row) * columns + column);
}

/// Index of an element in a page: keys [Hkv][64/32][d/KR][32][KR], values
/// [Hkv][64][d].
int64_t indexInPage(const PlanState &state, int64_t head, int64_t token,
                    int64_t channel) {
  const int64_t channels = state.shape[1];
  if (state.kind == StateKind::Value)
    return (head * kPageTokens + token) * channels + channel;
  const int64_t pair = sizeOf(state.type) == 2 ? 2 : 1;
  const int64_t panel = head * (kPageTokens / kKeyPanel) + token / kKeyPanel;
  return ((panel * ceilDiv(channels, pair) + channel / pair) * kKeyPanel +
          token % kKeyPanel) *
             pair +
         channel % pair;
}

float loadElement(DType type, const char *data, int64_t index) {
  float value;
  widen(type, data + index * sizeOf(type), 1, &value);
  return value;
}

void storeElement(DType type, char *data, int64_t index, float value) {
  if (type == DType::F32) {
    std::memcpy(data + index * 4, &value, 4);
    return;
  }
  const uint16_t bits =
      type == DType::BF16 ? floatToBf16(value) : floatToF16(value);
  std::memcpy(data + index * 2, &bits, 2);
}

char *currentCopy(const PlanState &state, char *slot, int64_t position) {
  return state.kind == StateKind::Conv
             ? slot + (position & 1) * convCopyBytes(state)
             : slot;
}

} // namespace

int64_t convCopyBytes(const PlanState &state) {
  return state.shape[0] * state.shape[1] * sizeOf(state.type);
}

void readSlot(const PlanState &state, const char *slot, int64_t position,
              float *canonical) {
  const char *data = currentCopy(state, const_cast<char *>(slot), position);
  forEachElement(state, [&](int64_t inMemory, int64_t inFile) {
    canonical[inFile] = loadElement(state.type, data, inMemory);
  });
}

void writeSlot(const PlanState &state, char *slot, int64_t position,
               const float *canonical) {
  char *data = currentCopy(state, slot, position);
  forEachElement(state, [&](int64_t inMemory, int64_t inFile) {
    storeElement(state.type, data, inMemory, canonical[inFile]);
  });
}

void readPageToken(const PlanState &state, const char *page, int64_t token,
                   float *canonical, int64_t headStride) {
  for (int64_t head = 0; head < state.shape[0]; ++head)
    for (int64_t channel = 0; channel < state.shape[1]; ++channel)
      canonical[head * headStride + channel] = loadElement(
          state.type, page, indexInPage(state, head, token, channel));
}

void writePageToken(const PlanState &state, char *page, int64_t token,
                    const float *canonical, int64_t headStride) {
  for (int64_t head = 0; head < state.shape[0]; ++head)
    for (int64_t channel = 0; channel < state.shape[1]; ++channel)
      storeElement(state.type, page, indexInPage(state, head, token, channel),
                   canonical[head * headStride + channel]);
}

void poisonPageOf(const PlanState &state, char *page) {
  std::memset(page, 0, state.bytes);
  const float poison = floatOf(0xFFFFFFFF);
  for (int64_t head = 0; head < state.shape[0]; ++head)
    for (int64_t token = 0; token < kPageTokens; ++token)
      for (int64_t channel = 0; channel < state.shape[1]; ++channel)
        storeElement(state.type, page, indexInPage(state, head, token, channel),
                     poison);
}

} // namespace ssmrt
