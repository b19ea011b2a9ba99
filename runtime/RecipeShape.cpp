//===- RecipeShape.cpp - Check recipes without weights --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checked.h"
#include "runtime/Recipe.h"

#include <array>

namespace ssmrt {

namespace {

constexpr std::array<std::string_view, 11> kVerbs = {
    "tensor", "slice", "concat",        "interleave", "transpose", "neg_exp",
    "scale",  "add",   "scale_columns", "mean",       "pack"};

struct Shape {
  int64_t rows;
  int64_t columns;
};

/// A vector of n is n x 1; a tensor of more dimensions keeps its first and
/// flattens the rest.
Expected<Shape> matrixOf(const RecipeStep &step) {
  Shape shape{1, 1};
  for (size_t i = 0; i < step.numbers.size(); ++i) {
    const int64_t size = step.numbers[i];
    std::optional<int64_t> product =
        i == 0 ? size : checkedMultiply(shape.columns, size);
    if (size < 1 || !product || *product > kLargestSize)
      return error("tensor '" + step.name + "': shape, got " +
                   printShape(step.numbers));
    (i == 0 ? shape.rows : shape.columns) = *product;
  }
  std::optional<int64_t> elements = checkedMultiply(shape.rows, shape.columns);
  if (!elements || *elements > kLargestSize / 8)
    return error("tensor '" + step.name + "': shape, got " +
                 printShape(step.numbers));
  return shape;
}

std::string print(Shape shape) {
  return printShape({shape.rows, shape.columns});
}

class ShapeMachine {
public:
  Status run(const RecipeStep &step) {
    switch (step.verb) {
    case Verb::Tensor:
      return pushTensor(step);
    case Verb::Slice:
      return slice(step);
    case Verb::Concat:
      return concat(step);
    case Verb::Interleave:
      return interleave(step);
    case Verb::ScaleColumns:
      return scaleColumns();
    case Verb::Mean:
      return mean(step);
    case Verb::Transpose:
      if (stack.empty())
        return underflow();
      std::swap(stack.back().rows, stack.back().columns);
      return {};
    case Verb::NegExp:
    case Verb::Scale:
    case Verb::Add:
    case Verb::Pack:
      return stack.empty() ? underflow() : Status{};
    }
    return error("unknown verb");
  }

  Status finish(const RecipeStep &pack, PackedLayout &layout) const {
    if (stack.size() != 1)
      return error("pack: got " + std::to_string(stack.size()) +
                   " matrices, expected 1");
    layout.type = pack.type;
    layout.rows = stack.back().rows;
    layout.columns = stack.back().columns;
    if (pack.numbers.empty())
      return {};
    constexpr int64_t kWidestPanel = 4096;
    if (pack.numbers.size() != 2 || pack.numbers[0] < 1 ||
        pack.numbers[1] < 1 || pack.numbers[0] > kWidestPanel ||
        pack.numbers[1] > kWidestPanel)
      return error("pack: panel, got " + printShape(pack.numbers) +
                   ", expected two numbers from 1 to " +
                   std::to_string(kWidestPanel));
    layout.panelRows = pack.numbers[0];
    layout.panelColumns = pack.numbers[1];
    return {};
  }

private:
  static Status underflow() { return error("too few matrices on the stack"); }

  Status pushTensor(const RecipeStep &step) {
    Expected<Shape> shape = matrixOf(step);
    if (!shape)
      return shape.status();
    stack.push_back(*shape);
    return {};
  }

  Status slice(const RecipeStep &step) {
    if (stack.empty())
      return underflow();
    if (step.numbers.size() != 2 || step.numbers[0] < 0 ||
        step.numbers[0] >= step.numbers[1] ||
        step.numbers[1] > stack.back().rows)
      return error("slice: got " + printShape(step.numbers) + " of " +
                   print(stack.back()));
    stack.back().rows = step.numbers[1] - step.numbers[0];
    return {};
  }

  Status concat(const RecipeStep &step) {
    const int64_t count = step.numbers.size() == 1 ? step.numbers[0] : 0;
    if (count < 1 || count > static_cast<int64_t>(stack.size()))
      return error("concat: got " + printShape(step.numbers) + " with " +
                   std::to_string(stack.size()) + " matrices on the stack");
    Shape result = stack[stack.size() - count];
    for (size_t i = stack.size() - count + 1; i < stack.size(); ++i) {
      if (stack[i].columns != result.columns)
        return error("concat: got " + print(stack[i]) + ", expected " +
                     std::to_string(result.columns) + " columns");
      result.rows += stack[i].rows;
    }
    if (result.rows > kLargestSize / 8 / result.columns)
      return error("concat: result too large");
    stack.resize(stack.size() - count);
    stack.push_back(result);
    return {};
  }

  Status interleave(const RecipeStep &step) {
    if (stack.size() < 2)
      return underflow();
    Shape second = stack.back();
    stack.pop_back();
    Shape &first = stack.back();
    const int64_t granule = step.numbers.size() == 1 ? step.numbers[0] : 0;
    if (granule < 1 || first.rows % granule != 0 || first.rows != second.rows ||
        first.columns != second.columns)
      return error("interleave: got " + printShape(step.numbers) + " of " +
                   print(first) + " and " + print(second));
    first.rows *= 2;
    return {};
  }

  Status scaleColumns() {
    if (stack.size() < 2)
      return underflow();
    Shape vector = stack.back();
    stack.pop_back();
    if (vector.columns != 1 || vector.rows != stack.back().columns)
      return error("scale_columns: got " + print(vector) + ", expected [" +
                   std::to_string(stack.back().columns) + ", 1]");
    return {};
  }

  Status mean(const RecipeStep &step) {
    if (stack.empty())
      return underflow();
    const bool hasNumbers =
        step.numbers.size() == 2 && step.numbers[0] > 0 && step.numbers[1] > 0;
    int64_t &rows = stack.back().rows;
    if (!hasNumbers || rows % step.numbers[0] != 0 ||
        rows / step.numbers[0] % step.numbers[1] != 0)
      return error("mean: got " + printShape(step.numbers) + " of " +
                   print(stack.back()));
    rows /= step.numbers[0];
    return {};
  }

  std::vector<Shape> stack;
};

} // namespace

std::optional<Verb> findVerb(std::string_view name) {
  for (size_t i = 0; i < kVerbs.size(); ++i)
    if (kVerbs[i] == name)
      return static_cast<Verb>(i);
  return std::nullopt;
}

int64_t PackedLayout::unitRows() const {
  constexpr int64_t kRowMajorUnit = 32;
  return panelRows ? panelRows : kRowMajorUnit;
}

int64_t PackedLayout::units() const { return ceilDiv(rows, unitRows()); }

int64_t PackedLayout::unitBytes() const {
  const int64_t width = panelRows ? roundUp(columns, panelColumns) : columns;
  return unitRows() * width * sizeOf(type);
}

int64_t PackedLayout::bytes() const {
  return panelRows ? units() * unitBytes() : rows * columns * sizeOf(type);
}

Expected<PackedLayout> layoutOf(const Recipe &recipe) {
  ShapeMachine machine;
  if (recipe.steps.empty() || recipe.steps.back().verb != Verb::Pack)
    return error("recipe does not end with pack");
  for (size_t i = 0; i < recipe.steps.size(); ++i) {
    if (recipe.steps[i].verb == Verb::Pack && i + 1 != recipe.steps.size())
      return error("pack is not the last step");
    if (Status status = machine.run(recipe.steps[i]); !status)
      return status;
  }
  PackedLayout layout;
  if (Status status = machine.finish(recipe.steps.back(), layout); !status)
    return status;
  return layout;
}

} // namespace ssmrt
