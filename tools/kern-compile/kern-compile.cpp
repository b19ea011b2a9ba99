//===- kern-compile.cpp - Shows the CPU code of kern operations -----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// kern-compile in.mlir --target=x86-64-v4 --emit=asm -o -
//
// Emits every kernel operation of the input, wherever it stands; kernels are
// named kernel_0, kernel_1, ... in the order of the text.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Cpu.h"
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
enum class Emit { Kernels, Llvm, Assembly, Object, Image };
} // namespace

static cl::opt<Emit> emitKind(
    "emit", cl::init(Emit::Assembly), cl::desc("form of the output"),
    cl::values(clEnumValN(Emit::Kernels, "kernels", "kernels as MLIR"),
               clEnumValN(Emit::Llvm, "llvm", "LLVM IR"),
               clEnumValN(Emit::Assembly, "asm", "assembly"),
               clEnumValN(Emit::Object, "obj", "ELF object"),
               clEnumValN(Emit::Image, "image", "table of the flat image")));

static bool isKernel(Operation *op) {
  return isa_and_nonnull<kern::KernDialect>(op->getDialect()) &&
         !isa<kern::ColumnsOp, kern::YieldOp>(op);
}

/// Emits all kernels of `source` into `kernels`.
static LogicalResult emitKernels(ModuleOp source, const ssm::Target &target,
                                 ModuleOp kernels) {
  int64_t count = 0;
  WalkResult walked = source.walk([&](Operation *op) {
    if (!isKernel(op))
      return WalkResult::advance();
    std::string name = "kernel_" + std::to_string(count++);
    return failed(ssm::emitKernel(op, name, target, kernels))
               ? WalkResult::interrupt()
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
  }
  return failure();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "CPU code of kern operations\n");

  llvm::Expected<ssm::Target> target = ssm::Target::lookup(targetName);
  if (!target) {
    llvm::errs() << "kern-compile: " << llvm::toString(target.takeError())
                 << "\n";
    return 1;
  }
  DialectRegistry registry;
  registry.insert<func::FuncDialect, kern::KernDialect, ssm::SsmDialect>();
  ssm::registerCpuCodegen(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();

  OwningOpRef<ModuleOp> source = parseSourceFile<ModuleOp>(inputName, &context);
  if (!source)
    return 1;
  OwningOpRef<ModuleOp> kernels = ModuleOp::create(source->getLoc());
  std::string error;
  std::unique_ptr<llvm::ToolOutputFile> output =
      openOutputFile(outputName, &error);
  if (!output) {
    llvm::errs() << "kern-compile: " << error << "\n";
    return 1;
  }
  if (failed(emitKernels(*source, *target, *kernels)))
    return 1;
  if (failed(write(*kernels, *target, output->os())))
    return 1;
  output->keep();
  return 0;
}
