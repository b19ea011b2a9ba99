//===- AssignLayouts.cpp - End weight recipes in a layout -----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Appends the last steps of every weight recipe, so that there is one packed
// copy of a weight, whichever bodies, entries and layers use it:
//
//   #kern.recipe<<tensor "w" [8, 4]>>
//   -> #kern.recipe<<tensor "w" [8, 4]>, <pack "f32" [32, 1]>>
//
// A matrix product wants column panels, an embedding rows (or the panels of a
// head that shares its table), the decay of a Mamba-1 scan panels like those of
// its state, a convolution its parameter transposed, everything else plain f32.
//
// Precondition: matrix products have schedules (--kern-schedule-cpu).
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "dialect/KernRecipe.h"

#include "llvm/ADT/MapVector.h"

namespace ssm {
#define GEN_PASS_DEF_ASSIGNLAYOUTSPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;
using kern::RecipeAttr;
using kern::StepAttr;

namespace {
/// What a kernel wants of a weight.
struct Layout {
  bool transposed = false;
  /// f32, bf16 or f16.
  StringAttr type;
  /// Panel and pair; empty: row-major.
  SmallVector<int64_t, 2> block;
  /// Where it is wanted.
  Operation *user = nullptr;

  bool operator==(const Layout &other) const {
    return transposed == other.transposed && type == other.type &&
           block == other.block;
  }
};
} // namespace

/// Name of the element type of a weight as in a `pack` step.
static StringAttr elementName(Value weight) {
  Type element = cast<RankedTensorType>(weight.getType()).getElementType();
  StringRef name = element.isF32() ? "f32" : element.isBF16() ? "bf16" : "f16";
  return StringAttr::get(weight.getContext(), name);
}

/// The layout of a matrix product's weight, which all forms of its schedule
/// share.
template <typename OpTy> static FailureOr<Layout> layoutOfGemm(OpTy gemm) {
  if (!gemm.getSchedule() || gemm.getSchedule()->empty())
    return gemm.emitOpError(
        "expected a schedule; run --kern-schedule-cpu first");
  Layout layout;
  layout.type = elementName(gemm.getWeight());
  auto entries =
      gemm.getSchedule()->template getAsRange<kern::GemmScheduleAttr>();
  kern::GemmScheduleAttr first = *entries.begin();
  layout.block = {first.getPanel(), first.getPair()};
  for (kern::GemmScheduleAttr entry : entries)
    if (entry.getPanel() != first.getPanel() ||
        entry.getPair() != first.getPair())
      return gemm.emitOpError("expected one panel and pair in all entries of "
                              "the schedule");
  return layout;
}

/// The layout that the reader of `use` wants.
static FailureOr<Layout> layoutOfUse(OpOperand &use) {
  Operation *user = use.getOwner();
  Value weight = use.get();
  if (auto gemm = dyn_cast<kern::GemmOp>(user);
      gemm && weight == gemm.getWeight())
    return layoutOfGemm(gemm);
  if (auto gemm = dyn_cast<kern::NormGemmOp>(user);
      gemm && weight == gemm.getWeight())
    return layoutOfGemm(gemm);
  Layout layout;
  layout.type = StringAttr::get(user->getContext(), "f32");
  if (auto embed = dyn_cast<kern::EmbedOp>(user)) {
    layout.type = elementName(weight);
    if (embed.getPanel() > 1)
      layout.block = {int64_t(embed.getPanel()), int64_t(embed.getPair())};
  }
  if (auto conv = dyn_cast<kern::ConvOp>(user))
    layout.transposed = weight == conv.getWeight();
  if (auto ssmStep = dyn_cast<kern::SsmStepOp>(user))
    layout.transposed = weight == ssmStep.getWeight();
  if (auto scan = dyn_cast<kern::ScanOp>(user); scan && weight == scan.getA())
    layout.block = {kern::ScanOp::kPanel, 1};
  return layout;
}

namespace {
/// Layouts of all recipes of a module.
class Layouts {
public:
  /// Notes what the readers of `weight`, which `recipe` makes, want.
  LogicalResult note(RecipeAttr recipe, Value weight);
  /// `recipe` with its last steps.
  RecipeAttr finish(RecipeAttr recipe) const;

private:
  FailureOr<std::optional<Layout>> wantedOf(Value weight);
  LogicalResult verifyShape(RecipeAttr recipe, Value weight);

  llvm::DenseMap<Value, std::optional<Layout>> wanted;
  llvm::DenseMap<RecipeAttr, Layout> layouts;
};
} // namespace

/// Reports that two users of a weight disagree.
static LogicalResult reportConflict(const Layout &a, const Layout &b) {
  InFlightDiagnostic diag = b.user->emitOpError(
      "wants a weight in another layout than its other user");
  diag.attachNote(a.user->getLoc()) << "the other user is here";
  return diag;
}

FailureOr<std::optional<Layout>> Layouts::wantedOf(Value weight) {
  auto [found, isNew] = wanted.try_emplace(weight);
  if (!isNew)
    return found->second;
  std::optional<Layout> result;
  for (OpOperand &use : weight.getUses()) {
    FailureOr<Layout> layout = layoutOfUse(use);
    if (failed(layout))
      return failure();
    layout->user = use.getOwner();
    if (result && !(*result == *layout))
      return reportConflict(*result, *layout);
    result = *layout;
  }
  return wanted[weight] = result;
}

LogicalResult Layouts::verifyShape(RecipeAttr recipe, Value weight) {
  auto emitError = [&] { return mlir::emitError(weight.getLoc()); };
  FailureOr<kern::RecipeResult> made =
      kern::shapeOfRecipe(recipe.getSteps(), emitError);
  if (failed(made))
    return failure();
  auto type = cast<RankedTensorType>(weight.getType());
  int64_t columns = type.getRank() == 1 ? 1 : type.getDimSize(1);
  if (type.getDimSize(0) != made->rows || columns != made->columns)
    return emitError() << "expected a recipe for " << type << ", got "
                       << made->rows << " x " << made->columns << " from "
                       << recipe;
  return success();
}

LogicalResult Layouts::note(RecipeAttr recipe, Value weight) {
  if (kern::isPacked(recipe))
    return success();
  FailureOr<std::optional<Layout>> layout = wantedOf(weight);
  if (failed(layout) || failed(verifyShape(recipe, weight)))
    return failure();
  if (!*layout)
    return success();
  auto [found, isNew] = layouts.try_emplace(recipe, **layout);
  if (!isNew && !(found->second == **layout))
    return reportConflict(found->second, **layout);
  return success();
}

RecipeAttr Layouts::finish(RecipeAttr recipe) const {
  if (kern::isPacked(recipe))
    return recipe;
  MLIRContext *context = recipe.getContext();
  Layout layout = layouts.lookup(recipe);
  if (!layout.type)
    layout.type = StringAttr::get(context, "f32");
  SmallVector<StepAttr> steps(recipe.getSteps());
  if (layout.transposed)
    steps.push_back(StepAttr::get(context, kern::Verb::Transpose, {}, {}, {}));
  steps.push_back(
      StepAttr::get(context, kern::Verb::Pack, layout.type, layout.block, {}));
  return RecipeAttr::get(context, steps);
}

/// The recipe that makes a weight of a program, or null with an error.
static RecipeAttr recipeOf(WeightOp weight) {
  auto recipe = weight->getAttrOfType<RecipeAttr>("recipe");
  if (!recipe)
    weight.emitOpError("expected a recipe");
  return recipe;
}

/// Notes the layouts of all weights that the rows of `layers` bind.
static LogicalResult noteTable(LayersOp layers, Layouts &layouts) {
  for (auto row : layers.getTable().getAsRange<LayerAttr>()) {
    auto body = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        layers, row.getBody());
    if (!body)
      return layers.emitOpError("expected a function called ") << row.getBody();
    for (auto [index, weight] : llvm::enumerate(row.getWeights())) {
      auto recipe = dyn_cast<RecipeAttr>(weight);
      if (!recipe)
        return layers.emitOpError("expected recipes of weights, got ")
               << weight;
      if (failed(layouts.note(recipe, body.getArgument(2 + index))))
        return failure();
    }
  }
  return success();
}

/// `layers` with finished recipes.
static void finishTable(LayersOp layers, const Layouts &layouts) {
  SmallVector<Attribute> rows;
  for (auto row : layers.getTable().getAsRange<LayerAttr>()) {
    SmallVector<Attribute> weights;
    for (Attribute weight : row.getWeights())
      weights.push_back(layouts.finish(cast<RecipeAttr>(weight)));
    rows.push_back(
        LayerAttr::get(layers.getContext(), row.getNumber(), row.getBody(),
                       ArrayAttr::get(layers.getContext(), weights)));
  }
  layers.setTableAttr(ArrayAttr::get(layers.getContext(), rows));
}

namespace {
struct AssignLayoutsPass : ssm::impl::AssignLayoutsPassBase<AssignLayoutsPass> {
  using Base::Base;

  void runOnOperation() override {
    Layouts layouts;
    for (ProgramOp program : getOperation().getOps<ProgramOp>()) {
      for (WeightOp weight : program.getBody().getOps<WeightOp>()) {
        RecipeAttr recipe = recipeOf(weight);
        if (!recipe || failed(layouts.note(recipe, weight.getResult())))
          return signalPassFailure();
      }
      for (LayersOp layers : program.getBody().getOps<LayersOp>())
        if (failed(noteTable(layers, layouts)))
          return signalPassFailure();
    }
    for (ProgramOp program : getOperation().getOps<ProgramOp>()) {
      for (WeightOp weight : program.getBody().getOps<WeightOp>())
        weight->setAttr("recipe", layouts.finish(recipeOf(weight)));
      for (LayersOp layers : program.getBody().getOps<LayersOp>())
        finishTable(layers, layouts);
    }
  }
};
} // namespace
