//===- kern-compile.cpp - Shows the code of kern operations ---------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// kern-compile in.mlir --target=x86-64-v4 --emit=asm -o -
// kern-compile in.mlir --target=sm_80 --emit=ptx -o -
//
// Emits every kernel operation of the input, wherever it stands; kernels are
// named kernel_0, kernel_1, ... in the order of the text.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Cpu.h"
#include "codegen/gpu/Gpu.h"
#include "dialect/Kern.h"
#include "dialect/Ssm.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;

namespace cl = llvm::cl;

static cl::opt<std::string> inputName(cl::Positional, cl::init("-"),
                                      cl::desc("<input .mlir>"));
static cl::opt<std::string> outputName("o", cl::init("-"), cl::desc("output"));
static cl::opt<std::string> targetName("target", cl::init("native"),
                                       cl::desc("target to compile for"));

namespace {
enum class Emit { Kernels, Llvm, Assembly, Object, Image, Nvvm, Ptx, Report };
} // namespace

static cl::opt<Emit> emitKind(
    "emit", cl::init(Emit::Assembly), cl::desc("form of the output"),
    cl::values(clEnumValN(Emit::Kernels, "kernels", "kernels as MLIR"),
               clEnumValN(Emit::Llvm, "llvm", "LLVM IR"),
               clEnumValN(Emit::Assembly, "asm", "assembly"),
               clEnumValN(Emit::Object, "obj", "ELF object"),
               clEnumValN(Emit::Image, "image", "table of the flat image"),
               clEnumValN(Emit::Nvvm, "nvvm", "GPU: LLVM dialect"),
               clEnumValN(Emit::Ptx, "ptx", "GPU: PTX"),
               clEnumValN(Emit::Report, "report",
                          "GPU: registers and spills, by ptxas")));

static bool isKernel(Operation *op) {
  return isa_and_nonnull<kern::KernDialect>(op->getDialect()) &&
         !isa<kern::ColumnsOp, kern::YieldOp>(op);
}

/// Calls `emit` for each kernel of `source`, with its name.
static LogicalResult
emitKernels(ModuleOp source,
            function_ref<LogicalResult(Operation *, StringRef)> emit) {
  int64_t count = 0;
  WalkResult walked = source.walk([&](Operation *op) {
    if (!isKernel(op))
      return WalkResult::advance();
    std::string name = "kernel_" + std::to_string(count++);
    return failed(emit(op, name)) ? WalkResult::interrupt()
                                  : WalkResult::advance();
  });
  return failure(walked.wasInterrupted());
}

static LogicalResult printImage(ModuleOp kernels, const ssm::Target &target,
                                llvm::raw_ostream &stream) {
  FailureOr<ssm::Image> image = ssm::compileKernels(kernels, target);
  if (failed(image))
    return failure();
  for (const ssm::Image::Kernel &kernel : image->kernels)
    stream << kernel.name << " " << kernel.size << " bytes\n";
  return success();
}

static LogicalResult write(ModuleOp kernels, const ssm::Target &target,
                           llvm::raw_fd_ostream &stream) {
  switch (emitKind) {
  case Emit::Kernels:
    kernels.print(stream);
    return success();
  case Emit::Image:
    return printImage(kernels, target, stream);
  case Emit::Llvm:
    return ssm::printKernels(kernels, target, ssm::EmitKind::Llvm, stream);
  case Emit::Assembly:
    return ssm::printKernels(kernels, target, ssm::EmitKind::Assembly, stream);
  case Emit::Object:
    return ssm::printKernels(kernels, target, ssm::EmitKind::Object, stream);
  default:
    return kernels.emitError("expected kernels, llvm, asm, obj or image for "
                             "target '")
           << target.name << "'";
  }
}

static LogicalResult write(ModuleOp kernels, const ssm::gpu::Target &target,
                           llvm::raw_fd_ostream &stream) {
  if (emitKind == Emit::Kernels) {
    kernels.print(stream);
    return success();
  }
  if (emitKind == Emit::Nvvm)
    return ssm::gpu::printNvvm(kernels, stream);
  bool wantsReport = emitKind == Emit::Report;
  if (emitKind != Emit::Ptx && !wantsReport)
    return kernels.emitError("expected kernels, nvvm, ptx or report for "
                             "target '")
           << target.name << "'";
  FailureOr<ssm::gpu::Image> image = ssm::gpu::compileKernels(
      kernels, target,
      wantsReport ? ssm::gpu::Assemble::IfPresent : ssm::gpu::Assemble::Never);
  if (failed(image))
    return failure();
  if (!wantsReport)
    stream << image->ptx;
  for (const ssm::gpu::KernelReport &report : image->reports)
    stream << report.name << ": " << report.registers << " registers, "
           << report.sharedBytes << " bytes shared, " << report.spillBytes
           << " bytes spilled, " << report.stackBytes << " bytes stack\n";
  return success();
}

/// Compiles for one target, by the emitters of its kind.
template <typename TargetT>
static LogicalResult run(ModuleOp source, const TargetT &target,
                         llvm::raw_fd_ostream &stream) {
  OwningOpRef<ModuleOp> kernels = ModuleOp::create(source.getLoc());
  auto emit = [&](Operation *op, StringRef name) -> LogicalResult {
    return emitKernel(op, name, target, *kernels);
  };
  if (failed(emitKernels(source, emit)))
    return failure();
  return write(*kernels, target, stream);
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Code of kern operations\n");

  DialectRegistry registry;
  registry.insert<func::FuncDialect, kern::KernDialect, ssm::SsmDialect>();
  ssm::registerCpuCodegen(registry);
  ssm::gpu::registerGpuCodegen(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();

  OwningOpRef<ModuleOp> source = parseSourceFile<ModuleOp>(inputName, &context);
  if (!source)
    return 1;
  std::string error;
  std::unique_ptr<llvm::ToolOutputFile> output =
      openOutputFile(outputName, &error);
  if (!output) {
    llvm::errs() << "kern-compile: " << error << "\n";
    return 1;
  }
  LogicalResult written = failure();
  if (const auto *gpu = ssm::gpu::Target::lookup(targetName)) {
    written = run(*source, *gpu, output->os());
  } else {
    llvm::Expected<ssm::Target> cpu = ssm::Target::lookup(targetName);
    if (!cpu) {
      llvm::errs() << "kern-compile: " << llvm::toString(cpu.takeError())
                   << "\n";
      return 1;
    }
    written = run(*source, *cpu, output->os());
  }
  if (failed(written))
    return 1;
  output->keep();
  return 0;
}
