//===- Recipe.h - How packed weights are made -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A recipe is a program of a stack machine over matrices. It is evaluated by
// pulling: each row of the result is computed when it is packed, so no matrix
// exists in f32 as a whole (transposed ones, which are small, excepted).

#pragma once

#include "runtime/Checkpoint.h"
#include "runtime/DType.h"
#include "runtime/Status.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ssmrt {

class ThreadPool;

enum class Verb : uint8_t {
  Tensor,       ///< push tensor `name` of shape `numbers`
  Slice,        ///< rows [numbers[0], numbers[1])
  Concat,       ///< pop numbers[0] matrices, stack their rows
  Interleave,   ///< pop a, b: numbers[0] rows of a, as many of b, in turn
  Transpose,    ///< columns become rows
  NegExp,       ///< -exp(x)
  Scale,        ///< x * value
  Add,          ///< x + value
  ScaleColumns, ///< pop vector v, then matrix m: m[i, k] * v[k]
  Mean,         ///< of every numbers[0] blocks of numbers[1] rows, as `type`
  Pack,         ///< end: as `type`, in panels if `numbers` is [nr, kr]
};

struct RecipeStep {
  Verb verb = Verb::Tensor;
  std::string name;
  std::vector<int64_t> numbers;
  double value = 0;
  DType type = DType::F32;
};

struct Recipe {
  std::vector<RecipeStep> steps;
};

/// Layout of a packed matrix [rows, columns]. With panels:
/// [rows/nr][columns/kr][nr][kr], both rounded up and padded with zeros; else
/// row-major.
struct PackedLayout {
  DType type = DType::F32;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t panelRows = 0; ///< 0: row-major
  int64_t panelColumns = 0;

  /// Rows that are packed together.
  int64_t unitRows() const;
  int64_t units() const;
  int64_t unitBytes() const;
  int64_t bytes() const;
};

/// Verb by its name in plans, e.g. "neg_exp".
std::optional<Verb> findVerb(std::string_view name);

/// Checks the recipe as far as possible without weights: every shape follows
/// from the shapes of its tensors.
Expected<PackedLayout> layoutOf(const Recipe &recipe);

/// A matrix whose rows are computed on demand, by any thread.
class RowSource {
public:
  RowSource(int64_t rows, int64_t columns) : rows(rows), columns(columns) {}
  virtual ~RowSource() = default;

  virtual void readRow(int64_t row, float *target) const = 0;

  /// Says that rows [begin, end) have been read for good.
  virtual void release(int64_t begin, int64_t end) const = 0;

  const int64_t rows;
  const int64_t columns;
};

/// The matrix that a recipe packs. The checkpoint must outlive it. Fails if a
/// tensor is missing or has another shape.
Expected<std::unique_ptr<RowSource>> openRecipe(const Recipe &recipe,
                                                const Checkpoint &checkpoint);

/// Packs the matrix of `recipe` into `target` (layoutOf(recipe).bytes() bytes,
/// zero or not) on all threads of `pool`, and lets go of source pages on the
/// way. Fails if a value does not fit the type exactly.
Status packRecipe(const Recipe &recipe, const Checkpoint &checkpoint,
                  ThreadPool &pool, void *target);

} // namespace ssmrt
