//===- Bench.cpp - ssmc bench ---------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Compile.h"
#include "tools/ssmc/Explore.h"

#include "runtime/Model.h"
#include "tools/bench/ModelBench.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace ssm;

namespace {
struct BenchFlags {
  std::string model;
  ssmrt::ModelOptions options;
  ssmbench::BenchOptions bench;
  bool json = false, describe = false;
  std::string output;
};
} // namespace

/// The artifact, or the description compiled for this machine.
static ssmrt::Expected<std::shared_ptr<ssmrt::Model>>
openModel(const BenchFlags &flags) {
  if (isArtifact(flags.model))
    return ssmrt::Model::open(flags.model, flags.options);
  auto file =
      compileForHere(flags.model, flags.options.device, flags.options.precision,
                     flags.options.weights, true);
  if (!file)
    return ssmrt::error(flags.model + ": not compiled");
  auto artifact = ssmrt::Artifact::parse(std::move(file));
  if (!artifact)
    return artifact.status();
  return ssmrt::Model::load(std::move(*artifact), flags.options);
}

/// Writes the description of this machine that prices read.
static int describeDevice(const BenchFlags &flags) {
  llvm::Expected<Device> device = describeThisMachine(flags.options.threads);
  if (!device)
    return fail(llvm::toString(device.takeError()));
  return writeText(
      flags.output.empty() ? "-" : flags.output, [&](llvm::raw_ostream &os) {
        os << llvm::formatv("{0:2}", llvm::json::Value(toJson(*device)))
           << "\n";
      });
}

static int runBench(BenchFlags flags) {
  if (flags.describe)
    return describeDevice(flags);
  if (flags.model.empty()) {
    llvm::errs() << "error: expected a MODEL or --describe-device\n";
    return kBadUsage;
  }
  if (flags.options.weights.empty())
    flags.options.weights = "random:1";
  auto model = openModel(flags);
  if (!model)
    return fail(model.status().message);
  auto result = ssmbench::benchmark(std::move(*model), flags.bench);
  if (!result)
    return fail(flags.model + ": " + result.status().message);
  llvm::outs() << (flags.json ? ssmbench::toJson(*result)
                              : ssmbench::toText(*result));
  return kDone;
}

void ssm::addBenchCommand(CLI::App &app, Action &action) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App *command = app.add_subcommand(
      "bench", "Time a model beside the limits of this machine");
  CLI::Option *model = command->add_option(
      "MODEL", flags->model, "Directory, description or artifact (.ssmx)");
  command
      ->add_flag("--describe-device", flags->describe,
                 "Instead: measure this machine's limits and the shares that "
                 "kernels reach, for ssmc explore --device FILE.json")
      ->excludes(model);
  command->add_option("-o,--output", flags->output,
                      "File of --describe-device (default: stdout)");
  command->add_option("--weights", flags->options.weights,
                      "Folder, or random:SEED (default random:1)");
  command
      ->add_option("--device", flags->options.device,
                   "cpu, cuda, ptx (the interpreter) or auto")
      ->check(CLI::IsMember({"auto", "cpu", "cuda", "ptx"}))
      ->capture_default_str();
  command->add_option("--threads", flags->options.threads,
                      "Threads (default: what this process may use)");
  command->add_flag_callback(
      "--ptx-unchecked", [flags] { flags->options.ptx.checks = false; },
      "With --device=ptx: do not look for races and unwritten memory");
  command
      ->add_option("--precision", flags->options.precision, "auto, f32 or bf16")
      ->capture_default_str();
  command
      ->add_option("--prompt-len", flags->bench.promptLength,
                   "Tokens of the prompt")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--gen-len", flags->bench.generatedLength,
                   "Tokens to generate in each round")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--context", flags->bench.context,
                   "Tokens that a sequence has seen before decoding is timed")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--batch", flags->bench.batch, "Sequences")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--rounds", flags->bench.rounds,
                   "Repetitions; the best and the median are printed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer("Examples:\n"
                  "  ssmc bench DIR --threads 2 --batch 4\n"
                  "  ssmc bench --describe-device -o here.json");
  command->callback(
      [&action, flags] { action = [flags] { return runBench(*flags); }; });
}
