//===- TileBuilder.h - Builds the code of GPU kernels -*- C++ -*- ---------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels are written from the view of one thread: scalars and short vectors,
// scf loops, tile operations. TileBuilder has the short forms that every
// emitter uses; KernelArgs reads the slots of the kernel ABI, which are the
// parameters of the kernel.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/CodeBuilder.h"
#include "codegen/gpu/Target.h"
#include "dialect/Tile.h"

namespace ssm::gpu {

/// The builder of a GPU kernel. Index arithmetic is i64.
class TileBuilder : public CodeBuilder {
public:
  TileBuilder(mlir::Location loc, const Target &target);

  const Target &target;

  /// Appends a kernel with blocks of `block` threads to `module` and moves into
  /// its body. The emitter ends it with `finishKernel`. `minBlocks` of them
  /// shall fit on a multiprocessor.
  tile::FuncOp startKernel(mlir::ModuleOp module, llvm::StringRef name,
                           int64_t block, int64_t minBlocks = 1);
  void finishKernel();

  //===--------------------------------------------------------------------===//
  // Threads
  //===--------------------------------------------------------------------===//

  /// Threads of a block.
  int64_t block() const { return blockThreads; }
  int64_t warps() const { return blockThreads / tile::kWarpLanes; }
  mlir::Value blockId();
  mlir::Value threadId();
  using CodeBuilder::lane;
  mlir::Value lane();
  mlir::Value warp();

  void barrier();
  void warpBarrier();
  /// Between a fence of each, an atomic tells a thread of another block what
  /// this one has written.
  void fence();
  /// Value of the lane whose number differs in the bits of `lanes`.
  mlir::Value shuffleXor(mlir::Value value, int64_t lanes);
  /// Value of lane `lane` (i64).
  mlir::Value shuffleIndex(mlir::Value value, mlir::Value lane);
  /// Combination over clusters of `width` lanes that are `stride` apart.
  mlir::Value reduceWarp(tile::Combine combine, mlir::Value value,
                         int64_t width = tile::kWarpLanes, int64_t stride = 1);
  /// Combination over the block, the same bits in every thread: warps in a
  /// tree, then the warps in turn. `scratch` holds one element per warp; it is
  /// free again afterwards. All threads of the block take part.
  mlir::Value reduceBlock(tile::Combine combine, mlir::Value value,
                          mlir::Value scratch);

  /// Calls `body` for each of `count` numbers; they are dealt to the threads of
  /// the block in turn, so neighbours touch neighbouring memory.
  void forThreads(mlir::Value count,
                  llvm::function_ref<void(mlir::Value)> body);
  void forThreads(int64_t count, llvm::function_ref<void(mlir::Value)> body);

  /// Sum of `term(index, mask)` over `first`, `first` + `stride`, ... below
  /// `count`, in this order; `mask` is null where `index` surely is below.
  mlir::Value
  accumulate(mlir::Value first, int64_t count, int64_t stride,
             llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> term);

  //===--------------------------------------------------------------------===//
  // Memory
  //===--------------------------------------------------------------------===//

  tile::PtrType globalOf(mlir::Type element);
  /// Shared memory of `count` elements.
  mlir::Value allocShared(mlir::Type element, int64_t count);
  mlir::Value allocShared(int64_t count) {
    return allocShared(getF32Type(), count);
  }

  /// `numbers` (i64) in memory.
  mlir::Value table(llvm::ArrayRef<int64_t> numbers);

  /// Address of element `index` behind `pointer`.
  mlir::Value at(mlir::Value pointer, mlir::Value index);
  mlir::Value at(mlir::Value pointer, int64_t index) {
    return at(pointer, i64(index));
  }
  /// The same address of elements of another type.
  mlir::Value cast(mlir::Value pointer, mlir::Type element);

  /// Element `index`, or `width` elements from there (aligned to their bytes).
  /// Where `mask` is false, zero.
  mlir::Value load(mlir::Value pointer, mlir::Value index, int64_t width = 0,
                   mlir::Value mask = {}, tile::Cache cache = tile::Cache::Any);
  /// The same of memory that nobody writes while the kernel runs.
  mlir::Value loadConstant(mlir::Value pointer, mlir::Value index,
                           int64_t width = 0, mlir::Value mask = {}) {
    return load(pointer, index, width, mask, tile::Cache::ReadOnly);
  }
  void store(mlir::Value value, mlir::Value pointer, mlir::Value index,
             mlir::Value mask = {});

  /// Adds `value` to element `index` as one step; gives the value before.
  mlir::Value atomicAdd(mlir::Value value, mlir::Value pointer,
                        mlir::Value index);

  /// Loads of f32, bf16 or f16 as f32, and stores rounded to nearest even.
  mlir::Value loadFloats(mlir::Value pointer, mlir::Value index,
                         int64_t width = 0, mlir::Value mask = {},
                         tile::Cache cache = tile::Cache::Any);
  void storeFloats(mlir::Value value, mlir::Value pointer, mlir::Value index,
                   mlir::Value mask = {});
  /// f32 of a float type of 16 bits, and back.
  mlir::Value widen(mlir::Value value);
  mlir::Value narrow(mlir::Value value, mlir::Type element);

  /// Starts a copy of `bytes` from global to shared memory; zeros where `mask`
  /// is false.
  void copyAsync(mlir::Value target, mlir::Value targetIndex,
                 mlir::Value source, mlir::Value sourceIndex, int64_t bytes,
                 mlir::Value mask = {});
  /// Ends a group of copies, and waits for all but the last `pending` groups.
  void commitCopies();
  void waitForCopies(int64_t pending);

  //===--------------------------------------------------------------------===//
  // Arithmetic
  //===--------------------------------------------------------------------===//

  mlir::Value approximate(tile::Function function, mlir::Value value);
  /// 2^x by the instruction, 2 ulp; e^x from it with the rounding error of the
  /// exponent put back, 3 ulp.
  mlir::Value exp2(mlir::Value x) override;
  mlir::Value exp(mlir::Value x) override;
  /// a < b, of i64.
  mlir::Value less(mlir::Value a, mlir::Value b);
  mlir::Value less(mlir::Value a, int64_t b) { return less(a, i64(b)); }
  mlir::Value equal(mlir::Value a, int64_t b);
  mlir::Value both(mlir::Value a, mlir::Value b) { return bitAnd(a, b); }

private:
  mlir::Value
  elementwise(mlir::Value value,
              llvm::function_ref<mlir::Value(mlir::Value)> function);

  int64_t blockThreads = 0;
};

//===----------------------------------------------------------------------===//
// Slots of the kernel ABI
//===----------------------------------------------------------------------===//

/// Activation rows: `stride` elements from one row to the next.
struct Rows {
  mlir::Value pointer, stride;
  mlir::Type element;
  int64_t columns;

  /// Address of the first column of row `row`.
  mlir::Value row(TileBuilder &builder, mlir::Value row) const;
};

/// A pool of states or cache pages; `stride` bytes from one slot to the next.
struct Pool {
  mlir::Value pointer, stride;

  /// Address of slot `index`, as elements of type `element`.
  mlir::Value slot(TileBuilder &builder, mlir::Value index,
                   mlir::Type element) const;
};

/// Fields of the SeqTable of a call; all values are i64.
class Sequences {
public:
  Sequences(TileBuilder &builder, mlir::Value table)
      : builder(builder), table(table) {}

  mlir::Value rows() { return integer(0); }
  mlir::Value sequences() { return integer(8); }
  mlir::Value tiles() { return integer(16); }
  mlir::Value outputs() { return integer(24); }
  /// First row of sequence `sequence`; its end is that of the next one.
  mlir::Value firstRow(mlir::Value sequence) { return entry32(32, sequence); }
  mlir::Value slot(mlir::Value sequence) { return entry32(40, sequence); }
  mlir::Value position(mlir::Value sequence) { return entry64(48, sequence); }
  mlir::Value rowSequence(mlir::Value row) { return entry32(56, row); }
  mlir::Value rowPosition(mlir::Value row) { return entry64(64, row); }
  mlir::Value tileSequence(mlir::Value tile) { return entry32(72, tile); }
  mlir::Value tileFirst(mlir::Value tile) { return entry32(80, tile); }
  /// Number of page `index` of sequence `sequence`.
  mlir::Value page(mlir::Value sequence, mlir::Value index);
  mlir::Value outputRow(mlir::Value output) { return entry32(104, output); }

private:
  mlir::Value integer(int64_t offset);
  mlir::Value entry32(int64_t offset, mlir::Value index);
  mlir::Value entry64(int64_t offset, mlir::Value index);
  mlir::Value list(int64_t offset, mlir::Type element);

  TileBuilder &builder;
  mlir::Value table;
};

/// Adds the parameters of a kernel, in the order of the operation's operands,
/// then its row results, then the number of rows.
class KernelArgs {
public:
  KernelArgs(TileBuilder &builder, tile::FuncOp function)
      : builder(builder), function(function) {}

  /// Rows that tensor value `rows` (operand or result) stands for.
  Rows rows(mlir::Value rows);
  llvm::SmallVector<Rows> rows(mlir::ValueRange list);
  /// A weight or a vector, whose elements have the type of the tensor's.
  mlir::Value weight(mlir::Value tensor);
  llvm::SmallVector<mlir::Value> weights(mlir::ValueRange tensors);
  mlir::Value tokens();
  /// A state or a cache.
  Pool pool();
  Sequences sequences();
  mlir::Value integer();
  /// Memory of the kernel, of `KernelInfo::scratch` bytes; the last slot.
  mlir::Value scratch();

private:
  mlir::Value next(mlir::Type type);

  TileBuilder &builder;
  tile::FuncOp function;
};

} // namespace ssm::gpu
