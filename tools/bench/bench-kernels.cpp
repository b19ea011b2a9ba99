//===- bench-kernels.cpp - Kernels as shares of this machine's limits -----===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bench-kernels [filter]
//
// Each line is the best of many short slices of a kernel beside the best rounds
// of its limit, in turn on one thread.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Cpu.h"
#include "dialect/Kern.h"
#include "tools/bench/Limits.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <sys/mman.h>

using namespace mlir;

namespace {

/// A product to time.
struct Case {
  const char *input, *weight, *form;
  int64_t rows, blockRows, depth, sums;
  bool dot = false;
};

/// Seconds that this thread has computed: on a shared machine the clock on the
/// wall also counts what others do.
double threadSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

/// Enough for any case.
constexpr size_t kScratchBytes = size_t(4) << 20;

int64_t bytesOf(const std::string &element) { return element == "f32" ? 4 : 2; }

/// Zeroed memory in large pages, from the border of one.
char *allocate(size_t bytes) {
  constexpr size_t kLargePage = size_t(2) << 20;
  void *map = mmap(nullptr, bytes + 2 * kLargePage, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED)
    std::abort();
  madvise(map, bytes + 2 * kLargePage, MADV_HUGEPAGE);
  size_t past = uintptr_t(map) % kLargePage;
  char *begin = static_cast<char *>(map) + (past ? kLargePage - past : 0);
  std::memset(begin, 0, bytes);
  return begin;
}

std::string kernelText(const Case &test, const ssm::Target &target) {
  std::string depth = std::to_string(test.depth),
              sums = std::to_string(test.sums);
  std::string input = "tensor<?x" + depth + "x" + test.input + ">";
  std::string weight = "tensor<" + sums + "x" + depth + "x" + test.weight + ">";
  std::string result = "tensor<?x" + sums + "xf32>";
  return "func.func @f(%x: " + input + ", %w: " + weight + ") -> " + result +
         " {\n%y = kern.gemm %x, %w schedule [#kern.gemm_schedule<" +
         test.form +
         ", max_rows = -1, block_rows = " + std::to_string(test.blockRows) +
         ", panel = " + std::to_string(target.panel) +
         ", pair = " + (bytesOf(test.weight) == 4 ? "1" : "2") +
         ", dot = " + (test.dot ? "true" : "false") + ">] : " + input + ", " +
         weight + " -> " + result +
         " {\n^bb0(%a: f32):\nkern.yield %a : f32\n}\nreturn %y : " + result +
         "\n}\n";
}

/// Compiles the one kernel of `test` and maps it; null on failure.
using Entry = void (*)(const uint64_t *, int64_t, int64_t, void *);
Entry compile(const Case &test, const ssm::Target &target,
              MLIRContext &context) {
  OwningOpRef<ModuleOp> source =
      parseSourceString<ModuleOp>(kernelText(test, target), &context);
  if (!source)
    return nullptr;
  OwningOpRef<ModuleOp> module = ModuleOp::create(source->getLoc());
  FailureOr<SmallVector<ssm::KernelInfo>> kernels = failure();
  source->walk([&](kern::GemmOp op) {
    kernels = ssm::emitKernel(op, "kernel", target, *module);
  });
  if (failed(kernels))
    return nullptr;
  FailureOr<ssm::Image> image = ssm::compileKernels(*module, target);
  if (failed(image))
    return nullptr;
  char *code = allocate(image->bytes.size());
  std::memcpy(code, image->bytes.data(), image->bytes.size());
  mprotect(code, image->bytes.size(), PROT_READ | PROT_EXEC);
  return reinterpret_cast<Entry>(code + image->kernels.front().offset);
}

/// Best seconds of one slice of `panels` panels, with limits between the
/// slices.
double timeSlices(const Case &test, Entry entry, int64_t panels, int64_t slice,
                  const ssm::Target &target, ssmbench::Limits &limits) {
  bool stream = std::strcmp(test.form, "stream") == 0;
  size_t weightBytes =
      size_t(panels * target.panel) * (test.depth + 1) * bytesOf(test.weight);
  char *weight = allocate(weightBytes);
  // Rows of activations lie apart as a plan has them: no multiple of 512 bytes.
  int64_t depth = test.depth + 64 / bytesOf(test.input), sums = test.sums + 16;
  int64_t inputBytes = test.rows * depth * bytesOf(test.input);
  char *input = allocate(inputBytes);
  char *result = allocate(test.rows * sums * 4);
  char *scratch = allocate(kScratchBytes);
  uint64_t args[] = {uint64_t(input),  uint64_t(depth), uint64_t(weight),
                     uint64_t(result), uint64_t(sums),  uint64_t(test.rows)};
  double best = 1e30, end = ssmbench::now() + 2.5;
  for (int64_t first = 0; ssmbench::now() < end; first += slice) {
    if (first + slice > panels) {
      first = 0;
      stream     ? limits.readRound()
      : test.dot ? limits.dotRound()
                 : limits.fmaRound();
    }
    double start = threadSeconds();
    entry(args, first, first + slice, scratch);
    best = std::min(best, threadSeconds() - start);
  }
  munmap(weight, weightBytes);
  munmap(input, inputBytes);
  munmap(result, test.rows * sums * 4);
  munmap(scratch, kScratchBytes);
  return best;
}

void measure(const Case &test, const ssm::Target &target,
             MLIRContext &context) {
  Entry entry = compile(test, target, context);
  if (!entry)
    return;
  bool stream = std::strcmp(test.form, "stream") == 0;
  int64_t panels = test.sums / target.panel;
  int64_t slice = stream ? panels / 8 : 2;
  ssmbench::Limits limits(1, size_t(256) << 20);
  double seconds = timeSlices(test, entry, panels, slice, target, limits);
  double rate, limit;
  if (stream) {
    rate = double(slice * target.panel) * test.depth * bytesOf(test.weight) /
           seconds;
    limit = limits.bestRead;
  } else {
    rate = 2.0 * slice * target.panel * test.depth * test.rows / seconds;
    limit = test.dot ? limits.bestDot : limits.bestFma;
  }
  printf("%-8s %4s x %-4s  rows %4ld by %2ld  K %5ld N %6ld  %6.1f of %6.1f %s "
         " %3.0f%%\n",
         test.form, test.input, test.weight, long(test.rows),
         long(test.blockRows), long(test.depth), long(test.sums), rate * 1e-9,
         limit * 1e-9, stream ? "GB/s" : "GF/s", 100 * rate / limit);
  fflush(stdout);
}

} // namespace

int main(int argc, char **argv) {
  llvm::Expected<ssm::Target> target = ssm::Target::lookup("native");
  if (!target) {
    llvm::errs() << "bench-kernels: " << llvm::toString(target.takeError())
                 << "\n";
    return 1;
  }
  DialectRegistry registry;
  registry.insert<func::FuncDialect, kern::KernDialect, ssm::SsmDialect>();
  ssm::registerCpuCodegen(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();

  bool narrow = target->lanes == 8;
  int64_t f32Rows = narrow ? 6 : 12;
  std::vector<Case> cases;
  for (int64_t rows : {1, 2, 4, 8})
    for (const char *weight : {"f32", "bf16", "f16"})
      cases.push_back({"f32", weight, "stream", rows, rows, 2048, 16384});
  for (int64_t rows : {1, 4, 8})
    cases.push_back(
        {"bf16", "bf16", "stream", rows, rows, 2048, 16384, target->dotBf16});
  for (const char *weight : {"f32", "bf16", "f16"})
    cases.push_back({"f32", weight, "blocked", 512, f32Rows, 2048, 2048});
  cases.push_back({"f32", "f32", "blocked", 64, f32Rows, 2048, 2048});
  cases.push_back({"f32", "f32", "blocked", 512, f32Rows, 8192, 1024});
  cases.push_back({"bf16", "bf16", "blocked", 512,
                   target->dotBf16 ? 8 : f32Rows, 2048, 2048, target->dotBf16});
  printf("target %s, one thread\n", target->name.c_str());
  for (const Case &test : cases) {
    std::string name = std::string(test.form) + "-" + test.input + "-" +
                       test.weight + "-" + std::to_string(test.rows);
    if (argc < 2 || name.find(argv[1]) != std::string::npos)
      measure(test, *target, context);
  }
  return 0;
}
