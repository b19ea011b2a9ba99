//===- ThisMachine.cpp - Prices and times of the CPU at hand --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A description of this machine: limits as tools/bench measures them, and the
// shares of them that kernels reach, found by timing a model of a few layers
// kernel by kernel and dividing by what its price says.
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Explore.h"

#include "codegen/Driver.h"
#include "mlir/Parser/Parser.h"
#include "runtime/MappedFile.h"
#include "runtime/Model.h"
#include "tools/bench/ModelBench.h"
#include "llvm/Support/FormatVariadic.h"

#include <unistd.h>

using namespace ssm;

/// Layers of each kind, wide enough that weights come from memory.
static constexpr llvm::StringLiteral kCalibration = R"mlir(
ssm.model @calibration hidden(1024) vocab(8192) weights(f32) {
  ssm.embed "e"
  ssm.layer norm(<rms, eps = 1.0e-5>, "n0") { ssm.block "m0" #ssm.mamba2<heads = 32, head_dim = 64, state = 128, groups = 8, conv = 4> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "n1") { ssm.block "f0" #ssm.mlp<inner = 4096, activation = gelu> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "n2") { ssm.block "a0" #ssm.attention<heads = 16, kv_heads = 4, head_dim = 64> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "n3") { ssm.block "m1" #ssm.mamba2<heads = 32, head_dim = 64, state = 128, groups = 8, conv = 4> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "n4") { ssm.block "f1" #ssm.mlp<inner = 4096, activation = gelu> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "n5") { ssm.block "a1" #ssm.attention<heads = 16, kv_heads = 4, head_dim = 64> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "n6") { ssm.block "s0" #ssm.mamba<inner = 2048, state = 16, conv = 4, dt_rank = 64> }
  ssm.head "h" norm(<rms, eps = 1.0e-5>, "n7")
}
)mlir";

/// So narrow that a step is all launches.
static constexpr llvm::StringLiteral kLaunches = R"mlir(
ssm.model @launches hidden(16) vocab(16) weights(f32) {
  ssm.embed "e"
  ssm.layer norm(<rms, eps = 1.0e-5>, "n0") { ssm.block "f0" #ssm.mlp<inner = 16, activation = relu2> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "n1") { ssm.block "f1" #ssm.mlp<inner = 16, activation = relu2> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "n2") { ssm.block "f2" #ssm.mlp<inner = 16, activation = relu2> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "n3") { ssm.block "f3" #ssm.mlp<inner = 16, activation = relu2> }
  ssm.head "h" norm(<rms, eps = 1.0e-5>, "n4")
}
)mlir";

/// Compiles and times the model of `module` with random weights.
static llvm::Expected<ssmbench::BenchResult>
benchHere(mlir::ModuleOp module, const ssmbench::BenchOptions &bench,
          int threads) {
  mlir::FailureOr<Artifact> artifact = compile(module, CompileOptions());
  if (failed(artifact))
    return llvm::createStringError("cannot be compiled for this machine");
  auto file =
      ssmrt::MappedFile::fromBytes(artifact->model, artifactBytes(*artifact));
  auto parsed = ssmrt::Artifact::parse(std::move(file));
  if (!parsed)
    return llvm::createStringError(parsed.status().message);
  ssmrt::ModelOptions options;
  options.weights = "random:1";
  options.threads = threads;
  auto model = ssmrt::Model::load(std::move(*parsed), options);
  if (!model)
    return llvm::createStringError(model.status().message);
  auto result = ssmbench::benchmark(std::move(*model), bench);
  if (!result)
    return llvm::createStringError(result.status().message);
  return std::move(*result);
}

/// `device` with the limits that `result` measured.
static Device withLimits(Device device, const ssmbench::BenchResult &result) {
  device.bandwidth = result.readRate;
  device.f32Flops = result.fmaRate;
  device.bf16Flops = std::max(result.dotRate, result.fmaRate);
  return device;
}

llvm::Expected<Measured> ssm::measureHere(mlir::ModuleOp module,
                                          const Device &device, int64_t context,
                                          int64_t batch, int threads) {
  ssmbench::BenchOptions bench;
  bench.promptLength = bench.context = context;
  bench.batch = batch;
  bench.generatedLength = 16;
  auto result = benchHere(module, bench, threads);
  if (!result)
    return result.takeError();
  Measured measured;
  measured.prefill = result->bestPrefill;
  measured.decode = result->bestStep;
  measured.medianPrefill = result->medianPrefill;
  measured.medianDecode = result->medianStep;
  Price price = ModelPricer(withLimits(device, *result), context, batch)
                    .total(*module.getOps<ModelOp>().begin());
  measured.predictedPrefill = price.prefill.seconds;
  measured.predictedDecode = price.decode.seconds;
  return measured;
}

/// What a kernel spends its time on, by its name.
static PartKind kindOf(llvm::StringRef kernel) {
  if (kernel.starts_with("gemm"))
    return PartKind::Product;
  if (kernel.starts_with("conv"))
    return PartKind::Convolution;
  if (kernel.starts_with("scan"))
    return PartKind::Scan;
  if (kernel.starts_with("ss"))
    return PartKind::Ssd;
  if (kernel.starts_with("attention") || kernel.starts_with("kv"))
    return PartKind::Attention;
  return PartKind::Rows;
}

/// Sets shares so that the price of each kind is what its kernels took.
static void fitShares(const std::vector<ssmbench::KernelShare> &kernels,
                      double launchSeconds, const Work &work,
                      std::array<Device::Shares, kPartKinds> &shares) {
  std::array<double, kPartKinds> measured = {};
  for (const ssmbench::KernelShare &kernel : kernels)
    measured[size_t(kindOf(kernel.kernel))] +=
        std::max(kernel.seconds - double(kernel.launches) * launchSeconds,
                 0.1 * kernel.seconds);
  for (size_t kind = 0; kind < kPartKinds; ++kind)
    if (measured[kind] > 0 && work.kindSeconds[kind] > 0)
      shares[kind].flops = shares[kind].bytes =
          work.kindSeconds[kind] / measured[kind];
}

llvm::Expected<Device> ssm::describeThisMachine(int threads) {
  mlir::DialectRegistry registry;
  registerCompiler(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  auto parse = [&](llvm::StringRef text) {
    return mlir::parseSourceString<mlir::ModuleOp>(
        text, mlir::ParserConfig(&context));
  };
  ssmbench::BenchOptions bench;
  bench.promptLength = 64;
  bench.context = 0;
  auto launches = parse(kLaunches);
  auto small = benchHere(*launches, bench, threads);
  if (!small)
    return small.takeError();

  bench.promptLength = bench.context = 512;
  bench.generatedLength = 16;
  auto module = parse(kCalibration);
  auto result = benchHere(*module, bench, threads);
  if (!result)
    return result.takeError();

  Device device;
  device.key = "here";
  device.name = llvm::formatv("this CPU ({0}, {1} threads)", result->target,
                              result->threads);
  device.memoryBytes =
      double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGE_SIZE));
  device = withLimits(std::move(device), *result);
  device.convStateBytes = 4;
  ModelOp model = *module->getOps<ModelOp>().begin();
  ModelOp smallModel = *launches->getOps<ModelOp>().begin();
  ModelPricer pricer(device, bench.context, bench.batch);
  device.launchSeconds =
      small->bestStep / double(pricer.total(smallModel).decode.launches);
  Price price = pricer.total(model);
  fitShares(result->prefillKernels, device.launchSeconds, price.prefill,
            device.prefill);
  fitShares(result->stepKernels, device.launchSeconds, price.decode,
            device.decode);
  return device;
}
