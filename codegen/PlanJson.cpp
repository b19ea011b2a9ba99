//===- PlanJson.cpp - Plans as JSON ---------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/PlanJson.h"

#include "dialect/KernRecipe.h"

#include "llvm/ADT/StringMap.h"

#include <nlohmann/json.hpp>

using namespace mlir;
using namespace ssm;
using nlohmann::ordered_json;
using plan::ArgumentKind;

static constexpr int64_t kPlanVersion = 1;

/// Symbols of expressions, in the order of `CallSymbol`.
static constexpr const char *kSymbols[] = {"rows", "sequences", "tiles",
                                           "outputs"};
static constexpr unsigned kRowsSymbol = 0, kOutputsSymbol = 3;

static ordered_json list() { return ordered_json::array(); }

template <typename RangeT> static ordered_json listOf(const RangeT &range) {
  ordered_json json = list();
  for (auto value : range)
    json.push_back(value);
  return json;
}

/// Names of the operations that the runtime evaluates.
static const char *operationName(AffineExprKind kind) {
  switch (kind) {
  case AffineExprKind::Add:
    return "add";
  case AffineExprKind::Mul:
    return "mul";
  case AffineExprKind::CeilDiv:
    return "ceildiv";
  case AffineExprKind::FloorDiv:
    return "floordiv";
  default:
    return nullptr;
  }
}

ordered_json ssm::expressionToJson(AffineExpr expression) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expression))
    return constant.getValue();
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expression))
    return kSymbols[symbol.getPosition()];
  auto binary = dyn_cast<AffineBinaryOpExpr>(expression);
  const char *name = operationName(expression.getKind());
  if (!binary || !name)
    return nullptr;
  ordered_json lhs = expressionToJson(binary.getLHS()),
               rhs = expressionToJson(binary.getRHS());
  if (lhs.is_null() || rhs.is_null())
    return nullptr;
  return {name, lhs, rhs};
}

static ordered_json stepToJson(kern::StepAttr step) {
  ordered_json json = {{"verb", kern::stringifyVerb(step.getVerb()).str()}};
  ArrayRef<int64_t> numbers = step.getNumbers();
  switch (step.getVerb()) {
  case kern::Verb::Tensor:
    json["name"] = step.getName().str();
    json["shape"] = listOf(numbers);
    break;
  case kern::Verb::Slice:
    json["begin"] = numbers[0];
    json["end"] = numbers[1];
    break;
  case kern::Verb::Concat:
  case kern::Verb::Interleave:
    json["n"] = numbers[0];
    break;
  case kern::Verb::Scale:
  case kern::Verb::Add:
    json["value"] = step.getValue().getValueAsDouble();
    break;
  case kern::Verb::Mean:
  case kern::Verb::Pack:
    json["type"] = step.getName().str();
    if (!numbers.empty())
      json["numbers"] = listOf(numbers);
    break;
  case kern::Verb::Transpose:
  case kern::Verb::NegExp:
  case kern::Verb::ScaleColumns:
    break;
  }
  return json;
}

/// Name of an element type: f32, bf16, f16.
static std::string typeName(Type type) {
  return type.isF32() ? "f32" : type.isBF16() ? "bf16" : "f16";
}

static ordered_json weightToJson(plan::WeightOp weight) {
  ordered_json recipe = list();
  for (kern::StepAttr step : weight.getRecipe().getSteps())
    recipe.push_back(stepToJson(step));
  FailureOr<kern::RecipeResult> made = kern::shapeOfRecipe(
      weight.getRecipe().getSteps(), [&] { return weight.emitOpError(); });
  return {{"recipe", recipe},
          {"rows", made->rows},
          {"columns", made->columns},
          {"bytes", made->bytes}};
}

static ordered_json bufferToJson(plan::BufferOp buffer) {
  return {{"name", buffer.getSymName().str()},
          {"type", typeName(buffer.getElement())},
          {"columns", buffer.getColumns()},
          {"stride", buffer.getStride()},
          {"rows", plan::stringifyRowCount(buffer.getRows()).str()},
          {"offset", buffer.getOffset()}};
}

static ordered_json stateToJson(plan::StateOp state) {
  ordered_json json = {
      {"kind", plan::stringifyStateKind(state.getKind()).str()}};
  bool isPaged = state.getKind() == plan::StateKind::Key ||
                 state.getKind() == plan::StateKind::Value;
  if (isPaged) {
    json["heads"] = state.getShape()[0];
    json["head_dim"] = state.getShape()[1];
    json["type"] = typeName(state.getElement());
  } else {
    json["shape"] = listOf(state.getShape());
  }
  json["bytes"] = state.getBytes();
  return json;
}

/// Whether the kernels of `program` are launched in blocks.
static bool isForGpu(plan::ProgramOp program) {
  for (auto kernel : program.getBody().getOps<plan::KernelOp>())
    if (kernel.getVariants())
      for (auto variant : kernel.getVariants()->getAsRange<plan::VariantAttr>())
        return variant.getBlock() != 0;
  return false;
}

namespace {
/// Turns names into places in the lists of the JSON.
class PlanWriter {
public:
  PlanWriter(plan::ProgramOp program, function_ref<int64_t(StringRef)> offsetOf)
      : program(program), offsetOf(offsetOf) {}

  FailureOr<ordered_json> write();

private:
  LogicalResult writeKernels();
  FailureOr<ordered_json> kernelToJson(plan::KernelOp kernel,
                                       plan::VariantAttr variant);
  ordered_json slotToJson(plan::ArgumentAttr slot);
  FailureOr<ordered_json> launchToJson(plan::LaunchOp launch);
  FailureOr<ordered_json> launchesToJson(Region &region);
  FailureOr<ordered_json> bodyToJson(plan::BodyOp body);
  ordered_json layerToJson(LayerAttr row);

  /// Writes the parts of type `PartT` to the list `key`, as `toJson` says.
  template <typename PartT, typename FunctionT>
  void writeParts(const char *key, FunctionT toJson) {
    json[key] = list();
    for (PartT part : program.getBody().getOps<PartT>()) {
      places[part.getSymName()] = json[key].size();
      json[key].push_back(toJson(part));
    }
  }

  plan::ProgramOp program;
  function_ref<int64_t(StringRef)> offsetOf;
  ordered_json json;
  llvm::StringMap<size_t> places;
  /// Places of the variants of each kernel.
  llvm::StringMap<size_t> firstVariants;
};
} // namespace

/// Candidates for the largest logit of a row that a GPU's kernel leaves: what a
/// product has scratch memory for, a pair for each of its blocks.
static int64_t candidatesOf(plan::KernelOp kernel, plan::VariantAttr variant) {
  auto scratch =
      dyn_cast<AffineConstantExpr>(variant.getScratch().getResult(0));
  auto grid = dyn_cast<AffineConstantExpr>(variant.getGrid().getResult(0));
  bool isProduct = isa<kern::GemmOp, kern::NormGemmOp>(kernel.getComputation());
  return isProduct && grid && scratch && scratch.getValue() ? grid.getValue()
                                                            : 0;
}

FailureOr<ordered_json> PlanWriter::kernelToJson(plan::KernelOp kernel,
                                                 plan::VariantAttr variant) {
  ordered_json written = {{"name", variant.getName().str()}};
  if (variant.getBlock()) {
    written["block"] = variant.getBlock();
    written["shared"] = variant.getShared();
    if (int64_t candidates = candidatesOf(kernel, variant))
      written["candidates"] = candidates;
  } else {
    written["offset"] = offsetOf(variant.getName());
  }
  written["scratch"] = expressionToJson(variant.getScratch().getResult(0));
  if (written["scratch"].is_null())
    return kernel.emitOpError("has a scratch size that the runtime cannot "
                              "evaluate: ")
           << AffineMapAttr::get(variant.getScratch());
  return written;
}

LogicalResult PlanWriter::writeKernels() {
  json["kernels"] = list();
  for (auto kernel : program.getBody().getOps<plan::KernelOp>()) {
    if (!kernel.getVariants())
      return kernel.emitOpError("expected a compiled kernel");
    firstVariants[kernel.getSymName()] = json["kernels"].size();
    for (auto variant : kernel.getVariants()->getAsRange<plan::VariantAttr>()) {
      FailureOr<ordered_json> written = kernelToJson(kernel, variant);
      if (failed(written))
        return failure();
      json["kernels"].push_back(*written);
    }
  }
  return success();
}

ordered_json PlanWriter::slotToJson(plan::ArgumentAttr slot) {
  std::string kind = plan::stringifyArgumentKind(slot.getKind()).str();
  int64_t place =
      slot.getSymbol() ? places.lookup(slot.getSymbol().getValue()) : 0;
  switch (slot.getKind()) {
  case ArgumentKind::Buffer:
    return {kind, place, slot.getNumber()};
  case ArgumentKind::Stride:
  case ArgumentKind::GlobalWeight:
    return {kind, place};
  case ArgumentKind::Weight:
  case ArgumentKind::State:
  case ArgumentKind::StateStride:
    return {kind, slot.getNumber()};
  case ArgumentKind::Tokens:
  case ArgumentKind::Seqs:
    return ordered_json::array({kind});
  case ArgumentKind::Rows:
  case ArgumentKind::Outputs:
    return {"symbol", kind};
  }
  llvm_unreachable("unknown kind of argument");
}

FailureOr<ordered_json> PlanWriter::launchToJson(plan::LaunchOp launch) {
  auto kernel = cast<plan::KernelOp>(
      program.lookupSymbol(launch.getKernelAttr().getAttr()));
  MLIRContext *context = launch.getContext();
  // Kernels know only "rows"; which rows these are is known here.
  bool onOutputs = launch.getRows() == plan::RowCount::Outputs;
  AffineExpr rows = getAffineSymbolExpr(kRowsSymbol, context);
  AffineExpr launchRows =
      onOutputs ? getAffineSymbolExpr(kOutputsSymbol, context) : rows;
  ordered_json variants = list();
  size_t place = firstVariants.lookup(launch.getKernel());
  for (auto variant : kernel.getVariants()->getAsRange<plan::VariantAttr>()) {
    ordered_json grid = expressionToJson(
        variant.getGrid().getResult(0).replace(rows, launchRows));
    if (grid.is_null())
      return kernel.emitOpError("has a grid that the runtime cannot evaluate: ")
             << AffineMapAttr::get(variant.getGrid());
    variants.push_back({{"kernel", place++},
                        {"max_rows", variant.getMaxRows()},
                        {"grid", grid}});
  }
  ordered_json slots = list();
  for (plan::ArgumentAttr slot : launch.getArgs().getSlots())
    slots.push_back(slotToJson(slot));
  return ordered_json{{"kernels", variants},
                      {"rows", plan::stringifyRowCount(launch.getRows()).str()},
                      {"args", slots}};
}

FailureOr<ordered_json> PlanWriter::launchesToJson(Region &region) {
  ordered_json launches = list();
  for (auto launch : region.getOps<plan::LaunchOp>()) {
    FailureOr<ordered_json> written = launchToJson(launch);
    if (failed(written))
      return failure();
    launches.push_back(*written);
  }
  return launches;
}

FailureOr<ordered_json> PlanWriter::bodyToJson(plan::BodyOp body) {
  ordered_json states = list();
  for (auto state : body.getStates().getAsRange<FlatSymbolRefAttr>())
    states.push_back(places.lookup(state.getValue()));
  FailureOr<ordered_json> prefill = launchesToJson(body.getPrefill()),
                          step = launchesToJson(body.getStep());
  if (failed(prefill) || failed(step))
    return failure();
  return ordered_json{{"name", body.getSymName().str()},
                      {"weights", body.getWeights()},
                      {"states", states},
                      {"prefill", *prefill},
                      {"step", *step}};
}

ordered_json PlanWriter::layerToJson(LayerAttr row) {
  ordered_json weights = list();
  for (auto weight : row.getWeights().getAsRange<FlatSymbolRefAttr>())
    weights.push_back(places.lookup(weight.getValue()));
  return {{"number", row.getNumber()},
          {"body", places.lookup(row.getBody().getValue())},
          {"weights", weights}};
}

FailureOr<ordered_json> PlanWriter::write() {
  json["version"] = kPlanVersion;
  json["target"] = program.getTarget().value_or("").str();
  if (isForGpu(program)) {
    json["device"] = "cuda";
    json["arch"] = json["target"];
  }
  json["precision"] = program.getPrecision().str();
  json["features"] = list();
  if (program.getFeatures())
    for (auto feature : program.getFeatures()->getAsRange<StringAttr>())
      json["features"].push_back(feature.str());
  json["symbols"] = listOf(kSymbols);
  if (failed(writeKernels()))
    return failure();
  writeParts<plan::WeightOp>("weights", weightToJson);
  writeParts<plan::BufferOp>("buffers", bufferToJson);
  writeParts<plan::StateOp>("states", stateToJson);
  json["page_tokens"] = plan::StateOp::kPageTokens;

  plan::LayersOp table = program.getLayers();
  json["bodies"] = list();
  for (auto body : program.getBody().getOps<plan::BodyOp>()) {
    FailureOr<ordered_json> written = bodyToJson(body);
    if (failed(written))
      return failure();
    if (body.getSymName() == table.getBefore() ||
        body.getSymName() == table.getAfter()) {
      bool isBefore = body.getSymName() == table.getBefore();
      json["program"][isBefore ? "before" : "after"] = {
          {"prefill", (*written)["prefill"]}, {"step", (*written)["step"]}};
      continue;
    }
    places[body.getSymName()] = json["bodies"].size();
    json["bodies"].push_back(*written);
  }
  json["layers"] = list();
  for (auto row : table.getTable().getAsRange<LayerAttr>())
    json["layers"].push_back(layerToJson(row));

  json["logits"] = places.lookup(program.getLogits());
  json["vocab"] = program.getVocab();
  json["hidden"] = program.getHidden();
  json["hidden_buffer"] = places.lookup(program.getStream());
  json["end_tokens"] = list();
  if (std::optional<ArrayRef<int64_t>> endTokens = program.getEndTokens())
    json["end_tokens"] = listOf(*endTokens);
  return json;
}

FailureOr<ordered_json>
ssm::planToJson(plan::ProgramOp program,
                function_ref<int64_t(StringRef)> offsetOf) {
  return PlanWriter(program, offsetOf).write();
}
