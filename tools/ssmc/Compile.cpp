//===- Compile.cpp - ssmc compile -----------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Compile.h"

#include "codegen/cpu/Target.h"
#include "passes/placement/Rewrites.h"
#include "runtime/WeightStore.h"
#include "runtime/cuda/Gpu.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"

using namespace ssm;

namespace {
struct CompileFlags {
  std::string model, output, emit;
  bool embedWeights = false;
  /// Where the embedded weights come from; default: the model's folder.
  std::string weights;
  CompileOptions options;
};
} // namespace

/// Shows on a terminal which image is being made.
static void showImage(const std::string &image, size_t done, size_t total) {
  if (!llvm::sys::Process::StandardErrIsDisplayed())
    return;
  llvm::errs() << "\r\033[Kcompiling " << image << " (" << done + 1 << " of "
               << total << ")";
}

/// Erases what `showImage` wrote.
static void endProgress() {
  if (llvm::sys::Process::StandardErrIsDisplayed())
    llvm::errs() << "\r\033[K";
}

/// Bytes of the model's tokenizer, empty if it has none.
static std::string readTokenizer(const ImportReport &report) {
  if (report.tokenizer.empty())
    return {};
  auto buffer = llvm::MemoryBuffer::getFile(report.tokenizer);
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

static mlir::FailureOr<Artifact> compileImported(mlir::ModuleOp module,
                                                 const ImportReport &report,
                                                 CompileOptions options) {
  options.tokenizer = readTokenizer(report);
  options.progress = showImage;
  mlir::FailureOr<Artifact> artifact = compile(module, options);
  endProgress();
  return artifact;
}

static int compileToFile(const CompileFlags &flags) {
  Session session;
  ImportReport report;
  auto module = session.import(flags.model, report);
  if (!module)
    return kBadInput;
  mlir::FailureOr<Artifact> artifact =
      compileImported(*module, report, flags.options);
  if (failed(artifact))
    return kBadInput;
  std::string weights = flags.weights.empty() ? flags.model : flags.weights;
  if (flags.embedWeights)
    if (llvm::Error error = embedWeights(*artifact, weights))
      return fail(llvm::toString(std::move(error)));
  if (llvm::Error error = writeArtifact(*artifact, flags.output))
    return fail(llvm::toString(std::move(error)));
  return kDone;
}

bool ssm::isArtifact(const std::string &path) {
  return llvm::StringRef(path).ends_with(".ssmx");
}

/// A path that changes with the model, the options and the compiler.
static std::string cachePath(mlir::ModuleOp module,
                             const std::string &tokenizer,
                             const CompileOptions &options) {
  std::string text =
      SSMC_VERSION "\n" + options.precisions.front() + "\n" + tokenizer + "\n";
  llvm::raw_string_ostream os(text);
  llvm::interleave(options.targets, os, "\n");
  if (llvm::Expected<Target> host = Target::lookup("native"))
    os << host->cpu << host->features << "\n";
  else
    llvm::consumeError(host.takeError());
  module.print(os);
  std::string self = llvm::sys::fs::getMainExecutable(nullptr, nullptr);
  llvm::sys::fs::file_status status;
  if (!llvm::sys::fs::status(self, status))
    os << status.getLastModificationTime().time_since_epoch().count();
  auto digest = llvm::SHA256::hash(llvm::arrayRefFromStringRef(text));
  return ssmrt::cacheFolder() + "/" + llvm::toHex(digest, true).substr(0, 32) +
         ".ssmx";
}

/// What to compile for, so that `device` can run it: PTX for the oldest chip
/// runs on all. "auto" takes the GPU where there is one, and the CPU where that
/// one is too old or too small.
static std::vector<std::string> targetsFor(const std::string &device) {
  if (device == "cuda" || device == "ptx")
    return {"sm_80"};
  if (device == "auto" && ssmrt::cuda::Gpu::open())
    return {"native", "sm_80"};
  return {"native"};
}

int ssm::checkInitialized(mlir::ModuleOp module, const std::string &weights) {
  if (llvm::StringRef(weights).starts_with("random:"))
    return kDone;
  for (auto model : module.getOps<ModelOp>())
    if (llvm::StringRef name = firstUninitialized(model); !name.empty())
      return fail(model.getSymName() + ": '" + name +
                  "' has no weights after rewrites: expected --weights "
                  "random:SEED");
  return kDone;
}

std::shared_ptr<const ssmrt::MappedFile>
ssm::compileForHere(const std::string &model, const std::string &device,
                    const std::string &precision, const std::string &weights,
                    bool useCache) {
  Session session;
  ImportReport report;
  auto module = session.import(model, report);
  if (!module || checkInitialized(*module, weights) != kDone)
    return nullptr;
  CompileOptions options;
  options.targets = targetsFor(device);
  options.precisions = {precision};
  std::string path;
  if (useCache && !ssmrt::cacheFolder().empty()) {
    path = cachePath(*module, readTokenizer(report), options);
    if (auto file = ssmrt::MappedFile::open(path))
      return *file;
  }
  mlir::FailureOr<Artifact> artifact =
      compileImported(*module, report, options);
  if (failed(artifact))
    return nullptr;
  // A cache that cannot be written is no failure.
  if (!path.empty())
    llvm::consumeError(writeArtifact(*artifact, path));
  return ssmrt::MappedFile::fromBytes(model, artifactBytes(*artifact));
}

static int runCompile(const CompileFlags &flags) {
  if (flags.emit.empty()) {
    if (flags.output.empty()) {
      llvm::errs() << "error: -o is required without --emit\n";
      return kBadUsage;
    }
    return compileToFile(flags);
  }
  std::optional<EmitLevel> level = emitLevelOf(flags.emit);
  if (!level) {
    llvm::errs() << "error: --emit, got " << flags.emit
                 << ", supported block, ops, kern, plan, llvm, asm, obj, "
                    "tile, nvvm, ptx\n";
    return kBadUsage;
  }
  Session session;
  ImportReport report;
  auto module = session.import(flags.model, report);
  if (!module)
    return kBadInput;
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  if (failed(emitText(*module, flags.options, *level, stream)))
    return kBadInput;
  return writeText(flags.output.empty() ? "-" : flags.output,
                   [&](llvm::raw_ostream &os) { os << text; });
}

void ssm::addCompileCommand(CLI::App &app, Action &action) {
  auto flags = std::make_shared<CompileFlags>();
  CLI::App *command =
      app.add_subcommand("compile", "Compile a model to one artifact");
  command
      ->add_option("MODEL", flags->model,
                   "Hugging Face directory, model card (.json) or IR (.mlir), "
                   "at any level")
      ->required();
  command->add_option("-o,--output", flags->output,
                      "The artifact (.ssmx), or the text of --emit");
  command
      ->add_option("--target", flags->options.targets,
                   "Targets: native, x86-64-v3, x86-64-v4, aarch64, sm_80")
      ->delimiter(',')
      ->capture_default_str();
  command
      ->add_option("--precision", flags->options.precisions,
                   "Inputs of matrix products: auto, f32, bf16")
      ->delimiter(',')
      ->capture_default_str();
  command->add_flag("--strict", flags->options.strict,
                    "Leave out every pass that changes rounding");
  CLI::Option *embed = command->add_flag(
      "--embed-weights", flags->embedWeights,
      "Pack the weights into the artifact, which then runs alone");
  command
      ->add_option("--weights", flags->weights,
                   "What to embed: a folder or random:SEED (default: MODEL)")
      ->needs(embed);
  command->add_option("--emit", flags->emit,
                      "Write IR or code instead: block, ops, kern, plan, llvm, "
                      "asm, obj; of a GPU tile, nvvm, ptx");
  command->footer("Examples:\n"
                  "  ssmc compile DIR -o model.ssmx --target=x86-64-v3,native\n"
                  "  ssmc compile DIR -o whole.ssmx --embed-weights\n"
                  "  ssmc compile DIR --emit=kern -o model.kern.mlir\n"
                  "  ssmc compile model.kern.mlir -o edited.ssmx");
  command->callback(
      [&action, flags] { action = [flags] { return runCompile(*flags); }; });
}
