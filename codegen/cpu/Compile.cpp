//===- Compile.cpp - From kernel functions to machine code ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels are explicit: scf loops over i64, 1-D vectors, raw pointers. So there
// is nothing for the LLVM middle end to do; it would only unroll what the
// emitters have placed in registers. The functions go straight to the code
// generator.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Cpu.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/IR/Threading.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <mutex>

using namespace mlir;
using namespace ssm;

void ssm::registerCpuCodegen(DialectRegistry &registry) {
  registry
      .insert<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
              LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect,
              vector::VectorDialect, x86vector::X86VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

/// Kernels as LLVM dialect. Order: control flow before what it carries, cf and
/// func last because the conversions before them still look at block arguments.
static void buildPipeline(OpPassManager &pm, const Target &target) {
  ConvertVectorToLLVMPassOptions vectorOptions;
  vectorOptions.x86Vector = target.isX86();
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertVectorToLLVMPass(vectorOptions));
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

static void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
  });
}

static FailureOr<std::unique_ptr<llvm::TargetMachine>>
createMachine(ModuleOp module, const Target &target) {
  initializeTargets();
  llvm::Triple triple(target.triple);
  std::string error;
  const llvm::Target *registered =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!registered)
    return module.emitError() << error;
  return std::unique_ptr<llvm::TargetMachine>(registered->createTargetMachine(
      triple, target.cpu, target.features, llvm::TargetOptions(),
      llvm::Reloc::PIC_, llvm::CodeModel::Small,
      llvm::CodeGenOptLevel::Aggressive));
}

/// Translates a module in the LLVM dialect.
static FailureOr<std::unique_ptr<llvm::Module>>
translate(ModuleOp module, llvm::LLVMContext &context,
          const llvm::TargetMachine &machine) {
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(module, context, "kernels");
  if (!translated)
    return module.emitError("cannot translate kernels to LLVM IR");
  translated->setDataLayout(machine.createDataLayout());
  translated->setTargetTriple(machine.getTargetTriple());
  return translated;
}

static LogicalResult generateCode(ModuleOp module, const Target &target,
                                  llvm::CodeGenFileType type,
                                  llvm::raw_pwrite_stream &stream) {
  FailureOr<std::unique_ptr<llvm::TargetMachine>> machine =
      createMachine(module, target);
  if (failed(machine))
    return failure();
  llvm::LLVMContext context;
  FailureOr<std::unique_ptr<llvm::Module>> translated =
      translate(module, context, **machine);
  if (failed(translated))
    return failure();
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, type))
    return module.emitError("target '") << target.name << "' cannot emit code";
  passes.run(**translated);
  return success();
}

/// Copies `symbol` and all symbols that it needs from `table` to `module`.
static void copySymbol(Operation *symbol, const SymbolTable &table,
                       ModuleOp module, llvm::DenseSet<Operation *> &copied) {
  if (!copied.insert(symbol).second)
    return;
  OpBuilder::atBlockEnd(module.getBody()).clone(*symbol);
  std::optional<SymbolTable::UseRange> uses =
      SymbolTable::getSymbolUses(symbol);
  for (const SymbolTable::SymbolUse &use : *uses)
    if (Operation *used =
            table.lookup(use.getSymbolRef().getRootReference().getValue()))
      copySymbol(used, table, module, copied);
}

/// A module that holds one module for each public function of `module`.
static OwningOpRef<ModuleOp> splitKernels(ModuleOp module) {
  OwningOpRef<ModuleOp> outer = ModuleOp::create(module.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(outer->getBody());
  SymbolTable table(module);
  for (auto function : module.getOps<FunctionOpInterface>()) {
    if (!function.isPublic())
      continue;
    ModuleOp inner = ModuleOp::create(builder, function.getLoc());
    llvm::DenseSet<Operation *> copied;
    copySymbol(function, table, inner, copied);
  }
  return outer;
}

FailureOr<Image> ssm::compileKernels(ModuleOp module, const Target &target) {
  OwningOpRef<ModuleOp> split = splitKernels(module);
  PassManager pm(module.getContext());
  buildPipeline(pm.nest<ModuleOp>(), target);
  if (failed(pm.run(*split)))
    return failure();

  SmallVector<ModuleOp> parts(split->getOps<ModuleOp>());
  std::vector<SmallVector<char, 0>> objects(parts.size());
  auto compilePart = [&](size_t index) -> LogicalResult {
    llvm::raw_svector_ostream stream(objects[index]);
    return generateCode(parts[index], target, llvm::CodeGenFileType::ObjectFile,
                        stream);
  };
  if (failed(failableParallelForEachN(module.getContext(), 0, parts.size(),
                                      compilePart)))
    return failure();

  SmallVector<llvm::MemoryBufferRef> buffers;
  for (const SmallVector<char, 0> &object : objects)
    buffers.emplace_back(StringRef(object.data(), object.size()), "kernels");
  llvm::Expected<Image> image = makeImage(buffers);
  if (!image)
    return module.emitError() << llvm::toString(image.takeError());
  return std::move(*image);
}

LogicalResult ssm::printKernels(ModuleOp module, const Target &target,
                                EmitKind kind,
                                llvm::raw_pwrite_stream &stream) {
  OwningOpRef<ModuleOp> lowered = module.clone();
  PassManager pm(module.getContext());
  buildPipeline(pm, target);
  if (failed(pm.run(*lowered)))
    return failure();
  if (kind != EmitKind::Llvm)
    return generateCode(*lowered, target,
                        kind == EmitKind::Assembly
                            ? llvm::CodeGenFileType::AssemblyFile
                            : llvm::CodeGenFileType::ObjectFile,
                        stream);
  FailureOr<std::unique_ptr<llvm::TargetMachine>> machine =
      createMachine(module, target);
  if (failed(machine))
    return failure();
  llvm::LLVMContext context;
  FailureOr<std::unique_ptr<llvm::Module>> translated =
      translate(*lowered, context, **machine);
  if (failed(translated))
    return failure();
  (*translated)->print(stream, nullptr);
  return success();
}
