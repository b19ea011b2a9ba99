//===- TransformOps.cpp - Rewrites as transform operations ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/placement/TransformOps.h"

#include "passes/placement/ModelPrice.h"
#include "passes/placement/Rewrites.h"

#include "mlir/Dialect/Transform/IR/TransformTypes.h"
#include "mlir/Dialect/Transform/TuneExtension/TuneExtension.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace ssm;
using namespace ssm::transforms;
using transform::TransformResults;
using transform::TransformRewriter;
using transform::TransformState;

//===----------------------------------------------------------------------===//
// Syntax: a setting is (VALUE) or (%PARAMETER)
//===----------------------------------------------------------------------===//

static ParseResult
parseSetting(OpAsmParser &parser,
             std::optional<OpAsmParser::UnresolvedOperand> &param,
             Type &paramType, Attribute &value) {
  if (parser.parseLParen())
    return failure();
  OpAsmParser::UnresolvedOperand operand;
  OptionalParseResult isOperand = parser.parseOptionalOperand(operand);
  if (!isOperand.has_value()) {
    if (parser.parseAttribute(value))
      return failure();
  } else {
    if (failed(*isOperand))
      return failure();
    param = operand;
    paramType = transform::AnyParamType::get(parser.getContext());
  }
  return parser.parseRParen();
}

static void printSetting(OpAsmPrinter &printer, Operation *, Value param, Type,
                         Attribute value) {
  printer << "(";
  if (param)
    printer << param;
  else
    printer << value;
  printer << ")";
}

#define GET_OP_CLASSES
#include "dialect/SsmTransformOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

namespace {
/// Reads the values of an operation and applies its rewrite.
class Application {
public:
  Application(Operation *op, TransformState &state) : op(op), state(state) {}

  /// Applies `rewrite` to each model in the payload of `target`.
  DiagnosedSilenceableFailure run(Value target,
                                  function_ref<LogicalResult(ModelOp)> rewrite);

  FailureOr<int64_t> integer(Value param, std::optional<Attribute> value);
  FailureOr<double> real(Value param, std::optional<Attribute> value);
  FailureOr<std::string> text(Value param, std::optional<Attribute> value);
  /// "none", or what `integer` or `real` read.
  FailureOr<std::optional<double>> realOrNone(Value param,
                                              std::optional<Attribute> value);

  InFlightDiagnostic error() { return op->emitOpError(); }

private:
  FailureOr<Attribute> attribute(Value param, std::optional<Attribute> value);

  Operation *op;
  TransformState &state;
};
} // namespace

DiagnosedSilenceableFailure
Application::run(Value target, function_ref<LogicalResult(ModelOp)> rewrite) {
  SmallVector<ModelOp> models;
  for (Operation *payload : state.getPayloadOps(target)) {
    if (auto model = dyn_cast<ModelOp>(payload))
      models.push_back(model);
    else
      payload->walk([&](ModelOp model) { models.push_back(model); });
  }
  if (models.empty()) {
    error() << "found no ssm.model in its target";
    return DiagnosedSilenceableFailure::definiteFailure();
  }
  for (ModelOp model : models)
    if (failed(rewrite(model)))
      return DiagnosedSilenceableFailure::definiteFailure();
  return DiagnosedSilenceableFailure::success();
}

FailureOr<Attribute> Application::attribute(Value param,
                                            std::optional<Attribute> value) {
  if (value)
    return *value;
  ArrayRef<Attribute> values =
      param ? state.getParams(param) : ArrayRef<Attribute>();
  if (values.size() != 1)
    return error() << "expected one value, got " << values.size();
  return values.front();
}

FailureOr<int64_t> Application::integer(Value param,
                                        std::optional<Attribute> value) {
  FailureOr<Attribute> attribute = this->attribute(param, value);
  if (failed(attribute))
    return failure();
  auto integer = dyn_cast<IntegerAttr>(*attribute);
  if (!integer || !integer.getType().isSignlessInteger(64))
    return error() << "expected an integer, got " << *attribute;
  return integer.getInt();
}

FailureOr<double> Application::real(Value param,
                                    std::optional<Attribute> value) {
  FailureOr<Attribute> attribute = this->attribute(param, value);
  if (failed(attribute))
    return failure();
  if (auto real = dyn_cast<FloatAttr>(*attribute))
    return real.getValueAsDouble();
  auto integer = dyn_cast<IntegerAttr>(*attribute);
  if (!integer || !integer.getType().isSignlessInteger(64))
    return error() << "expected a number, got " << *attribute;
  return double(integer.getInt());
}

FailureOr<std::string> Application::text(Value param,
                                         std::optional<Attribute> value) {
  FailureOr<Attribute> attribute = this->attribute(param, value);
  if (failed(attribute))
    return failure();
  auto text = dyn_cast<StringAttr>(*attribute);
  if (!text)
    return error() << "expected a string, got " << *attribute;
  return text.str();
}

FailureOr<std::optional<double>>
Application::realOrNone(Value param, std::optional<Attribute> value) {
  FailureOr<Attribute> attribute = this->attribute(param, value);
  if (failed(attribute))
    return failure();
  if (auto text = dyn_cast<StringAttr>(*attribute))
    if (text == "none")
      return std::optional<double>();
  FailureOr<double> number = real(param, value);
  if (failed(number))
    return failure();
  return std::optional<double>(*number);
}

/// Every operation changes the payload and leaves its handles valid.
template <typename Op>
static void
addEffects(Op op, SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  transform::onlyReadsHandle(op->getOpOperands(), effects);
  transform::modifiesPayload(effects);
}

static DiagnosedSilenceableFailure failed() {
  return DiagnosedSilenceableFailure::definiteFailure();
}

//===----------------------------------------------------------------------===//
// The list of layers
//===----------------------------------------------------------------------===//

DiagnosedSilenceableFailure PlaceOp::apply(TransformRewriter &rewriter,
                                           TransformResults &,
                                           TransformState &state) {
  Application application(*this, state);
  FailureOr<std::string> pattern = application.text(getParam(), getValue());
  if (::mlir::failed(pattern))
    return ::failed();
  return application.run(getTarget(), [&](ModelOp model) {
    return placeLayers(rewriter, model, *pattern, getPrototypesAttr(),
                       [&] { return application.error(); });
  });
}

DiagnosedSilenceableFailure SpreadOp::apply(TransformRewriter &rewriter,
                                            TransformResults &,
                                            TransformState &state) {
  Application application(*this, state);
  FailureOr<int64_t> attention =
      application.integer(getAttentionParam(), getAttention());
  FailureOr<int64_t> mlp = application.integer(getMlpParam(), getMlp());
  FailureOr<int64_t> layers = 0;
  if (getLayers() || getLayersParam()) {
    layers = application.integer(getLayersParam(), getLayers());
    if (succeeded(layers) && *layers < 1) {
      application.error() << "expected at least one layer, got " << *layers;
      return ::failed();
    }
  }
  if (::mlir::failed(attention) || ::mlir::failed(mlp) ||
      ::mlir::failed(layers))
    return ::failed();
  return application.run(getTarget(), [&](ModelOp model) {
    return spreadLayers(rewriter, model, *layers, *attention, *mlp,
                        getPrototypesAttr(),
                        [&] { return application.error(); });
  });
}

DiagnosedSilenceableFailure
MoveOp::apply(TransformRewriter &, TransformResults &, TransformState &state) {
  Application application(*this, state);
  return application.run(getTarget(), [&](ModelOp model) {
    return moveLayer(model, getFrom(), getTo(),
                     [&] { return application.error(); });
  });
}

DiagnosedSilenceableFailure
SwapOp::apply(TransformRewriter &, TransformResults &, TransformState &state) {
  Application application(*this, state);
  return application.run(getTarget(), [&](ModelOp model) {
    return swapLayers(model, getFirst(), getSecond(),
                      [&] { return application.error(); });
  });
}

DiagnosedSilenceableFailure EraseOp::apply(TransformRewriter &rewriter,
                                           TransformResults &,
                                           TransformState &state) {
  Application application(*this, state);
  return application.run(getTarget(), [&](ModelOp model) {
    return eraseLayer(rewriter, model, getAt(),
                      [&] { return application.error(); });
  });
}

DiagnosedSilenceableFailure InsertOp::apply(TransformRewriter &rewriter,
                                            TransformResults &,
                                            TransformState &state) {
  Application application(*this, state);
  return application.run(getTarget(), [&](ModelOp model) {
    return insertLayer(rewriter, model, getAt(), getMixer(),
                       [&] { return application.error(); });
  });
}

LogicalResult ReplaceMixerOp::verify() {
  if (getAt().has_value() == getKind().has_value())
    return emitOpError("expected either 'at' or 'kind'");
  return success();
}

DiagnosedSilenceableFailure ReplaceMixerOp::apply(TransformRewriter &,
                                                  TransformResults &,
                                                  TransformState &state) {
  Application application(*this, state);
  auto error = [&] { return application.error(); };
  return application.run(getTarget(), [&](ModelOp model) {
    return getAt() ? replaceMixers(model, *getAt(), getMixer(), error)
                   : replaceMixers(model, *getKind(), getMixer(), error);
  });
}

//===----------------------------------------------------------------------===//
// Hyper-parameters
//===----------------------------------------------------------------------===//

/// Whether `model` has a layer of one of `kinds`.
static bool hasKind(ModelOp model, StringRef kinds) {
  for (auto layer : model.getBody().getOps<LayerOp>())
    for (auto block : layer.getBody().getOps<BlockOp>())
      if (llvm::is_contained(llvm::split(kinds, ' '),
                             kindName(block.getMixer())))
        return true;
  return false;
}

/// Applies a rewrite whose value `read` reads.
template <typename Op, typename Read, typename Rewrite>
static DiagnosedSilenceableFailure applySetting(Op op, TransformState &state,
                                                Read read, Rewrite rewrite) {
  Application application(op, state);
  auto value = (application.*read)(op.getParam(), op.getValue());
  if (::mlir::failed(value))
    return ::failed();
  return application.run(op.getTarget(), [&](ModelOp model) {
    if (op.getIfPresent() && !hasKind(model, Op::layerKinds()))
      return success();
    return rewrite(model, *value, [&] { return application.error(); });
  });
}

/// A whole positive number that stands for a window.
static LogicalResult setWindowOf(ModelOp model, std::optional<double> window,
                                 EmitError emitError) {
  if (!window)
    return setWindow(model, std::nullopt, emitError);
  if (*window != double(int64_t(*window)))
    return emitError() << "expected a whole number of tokens, got " << *window;
  return setWindow(model, int64_t(*window), emitError);
}

#define SSM_SETTING(Op, read, rewrite)                                         \
  DiagnosedSilenceableFailure Op::apply(                                       \
      TransformRewriter &, TransformResults &, TransformState &state) {        \
    return applySetting(*this, state, &Application::read, rewrite);            \
  }
SSM_SETTING(SetKvHeadsOp, integer, setKvHeads)
SSM_SETTING(SetRopeOp, realOrNone, setRope)
SSM_SETTING(SetWindowOp, realOrNone, setWindowOf)
SSM_SETTING(SetMlpRatioOp, real, setMlpRatio)
SSM_SETTING(SetActivationOp, text, setActivation)
SSM_SETTING(SetStateOp, integer, setState)
SSM_SETTING(SetHeadDimOp, integer, setHeadDim)
SSM_SETTING(SetGroupsOp, integer, setGroups)
SSM_SETTING(FitParametersOp, real, fitParameters)
#undef SSM_SETTING

#define SSM_EFFECTS(Op)                                                        \
  void Op::getEffects(                                                         \
      SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {               \
    addEffects(*this, effects);                                                \
  }
SSM_EFFECTS(PlaceOp)
SSM_EFFECTS(SpreadOp)
SSM_EFFECTS(MoveOp)
SSM_EFFECTS(SwapOp)
SSM_EFFECTS(EraseOp)
SSM_EFFECTS(InsertOp)
SSM_EFFECTS(ReplaceMixerOp)
SSM_EFFECTS(SetKvHeadsOp)
SSM_EFFECTS(SetRopeOp)
SSM_EFFECTS(SetWindowOp)
SSM_EFFECTS(SetMlpRatioOp)
SSM_EFFECTS(SetActivationOp)
SSM_EFFECTS(SetStateOp)
SSM_EFFECTS(SetHeadDimOp)
SSM_EFFECTS(SetGroupsOp)
SSM_EFFECTS(FitParametersOp)
#undef SSM_EFFECTS

//===----------------------------------------------------------------------===//
// Registration
//===----------------------------------------------------------------------===//

namespace {
class PlacementExtension
    : public transform::TransformDialectExtension<PlacementExtension> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PlacementExtension)

  void init() {
    declareGeneratedDialect<SsmDialect>();
    registerTransformOps<
#define GET_OP_LIST
#include "dialect/SsmTransformOps.cpp.inc"
        >();
  }
};
} // namespace

void ssm::registerPlacement(DialectRegistry &registry) {
  registry.insert<transform::TransformDialect>();
  registry.addExtensions<PlacementExtension>();
  transform::registerTuneExtension(registry);
}
