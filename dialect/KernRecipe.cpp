//===- KernRecipe.cpp - What a weight recipe makes ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/KernRecipe.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace kern;

using EmitError = function_ref<InFlightDiagnostic()>;

namespace {
/// A matrix on the stack of a recipe.
struct Matrix {
  int64_t rows, columns;
};
} // namespace

/// How many matrices `step` takes from the stack.
static size_t operandCount(StepAttr step) {
  switch (step.getVerb()) {
  case Verb::Tensor:
    return 0;
  case Verb::Concat:
    return step.getNumbers().size() == 1 ? step.getNumbers()[0] : 1;
  case Verb::Interleave:
  case Verb::ScaleColumns:
    return 2;
  default:
    return 1;
  }
}

/// Fails unless `step` has `count` numbers, all of them positive.
static LogicalResult verifyNumbers(StepAttr step, size_t count,
                                   EmitError emitError) {
  if (step.getNumbers().size() != count)
    return emitError() << "expected " << count << " numbers in recipe step '"
                       << stringifyVerb(step.getVerb()) << "', got "
                       << step.getNumbers().size();
  for (int64_t number : step.getNumbers())
    if (number < 1)
      return emitError() << "expected positive numbers in recipe step '"
                         << stringifyVerb(step.getVerb()) << "', got "
                         << number;
  return success();
}

/// The matrix of a tensor of the checkpoint.
static FailureOr<Matrix> shapeOfTensor(StepAttr step, EmitError emitError) {
  ArrayRef<int64_t> shape = step.getNumbers();
  if (!step.getName())
    return emitError() << "expected a name in recipe step 'tensor'";
  if (shape.empty() || failed(verifyNumbers(step, shape.size(), emitError)))
    return emitError() << "expected a shape of tensor " << step.getName();
  Matrix matrix{shape[0], 1};
  for (int64_t size : shape.drop_front())
    matrix.columns *= size;
  return matrix;
}

/// Rows of one matrix out of several: concat and interleave.
static FailureOr<Matrix> shapeOfJoin(StepAttr step, ArrayRef<Matrix> operands,
                                     EmitError emitError) {
  if (failed(verifyNumbers(step, 1, emitError)))
    return failure();
  Matrix joined{0, operands[0].columns};
  for (const Matrix &operand : operands) {
    if (operand.columns != joined.columns)
      return emitError() << "expected equal columns in recipe step '"
                         << stringifyVerb(step.getVerb()) << "', got "
                         << joined.columns << " and " << operand.columns;
    joined.rows += operand.rows;
  }
  if (step.getVerb() != Verb::Interleave)
    return joined;
  int64_t granule = step.getNumbers()[0];
  if (operands[0].rows != operands[1].rows || operands[0].rows % granule)
    return emitError() << "expected to interleave equal multiples of "
                       << granule << " rows, got " << operands[0].rows
                       << " and " << operands[1].rows;
  return joined;
}

/// Fails unless `step` names an element type.
static LogicalResult verifyType(StepAttr step, EmitError emitError) {
  StringRef type = step.getName() ? step.getName().getValue() : "";
  if (type == "f32" || type == "bf16" || type == "f16")
    return success();
  return emitError() << "unknown type \"" << type << "\" in recipe step '"
                     << stringifyVerb(step.getVerb())
                     << "' (supported: f32, bf16, f16)";
}

/// Means of equal blocks of rows.
static FailureOr<Matrix> shapeOfMean(StepAttr step, Matrix matrix,
                                     EmitError emitError) {
  if (failed(verifyType(step, emitError)) ||
      failed(verifyNumbers(step, 2, emitError)))
    return failure();
  ArrayRef<int64_t> numbers = step.getNumbers();
  if (matrix.rows % numbers[0] || matrix.rows / numbers[0] % numbers[1])
    return emitError() << "expected groups of " << numbers[0] << " blocks of "
                       << numbers[1] << " rows in recipe step 'mean', got "
                       << matrix.rows << " rows";
  return Matrix{matrix.rows / numbers[0], matrix.columns};
}

/// The matrix that `step` makes of `operands`.
static FailureOr<Matrix> applyStep(StepAttr step, ArrayRef<Matrix> operands,
                                   EmitError emitError) {
  switch (step.getVerb()) {
  case Verb::Tensor:
    return shapeOfTensor(step, emitError);
  case Verb::Concat:
  case Verb::Interleave:
    return shapeOfJoin(step, operands, emitError);
  case Verb::Slice: {
    ArrayRef<int64_t> range = step.getNumbers();
    if (range.size() != 2 || range[0] < 0 || range[0] >= range[1] ||
        range[1] > operands[0].rows)
      return emitError() << "expected a slice of " << operands[0].rows
                         << " rows";
    return Matrix{range[1] - range[0], operands[0].columns};
  }
  case Verb::Transpose:
    return Matrix{operands[0].columns, operands[0].rows};
  case Verb::Scale:
  case Verb::Add:
    if (!step.getValue())
      return emitError() << "expected a value in recipe step '"
                         << stringifyVerb(step.getVerb()) << "'";
    return operands[0];
  case Verb::ScaleColumns:
    if (operands[1].columns != 1 || operands[1].rows != operands[0].columns)
      return emitError() << "expected a vector of " << operands[0].columns
                         << " in recipe step 'scale_columns', got "
                         << operands[1].rows << " x " << operands[1].columns;
    return operands[0];
  case Verb::Mean:
    return shapeOfMean(step, operands[0], emitError);
  case Verb::NegExp:
  case Verb::Pack:
    return operands[0];
  }
  llvm_unreachable("unknown recipe verb");
}

/// Bytes of `matrix` after the `pack` step `step`.
static FailureOr<int64_t> packedBytes(StepAttr step, Matrix matrix,
                                      EmitError emitError) {
  if (failed(verifyType(step, emitError)))
    return failure();
  int64_t size = step.getName().getValue() == "f32" ? 4 : 2;
  if (step.getNumbers().empty())
    return matrix.rows * matrix.columns * size;
  if (failed(verifyNumbers(step, 2, emitError)))
    return failure();
  int64_t rows = llvm::alignTo(matrix.rows, step.getNumbers()[0]);
  int64_t columns = llvm::alignTo(matrix.columns, step.getNumbers()[1]);
  return rows * columns * size;
}

FailureOr<RecipeResult> kern::shapeOfRecipe(ArrayRef<StepAttr> steps,
                                            EmitError emitError) {
  SmallVector<Matrix> stack;
  RecipeResult result;
  for (StepAttr step : steps) {
    if (result.bytes)
      return emitError() << "expected no recipe step after 'pack'";
    size_t count = operandCount(step);
    if (stack.size() < count)
      return emitError() << "expected " << count
                         << " matrices before recipe step '"
                         << stringifyVerb(step.getVerb()) << "', got "
                         << stack.size();
    auto operands = ArrayRef(stack).take_back(count);
    FailureOr<Matrix> matrix = applyStep(step, operands, emitError);
    if (failed(matrix))
      return failure();
    if (step.getVerb() == Verb::Pack) {
      FailureOr<int64_t> bytes = packedBytes(step, *matrix, emitError);
      if (failed(bytes))
        return failure();
      result.bytes = *bytes;
    }
    stack.pop_back_n(count);
    stack.push_back(*matrix);
  }
  if (stack.size() != 1)
    return emitError() << "expected a recipe to leave one matrix, got "
                       << stack.size();
  result.rows = stack.back().rows;
  result.columns = stack.back().columns;
  return result;
}

bool kern::isPacked(RecipeAttr recipe) {
  return !recipe.getSteps().empty() &&
         recipe.getSteps().back().getVerb() == Verb::Pack;
}

size_t kern::beginOfLastMatrix(ArrayRef<StepAttr> steps) {
  size_t wanted = 1;
  for (size_t index = steps.size(); index > 0; --index) {
    wanted = wanted - 1 + operandCount(steps[index - 1]);
    if (wanted == 0)
      return index - 1;
  }
  return 0;
}
