//===- KernToPlan.cpp - Turn kern form into a plan ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Replaces the two programs `@M.prefill` and `@M.step` and the functions that
// their layer tables name by one `plan.program @M`:
//
//   %h = kern.gemm %x, %w ... ->
//   plan.kernel @gemm_0 { ^bb0(%x, %w): kern.gemm %x, %w ... }
//   plan.launch @gemm_0 rows [<buffer of @x>, <stride of @x>, <weight>, ...]
//
// Kernels that compute the same are one kernel, whichever bodies and entries
// they come from. Activations get memory by first fit; the residual stream and
// the states are updated in place.
//
// Precondition: recipes are packed (--kern-assign-layouts).
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "dialect/KernRecipe.h"
#include "passes/KernEntry.h"

#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/StringSet.h"

namespace ssm {
#define GEN_PASS_DEF_KERNTOPLANPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;
using plan::ArgumentAttr;
using plan::ArgumentKind;

static constexpr StringRef kPrefillSuffix = ".prefill";
static constexpr StringRef kStepSuffix = ".step";

namespace {
/// Builds the plan of a model from its two programs.
class PlanBuilder {
public:
  PlanBuilder(ProgramOp prefill, ProgramOp step, StringRef name)
      : prefill(prefill), step(step), name(name), builder(prefill.getContext()),
        buffers(prefill.getHidden(), prefill.getVocab(), builder.getF32Type()) {
  }

  LogicalResult build();

private:
  LogicalResult buildBody(StringRef bodyName, Operation *anchor);
  LogicalResult buildTable();
  LogicalResult buildLaunches(StringRef bodyName, KernEntry &prefillEntry,
                              KernEntry &stepEntry, Location loc);
  LogicalResult launchAll(KernEntry &entry, Region &region);
  LogicalResult launch(Operation *op, const KernEntry &entry);
  void appendView(BufferView view, SmallVectorImpl<ArgumentAttr> &slots);
  FlatSymbolRefAttr kernelFor(Operation *op);
  FlatSymbolRefAttr weightFor(kern::RecipeAttr recipe, Location loc);
  FlatSymbolRefAttr stateFor(const StateUse &use, Location loc);
  void buildBuffers(Location loc);
  void sortParts();

  FlatSymbolRefAttr symbol(const Twine &text) {
    return FlatSymbolRefAttr::get(builder.getContext(), text.str());
  }
  FlatSymbolRefAttr bufferName(unsigned index) {
    if (index == 0)
      return symbol("x");
    return index == 1 ? symbol("logits") : symbol("buffer_" + Twine(index));
  }
  ArgumentAttr slot(ArgumentKind kind, FlatSymbolRefAttr name = {},
                    int64_t number = 0) {
    return ArgumentAttr::get(builder.getContext(), kind, name, number);
  }

  ProgramOp prefill, step;
  StringRef name;
  OpBuilder builder;
  BufferPlan buffers;
  plan::ProgramOp program;
  SmallVector<plan::KernelOp> kernels;
  llvm::StringMap<unsigned> kernelCounts;
  llvm::DenseMap<Attribute, FlatSymbolRefAttr> weights;
  llvm::DenseMap<std::pair<int, Type>, FlatSymbolRefAttr> states;
  llvm::StringSet<> bodies;
  bool halfInputs = false;
};
} // namespace

//===----------------------------------------------------------------------===//
// Parts of the plan
//===----------------------------------------------------------------------===//

/// A region with a copy of `op` whose operands are arguments of the region.
static void outline(Operation *op, plan::KernelOp kernel) {
  SmallVector<Location> locations(op->getNumOperands(), op->getLoc());
  OpBuilder builder(kernel.getContext());
  Block *block = builder.createBlock(&kernel.getBody(), {},
                                     op->getOperandTypes(), locations);
  Operation *copy = builder.clone(*op);
  copy->setOperands(block->getArguments());
}

/// Name of the plan's body for a function: apart from kernels, buffers, weights
/// and states whatever the function is called.
static std::string bodySymbol(StringRef function) {
  return ("body_" + function).str();
}

FlatSymbolRefAttr PlanBuilder::kernelFor(Operation *op) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(&program.getBody().front());
  auto kernel = plan::KernelOp::create(builder, op->getLoc(), "kernel",
                                       /*variants=*/ArrayAttr());
  outline(op, kernel);
  for (plan::KernelOp other : kernels)
    if (OperationEquivalence::isRegionEquivalentTo(
            &kernel.getBody(), &other.getBody(),
            OperationEquivalence::IgnoreLocations)) {
      kernel.erase();
      return FlatSymbolRefAttr::get(other.getSymNameAttr());
    }
  StringRef kind = op->getName().stripDialect();
  kernel.setSymName((kind + "_" + Twine(kernelCounts[kind]++)).str());
  kernels.push_back(kernel);
  return FlatSymbolRefAttr::get(kernel.getSymNameAttr());
}

FlatSymbolRefAttr PlanBuilder::weightFor(kern::RecipeAttr recipe,
                                         Location loc) {
  FlatSymbolRefAttr &known = weights[recipe];
  if (known)
    return known;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(&program.getBody().front());
  known = symbol("weight_" + Twine(weights.size() - 1));
  plan::WeightOp::create(builder, loc, known.getValue(), recipe);
  return known;
}

FlatSymbolRefAttr PlanBuilder::stateFor(const StateUse &use, Location loc) {
  FlatSymbolRefAttr &known = states[{int(use.kind), use.type}];
  if (known)
    return known;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(&program.getBody().front());
  known = symbol("state_" + Twine(states.size() - 1));
  SmallVector<int64_t> shape;
  for (int64_t size : use.type.getShape())
    if (!ShapedType::isDynamic(size))
      shape.push_back(size);
  plan::StateOp::create(builder, loc, known.getValue(), use.kind, shape,
                        use.type.getElementType());
  return known;
}

void PlanBuilder::buildBuffers(Location loc) {
  builder.setInsertionPointToEnd(&program.getBody().front());
  for (auto [index, buffer] : llvm::enumerate(buffers.finish()))
    plan::BufferOp::create(builder, loc, bufferName(index).getValue(),
                           buffer.rows, buffer.columns, buffer.element,
                           buffer.stride, buffer.offset);
}

/// Kernels first, then weights, buffers, states, bodies and the table.
void PlanBuilder::sortParts() {
  Block &block = program.getBody().front();
  auto moveToEnd = [&](auto parts) {
    for (Operation *op : llvm::to_vector_of<Operation *>(parts))
      op->moveBefore(&block, block.end());
  };
  moveToEnd(block.getOps<plan::KernelOp>());
  moveToEnd(block.getOps<plan::WeightOp>());
  moveToEnd(block.getOps<plan::BufferOp>());
  moveToEnd(block.getOps<plan::StateOp>());
  moveToEnd(block.getOps<plan::BodyOp>());
  moveToEnd(block.getOps<plan::LayersOp>());
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

void PlanBuilder::appendView(BufferView view,
                             SmallVectorImpl<ArgumentAttr> &slots) {
  FlatSymbolRefAttr buffer = bufferName(view.buffer);
  slots.push_back(slot(ArgumentKind::Buffer, buffer, view.column));
  slots.push_back(slot(ArgumentKind::Stride, buffer));
}

/// One launch. Slots of the kernel ABI: operands in their order, rows results,
/// the sequence table for what may gather, the number of rows.
LogicalResult PlanBuilder::launch(Operation *op, const KernEntry &entry) {
  SmallVector<ArgumentAttr> slots;
  for (Value operand : op->getOperands()) {
    auto binding = entry.bindings.find(operand);
    if (isRows(operand)) {
      appendView(buffers.viewOf(operand), slots);
    } else if (isa<SeqsType>(operand.getType())) {
      slots.push_back(slot(ArgumentKind::Seqs));
    } else if (operand.getType().isInteger() ||
               cast<RankedTensorType>(operand.getType())
                   .getElementType()
                   .isInteger(32)) {
      slots.push_back(slot(ArgumentKind::Tokens));
    } else if (binding == entry.bindings.end()) {
      return op->emitOpError("reads a value that is no weight, state or rows");
    } else {
      const Binding &bound = binding->second;
      FlatSymbolRefAttr weight = bound.recipe
                                     ? weightFor(bound.recipe, op->getLoc())
                                     : FlatSymbolRefAttr();
      slots.push_back(slot(bound.kind, weight, bound.number));
      if (bound.kind == ArgumentKind::State)
        slots.push_back(slot(ArgumentKind::StateStride, {}, bound.number));
    }
  }
  for (Value result : op->getResults())
    if (isRows(result))
      appendView(buffers.viewOf(result), slots);
  if (isa<kern::RowwiseOp, kern::NormGemmOp>(op))
    slots.push_back(slot(ArgumentKind::Seqs));
  plan::RowCount rows = buffers.rowsOf(op);
  slots.push_back(slot(rows == plan::RowCount::Outputs ? ArgumentKind::Outputs
                                                       : ArgumentKind::Rows));
  plan::LaunchOp::create(builder, op->getLoc(), kernelFor(op),
                         plan::RowCountAttr::get(builder.getContext(), rows),
                         plan::ArgumentsAttr::get(builder.getContext(), slots));
  auto gemm = dyn_cast<kern::GemmOp>(op);
  if (gemm && !gemm.getInput().getType().getElementType().isF32())
    halfInputs = true;
  auto normGemm = dyn_cast<kern::NormGemmOp>(op);
  if (normGemm && !normGemm.getRounded().isF32())
    halfInputs = true;
  return success();
}

LogicalResult PlanBuilder::launchAll(KernEntry &entry, Region &region) {
  Operation *last = entry.list.ops.empty() ? nullptr : entry.list.ops.back();
  if (last) {
    OpBuilder copies(last->getContext());
    copies.setInsertionPointAfter(last);
    makeStreamWritable(entry.list, copies);
  }
  buffers.place(entry.list);
  builder.setInsertionPointToEnd(&region.emplaceBlock());
  for (Operation *op : entry.list.ops)
    if (!isa<kern::ColumnsOp>(op) && failed(launch(op, entry)))
      return failure();
  return success();
}

LogicalResult PlanBuilder::buildLaunches(StringRef bodyName,
                                         KernEntry &prefillEntry,
                                         KernEntry &stepEntry, Location loc) {
  SmallVector<Attribute> stateNames;
  for (const StateUse &use : prefillEntry.states)
    stateNames.push_back(stateFor(use, loc));
  builder.setInsertionPointToEnd(&program.getBody().front());
  auto body = plan::BodyOp::create(builder, loc, bodyName, prefillEntry.weights,
                                   builder.getArrayAttr(stateNames));
  if (failed(launchAll(prefillEntry, body.getPrefill())))
    return failure();
  return launchAll(stepEntry, body.getStep());
}

LogicalResult PlanBuilder::buildBody(StringRef bodyName, Operation *anchor) {
  KernEntry entries[2];
  StringRef suffixes[2] = {kPrefillSuffix, kStepSuffix};
  for (auto [entry, suffix] : llvm::zip(entries, suffixes)) {
    auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        anchor, builder.getStringAttr(bodyName + suffix));
    if (!function)
      return anchor->emitOpError("expected a function '@")
             << bodyName << suffix << "'";
    FailureOr<KernEntry> read = readBody(function);
    if (failed(read))
      return failure();
    entry = std::move(*read);
  }
  if (entries[0].states != entries[1].states ||
      entries[0].weights != entries[1].weights)
    return anchor->emitOpError("expected '@")
           << bodyName << kPrefillSuffix << "' and '@" << bodyName
           << kStepSuffix << "' to take equal weights and states";
  bodies.insert(bodyName);
  return buildLaunches(bodySymbol(bodyName), entries[0], entries[1],
                       anchor->getLoc());
}

LogicalResult PlanBuilder::buildTable() {
  FailureOr<LayersOp> layers = layersOf(prefill), stepLayers = layersOf(step);
  if (failed(layers) || failed(stepLayers))
    return failure();
  ArrayAttr rows = layers->getTable(), stepRows = stepLayers->getTable();
  if (rows.size() != stepRows.size())
    return stepLayers->emitOpError("expected ")
           << rows.size() << " layers as in prefill, got " << stepRows.size();
  SmallVector<Attribute> table;
  for (auto [index, row] : llvm::enumerate(rows.getAsRange<LayerAttr>())) {
    auto stepRow = cast<LayerAttr>(stepRows[index]);
    StringRef bodyName = row.getBody().getValue(),
              stepName = stepRow.getBody().getValue();
    if (!bodyName.consume_back(kPrefillSuffix) ||
        !stepName.consume_back(kStepSuffix) || bodyName != stepName ||
        row.getWeights() != stepRow.getWeights())
      return layers->emitOpError("row ")
             << index << ": expected the same body and weights in prefill and "
             << "step";
    if (!bodies.contains(bodyName) && failed(buildBody(bodyName, *layers)))
      return failure();
    SmallVector<Attribute> names;
    for (Attribute weight : row.getWeights()) {
      auto recipe = dyn_cast<kern::RecipeAttr>(weight);
      if (!recipe || !kern::isPacked(recipe))
        return layers->emitOpError("row ")
               << index << ": expected packed recipes; run "
               << "--kern-assign-layouts first";
      names.push_back(weightFor(recipe, layers->getLoc()));
    }
    table.push_back(LayerAttr::get(builder.getContext(), row.getNumber(),
                                   symbol(bodySymbol(bodyName)),
                                   builder.getArrayAttr(names)));
  }
  builder.setInsertionPointToEnd(&program.getBody().front());
  plan::LayersOp::create(builder, layers->getLoc(), symbol("before"),
                         builder.getArrayAttr(table), symbol("after"));
  return success();
}

LogicalResult PlanBuilder::build() {
  builder.setInsertionPoint(prefill);
  program = plan::ProgramOp::create(
      builder, prefill.getLoc(), builder.getStringAttr(name),
      prefill.getHiddenAttr(), prefill.getVocabAttr(),
      prefill.getEndTokensAttr(), bufferName(0), bufferName(1),
      builder.getStringAttr("f32"), StringAttr(), ArrayAttr());
  program.getBody().emplaceBlock();
  KernEntry before[2], after[2];
  Location loc = prefill.getLoc();
  if (failed(readProgram(prefill, before[0], after[0])) ||
      failed(readProgram(step, before[1], after[1])) ||
      failed(buildLaunches("before", before[0], before[1], loc)) ||
      failed(buildTable()) ||
      failed(buildLaunches("after", after[0], after[1], loc)))
    return failure();
  if (halfInputs)
    program.setPrecision("bf16");
  buildBuffers(prefill.getLoc());
  sortParts();
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Erases the kern form that a plan has replaced.
static void eraseSources(ModuleOp module) {
  for (Operation &op :
       llvm::make_early_inc_range(module.getBody()->getOperations()))
    if (isa<ProgramOp, func::FuncOp>(op))
      op.erase();
}

namespace {
struct KernToPlanPass : ssm::impl::KernToPlanPassBase<KernToPlanPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto programs = llvm::to_vector(module.getOps<ProgramOp>());
    ProgramOp prefill, step;
    StringRef name, stepName;
    for (ProgramOp program : programs) {
      StringRef candidate = program.getSymName();
      if (candidate.consume_back(kPrefillSuffix)) {
        prefill = program;
        name = candidate;
      } else if (candidate.consume_back(kStepSuffix)) {
        step = program;
        stepName = candidate;
      }
    }
    if (programs.size() != 2 || !prefill || !step || name != stepName) {
      module.emitError("expected two programs '@M.prefill' and '@M.step', got ")
          << programs.size() << " programs";
      return signalPassFailure();
    }
    if (failed(PlanBuilder(prefill, step, name).build()))
      return signalPassFailure();
    eraseSources(module);
  }
};
} // namespace
