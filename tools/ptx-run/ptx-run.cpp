//===- ptx-run.cpp - Runs a PTX kernel on the CPU -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ptx-run/Report.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <limits>

namespace ptxrun {
namespace {

constexpr int kWrongUsage = 2;

struct RunOptions {
  std::string file;
  std::string kernel;
  std::vector<uint32_t> grid = {1};
  std::vector<uint32_t> block = {32};
  std::vector<uint32_t> cluster = {1};
  uint32_t shared = 0;
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
};

ssmrt::ptx::Dim3 extent(const std::vector<uint32_t> &numbers) {
  ssmrt::ptx::Dim3 result;
  result.x = numbers[0];
  result.y = numbers.size() > 1 ? numbers[1] : 1;
  result.z = numbers.size() > 2 ? numbers[2] : 1;
  return result;
}

Status runOnce(const RunOptions &options, const ssmrt::ptx::Module &module,
               const ssmrt::ptx::Kernel &kernel, uint64_t seed, bool last) {
  ssmrt::ptx::DeviceMemory memory;
  Expected<Arguments> arguments =
      makeArguments(kernel, options.arguments, memory);
  if (!arguments)
    return arguments.status();
  ssmrt::ptx::Launch launch;
  launch.kernel = kernel.name;
  launch.grid = extent(options.grid);
  launch.block = extent(options.block);
  launch.cluster = extent(options.cluster);
  launch.dynamicShared = options.shared;
  launch.parameters = arguments->bytes;
  ssmrt::ptx::Options how;
  how.seed = seed;
  if (!options.check)
    how.checks = ssmrt::ptx::Checks::none();
  how.countAccesses = options.counters || options.json;
  how.instructionLimit = options.limit;
  how.threads = options.threads;
  const auto start = std::chrono::steady_clock::now();
  Expected<ssmrt::ptx::Counters> counters =
      ssmrt::ptx::launch(module, launch, memory, how);
  const std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - start;
  if (!counters)
    return counters.status();
  for (const std::string &expectation : options.expectations)
    if (Status status =
            compareBuffer(*arguments, expectation, options.tolerance, memory);
        !status)
      return status;
  if (!last)
    return {};
  for (const std::string &range : options.prints) {
    Expected<std::string> line = printBuffer(*arguments, range, memory);
    if (!line)
      return line.status();
    std::puts(line->c_str());
  }
  for (const std::string &target : options.saves)
    if (Status status = saveBuffer(*arguments, target, memory); !status)
      return status;
  if (options.counters)
    std::fputs(printCounters(*counters).c_str(), stdout);
  if (options.json)
    std::puts(printJson(*counters).c_str());
  if (options.time)
    std::printf("%.3f s, %.2f M warp instructions/s\n", elapsed.count(),
                static_cast<double>(counters->warpInstructions) /
                    elapsed.count() / 1e6);
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
  for (unsigned i = 0; i < options.seeds; ++i)
    if (Status status = runOnce(options, *module, *kernel, options.seed + i,
                                i + 1 == options.seeds);
        !status)
      return options.seeds == 1
                 ? status
                 : ssmrt::error("seed " + std::to_string(options.seed + i) +
                                ": " + status.message);
  return {};
}

void addOptions(CLI::App &app, RunOptions &options) {
  app.add_option("file", options.file, "PTX to run")->required();
  app.add_option("--kernel", options.kernel,
                 "kernel to launch; may be left out if there is one");
  app.add_option("--grid", options.grid, "blocks: X, X,Y or X,Y,Z")
      ->delimiter(',')
      ->expected(1, 3);
  app.add_option("--block", options.block, "threads: X, X,Y or X,Y,Z")
      ->delimiter(',')
      ->expected(1, 3);
  app.add_option("--cluster", options.cluster, "blocks of a cluster")
      ->delimiter(',')
      ->expected(1, 3);
  app.add_option("--shared", options.shared, "bytes of dynamic shared memory");
  app.add_option("--arg", options.arguments,
                 "next parameter: TYPE:VALUE, NAME=TYPE[N]:CONTENT, "
                 "&NAME+BYTES or hex:BYTES; CONTENT is none, zeros, iota, "
                 "iota*STEP, random, random:SEED, const:V, list:A,B,... or "
                 "file:PATH, and may end in :readonly")
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
