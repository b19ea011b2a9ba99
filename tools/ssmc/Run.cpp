//===- Run.cpp - ssmc run -------------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Compile.h"
#include "tools/ssmc/Reference.h"

#include "tools/run/RunCommand.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>

using namespace ssm;
using ssmrt::RunOptions;

/// Gives back memory that only the compiler needs: freed heap, and the pages of
/// loaded libraries that their files hold unchanged (read again on demand).
static void releaseCompiler() {
  malloc_trim(0);
  auto release = [](dl_phdr_info *library, size_t, void *) {
    for (int i = 0; i < library->dlpi_phnum; ++i) {
      const ElfW(Phdr) &segment = library->dlpi_phdr[i];
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W))
        continue;
      uintptr_t begin =
          llvm::alignTo<4096>(library->dlpi_addr + segment.p_vaddr);
      uintptr_t end = llvm::alignDown(
          library->dlpi_addr + segment.p_vaddr + segment.p_memsz, 4096);
      if (begin < end)
        madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
    }
    return 0;
  };
  dl_iterate_phdr(release, nullptr);
}

static int runOnReference(const RunOptions &options) {
  if (isArtifact(options.model))
    return fail(options.model + ": an artifact, expected a model description "
                                "for --device=reference");
  Session session;
  ImportReport report;
  auto module = session.import(options.model, report);
  if (!module || checkInitialized(*module, options.weights) != kDone)
    return kBadInput;
  std::string hash = descriptionHash(*module);
  if (failed(lowerToOps(*module)))
    return kBadInput;
  ssmrt::Status status = runReference(*module, hash, options);
  return status ? kDone : fail(status.message);
}

static int runRun(RunOptions options) {
  // A directory brings its own weights.
  if (options.weights.empty() && llvm::sys::fs::is_directory(options.model))
    options.weights = options.model;
  if (options.device == "reference")
    return runOnReference(options);
  if (isArtifact(options.model))
    return ssmrt::runCommand(options);
  options.artifact =
      compileForHere(options.model, options.device, options.precision,
                     options.weights, !options.noCache);
  releaseCompiler();
  return options.artifact ? ssmrt::runCommand(options) : kBadInput;
}

void ssm::addRunCommand(CLI::App &app, Action &action) {
  auto options = std::make_shared<RunOptions>();
  CLI::App *command = app.add_subcommand(
      "run", "Run a model: a directory, a description or an artifact");
  ssmrt::addRunOptions(*command, *options);
  command->footer(
      "Examples:\n"
      "  ssmc run DIR --prompt \"Once upon a time\" -n 64\n"
      "  ssmc run model.ssmx --weights DIR --prompt-file prompt.txt --json\n"
      "  ssmc run DIR --tokens 1,2,3 --device=reference --logits "
      "logits.safetensors");
  command->callback(
      [&action, options] { action = [options] { return runRun(*options); }; });
}
