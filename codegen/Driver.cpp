//===- Driver.cpp - From a model to an artifact ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Driver.h"

#include "codegen/cpu/Cpu.h"
#include "dialect/Kern.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/SHA256.h"

using namespace mlir;
using namespace ssm;

std::optional<EmitLevel> ssm::emitLevelOf(StringRef name) {
  return llvm::StringSwitch<std::optional<EmitLevel>>(name)
      .Case("block", EmitLevel::Block)
      .Case("ops", EmitLevel::Ops)
      .Case("kern", EmitLevel::Kern)
      .Case("plan", EmitLevel::Plan)
      .Case("llvm", EmitLevel::Llvm)
      .Case("asm", EmitLevel::Assembly)
      .Case("obj", EmitLevel::Object)
      .Default(std::nullopt);
}

void ssm::registerCompiler(DialectRegistry &registry) {
  registry.insert<SsmDialect, kern::KernDialect, plan::PlanDialect,
                  func::FuncDialect>();
  registerCpuCodegen(registry);
}

FailureOr<Level> ssm::levelOf(ModuleOp module) {
  SmallVector<Level> found;
  for (Operation &op : *module.getBody()) {
    if (isa<ModelOp>(op))
      found.push_back(Level::Block);
    else if (isa<plan::ProgramOp>(op))
      found.push_back(Level::Plan);
    else if (auto program = dyn_cast<ProgramOp>(op))
      found.push_back(program.getSymName().ends_with(".prefill") ||
                              program.getSymName().ends_with(".step")
                          ? Level::Kern
                          : Level::Ops);
  }
  // Kern form has two programs, every other level one.
  if (found.empty())
    return module.emitError("expected a model, got none");
  size_t expected = found[0] == Level::Kern ? 2 : 1;
  if (found.size() != expected || !llvm::all_equal(found))
    return module.emitError("expected one model, at one level, got ")
           << found.size() << " models or programs";
  return found[0];
}

std::string ssm::descriptionHash(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os);
  return llvm::toHex(llvm::SHA256::hash(llvm::arrayRefFromStringRef(text)),
                     /*LowerCase=*/true);
}

/// Whether any weight matrix has 16 bits, at any level above the plan.
static bool hasHalfWeights(ModuleOp module) {
  return module
      .walk([](Operation *op) {
        auto isHalf = [](Type type) {
          auto tensor = dyn_cast<RankedTensorType>(type);
          return tensor && (tensor.getElementType().isBF16() ||
                            tensor.getElementType().isF16());
        };
        if (auto model = dyn_cast<ModelOp>(op))
          return model.getWeights() != WeightFormat::F32
                     ? WalkResult::interrupt()
                     : WalkResult::advance();
        if (auto weight = dyn_cast<WeightOp>(op))
          if (isHalf(weight.getResult().getType()))
            return WalkResult::interrupt();
        return WalkResult::advance();
      })
      .wasInterrupted();
}

namespace {
/// One image to make.
struct Request {
  Target target;
  /// Resolved: f32 or bf16.
  std::string precision;

  std::string name() const { return target.name + ", " + precision; }
};

/// Takes a module down, level by level.
class Lowering {
public:
  Lowering(ModuleOp module, Level level, const Request &request)
      : module(module), level(level), request(request) {}

  /// Down to `goal`, which is not above the module's level.
  LogicalResult to(Level goal);
  /// The kernels of the plan as functions; the plan learns their forms.
  FailureOr<OwningOpRef<ModuleOp>> emitKernels();

private:
  ModuleOp module;
  Level level;
  const Request &request;
};
} // namespace

LogicalResult Lowering::to(Level goal) {
  PassManager passes(module.getContext());
  if (level <= Level::Block && goal > Level::Block)
    buildExpandPipeline(passes);
  if (level <= Level::Ops && goal > Level::Ops)
    buildKernPipeline(passes, request.precision == "bf16"
                                  ? PrecisionPolicy::BF16
                                  : PrecisionPolicy::F32);
  if (level <= Level::Kern && goal > Level::Kern)
    buildCpuPlanPipeline(passes, request.target.name);
  level = goal;
  return passes.run(module);
}

FailureOr<OwningOpRef<ModuleOp>> Lowering::emitKernels() {
  auto program = *module.getOps<plan::ProgramOp>().begin();
  MLIRContext *context = module.getContext();
  Builder builder(context);
  program.setTarget(request.target.name);
  program.setFeaturesAttr(
      builder.getStrArrayAttr(request.target.requiredFeatures));
  OwningOpRef<ModuleOp> kernels = ModuleOp::create(module.getLoc());
  constexpr unsigned kSymbols = 4;
  for (auto kernel : program.getBody().getOps<plan::KernelOp>()) {
    FailureOr<SmallVector<KernelInfo>> forms = emitKernel(
        kernel.getComputation(), kernel.getSymName(), request.target, *kernels);
    if (failed(forms))
      return failure();
    SmallVector<Attribute> variants;
    for (const KernelInfo &form : *forms)
      variants.push_back(plan::VariantAttr::get(
          context, builder.getStringAttr(form.name), form.maxRows,
          AffineMap::get(0, kSymbols, form.grid),
          AffineMap::get(0, kSymbols, form.scratch)));
    kernel.setVariantsAttr(builder.getArrayAttr(variants));
  }
  return kernels;
}

LogicalResult ssm::lowerToOps(ModuleOp module) {
  FailureOr<Level> level = levelOf(module);
  if (failed(level))
    return failure();
  if (*level > Level::Ops)
    return module.emitError("expected block form or op form");
  Request none;
  return Lowering(module, *level, none).to(Level::Ops);
}

/// The images that `options` ask for, each once.
static FailureOr<std::vector<Request>>
resolveRequests(ModuleOp module, Level level, const CompileOptions &options) {
  std::vector<Request> requests;
  bool isHalf = hasHalfWeights(module);
  for (const std::string &name : options.targets) {
    llvm::Expected<Target> target = Target::lookup(name);
    if (!target)
      return module.emitError(llvm::toString(target.takeError()));
    for (std::string precision : options.precisions) {
      bool prefersHalf = isHalf && target->dotBf16 && !options.strict;
      if (precision == "auto")
        precision = prefersHalf ? "bf16" : "f32";
      if (precision != "f32" && precision != "bf16")
        return module.emitError("unknown precision '")
               << precision << "' (supported: auto, f32, bf16)";
      if (precision == "bf16" && level < Level::Kern && !isHalf)
        return module.emitError("precision bf16 needs weights of 16 bits, the "
                                "model has f32 (supported: auto, f32)");
      if (precision == "bf16" && options.strict)
        return module.emitError(
            "precision bf16 rounds, which --strict excludes");
      bool isNew = llvm::none_of(requests, [&](const Request &other) {
        return other.target.name == target->name &&
               other.precision == precision;
      });
      if (isNew)
        requests.push_back({*target, precision});
    }
  }
  return requests;
}

/// What all images share.
static void describe(plan::ProgramOp program, Artifact &artifact) {
  artifact.model = program.getSymName().str();
  artifact.hidden = program.getHidden();
  artifact.vocab = program.getVocab();
  if (auto ends = program.getEndTokens())
    artifact.endTokens.assign(ends->begin(), ends->end());
}

FailureOr<Artifact> ssm::compile(ModuleOp module,
                                 const CompileOptions &options) {
  FailureOr<Level> level = levelOf(module);
  if (failed(level))
    return failure();
  FailureOr<std::vector<Request>> requests =
      resolveRequests(module, *level, options);
  if (failed(requests))
    return failure();
  Artifact artifact;
  artifact.hash = descriptionHash(module);
  artifact.tokenizer = options.tokenizer;
  artifact.weights = hasHalfWeights(module) ? "16 bits" : "f32";
  if (auto models = module.getOps<ModelOp>(); !models.empty())
    artifact.weights = stringifyWeightFormat((*models.begin()).getWeights());
  size_t done = 0;
  for (const Request &request : *requests) {
    if (options.progress)
      options.progress(request.name(), done++, requests->size());
    OwningOpRef<ModuleOp> copy = module.clone();
    Lowering lowering(*copy, *level, request);
    if (failed(lowering.to(Level::Plan)))
      return failure();
    FailureOr<OwningOpRef<ModuleOp>> kernels = lowering.emitKernels();
    if (failed(kernels))
      return failure();
    FailureOr<Image> image = compileKernels(**kernels, request.target);
    if (failed(image))
      return failure();
    auto program = *copy->getOps<plan::ProgramOp>().begin();
    describe(program, artifact);
    if (failed(addVariant(artifact, program, *image)))
      return failure();
  }
  return artifact;
}

/// The level of IR that shows what `level` asks for.
static Level irLevelOf(EmitLevel level) {
  switch (level) {
  case EmitLevel::Block:
    return Level::Block;
  case EmitLevel::Ops:
    return Level::Ops;
  case EmitLevel::Kern:
    return Level::Kern;
  default:
    return Level::Plan;
  }
}

LogicalResult ssm::emitText(ModuleOp module, const CompileOptions &options,
                            EmitLevel emit, llvm::raw_pwrite_stream &stream) {
  FailureOr<Level> level = levelOf(module);
  if (failed(level))
    return failure();
  Level goal = irLevelOf(emit);
  if (goal < *level)
    return module.emitError("the input is below the level of --emit");
  FailureOr<std::vector<Request>> requests =
      resolveRequests(module, *level, options);
  if (failed(requests))
    return failure();
  const Request &request = requests->front();
  OwningOpRef<ModuleOp> copy = module.clone();
  Lowering lowering(*copy, *level, request);
  if (failed(lowering.to(goal)))
    return failure();
  if (emit <= EmitLevel::Kern) {
    copy->print(stream);
    return success();
  }
  FailureOr<OwningOpRef<ModuleOp>> kernels = lowering.emitKernels();
  if (failed(kernels))
    return failure();
  if (emit == EmitLevel::Plan) {
    copy->print(stream);
    return success();
  }
  EmitKind kind = emit == EmitLevel::Llvm       ? EmitKind::Llvm
                  : emit == EmitLevel::Assembly ? EmitKind::Assembly
                                                : EmitKind::Object;
  return printKernels(**kernels, request.target, kind, stream);
}
