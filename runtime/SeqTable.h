/*===- SeqTable.h - Table of the sequences of one call --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Part of the kernel ABI: generated code reads these fields at fixed offsets
// (codegen/cpu/KernelBuilder.cpp). Plain C, no dependency on LLVM.
//
//===----------------------------------------------------------------------===*/

#pragma once

#include <stddef.h>
#include <stdint.h>

/* Query tiles of attention cover this many rows; their borders are multiples of
   it in absolute positions. */
#define SSM_TILE_ROWS 64

/* The rows of a call are the tokens of its sequences, one after the other. */
struct SeqTable {
  int64_t rows;                /* T */
  int64_t sequences;           /* S */
  int64_t tiles;               /* query tiles of at most SSM_TILE_ROWS rows */
  int64_t outputs;             /* rows whose logits are wanted */
  const int32_t *firstRow;     /* [S + 1] first row of each sequence */
  const int32_t *slot;         /* [S] state slot */
  const int64_t *position;     /* [S] absolute position of the first row */
  const int32_t *rowSequence;  /* [T] sequence of each row */
  const int64_t *rowPosition;  /* [T] absolute position of each row */
  const int32_t *tileSequence; /* [tiles] sequence of each tile */
  const int32_t *tileFirst;    /* [tiles] first row, relative to firstRow */
  const int32_t *pages;        /* [S][maxPages] pages of key and value caches */
  int64_t maxPages;
  const int32_t *outputRow; /* [outputs] row of each wanted output */
};

#ifdef __cplusplus
static_assert(sizeof(SeqTable) == 112 && offsetof(SeqTable, firstRow) == 32 &&
                  offsetof(SeqTable, outputRow) == 104,
              "generated code reads SeqTable at these offsets");
#endif
