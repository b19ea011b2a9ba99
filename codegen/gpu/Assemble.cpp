//===- Assemble.cpp - Machine code by ptxas -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ptxas is a program of the CUDA Toolkit; where it is on the machine, an image
// has machine code beside PTX, and the report says what kernels take.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Gpu.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"

using namespace ssm::gpu;
using llvm::StringRef;

std::optional<std::string> ssm::gpu::findAssembler() {
  if (llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  llvm::SmallVector<std::string> folders;
  if (std::optional<std::string> home = llvm::sys::Process::GetEnv("CUDA_HOME"))
    folders.push_back(*home + "/bin");
  folders.push_back("/usr/local/cuda/bin");
  for (const std::string &folder : folders)
    if (llvm::ErrorOr<std::string> found =
            llvm::sys::findProgramByName("ptxas", {folder}))
      return *found;
  return std::nullopt;
}

/// The number in front of `unit` in `line`, or 0.
static int64_t numberBefore(StringRef line, StringRef unit) {
  size_t end = line.find(unit);
  if (end == StringRef::npos)
    return 0;
  StringRef digits = line.take_front(end).rtrim();
  digits = digits.drop_front(digits.find_last_not_of("0123456789") + 1);
  int64_t number = 0;
  return digits.getAsInteger(10, number) ? 0 : number;
}

/// Reads what `ptxas -v` prints:
///   ptxas info : Compiling entry function 'name' for 'sm_80'
///       0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
///   ptxas info : Used 24 registers, used 1 barriers, 32 bytes smem, ...
static void readReport(StringRef text, Image &image) {
  llvm::SmallVector<StringRef> lines;
  text.split(lines, '\n');
  for (StringRef line : lines) {
    if (line.contains("Compiling entry function")) {
      KernelReport report;
      report.name = line.split('\'').second.split('\'').first.str();
      image.reports.push_back(report);
    }
    if (image.reports.empty())
      continue;
    KernelReport &report = image.reports.back();
    if (line.contains("stack frame")) {
      report.stackBytes = numberBefore(line, " bytes stack frame");
      report.spillBytes = numberBefore(line, " bytes spill stores") +
                          numberBefore(line, " bytes spill loads");
    }
    if (line.contains("Used ")) {
      report.registers = numberBefore(line, " registers");
      report.sharedBytes = numberBefore(line, " bytes smem");
    }
  }
}

/// A file in the folder for temporary files, which its end removes.
static llvm::Expected<std::string> makeFile(StringRef suffix,
                                            StringRef content) {
  llvm::SmallString<128> path;
  int descriptor;
  if (std::error_code code =
          llvm::sys::fs::createTemporaryFile("ssmc", suffix, descriptor, path))
    return llvm::createStringError(code, "cannot create a temporary file");
  llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
  stream << content;
  return std::string(path);
}

llvm::Error ssm::gpu::assemble(StringRef path, const Target &target,
                               Image &image) {
  llvm::Expected<std::string> source = makeFile("ptx", image.ptx);
  if (!source)
    return source.takeError();
  llvm::FileRemover removeSource(*source);
  llvm::Expected<std::string> output = makeFile("cubin", "");
  if (!output)
    return output.takeError();
  llvm::FileRemover removeOutput(*output);
  llvm::Expected<std::string> log = makeFile("log", "");
  if (!log)
    return log.takeError();
  llvm::FileRemover removeLog(*log);

  std::string arch = ("-arch=" + target.name).str();
  StringRef arguments[] = {path, arch, "-v", *source, "-o", *output};
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(*log),
                                          StringRef(*log)};
  int status =
      llvm::sys::ExecuteAndWait(path, arguments, std::nullopt, redirects);
  auto report = llvm::MemoryBuffer::getFile(*log);
  StringRef text = report ? (*report)->getBuffer() : StringRef();
  if (status != 0)
    return llvm::createStringError("ptxas refuses the kernels: " +
                                   text.split('\n').first);
  readReport(text, image);
  auto code = llvm::MemoryBuffer::getFile(*output);
  if (!code)
    return llvm::createStringError(code.getError(),
                                   "cannot read what ptxas has written");
  image.cubin = (*code)->getBuffer().str();
  return llvm::Error::success();
}
