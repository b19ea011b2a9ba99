//===- Recipe.cpp - Evaluate recipes row by row ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Recipe.h"
#include "runtime/Checked.h"
#include "runtime/Guarded.h"
#include "runtime/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>

namespace ssmrt {

namespace {

using Source = std::unique_ptr<RowSource>;

class TensorSource : public RowSource {
public:
  TensorSource(const Checkpoint &checkpoint, const RecipeStep &step,
               int64_t rows, int64_t columns)
      : RowSource(rows, columns), checkpoint(checkpoint), name(step.name),
        shape(step.numbers) {}

  void readRow(int64_t row, float *target) const override {
    checkpoint.read(name, shape, row * columns, columns, target);
  }
  void release(int64_t begin, int64_t end) const override {
    checkpoint.release(name, begin * columns, (end - begin) * columns);
  }

private:
  const Checkpoint &checkpoint;
  std::string name;
  std::vector<int64_t> shape;
};

class SliceSource : public RowSource {
public:
  SliceSource(Source input, int64_t begin, int64_t end)
      : RowSource(end - begin, input->columns), input(std::move(input)),
        first(begin) {}

  void readRow(int64_t row, float *target) const override {
    input->readRow(first + row, target);
  }
  void release(int64_t begin, int64_t end) const override {
    input->release(first + begin, first + end);
  }

private:
  Source input;
  int64_t first;
};

class ConcatSource : public RowSource {
public:
  explicit ConcatSource(std::vector<Source> parts)
      : RowSource(countRows(parts), parts.front()->columns),
        inputs(std::move(parts)) {}

  void readRow(int64_t row, float *target) const override {
    size_t index = 0;
    while (row >= inputs[index]->rows)
      row -= inputs[index++]->rows;
    inputs[index]->readRow(row, target);
  }
  void release(int64_t begin, int64_t end) const override {
    for (const Source &input : inputs) {
      if (begin < input->rows && end > 0)
        input->release(std::max<int64_t>(begin, 0), std::min(end, input->rows));
      begin -= input->rows;
      end -= input->rows;
    }
  }

private:
  static int64_t countRows(const std::vector<Source> &parts) {
    int64_t count = 0;
    for (const Source &part : parts)
      count += part->rows;
    return count;
  }

  std::vector<Source> inputs;
};

class InterleaveSource : public RowSource {
public:
  InterleaveSource(Source first, Source second, int64_t granule)
      : RowSource(2 * first->rows, first->columns), first(std::move(first)),
        second(std::move(second)), granule(granule) {}

  void readRow(int64_t row, float *target) const override {
    const int64_t group = row / granule;
    const RowSource &input = group % 2 ? *second : *first;
    input.readRow(group / 2 * granule + row % granule, target);
  }
  void release(int64_t begin, int64_t end) const override {
    // Of groups that are cut in the middle, the neighbour still reads rows.
    const int64_t from = ceilDiv(begin, 2 * granule) * granule;
    const int64_t to = end / (2 * granule) * granule;
    if (from >= to)
      return;
    first->release(from, to);
    second->release(from, to);
  }

private:
  Source first;
  Source second;
  int64_t granule;
};

/// Holds the transposed matrix: used for small ones.
class TransposeSource : public RowSource {
public:
  explicit TransposeSource(Source input)
      : RowSource(input->columns, input->rows),
        values(static_cast<size_t>(rows * columns)) {
    std::vector<float> row(static_cast<size_t>(rows));
    for (int64_t i = 0; i < columns; ++i) {
      input->readRow(i, row.data());
      for (int64_t k = 0; k < rows; ++k)
        values[k * columns + i] = row[k];
    }
    input->release(0, input->rows);
  }

  void readRow(int64_t row, float *target) const override {
    std::copy_n(values.data() + row * columns, columns, target);
  }
  void release(int64_t, int64_t) const override {}

private:
  std::vector<float> values;
};

/// neg_exp, scale, add.
class ElementSource : public RowSource {
public:
  ElementSource(Source input, const RecipeStep &step)
      : RowSource(input->rows, input->columns), input(std::move(input)),
        verb(step.verb), value(step.value) {}

  void readRow(int64_t row, float *target) const override {
    input->readRow(row, target);
    for (int64_t i = 0; i < columns; ++i) {
      const double x = target[i];
      target[i] = static_cast<float>(verb == Verb::NegExp  ? -std::exp(x)
                                     : verb == Verb::Scale ? x * value
                                                           : x + value);
    }
  }
  void release(int64_t begin, int64_t end) const override {
    input->release(begin, end);
  }

private:
  Source input;
  Verb verb;
  double value;
};

class ScaleColumnsSource : public RowSource {
public:
  ScaleColumnsSource(Source matrix, Source vector)
      : RowSource(matrix->rows, matrix->columns), input(std::move(matrix)),
        factors(static_cast<size_t>(columns)) {
    for (int64_t i = 0; i < columns; ++i)
      vector->readRow(i, &factors[i]);
  }

  void readRow(int64_t row, float *target) const override {
    input->readRow(row, target);
    for (int64_t i = 0; i < columns; ++i)
      target[i] *= factors[i];
  }
  void release(int64_t begin, int64_t end) const override {
    input->release(begin, end);
  }

private:
  Source input;
  std::vector<float> factors;
};

class MeanSource : public RowSource {
public:
  MeanSource(Source input, const RecipeStep &step)
      : RowSource(input->rows / step.numbers[0], input->columns),
        input(std::move(input)), count(step.numbers[0]),
        blockRows(step.numbers[1]), type(step.type) {}

  void readRow(int64_t row, float *target) const override {
    std::vector<float> part(static_cast<size_t>(columns));
    std::vector<char> rounded(part.size() * sizeof(float));
    std::vector<double> sums(part.size());
    const int64_t first = row / blockRows * blockRows * count + row % blockRows;
    for (int64_t i = 0; i < count; ++i) {
      input->readRow(first + i * blockRows, part.data());
      for (size_t k = 0; k < sums.size(); ++k)
        sums[k] += part[k];
    }
    for (size_t k = 0; k < sums.size(); ++k)
      part[k] = static_cast<float>(sums[k] / static_cast<double>(count));
    narrowExactly(type, part.data(), columns, rounded.data());
    widen(type, rounded.data(), columns, target);
  }
  void release(int64_t begin, int64_t end) const override {
    // Of groups that are cut in the middle, the neighbour still reads rows.
    const int64_t from = ceilDiv(begin, blockRows);
    const int64_t to = end / blockRows;
    if (from < to)
      input->release(from * blockRows * count, to * blockRows * count);
  }

private:
  Source input;
  int64_t count;
  int64_t blockRows;
  DType type;
};

/// The shapes were checked by layoutOf().
class SourceMachine {
public:
  explicit SourceMachine(const Checkpoint &checkpoint)
      : checkpoint(checkpoint) {}

  Status run(const RecipeStep &step) {
    switch (step.verb) {
    case Verb::Tensor:
      return pushTensor(step);
    case Verb::Slice:
      push(std::make_unique<SliceSource>(pop(), step.numbers[0],
                                         step.numbers[1]));
      return {};
    case Verb::Concat: {
      std::vector<Source> parts(static_cast<size_t>(step.numbers[0]));
      for (size_t i = parts.size(); i-- > 0;)
        parts[i] = pop();
      push(std::make_unique<ConcatSource>(std::move(parts)));
      return {};
    }
    case Verb::Interleave: {
      Source second = pop();
      Source first = pop();
      push(std::make_unique<InterleaveSource>(
          std::move(first), std::move(second), step.numbers[0]));
      return {};
    }
    case Verb::Transpose:
      push(std::make_unique<TransposeSource>(pop()));
      return {};
    case Verb::NegExp:
    case Verb::Scale:
    case Verb::Add:
      push(std::make_unique<ElementSource>(pop(), step));
      return {};
    case Verb::ScaleColumns: {
      Source vector = pop();
      Source matrix = pop();
      push(std::make_unique<ScaleColumnsSource>(std::move(matrix),
                                                std::move(vector)));
      return {};
    }
    case Verb::Mean:
      push(std::make_unique<MeanSource>(pop(), step));
      return {};
    case Verb::Pack:
      return {};
    }
    return error("unknown verb");
  }

  Source pop() {
    Source top = std::move(stack.back());
    stack.pop_back();
    return top;
  }

private:
  void push(Source source) { stack.push_back(std::move(source)); }

  Status pushTensor(const RecipeStep &step) {
    if (Status status = checkpoint.check(step.name, step.numbers); !status)
      return status;
    const int64_t rows = step.numbers.empty() ? 1 : step.numbers[0];
    const int64_t elements = elementCount(step.numbers).value_or(0);
    push(std::make_unique<TensorSource>(checkpoint, step, rows,
                                        elements / rows));
    return {};
  }

  const Checkpoint &checkpoint;
  std::vector<Source> stack;
};

/// Packs units (panels, or blocks of rows) of one weight.
class Packer {
public:
  Packer(const RowSource &source, const PackedLayout &layout, char *target)
      : source(source), layout(layout), target(target) {}

  void pack(int64_t unit) {
    const int64_t first = unit * layout.unitRows();
    const int64_t last = std::min(first + layout.unitRows(), layout.rows);
    if (layout.panelRows)
      packPanel(first, last, target + unit * layout.unitBytes());
    else
      packRows(first, last);
    source.release(first, last);
  }

  Status status() const {
    const int64_t index = firstInexact.load();
    if (index == kAllExact)
      return {};
    const int64_t row = index / layout.columns;
    std::vector<float> values(static_cast<size_t>(layout.columns));
    source.readRow(row, values.data());
    const int64_t column = index % layout.columns;
    return error("value at [" + std::to_string(row) + ", " +
                 std::to_string(column) + "], got " +
                 std::to_string(values[column]) + ", expected a number that " +
                 std::string(nameOf(layout.type)) + " holds exactly");
  }

private:
  static constexpr int64_t kAllExact = INT64_MAX;

  void noteInexact(int64_t index) {
    int64_t smallest = firstInexact.load();
    while (index < smallest &&
           !firstInexact.compare_exchange_weak(smallest, index)) {
    }
  }

  void packRows(int64_t first, int64_t last) {
    std::vector<float> row(static_cast<size_t>(layout.columns));
    for (int64_t i = first; i < last; ++i) {
      source.readRow(i, row.data());
      const int64_t inexact =
          narrowExactly(layout.type, row.data(), layout.columns,
                        target + i * layout.columns * sizeOf(layout.type));
      if (inexact >= 0)
        noteInexact(i * layout.columns + inexact);
    }
  }

  void packPanel(int64_t first, int64_t last, char *panel) {
    const int64_t elementBytes = sizeOf(layout.type);
    const int64_t width = roundUp(layout.columns, layout.panelColumns);
    // All rows in the narrow type, then one pass that writes in order.
    std::vector<char> rows(
        static_cast<size_t>(layout.panelRows * width * elementBytes));
    std::vector<float> row(static_cast<size_t>(layout.columns));
    for (int64_t i = first; i < last; ++i) {
      source.readRow(i, row.data());
      const int64_t inexact =
          narrowExactly(layout.type, row.data(), layout.columns,
                        rows.data() + (i - first) * width * elementBytes);
      if (inexact >= 0)
        noteInexact(i * layout.columns + inexact);
    }
    const int64_t group = layout.panelColumns * elementBytes;
    if (group == 4)
      return shuffle<4>(rows.data(), width * elementBytes, panel);
    if (group == 2)
      return shuffle<2>(rows.data(), width * elementBytes, panel);
    shuffle<0>(rows.data(), width * elementBytes, panel, group);
  }

  /// Groups of bytes from [row][group] to [group][row].
  template <int64_t kGroup>
  void shuffle(const char *rows, int64_t rowBytes, char *panel,
               int64_t dynamicGroup = 0) const {
    const int64_t group = kGroup ? kGroup : dynamicGroup;
    for (int64_t offset = 0; offset < rowBytes; offset += group)
      for (int64_t r = 0; r < layout.panelRows; ++r, panel += group)
        std::memcpy(panel, rows + r * rowBytes + offset,
                    static_cast<size_t>(group));
  }

  const RowSource &source;
  const PackedLayout &layout;
  char *target;
  std::atomic<int64_t> firstInexact{kAllExact};
};

/// The first tensor of a recipe stands for the weight in messages.
std::string nameForMessages(const Recipe &recipe) {
  return recipe.steps.empty() ? std::string() : recipe.steps.front().name;
}

} // namespace

Expected<std::unique_ptr<RowSource>> openRecipe(const Recipe &recipe,
                                                const Checkpoint &checkpoint) {
  if (Expected<PackedLayout> layout = layoutOf(recipe); !layout)
    return layout.status();
  SourceMachine machine(checkpoint);
  for (const RecipeStep &step : recipe.steps)
    if (Status status = machine.run(step); !status)
      return status;
  return machine.pop();
}

Status packRecipe(const Recipe &recipe, const Checkpoint &checkpoint,
                  ThreadPool &pool, void *target) {
  return guarded([&]() -> Status {
    Expected<PackedLayout> layout = layoutOf(recipe);
    if (!layout)
      return layout.status();
    Expected<Source> source = openRecipe(recipe, checkpoint);
    if (!source)
      return source.status();
    Packer packer(**source, *layout, static_cast<char *>(target));
    std::atomic<bool> outOfMemory{false};
    pool.forEach(layout->units(), [&](int64_t unit) {
      // An exception must not leave a worker thread.
      try {
        packer.pack(unit);
      } catch (const std::bad_alloc &) {
        outOfMemory = true;
      }
    });
    (*source)->release(0, (*source)->rows);
    if (outOfMemory)
      return error("out of memory");
    if (Status status = packer.status(); !status)
      return error(checkpoint.name() + ": tensor '" + nameForMessages(recipe) +
                   "': " + status.message);
    return {};
  });
}

} // namespace ssmrt
