//===- Compile.cpp - From tile functions to PTX ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Unlike CPU kernels these run through LLVM's middle end: LICM and strength
// reduction of 64-bit index arithmetic matter here, and every load is a
// thread's own. Loops stay as the emitters wrote them.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Gpu.h"
#include "codegen/gpu/TilePasses.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Threading.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <mutex>

using namespace mlir;
using namespace ssm::gpu;

void ssm::gpu::registerGpuCodegen(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, cf::ControlFlowDialect,
                  LLVM::LLVMDialect, math::MathDialect, NVVM::NVVMDialect,
                  scf::SCFDialect, tile::TileDialect, vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}

void ssm::gpu::buildTilePipeline(OpPassManager &passes) {
  passes.addPass(createCanonicalizerPass());
  // Masks become scf, so this is before scf becomes cf.
  passes.addPass(createExpandTilePass());
  passes.addPass(createCSEPass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createTileToNvvmPass());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createCheckDeviceCodePass());
}

const Image::Kernel *Image::find(StringRef name) const {
  for (const Kernel &kernel : kernels)
    if (kernel.name == name)
      return &kernel;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// LLVM
//===----------------------------------------------------------------------===//

/// The backend would merge neighbouring loads and fill gaps between them with
/// bytes that nobody has written. Emitters say what is one access.
static void disableLoadMerging() {
  auto &options = llvm::cl::getRegisteredOptions();
  auto found = options.find("disable-nvptx-load-store-vectorizer");
  if (found != options.end())
    static_cast<llvm::cl::opt<bool> *>(found->second)->setValue(true);
}

static FailureOr<std::unique_ptr<llvm::TargetMachine>>
createMachine(ModuleOp module, const Target &target) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    disableLoadMerging();
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *registered =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!registered)
    return module.emitError() << error;
  return std::unique_ptr<llvm::TargetMachine>(registered->createTargetMachine(
      triple, target.name, target.features, llvm::TargetOptions(), std::nullopt,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopUnrolling = tuning.LoopVectorization = tuning.SLPVectorization =
      tuning.LoopInterleaving = false;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(module, modules);
}

/// PTX of a module in the LLVM dialect.
static FailureOr<std::string> generatePtx(ModuleOp module,
                                          const Target &target) {
  FailureOr<std::unique_ptr<llvm::TargetMachine>> machine =
      createMachine(module, target);
  if (failed(machine))
    return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(module, context, "kernels");
  if (!translated)
    return module.emitError("cannot translate kernels to LLVM IR");
  translated->setDataLayout((*machine)->createDataLayout());
  translated->setTargetTriple((*machine)->getTargetTriple());
  optimize(*translated, **machine);
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr,
                                      llvm::CodeGenFileType::AssemblyFile))
    return module.emitError("target '") << target.name << "' cannot emit code";
  passes.run(*translated);
  return std::string(text.str());
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// A module that holds one module for each kernel of `module`.
static OwningOpRef<ModuleOp> splitKernels(ModuleOp module) {
  OwningOpRef<ModuleOp> outer = ModuleOp::create(module.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(outer->getBody());
  for (auto function : module.getOps<tile::FuncOp>()) {
    ModuleOp inner = ModuleOp::create(builder, function.getLoc());
    OpBuilder::atBlockEnd(inner.getBody()).clone(*function);
  }
  return outer;
}

static Image::Kernel describe(tile::FuncOp function) {
  int64_t dynamic = dynamicSharedBytes(function);
  return {function.getSymName().str(), int64_t(function.getBlock()),
          function.getSharedBytes() - dynamic, dynamic};
}

/// The part of a module of PTX behind its directives of version and target,
/// which stand once in a file.
static StringRef bodyOf(StringRef ptx) {
  constexpr StringLiteral kLastDirective = ".address_size 64\n";
  return ptx.drop_front(ptx.find(kLastDirective) + kLastDirective.size());
}

FailureOr<Image> ssm::gpu::compileKernels(ModuleOp module, const Target &target,
                                          Assemble assembly) {
  Image image;
  for (auto function : module.getOps<tile::FuncOp>()) {
    image.kernels.push_back(describe(function));
    if (function.getSharedBytes() > target.sharedBytes)
      return function.emitOpError("needs ")
             << function.getSharedBytes() << " bytes of shared memory, target '"
             << target.name << "' has " << target.sharedBytes;
  }
  OwningOpRef<ModuleOp> split = splitKernels(module);
  PassManager pm(module.getContext());
  buildTilePipeline(pm.nest<ModuleOp>());
  if (failed(pm.run(*split)))
    return failure();
  SmallVector<ModuleOp> parts(split->getOps<ModuleOp>());
  std::vector<std::string> texts(parts.size());
  auto compilePart = [&](size_t index) -> LogicalResult {
    FailureOr<std::string> text = generatePtx(parts[index], target);
    if (succeeded(text))
      texts[index] = std::move(*text);
    return text;
  };
  if (failed(failableParallelForEachN(module.getContext(), 0, parts.size(),
                                      compilePart)))
    return failure();
  for (StringRef text : texts)
    image.ptx += image.ptx.empty() ? text : bodyOf(text);
  std::optional<std::string> assembler =
      assembly == Assemble::IfPresent ? findAssembler() : std::nullopt;
  if (assembler)
    if (llvm::Error error = assemble(*assembler, target, image))
      return module.emitError(llvm::toString(std::move(error)));
  return image;
}

LogicalResult ssm::gpu::printNvvm(ModuleOp module, llvm::raw_ostream &stream) {
  OwningOpRef<ModuleOp> lowered = module.clone();
  PassManager pm(module.getContext());
  buildTilePipeline(pm);
  if (failed(pm.run(*lowered)))
    return failure();
  lowered->print(stream);
  return success();
}
