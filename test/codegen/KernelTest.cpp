//===- KernelTest.cpp - Runs one CPU kernel in a test ---------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/codegen/KernelCode.h"

#include "dialect/Kern.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/APFloat.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>

using namespace mlir;
using namespace ssm;
using namespace ssm::test;

//===----------------------------------------------------------------------===//
// Numbers and memory
//===----------------------------------------------------------------------===//

static const llvm::fltSemantics &semantics(Element type) {
  return type == Element::BF16 ? llvm::APFloat::BFloat()
                               : llvm::APFloat::IEEEhalf();
}

static uint16_t narrow(Element type, float value) {
  llvm::APFloat number(value);
  bool inexact;
  number.convert(semantics(type), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return uint16_t(number.bitcastToAPInt().getZExtValue());
}

static float widen(Element type, uint16_t bits) {
  if (type == Element::BF16) {
    uint32_t wide = uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof(value));
    return value;
  }
  llvm::APFloat number(semantics(type), llvm::APInt(16, bits));
  bool inexact;
  number.convert(llvm::APFloat::IEEEsingle(),
                 llvm::APFloat::rmNearestTiesToEven, &inexact);
  return number.convertToFloat();
}

float ssm::test::roundTo(Element type, float value) {
  return type == Element::F32 ? value : widen(type, narrow(type, value));
}

static constexpr size_t kGuardBytes = 4096;
static constexpr size_t kAlignment = 64;
static constexpr std::byte kGuard{0xff};

static bool allGuard(const std::byte *first, const std::byte *last) {
  return std::all_of(first, last, [](std::byte b) { return b == kGuard; });
}

Buffer::Buffer(size_t bytes)
    : bytes(bytes), storageBytes(bytes + 2 * kGuardBytes + kAlignment) {
  storage.reset(new std::byte[storageBytes]);
  std::fill_n(storage.get(), storageBytes, kGuard);
  auto address = reinterpret_cast<uintptr_t>(storage.get()) + kGuardBytes;
  address = (address + kAlignment - 1) & ~uintptr_t(kAlignment - 1);
  first = reinterpret_cast<std::byte *>(address);
}

void Buffer::zero() { std::fill_n(first, bytes, std::byte{0}); }

float Buffer::get(Element type, int64_t index) const {
  return type == Element::F32 ? as<float>()[index]
                              : widen(type, as<uint16_t>()[index]);
}

void Buffer::set(Element type, int64_t index, float value) {
  if (type == Element::F32)
    as<float>()[index] = value;
  else
    as<uint16_t>()[index] = narrow(type, value);
}

bool Buffer::guardsIntact() const {
  return allGuard(storage.get(), first) &&
         allGuard(first + bytes, storage.get() + storageBytes);
}

void Buffer::restore(const std::vector<std::byte> &saved) {
  std::copy(saved.begin(), saved.end(), first);
}

Rows::Rows(int64_t rows, int64_t columns, Element type, int64_t stride)
    : rows(rows), columns(columns), stride(stride ? stride : columns + 5),
      type(type), buffer(size_t(rows * this->stride * sizeOf(type))) {}

void Rows::randomize(std::mt19937 &random, float scale) {
  std::uniform_real_distribution<float> uniform(-scale, scale);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column)
      set(row, column, uniform(random));
}

bool Rows::guardsIntact() const {
  if (!buffer.guardsIntact())
    return false;
  int64_t element = sizeOf(type);
  for (int64_t row = 0; row < rows; ++row)
    if (!allGuard(buffer.data() + (row * stride + columns) * element,
                  buffer.data() + (row + 1) * stride * element))
      return false;
  return true;
}

std::vector<float> ssm::test::randomVector(std::mt19937 &random, size_t count,
                                           float scale) {
  std::uniform_real_distribution<float> uniform(-scale, scale);
  std::vector<float> values(count);
  for (float &value : values)
    value = uniform(random);
  return values;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

Buffer ssm::test::packPlain(llvm::ArrayRef<float> values, Element type) {
  Buffer buffer(values.size() * sizeOf(type));
  for (auto [index, value] : llvm::enumerate(values))
    buffer.set(type, index, value);
  return buffer;
}

Buffer ssm::test::packVector(llvm::ArrayRef<float> values) {
  return packPlain(values, Element::F32);
}

Buffer ssm::test::packPanels(llvm::ArrayRef<float> matrix, int64_t n, int64_t k,
                             int64_t nr, int64_t kr, Element type) {
  int64_t paddedN = (n + nr - 1) / nr * nr, paddedK = (k + kr - 1) / kr * kr;
  Buffer buffer(paddedN * paddedK * sizeOf(type));
  buffer.zero();
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < k; ++column) {
      int64_t panel = row / nr * (paddedK / kr) + column / kr;
      int64_t index = (panel * nr + row % nr) * kr + column % kr;
      buffer.set(type, index, matrix[row * k + column]);
    }
  return buffer;
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

Sequences::Sequences(std::vector<Sequence> sequences, int64_t slots,
                     int64_t maxPages, std::vector<int32_t> outputs)
    : list(std::move(sequences)), slots(slots), maxPages(maxPages),
      outputRow(std::move(outputs)) {
  int32_t row = 0;
  for (auto [index, sequence] : llvm::enumerate(list)) {
    firstRows.push_back(row);
    slotOf.push_back(int32_t(sequence.slot));
    position.push_back(sequence.position);
    for (int64_t i = 0; i < sequence.length; ++i) {
      int64_t absolute = sequence.position + i;
      if (i == 0 || absolute % kPageTokens == 0) {
        tileSequence.push_back(int32_t(index));
        tileFirst.push_back(int32_t(i));
      }
      rowSequence.push_back(int32_t(index));
      rowPosition.push_back(absolute);
    }
    row += int32_t(sequence.length);
    for (int64_t block = 0; block < maxPages; ++block)
      pages.push_back(page(sequence.slot, block));
  }
  firstRows.push_back(row);
  if (outputRow.empty())
    for (int32_t i = 0; i < row; ++i)
      outputRow.push_back(i);
  seqTable = {};
  seqTable.rows = row;
  seqTable.sequences = int64_t(list.size());
  seqTable.tiles = int64_t(tileFirst.size());
  seqTable.outputs = int64_t(outputRow.size());
  seqTable.firstRow = firstRows.data();
  seqTable.slot = slotOf.data();
  seqTable.position = position.data();
  seqTable.rowSequence = rowSequence.data();
  seqTable.rowPosition = rowPosition.data();
  seqTable.tileSequence = tileSequence.data();
  seqTable.tileFirst = tileFirst.data();
  seqTable.pages = pages.data();
  seqTable.maxPages = maxPages;
  seqTable.outputRow = outputRow.data();
}

int32_t Sequences::page(int64_t slot, int64_t block) const {
  return int32_t((maxPages - 1 - block) * slots + slot);
}

Symbols::Symbols(const Sequences &sequences)
    : rows(sequences.table().rows), sequences(sequences.table().sequences),
      tiles(sequences.table().tiles), outputs(sequences.table().outputs) {}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

static uint64_t slotOf(const void *pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

Arguments &Arguments::rows(const Rows &rows) {
  rowsGuarded.push_back(&rows);
  memory[slots.size()] = &rows.buffer;
  slots.push_back(slotOf(rows.buffer.data()));
  slots.push_back(uint64_t(rows.stride));
  return *this;
}

Arguments &Arguments::pointer(const Buffer &buffer) {
  guarded.push_back(&buffer);
  memory[slots.size()] = &buffer;
  slots.push_back(slotOf(buffer.data()));
  return *this;
}

Arguments &Arguments::seqs(const Sequences &sequences) {
  calls[slots.size()] = &sequences.table();
  slots.push_back(slotOf(&sequences.table()));
  return *this;
}

Arguments &Arguments::state(const Buffer &pool, int64_t stride) {
  return pointer(pool).integer(stride);
}

Arguments &Arguments::integer(int64_t value) {
  slots.push_back(uint64_t(value));
  return *this;
}

void Arguments::expectGuardsIntact() const {
  for (auto [index, rows] : llvm::enumerate(rowsGuarded))
    EXPECT_TRUE(rows->guardsIntact()) << "guards of rows operand " << index;
  for (auto [index, buffer] : llvm::enumerate(guarded))
    EXPECT_TRUE(buffer->guardsIntact()) << "guards of buffer " << index;
}

//===----------------------------------------------------------------------===//
// Compiled kernels
//===----------------------------------------------------------------------===//

const Target &ssm::test::nativeTarget() {
  static const Target target = llvm::cantFail(Target::lookup("native"));
  return target;
}

std::vector<Target> ssm::test::testTargets() {
  std::vector<Target> targets = {nativeTarget()};
  if (llvm::is_contained(nativeTarget().requiredFeatures, "avx2"))
    targets.push_back(Target::wideForTests());
  return targets;
}

/// The one operation of the kern dialect in `module` that is a kernel.
static Operation *findKernel(ModuleOp module) {
  Operation *found = nullptr;
  module.walk([&](Operation *op) {
    if (isa_and_nonnull<kern::KernDialect>(op->getDialect()) &&
        !isa<kern::ColumnsOp, kern::YieldOp>(op))
      found = op;
  });
  return found;
}

int64_t ssm::test::evaluate(AffineExpr expression, const Symbols &symbols) {
  MLIRContext *context = expression.getContext();
  SmallVector<AffineExpr> values;
  for (int64_t value :
       {symbols.rows, symbols.sequences, symbols.tiles, symbols.outputs})
    values.push_back(getAffineConstantExpr(value, context));
  AffineExpr result = expression.replaceDimsAndSymbols({}, values);
  return cast<AffineConstantExpr>(simplifyAffineExpr(result, 0, 0)).getValue();
}

Kernel::Kernel(llvm::StringRef text, const Machine &machine, bool makeLogits)
    : machine(machine) {
  DialectRegistry registry;
  registry.insert<func::FuncDialect, kern::KernDialect, SsmDialect>();
  registerCpuCodegen(registry);
  gpu::registerGpuCodegen(registry);
  context =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  OwningOpRef<ModuleOp> source =
      parseSourceString<ModuleOp>(text, context.get());
  Operation *kernel = source ? findKernel(*source) : nullptr;
  if (!kernel) {
    ADD_FAILURE() << "no kernel in: " << text.str();
    return;
  }
  code = machine.isGpu() ? compileForGpu(kernel, *machine.gpu, makeLogits)
                         : compileForCpu(kernel, machine.cpu);
  if (!code)
    ADD_FAILURE() << "cannot compile: " << text.str();
}

Kernel::~Kernel() = default;

size_t Kernel::variantCount() const { return code->variants.size(); }

int64_t Kernel::gridSize(size_t index, const Symbols &symbols) const {
  return evaluate(code->variants[index].grid, symbols);
}

void Kernel::run(const Arguments &arguments, const Symbols &symbols,
                 Order order) const {
  for (size_t index = 0; index < variantCount(); ++index) {
    int64_t maxRows = code->variants[index].maxRows;
    if (maxRows < 0 || symbols.rows <= maxRows)
      return runVariant(index, arguments, symbols, order);
  }
  ADD_FAILURE() << "no variant for " << symbols.rows << " rows";
}

void Kernel::runVariant(size_t index, const Arguments &arguments,
                        const Symbols &symbols, Order order) const {
  code->run(index, gridSize(index, symbols), arguments, symbols, order);
  arguments.expectGuardsIntact();
}

//===----------------------------------------------------------------------===//
// Kernels of this CPU
//===----------------------------------------------------------------------===//

namespace {
/// Kernels mapped read and execute.
class CpuCode : public Kernel::Code {
public:
  ~CpuCode() override { munmap(mapped, mappedBytes); }

  static std::unique_ptr<CpuCode> compile(Operation *kernel,
                                          const Target &target);
  void run(size_t index, int64_t grid, const Arguments &arguments,
           const Symbols &symbols, Order order) const override;

private:
  std::vector<AffineExpr> scratch;
  std::vector<uint64_t> offsets;
  void *mapped = nullptr;
  size_t mappedBytes = 0;
};
} // namespace

std::unique_ptr<CpuCode> CpuCode::compile(Operation *kernel,
                                          const Target &target) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel->getLoc());
  FailureOr<SmallVector<KernelInfo>> emitted =
      emitKernel(kernel, "kernel", target, *module);
  if (failed(emitted))
    return nullptr;
  FailureOr<Image> image = compileKernels(*module, target);
  if (failed(image))
    return nullptr;
  auto code = std::make_unique<CpuCode>();
  for (const KernelInfo &info : *emitted) {
    code->variants.push_back({info.maxRows, info.grid});
    code->scratch.push_back(info.scratch);
    code->offsets.push_back(image->find(info.name)->offset);
  }
  code->mappedBytes = image->bytes.size();
  code->mapped = mmap(nullptr, code->mappedBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memcpy(code->mapped, image->bytes.data(), code->mappedBytes);
  mprotect(code->mapped, code->mappedBytes, PROT_READ | PROT_EXEC);
  return code;
}

/// Cuts units 0..`count` into ranges.
static std::vector<std::pair<int64_t, int64_t>> cut(int64_t count,
                                                    Order order) {
  std::vector<std::pair<int64_t, int64_t>> ranges;
  if (order == Order::Whole)
    return {{0, count}};
  std::mt19937 random(7);
  for (int64_t begin = 0; begin < count;) {
    int64_t length = order == Order::Reverse ? 1 : 1 + random() % 5;
    int64_t end = std::min(count, begin + length);
    ranges.push_back({begin, end});
    begin = end;
  }
  if (order == Order::Reverse)
    std::reverse(ranges.begin(), ranges.end());
  else
    std::shuffle(ranges.begin(), ranges.end(), random);
  return ranges;
}

void CpuCode::run(size_t index, int64_t grid, const Arguments &arguments,
                  const Symbols &symbols, Order order) const {
  using Entry = void (*)(const uint64_t *, int64_t, int64_t, void *);
  auto entry =
      reinterpret_cast<Entry>(static_cast<char *>(mapped) + offsets[index]);
  Buffer scratchMemory(evaluate(scratch[index], symbols));
  for (auto [begin, end] : cut(grid, order))
    entry(arguments.data(), begin, end, scratchMemory.data());
  EXPECT_TRUE(scratchMemory.guardsIntact()) << "guards of scratch";
}

std::unique_ptr<Kernel::Code> ssm::test::compileForCpu(Operation *kernel,
                                                       const Target &target) {
  return CpuCode::compile(kernel, target);
}
