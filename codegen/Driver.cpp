//===- Driver.cpp - From a model to an artifact ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Driver.h"

#include "codegen/cpu/Cpu.h"
#include "codegen/gpu/Gpu.h"
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
      .Case("tile", EmitLevel::Tile)
      .Case("nvvm", EmitLevel::Nvvm)
      .Case("ptx", EmitLevel::Ptx)
      .Default(std::nullopt);
}

void ssm::registerCompiler(DialectRegistry &registry) {
  registry.insert<SsmDialect, kern::KernDialect, plan::PlanDialect,
                  func::FuncDialect>();
  registerCpuCodegen(registry);
  ssm::gpu::registerGpuCodegen(registry);
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
  // A model's name is that of its folder, which may be moved.
  OwningOpRef<ModuleOp> nameless = module.clone();
  for (ModelOp model : nameless->getOps<ModelOp>())
    model.setSymName("model");
  std::string text;
  llvm::raw_string_ostream os(text);
  nameless->print(os);
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
  /// The target: of a CPU, unless `gpu` names one.
  Target cpu;
  const ssm::gpu::Target *gpu = nullptr;
  /// Resolved: f32 or bf16.
  std::string precision;

  std::string targetName() const { return gpu ? gpu->name.str() : cpu.name; }
  std::string name() const { return targetName() + ", " + precision; }
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
    request.gpu ? buildGpuPlanPipeline(passes, request.gpu->name)
                : buildCpuPlanPipeline(passes, request.cpu.name);
  level = goal;
  return passes.run(module);
}

/// The attribute for a compiled form.
static plan::VariantAttr variantOf(MLIRContext *context,
                                   const KernelInfo &form) {
  constexpr unsigned kSymbols = 4;
  return plan::VariantAttr::get(
      context, StringAttr::get(context, form.name), form.maxRows,
      AffineMap::get(0, kSymbols, form.grid),
      AffineMap::get(0, kSymbols, form.scratch), /*block=*/0, /*shared=*/0);
}

static plan::VariantAttr variantOf(MLIRContext *context,
                                   const ssm::gpu::KernelInfo &form) {
  constexpr unsigned kSymbols = 4;
  AffineExpr scratch =
      form.scratch ? form.scratch : getAffineConstantExpr(0, context);
  return plan::VariantAttr::get(
      context, StringAttr::get(context, form.name), form.maxRows,
      AffineMap::get(0, kSymbols, form.grid),
      AffineMap::get(0, kSymbols, scratch), form.block, form.shared);
}

/// The name of the kernel that makes the logits of a step of `program`.
static StringRef headOf(plan::ProgramOp program) {
  StringRef head;
  for (auto body : program.getBody().getOps<plan::BodyOp>()) {
    if (body.getSymName() != program.getLayers().getAfter())
      continue;
    for (auto launch : body.getStep().getOps<plan::LaunchOp>())
      for (plan::ArgumentAttr slot : launch.getArgs().getSlots())
        if (slot.getKind() == plan::ArgumentKind::Buffer &&
            slot.getSymbol() == program.getLogitsAttr())
          head = launch.getKernel();
  }
  return head;
}

/// Gives `kernel` its compiled forms, unless there are none after a diagnostic.
template <typename FormT>
static LogicalResult setForms(plan::KernelOp kernel,
                              FailureOr<SmallVector<FormT>> forms) {
  if (failed(forms))
    return failure();
  MLIRContext *context = kernel.getContext();
  SmallVector<Attribute> variants;
  for (const FormT &form : *forms)
    variants.push_back(variantOf(context, form));
  kernel.setVariantsAttr(ArrayAttr::get(context, variants));
  return success();
}

FailureOr<OwningOpRef<ModuleOp>> Lowering::emitKernels() {
  auto program = *module.getOps<plan::ProgramOp>().begin();
  Builder builder(module.getContext());
  program.setTarget(request.targetName());
  program.setFeaturesAttr(builder.getStrArrayAttr(
      request.gpu ? ArrayRef<StringRef>() : request.cpu.requiredFeatures));
  OwningOpRef<ModuleOp> kernels = ModuleOp::create(module.getLoc());
  StringRef head = headOf(program);
  for (auto kernel : program.getBody().getOps<plan::KernelOp>()) {
    Operation *op = kernel.getComputation();
    StringRef name = kernel.getSymName();
    if (failed(request.gpu
                   ? setForms(kernel, emitKernel(op, name, *request.gpu,
                                                 *kernels, name == head))
                   : setForms(kernel,
                              emitKernel(op, name, request.cpu, *kernels))))
      return failure();
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

/// The target called `name`, without a precision.
static FailureOr<Request> requestFor(ModuleOp module, StringRef name) {
  Request request;
  request.gpu = ssm::gpu::Target::lookup(name);
  if (request.gpu)
    return request;
  llvm::Expected<Target> target = Target::lookup(name);
  if (!target) {
    std::string message = llvm::toString(target.takeError());
    StringRef text = message;
    text.consume_back(")");
    InFlightDiagnostic diag = module.emitError() << text;
    for (const ssm::gpu::Target &device : ssm::gpu::Target::all())
      diag << ", " << device.name;
    return diag << ")";
  }
  request.cpu = *target;
  return request;
}

/// The precision that `precision` means on a target; says what is wrong with
/// it.
static FailureOr<std::string> resolvePrecision(ModuleOp module, Level level,
                                               const Request &request,
                                               std::string precision,
                                               bool strict) {
  bool isHalf = hasHalfWeights(module);
  // What tensor cores take is for the forms that use them.
  bool prefersHalf = isHalf && !request.gpu && request.cpu.dotBf16 && !strict;
  if (precision == "auto")
    precision = prefersHalf ? "bf16" : "f32";
  if (precision != "f32" && precision != "bf16")
    return module.emitError("unknown precision '")
           << precision << "' (supported: auto, f32, bf16)";
  if (precision == "bf16" && level < Level::Kern && !isHalf)
    return module.emitError("precision bf16 needs weights of 16 bits, the "
                            "model has f32 (supported: auto, f32)");
  if (precision == "bf16" && strict)
    return module.emitError("precision bf16 rounds, which --strict excludes");
  return precision;
}

/// The images that `options` ask for, each once.
static FailureOr<std::vector<Request>>
resolveRequests(ModuleOp module, Level level, const CompileOptions &options) {
  std::vector<Request> requests;
  for (const std::string &name : options.targets) {
    FailureOr<Request> request = requestFor(module, name);
    if (failed(request))
      return failure();
    for (const std::string &precision : options.precisions) {
      FailureOr<std::string> resolved =
          resolvePrecision(module, level, *request, precision, options.strict);
      if (failed(resolved))
        return failure();
      request->precision = *resolved;
      if (llvm::none_of(requests, [&](const Request &other) {
            return other.name() == request->name();
          }))
        requests.push_back(*request);
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

/// Compiles `kernels`, which `program` launches.
template <typename TargetT>
static LogicalResult addImage(Artifact &artifact, plan::ProgramOp program,
                              ModuleOp kernels, const TargetT &target) {
  auto image = compileKernels(kernels, target);
  if (failed(image))
    return failure();
  return addVariant(artifact, program, *image);
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
    auto program = *copy->getOps<plan::ProgramOp>().begin();
    describe(program, artifact);
    if (failed(request.gpu
                   ? addImage(artifact, program, **kernels, *request.gpu)
                   : addImage(artifact, program, **kernels, request.cpu)))
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

/// The form of CPU code that `level` asks for.
static std::optional<EmitKind> emitKindOf(EmitLevel level) {
  switch (level) {
  case EmitLevel::Llvm:
    return EmitKind::Llvm;
  case EmitLevel::Assembly:
    return EmitKind::Assembly;
  case EmitLevel::Object:
    return EmitKind::Object;
  default:
    return std::nullopt;
  }
}

/// Writes the kernels of a GPU.
static LogicalResult emitGpuText(ModuleOp kernels,
                                 const ssm::gpu::Target &target,
                                 EmitLevel level, llvm::raw_ostream &stream) {
  if (level == EmitLevel::Tile) {
    kernels.print(stream);
    return success();
  }
  if (level == EmitLevel::Nvvm)
    return ssm::gpu::printNvvm(kernels, stream);
  if (level != EmitLevel::Ptx)
    return kernels.emitError("expected a CPU target for --emit=llvm, asm or "
                             "obj, got '")
           << target.name << "'";
  FailureOr<ssm::gpu::Image> image =
      ssm::gpu::compileKernels(kernels, target, ssm::gpu::Assemble::Never);
  if (succeeded(image))
    stream << image->ptx;
  return image;
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
  if (requests->size() != 1)
    return module.emitError("--emit shows one image, got ")
           << requests->size() << " (expected one target, one precision)";
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
  if (request.gpu)
    return emitGpuText(**kernels, *request.gpu, emit, stream);
  std::optional<EmitKind> kind = emitKindOf(emit);
  if (!kind)
    return module.emitError("expected a GPU target for --emit=tile, nvvm or "
                            "ptx, got '")
           << request.cpu.name << "'";
  return printKernels(**kernels, request.cpu, *kind, stream);
}
