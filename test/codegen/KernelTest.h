//===- KernelTest.h - Runs one CPU kernel in a test -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles a kern operation given as text, prepares its arguments and runs it
// over its grid: on this CPU, or as PTX on the interpreter. Every buffer lies
// between guard bands of NaNs, and memory that a kernel must not read starts as
// NaN.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/cpu/Cpu.h"
#include "codegen/gpu/Gpu.h"
#include "runtime/SeqTable.h"
#include "runtime/ptx/Interpreter.h"

#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"

#include <map>
#include <memory>
#include <random>
#include <vector>

namespace ssm::test {

/// Element type of a buffer.
enum class Element { F32, BF16, F16 };

/// Bytes of one element.
inline int64_t sizeOf(Element type) { return type == Element::F32 ? 4 : 2; }

/// `value` rounded to `type` (nearest even) and widened again.
float roundTo(Element type, float value);

/// Memory between guard bands. All of it starts as 0xFF bytes: NaN in every
/// float type.
class Buffer {
public:
  explicit Buffer(size_t bytes);
  Buffer(Buffer &&) = default;
  Buffer &operator=(Buffer &&) = default;

  std::byte *data() const { return first; }
  size_t size() const { return bytes; }
  template <typename T> T *as() const { return reinterpret_cast<T *>(first); }
  void zero();
  /// Element `index` of a buffer of `type`.
  float get(Element type, int64_t index) const;
  void set(Element type, int64_t index, float value);
  bool guardsIntact() const;
  /// The bytes, to restore or compare later.
  std::vector<std::byte> save() const { return {first, first + bytes}; }
  void restore(const std::vector<std::byte> &saved);

private:
  std::unique_ptr<std::byte[]> storage;
  std::byte *first;
  size_t bytes, storageBytes;
};

/// Rows of activations. The columns between `columns` and `stride` are guards.
struct Rows {
  Rows(int64_t rows, int64_t columns, Element type = Element::F32,
       int64_t stride = 0);

  float get(int64_t row, int64_t column) const {
    return buffer.get(type, row * stride + column);
  }
  void set(int64_t row, int64_t column, float value) {
    buffer.set(type, row * stride + column, value);
  }
  /// Fills with uniform values of [-scale, scale], rounded to the type.
  void randomize(std::mt19937 &random, float scale = 1);
  bool guardsIntact() const;

  int64_t rows, columns, stride;
  Element type;
  Buffer buffer;
};

/// Uniform values of [-scale, scale].
std::vector<float> randomVector(std::mt19937 &random, size_t count,
                                float scale = 1);

/// A vector operand: plain f32.
Buffer packVector(llvm::ArrayRef<float> values);

/// A row-major matrix in `type`, as a plain pack leaves it.
Buffer packPlain(llvm::ArrayRef<float> values, Element type);

/// The matrix [n, k] (row-major) in panels [n/nr][k/kr][nr][kr] of `type`,
/// padded with zeros.
Buffer packPanels(llvm::ArrayRef<float> matrix, int64_t n, int64_t k,
                  int64_t nr, int64_t kr, Element type);

/// The rows of one sequence in a call.
struct Sequence {
  int64_t slot;
  int64_t position;
  int64_t length;
};

/// A SeqTable and the arrays it points to. Each slot owns `maxPages` pages out
/// of slots * maxPages, in scattered order; a slot's pages are the same in
/// every table of equal `slots` and `maxPages`.
class Sequences {
public:
  static constexpr int64_t kPageTokens = 64;

  /// Without `outputs` every row is an output row.
  Sequences(std::vector<Sequence> sequences, int64_t slots = 4,
            int64_t maxPages = 4, std::vector<int32_t> outputs = {});
  Sequences(const Sequences &) = delete;

  const SeqTable &table() const { return seqTable; }
  const std::vector<Sequence> &sequences() const { return list; }
  int64_t rows() const { return seqTable.rows; }
  int64_t pageCount() const { return slots * maxPages; }
  /// First row of sequence `index`.
  int64_t firstRow(size_t index) const { return firstRows[index]; }
  /// Page that holds tokens 64*block.. of a slot.
  int32_t page(int64_t slot, int64_t block) const;

private:
  std::vector<Sequence> list;
  int64_t slots, maxPages;
  std::vector<int32_t> firstRows, slotOf, rowSequence, tileSequence, tileFirst,
      pages, outputRow;
  std::vector<int64_t> position, rowPosition;
  SeqTable seqTable;
};

/// Slots of one call, in the order of the kernel ABI.
class Arguments {
public:
  Arguments &rows(const Rows &rows);
  Arguments &weight(const Buffer &buffer) { return pointer(buffer); }
  Arguments &vector(const Buffer &buffer) { return pointer(buffer); }
  Arguments &tokens(const Buffer &buffer) { return pointer(buffer); }
  Arguments &seqs(const Sequences &sequences);
  /// A pool of states or pages with `stride` bytes each.
  Arguments &state(const Buffer &pool, int64_t stride);
  Arguments &integer(int64_t value);

  const uint64_t *data() const { return slots.data(); }
  size_t size() const { return slots.size(); }
  /// What the pointers among the slots point to.
  const std::map<size_t, const Buffer *> &buffers() const { return memory; }
  const std::map<size_t, const SeqTable *> &tables() const { return calls; }
  /// Fails the running test if a guard band has changed.
  void expectGuardsIntact() const;

private:
  Arguments &pointer(const Buffer &buffer);

  std::vector<uint64_t> slots;
  std::vector<const Rows *> rowsGuarded;
  std::vector<const Buffer *> guarded;
  std::map<size_t, const Buffer *> memory;
  std::map<size_t, const SeqTable *> calls;
};

/// Values of the symbols of a grid.
struct Symbols {
  int64_t rows = 0, sequences = 0, tiles = 0, outputs = 0;

  Symbols() = default;
  explicit Symbols(int64_t rows) : rows(rows), sequences(1), outputs(rows) {}
  explicit Symbols(const Sequences &sequences);
};

/// How a run cuts the grid into calls.
enum class Order { Whole, Reverse, RandomSplit };

/// All orders: a kernel gives the same bits in each.
inline constexpr Order kOrders[] = {Order::Whole, Order::Reverse,
                                    Order::RandomSplit};

/// The best target that this machine runs.
const Target &nativeTarget();

/// Targets that this machine runs: its own and, where it runs x86-64-v3, the
/// one with vectors of 16 lanes for tests.
std::vector<Target> testTargets();

/// What a test compiles for: a CPU target, or a GPU target whose PTX runs on
/// the interpreter, with all its checks.
struct Machine {
  Machine(const Target &target)
      : name(target.name), panel(target.panel), cpu(target) {}
  Machine(const gpu::Target &target);

  bool isGpu() const { return gpu != nullptr; }
  /// Input channels that lie together in a packed weight of `type`.
  int64_t pair(Element type) const;

  std::string name;
  /// Output channels of a panel of a packed weight.
  int64_t panel;
  Target cpu;
  const gpu::Target *gpu = nullptr;
};

/// The targets of `testTargets`, and a GPU.
std::vector<Machine> testMachines();
/// A GPU alone.
Machine testGpu();

/// A compiled kern operation.
class Kernel {
public:
  /// Compiles the one kern operation (`kern.columns` aside) in the module
  /// `text`. Fails the running test and leaves nothing to run if that is
  /// impossible. On a GPU with `makeLogits`, a product leaves candidates for
  /// the largest number of each row in scratch memory.
  explicit Kernel(llvm::StringRef text, const Machine &machine = nativeTarget(),
                  bool makeLogits = false);
  ~Kernel();
  Kernel(const Kernel &) = delete;

  explicit operator bool() const { return code != nullptr; }
  const Target &target() const { return machine.cpu; }
  size_t variantCount() const;

  /// Runs the variant for this number of rows over the whole grid, then checks
  /// the guards. On a GPU `order` chooses the schedule of warps.
  void run(const Arguments &arguments, const Symbols &symbols,
           Order order = Order::Whole) const;
  /// Runs variant `index`.
  void runVariant(size_t index, const Arguments &arguments,
                  const Symbols &symbols, Order order = Order::Whole) const;
  /// Number of units of variant `index`.
  int64_t gridSize(size_t index, const Symbols &symbols) const;

  /// The code of a machine.
  class Code;

private:
  Machine machine;
  std::unique_ptr<mlir::MLIRContext> context;
  std::unique_ptr<Code> code;
};

/// Scratch memory as the last run on the interpreter left it.
const std::vector<std::byte> &lastScratch();
/// What the last run on the interpreter did.
const ssmrt::ptx::Counters &lastCounters();

/// Expects the last run on the interpreter to have read and written at most 5 %
/// more than so many bytes of global memory, counted in sectors. One number for
/// a whole warp, as of the table of sequences, does not count.
void expectTraffic(int64_t readBytes, int64_t writtenBytes);

} // namespace ssm::test
