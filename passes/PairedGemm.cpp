//===- PairedGemm.cpp - Matrix products of a gate and its partner ---------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/PairedGemm.h"

#include "dialect/KernRecipe.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace ssm;
using kern::RecipeAttr;
using kern::StepAttr;
using kern::Verb;

namespace {
/// What becomes of the interleaved weights of a function, in their order before
/// the change.
struct Change {
  int64_t weight;
  /// The new granule; 0: two weights instead.
  int64_t granule;
};
} // namespace

//===----------------------------------------------------------------------===//
// Recipes
//===----------------------------------------------------------------------===//

/// Index of the last `interleave` of `steps`, or none.
static std::optional<size_t> lastInterleave(ArrayRef<StepAttr> steps) {
  for (size_t index = steps.size(); index > 0; --index)
    if (steps[index - 1].getVerb() == Verb::Interleave)
      return index - 1;
  return std::nullopt;
}

/// `recipe` with another granule, or its two halves.
static FailureOr<SmallVector<Attribute>>
changeRecipe(RecipeAttr recipe, int64_t granule, LayersOp layers) {
  MLIRContext *context = recipe.getContext();
  SmallVector<StepAttr> steps(recipe.getSteps());
  std::optional<size_t> place = lastInterleave(steps);
  if (!place)
    return layers.emitOpError("expected a recipe that interleaves for a paired "
                              "product, got ")
           << recipe;
  if (granule) {
    steps[*place] = StepAttr::get(context, Verb::Interleave, {}, granule, {});
    return SmallVector<Attribute>{RecipeAttr::get(context, steps)};
  }
  // What follows treats all rows alike, so that it may follow each half.
  ArrayRef<StepAttr> tail = ArrayRef(steps).drop_front(*place + 1);
  for (StepAttr step : tail)
    if (!llvm::is_contained({Verb::Tensor, Verb::Scale, Verb::Add, Verb::NegExp,
                             Verb::ScaleColumns},
                            step.getVerb()))
      return layers.emitOpError("expected no recipe step '")
             << stringifyVerb(step.getVerb()) << "' after 'interleave'";
  ArrayRef<StepAttr> halves = ArrayRef(steps).take_front(*place);
  size_t second = kern::beginOfLastMatrix(halves);
  SmallVector<Attribute> results;
  for (ArrayRef<StepAttr> half :
       {halves.take_front(second), halves.drop_front(second)}) {
    SmallVector<StepAttr> whole(half);
    whole.append(tail.begin(), tail.end());
    results.push_back(RecipeAttr::get(context, whole));
  }
  return results;
}

/// Applies `changes` of the weights of `body` to the rows that name it.
static LogicalResult changeTable(LayersOp layers, StringRef body,
                                 ArrayRef<Change> changes) {
  MLIRContext *context = layers.getContext();
  SmallVector<Attribute> rows;
  for (auto row : layers.getTable().getAsRange<LayerAttr>()) {
    if (row.getBody().getValue() != body) {
      rows.push_back(row);
      continue;
    }
    SmallVector<Attribute> weights;
    for (auto [index, weight] : llvm::enumerate(row.getWeights())) {
      auto change = llvm::find_if(
          changes, [&, index = int64_t(index)](const Change &candidate) {
            return candidate.weight == index;
          });
      auto recipe = dyn_cast<RecipeAttr>(weight);
      if (change == changes.end() || !recipe) {
        weights.push_back(weight);
        continue;
      }
      FailureOr<SmallVector<Attribute>> changed =
          changeRecipe(recipe, change->granule, layers);
      if (failed(changed))
        return failure();
      weights.append(*changed);
    }
    rows.push_back(LayerAttr::get(context, row.getNumber(), row.getBody(),
                                  ArrayAttr::get(context, weights)));
  }
  layers.setTableAttr(ArrayAttr::get(context, rows));
  return success();
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// The interleaved operands of a paired product: its weight and its columns.
static SmallVector<Value> interleaved(kern::GemmOp gemm) {
  SmallVector<Value> operands = {gemm.getWeight()};
  llvm::append_range(operands, gemm.getColumns());
  return operands;
}

/// Fails unless the interleaved operands are weights of a layer that nobody
/// else reads.
static LogicalResult verifyOwned(kern::GemmOp gemm) {
  for (Value operand : interleaved(gemm))
    if (!isa<BlockArgument>(operand) || !operand.hasOneUse())
      return gemm.emitOpError(
          "expected a paired product to have weights of its "
          "own in a layer");
  return success();
}

/// Type of one half of an interleaved operand.
static RankedTensorType halfType(Value operand) {
  auto type = cast<RankedTensorType>(operand.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[0] /= 2;
  return RankedTensorType::get(shape, type.getElementType());
}

/// Makes two arguments of each interleaved operand; returns the second ones.
static SmallVector<Value> splitArguments(func::FuncOp function,
                                         ArrayRef<Value> operands) {
  SmallVector<Value> seconds;
  for (Value operand : operands) {
    auto argument = cast<BlockArgument>(operand);
    RankedTensorType half = halfType(argument);
    unsigned index = argument.getArgNumber();
    argument.setType(half);
    (void)function.insertArgument(index + 1, half, {}, argument.getLoc());
    seconds.push_back(function.getArgument(index + 1));
  }
  function.setFunctionType(FunctionType::get(
      function.getContext(), function.getBody().front().getArgumentTypes(),
      function.getResultTypes()));
  return seconds;
}

/// The sums of `input` and `weight`, nothing else.
static Value plainProduct(OpBuilder &builder, Location loc, Value input,
                          Value weight, Type result) {
  auto product =
      kern::GemmOp::create(builder, loc, result, input, weight, ValueRange(),
                           ValueRange(), IntegerAttr(), ArrayAttr());
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(&product.getEpilogue(), {},
                                     {builder.getF32Type()}, {loc});
  kern::YieldOp::create(builder, loc, block->getArgument(0));
  return product.getResult();
}

/// Replaces a paired product by one of the gate and one of its partner.
static void splitProduct(kern::GemmOp gemm) {
  auto function = gemm->getParentOfType<func::FuncOp>();
  SmallVector<Value> firsts = interleaved(gemm);
  SmallVector<Value> seconds = splitArguments(function, firsts);
  OpBuilder builder(gemm);
  Location loc = gemm.getLoc();
  auto resultType = cast<RankedTensorType>(gemm.getResult().getType());
  Value gate = plainProduct(
      builder, loc, gemm.getInput(), firsts[0],
      RankedTensorType::get(resultType.getShape(), builder.getF32Type()));

  SmallVector<Value> columns;
  for (auto [first, second] : llvm::drop_begin(llvm::zip(firsts, seconds)))
    columns.append({first, second});
  SmallVector<Value> elements(gemm.getElements());
  elements.push_back(gate);
  auto product = kern::GemmOp::create(builder, loc, resultType, gemm.getInput(),
                                      seconds[0], columns, elements,
                                      IntegerAttr(), gemm.getScheduleAttr());

  // (gate, up, columns..., elements...) -> (up, columns..., elements..., gate)
  Block &old = gemm.getEpilogue().front();
  size_t count = old.getNumArguments();
  SmallVector<Type> types(count, builder.getF32Type());
  SmallVector<Location> locations(count, loc);
  Block *block =
      builder.createBlock(&product.getEpilogue(), {}, types, locations);
  IRMapping mapping;
  mapping.map(old.getArgument(0), block->getArgument(count - 1));
  for (size_t i = 1; i < count; ++i)
    mapping.map(old.getArgument(i), block->getArgument(i - 1));
  for (Operation &op : old)
    builder.clone(op, mapping);
  gemm.getResult().replaceAllUsesWith(product.getResult());
  gemm.erase();
}

/// Fits the paired products of one function and the tables that name it.
static LogicalResult fitFunction(func::FuncOp function, int64_t lanes,
                                 ArrayRef<LayersOp> tables) {
  SmallVector<Change> changes;
  SmallVector<kern::GemmOp> split;
  WalkResult walk = function.walk([&](kern::GemmOp gemm) {
    if (!gemm.getPaired())
      return WalkResult::advance();
    if (failed(verifyOwned(gemm)))
      return WalkResult::interrupt();
    int64_t width =
        cast<RankedTensorType>(gemm.getResult().getType()).getDimSize(1);
    int64_t granule = width % lanes ? 0 : lanes;
    for (Value operand : interleaved(gemm))
      changes.push_back(
          {int64_t(cast<BlockArgument>(operand).getArgNumber()) - 2, granule});
    if (granule)
      gemm.setPaired(granule);
    else
      split.push_back(gemm);
    return WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return failure();
  for (kern::GemmOp gemm : split)
    splitProduct(gemm);
  if (changes.empty())
    return success();
  for (LayersOp layers : tables)
    if (failed(changeTable(layers, function.getSymName(), changes)))
      return failure();
  return success();
}

LogicalResult ssm::fitPairs(ModuleOp module, int64_t lanes) {
  SmallVector<LayersOp> tables;
  module.walk([&](LayersOp layers) { tables.push_back(layers); });
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    if (failed(fitFunction(function, lanes, tables)))
      return failure();
  return success();
}
