//===- ptx-run.cpp - Runs a PTX kernel on the CPU -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Program.h"
#include "tools/ptx-run/Mutate.h"
#include "tools/ptx-run/Report.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <unistd.h>

namespace ptxrun {
namespace {

constexpr int kWrongUsage = 2;
constexpr uint32_t kWarpThreads = 32;

struct RunOptions {
  std::string file;
  std::string kernel;
  std::vector<uint32_t> grid = {1};
  std::vector<uint32_t> block;
  std::vector<uint32_t> cluster = {1};
  uint32_t shared = 0;
  std::vector<std::string> buffers;
  std::vector<std::string> arguments;
  std::vector<std::string> prints;
  std::vector<std::string> expectations;
  std::vector<std::string> saves;
  double tolerance = 0;
  uint64_t seed = 0;
  unsigned seeds = 1;
  bool check = true;
  bool list = false;
  bool counters = false;
  bool json = false;
  bool time = false;
  unsigned threads = 1;
  uint64_t limit = std::numeric_limits<uint64_t>::max();
  size_t mutants = 0;
  uint64_t mutateSeed = 0;
  std::vector<std::string> selections;
  std::string harness;
};

ssmrt::ptx::Dim3 extent(const std::vector<uint32_t> &numbers) {
  ssmrt::ptx::Dim3 result;
  result.x = numbers[0];
  result.y = numbers.size() > 1 ? numbers[1] : 1;
  result.z = numbers.size() > 2 ? numbers[2] : 1;
  return result;
}

/// A launch and the memory it ran on.
struct Run {
  ssmrt::ptx::DeviceMemory memory;
  Arguments arguments;
  ssmrt::ptx::Counters counters;
  double seconds = 0;
};

Status runKernel(const RunOptions &options, const ssmrt::ptx::Module &module,
                 const ssmrt::ptx::Kernel &kernel, uint64_t seed, Run &run) {
  Expected<Arguments> arguments =
      makeArguments(kernel, options.buffers, options.arguments, run.memory);
  if (!arguments)
    return arguments.status();
  run.arguments = std::move(*arguments);
  ssmrt::ptx::Launch launch;
  launch.kernel = kernel.name;
  launch.grid = extent(options.grid);
  if (!options.block.empty())
    launch.block = extent(options.block);
  else if (kernel.requiredBlock.x)
    launch.block = kernel.requiredBlock;
  else
    launch.block.x = kWarpThreads;
  launch.cluster = extent(options.cluster);
  launch.dynamicShared = options.shared;
  launch.parameters = run.arguments.bytes;
  ssmrt::ptx::Options how;
  how.seed = seed;
  if (!options.check)
    how.checks = ssmrt::ptx::Checks::none();
  how.countAccesses = options.counters || options.json;
  how.instructionLimit = options.limit;
  how.threads = options.threads;
  const auto start = std::chrono::steady_clock::now();
  Expected<ssmrt::ptx::Counters> counters =
      ssmrt::ptx::launch(module, launch, run.memory, how);
  const std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - start;
  run.seconds = elapsed.count();
  if (!counters)
    return counters.status();
  run.counters = std::move(*counters);
  for (const std::string &expectation : options.expectations)
    if (Status status = compareBuffer(run.arguments, expectation,
                                      options.tolerance, run.memory);
        !status)
      return status;
  return {};
}

Status report(const RunOptions &options, const Run &run) {
  for (const std::string &range : options.prints) {
    Expected<std::string> line = printBuffer(run.arguments, range, run.memory);
    if (!line)
      return line.status();
    std::puts(line->c_str());
  }
  for (const std::string &target : options.saves)
    if (Status status = saveBuffer(run.arguments, target, run.memory); !status)
      return status;
  if (options.counters)
    std::fputs(printCounters(run.counters).c_str(), stdout);
  if (options.json)
    std::puts(printJson(run.counters).c_str());
  if (options.time)
    std::printf("%.3f s, %.2f M warp instructions/s\n", run.seconds,
                static_cast<double>(run.counters.warpInstructions) /
                    run.seconds / 1e6);
  return {};
}

//===----------------------------------------------------------------------===//
// Mutants
//===----------------------------------------------------------------------===//

/// Lines of the kernel's instructions.
std::vector<uint32_t> linesOf(const ssmrt::ptx::Module &module,
                              const ssmrt::ptx::Kernel &kernel) {
  std::vector<uint32_t> lines;
  for (const ssmrt::ptx::KernelCode &code : module.program().codes)
    if (code.info.name == kernel.name)
      for (const ssmrt::ptx::Instruction &instruction : code.code)
        lines.push_back(instruction.line);
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  return lines;
}

/// First element in which the buffers of two runs differ, or "".
std::string compareRuns(const Run &expected, const Run &got) {
  for (const Buffer &buffer : expected.arguments.buffers) {
    const Buffer *other = got.arguments.find(buffer.name);
    Expected<std::vector<std::byte>> a = read(buffer, expected.memory);
    Expected<std::vector<std::byte>> b = read(*other, got.memory);
    const size_t size = sizeOf(buffer.type);
    for (size_t i = 0; i < buffer.count; ++i)
      if (!std::equal(a->data() + i * size, a->data() + (i + 1) * size,
                      b->data() + i * size))
        return buffer.name + "[" + std::to_string(i) + "] is " +
               print(buffer.type, b->data() + i * size) + ", expected " +
               print(buffer.type, a->data() + i * size);
  }
  return "";
}

/// What kills a mutant, or "".
std::string tryMutant(const RunOptions &options, const std::string &mutant,
                      const std::string &kernelName, const Run &reference) {
  Expected<ssmrt::ptx::Module> module =
      ssmrt::ptx::Module::parse(mutant, "mutant");
  if (!module)
    return module.status().message;
  const ssmrt::ptx::Kernel *kernel = module->findKernel(kernelName);
  RunOptions limited = options;
  constexpr uint64_t kPatience = 20;
  limited.limit = kPatience * reference.counters.warpInstructions + 100'000;
  for (unsigned i = 0; i < options.seeds; ++i) {
    Run run;
    if (Status status =
            runKernel(limited, *module, *kernel, options.seed + i, run);
        !status)
      return status.message;
    if (std::string difference = compareRuns(reference, run);
        !difference.empty())
      return difference;
  }
  return "";
}

/// As tryMutant, by a command that gets the path of the mutant for "{}".
Expected<std::string> tryHarness(const RunOptions &options,
                                 const std::string &mutant) {
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("mutant-" + std::to_string(getpid()) + ".ptx"))
                               .string();
  std::ofstream file(path, std::ios::binary);
  file << mutant;
  file.close();
  if (!file)
    return ssmrt::error("cannot write '" + path + "'");
  std::string command = options.harness;
  const size_t place = command.find("{}");
  if (place != std::string::npos)
    command.replace(place, 2, path);
  const int status = std::system(command.c_str());
  std::remove(path.c_str());
  return status == 0 ? std::string()
                     : "harness status " + std::to_string(status);
}

Status runMutants(const RunOptions &options, const std::string &text,
                  const ssmrt::ptx::Module &module,
                  const ssmrt::ptx::Kernel &kernel) {
  Run reference;
  if (Status status =
          runKernel(options, module, kernel, options.seed, reference);
      !status)
    return status;
  std::vector<Mutation> mutations =
      listMutations(text, linesOf(module, kernel));
  if (options.mutants) {
    mutations = chooseMutations(std::move(mutations), options.mutants,
                                options.mutateSeed);
  } else {
    std::vector<Mutation> selected;
    for (const std::string &selection : options.selections) {
      Expected<Mutation> mutation = findMutation(mutations, selection);
      if (!mutation)
        return mutation.status();
      selected.push_back(std::move(*mutation));
    }
    mutations = std::move(selected);
  }
  size_t killed = 0;
  for (const Mutation &mutation : mutations) {
    const std::string mutant = mutation.apply(text);
    std::string killer;
    if (options.harness.empty()) {
      killer = tryMutant(options, mutant, kernel.name, reference);
    } else {
      Expected<std::string> result = tryHarness(options, mutant);
      if (!result)
        return result.status();
      killer = std::move(*result);
    }
    killed += !killer.empty();
    std::printf("%s: %s\n", mutation.describe().c_str(),
                killer.empty() ? "survived" : ("killed: " + killer).c_str());
  }
  std::printf("%zu of %zu mutants killed\n", killed, mutations.size());
  return {};
}

Status run(const RunOptions &options) {
  std::ifstream file(options.file, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  if (!file)
    return ssmrt::error("cannot read '" + options.file + "'");
  const size_t slash = options.file.rfind('/');
  Expected<ssmrt::ptx::Module> module = ssmrt::ptx::Module::parse(
      text, options.file.substr(slash == std::string::npos ? 0 : slash + 1));
  if (!module)
    return module.status();
  if (options.list) {
    std::fputs(printKernels(*module).c_str(), stdout);
    return {};
  }
  const bool only = options.kernel.empty() && module->kernels().size() == 1;
  const ssmrt::ptx::Kernel *kernel =
      only ? &module->kernels()[0] : module->findKernel(options.kernel);
  if (!kernel)
    return ssmrt::error("no kernel '" + options.kernel + "' in " +
                        options.file + ", see --list");
  if (options.mutants || !options.selections.empty())
    return runMutants(options, text, *module, *kernel);
  for (unsigned i = 0; i < options.seeds; ++i) {
    Run last;
    Status status =
        runKernel(options, *module, *kernel, options.seed + i, last);
    if (status && i + 1 == options.seeds)
      status = report(options, last);
    if (!status)
      return options.seeds == 1
                 ? status
                 : ssmrt::error("seed " + std::to_string(options.seed + i) +
                                ": " + status.message);
  }
  return {};
}

void addOptions(CLI::App &app, RunOptions &options) {
  app.add_option("file", options.file, "PTX to run")->required();
  app.add_option("--kernel", options.kernel,
                 "kernel to launch; may be left out if there is one");
  app.add_option("--grid", options.grid, "blocks: X, X,Y or X,Y,Z")
      ->delimiter(',')
      ->expected(1, 3);
  app.add_option("--block", options.block,
                 "threads: X, X,Y or X,Y,Z; if left out, what the kernel "
                 "requires, or 32")
      ->delimiter(',')
      ->expected(1, 3);
  app.add_option("--cluster", options.cluster, "blocks of a cluster")
      ->delimiter(',')
      ->expected(1, 3);
  app.add_option("--shared", options.shared, "bytes of dynamic shared memory");
  app.add_option("--arg", options.arguments,
                 "next parameter: TYPE:VALUE, NAME=TYPE[N]:CONTENT, "
                 "&NAME+BYTES, hex:BYTES or "
                 "map:NAME:TYPE:EXTENTS[/STRIDES]:BOX[:SWIZZLE] (128x64, "
                 "innermost first); CONTENT is none, zeros, iota, "
                 "iota*STEP, random, random:SEED, const:V, list:A,B,... or "
                 "file:PATH, and may end in :readonly; a list may have "
                 "&NAME+BYTES as well")
      ->allow_extra_args(false)
      ->delimiter('\0');
  app.add_option("--buffer", options.buffers,
                 "NAME=TYPE[N]:CONTENT that no parameter but another buffer "
                 "points to")
      ->allow_extra_args(false)
      ->delimiter('\0');
  app.add_option("--print", options.prints, "print NAME or NAME[FROM:TO]")
      ->allow_extra_args(false);
  app.add_option("--expect", options.expectations,
                 "fail unless a buffer is NAME=CONTENT")
      ->allow_extra_args(false)
      ->delimiter('\0');
  app.add_option("--tolerance", options.tolerance,
                 "absolute and relative, for --expect");
  app.add_option("--save", options.saves, "write a buffer to NAME=PATH")
      ->allow_extra_args(false);
  app.add_option("--seed", options.seed, "choice of schedule");
  app.add_option("--seeds", options.seeds, "run that many seeds in a row")
      ->check(CLI::PositiveNumber);
  app.add_flag("--check,!--no-check", options.check,
               "check races and uninitialised reads");
  app.add_flag("--list", options.list, "list the kernels and stop");
  app.add_flag("--counters", options.counters, "print counters");
  app.add_flag("--json", options.json, "print counters as JSON");
  app.add_flag("--time", options.time, "print the interpreter's speed");
  app.add_option("--threads", options.threads,
                 "threads for the blocks of a grid, with --no-check");
  app.add_option("--limit", options.limit,
                 "warp instructions after which the launch fails");
  app.add_option("--mutants", options.mutants,
                 "plant that many faults, one at a time, and say which the "
                 "checks or the results give away");
  app.add_option("--mutant", options.selections,
                 "plant this one: KIND:TEXT#N, the N-th of a kind (drop, "
                 "move, flip, shift, count, parity) whose description has "
                 "TEXT in it")
      ->allow_extra_args(false)
      ->delimiter('\0');
  app.add_option("--mutate-seed", options.mutateSeed, "choice of faults");
  app.add_option("--harness", options.harness,
                 "command that runs a mutant instead, {} is its file; it is "
                 "killed if the command fails");
}

} // namespace
} // namespace ptxrun

int main(int argc, char **argv) {
  CLI::App app("Runs a PTX kernel on the CPU, with checks.", "ptx-run");
  ptxrun::RunOptions options;
  ptxrun::addOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : ptxrun::kWrongUsage;
  }
  if (ptxrun::Status status = ptxrun::run(options); !status) {
    std::fprintf(stderr, "ptx-run: error: %s\n", status.message.c_str());
    return 1;
  }
  return 0;
}
