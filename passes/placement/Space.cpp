//===- Space.cpp - A transform script as a space of variants --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/placement/Space.h"

#include "mlir/Dialect/Transform/Transforms/TransformInterpreterUtils.h"
#include "mlir/Dialect/Transform/TuneExtension/TuneExtensionOps.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm;
using transform::tune::AlternativesOp;
using transform::tune::KnobOp;

/// A value as a reader would write it: 8 instead of 8 : i64.
static std::string textOf(Attribute value) {
  if (auto text = dyn_cast<StringAttr>(value))
    return text.str();
  if (auto integer = dyn_cast<IntegerAttr>(value))
    return std::to_string(integer.getInt());
  std::string text;
  llvm::raw_string_ostream os(text);
  if (auto real = dyn_cast<FloatAttr>(value))
    os << llvm::format("%g", real.getValueAsDouble());
  else
    os << value;
  return text;
}

/// Adds a knob to the choice of its name.
static LogicalResult addKnob(std::vector<Choice> &all, KnobOp knob) {
  auto options = dyn_cast<ArrayAttr>(knob.getOptions());
  if (!options || options.empty())
    return knob.emitError("knob '")
           << knob.getName().getValue()
           << "' has no options, expected a list of at least one";
  Choice choice;
  choice.name = knob.getName().getValue().str();
  for (Attribute option : options)
    choice.options.push_back(textOf(option));
  for (Choice &other : all)
    if (other.name == choice.name) {
      if (other.options != choice.options)
        return knob.emitError("knob '")
               << choice.name << "' stands twice with different options";
      other.operations.push_back(knob);
      return success();
    }
  choice.operations.push_back(knob);
  all.push_back(std::move(choice));
  return success();
}

static LogicalResult addAlternatives(std::vector<Choice> &all,
                                     AlternativesOp op) {
  if (op.getSelectedRegionParam())
    return success(); // a knob decides
  Choice choice;
  choice.name = op.getName().getValue().str();
  if (!op.getAlternatives().size())
    return op.emitError("alternatives '") << choice.name << "' have no region";
  for (const Choice &other : all)
    if (other.name == choice.name)
      return op.emitError("choice '") << choice.name << "' stands twice";
  for (size_t region = 0; region < op.getAlternatives().size(); ++region)
    choice.options.push_back(std::to_string(region));
  choice.operations.push_back(op);
  all.push_back(std::move(choice));
  return success();
}

FailureOr<Space> Space::create(OwningOpRef<ModuleOp> script) {
  Space space;
  space.script = std::move(script);
  if (!space.script->lookupSymbol(
          transform::TransformDialect::kTransformEntryPointSymbolName))
    return space.script->emitError(
        "expected a transform.named_sequence @__transform_main");
  // Outer choices before those inside them.
  WalkResult result =
      space.script->walk<WalkOrder::PreOrder>([&](Operation *op) -> WalkResult {
        if (auto knob = dyn_cast<KnobOp>(op))
          return addKnob(space.all, knob);
        if (auto alternatives = dyn_cast<AlternativesOp>(op))
          return addAlternatives(space.all, alternatives);
        return WalkResult::advance();
      });
  if (result.wasInterrupted())
    return failure();
  return space;
}

uint64_t Space::size() const {
  uint64_t product = 1;
  for (const Choice &choice : all)
    product =
        llvm::SaturatingMultiply<uint64_t>(product, choice.options.size());
  return product;
}

/// Whether no choice in a region that is not selected differs from 0.
bool Space::isCanonical(const std::vector<size_t> &assignment) const {
  auto isSelected = [&](Operation *op) {
    while (Operation *parent = op->getParentOp()) {
      if (isa<AlternativesOp>(parent))
        for (size_t i = 0; i < all.size(); ++i)
          if (all[i].operations.front() == parent &&
              assignment[i] != op->getParentRegion()->getRegionNumber())
            return false;
      op = parent;
    }
    return true;
  };
  for (size_t i = 0; i < all.size(); ++i)
    if (assignment[i] && llvm::none_of(all[i].operations, isSelected))
      return false;
  return true;
}

bool Space::next(std::vector<size_t> &assignment) const {
  do {
    size_t place = assignment.size();
    while (place && assignment[place - 1] + 1 == all[place - 1].options.size())
      assignment[--place] = 0;
    if (!place)
      return false;
    ++assignment[place - 1];
  } while (!isCanonical(assignment));
  return true;
}

LogicalResult Space::apply(const std::vector<size_t> &assignment,
                           ModuleOp payload) {
  Builder builder(payload.getContext());
  for (size_t i = 0; i < all.size(); ++i)
    for (Operation *op : all[i].operations) {
      if (auto knob = dyn_cast<KnobOp>(op))
        knob.setSelectedAttr(cast<ArrayAttr>(knob.getOptions())[assignment[i]]);
      else
        cast<AlternativesOp>(op).setSelectedRegionAttrAttr(
            builder.getI64IntegerAttr(int64_t(assignment[i])));
    }
  transform::TransformOptions options;
  options.enableExpensiveChecks(false);
  Operation *entry = script->lookupSymbol(
      transform::TransformDialect::kTransformEntryPointSymbolName);
  return transform::applyTransformNamedSequence(payload, entry, *script,
                                                options);
}
