//===- KernelBuilder.h - Builds the code of CPU kernels -------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels are written as explicit loops (scf.for on i64) over one-dimensional
// vectors of the target's width and raw pointers. KernelBuilder has the short
// forms that every emitter uses; KernelArgs reads the slots of the kernel ABI.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/CodeBuilder.h"
#include "codegen/cpu/Target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace ssm {

/// A kernel under construction: its function and the values of its signature
/// `(ptr args, i64 begin, i64 end, ptr scratch)`.
struct Kernel {
  mlir::func::FuncOp function;
  mlir::Value args, begin, end, scratch;
};

/// The builder of a CPU kernel: registers of the target's width and memory.
class KernelBuilder : public CodeBuilder {
public:
  KernelBuilder(mlir::Location loc, const Target &target);

  const Target &target;

  /// Appends the function of a kernel to `module` and moves into its body. The
  /// emitter ends it with `finishKernel`.
  Kernel startKernel(mlir::ModuleOp module, llvm::StringRef name);
  void finishKernel();

  //===--------------------------------------------------------------------===//
  // Registers
  //===--------------------------------------------------------------------===//

  /// f32 lanes of a vector register.
  int64_t lanes() const { return target.lanes; }
  mlir::Type pointerType();
  /// A register of f32.
  mlir::Type vectorF32() { return vectorOf(getF32Type(), lanes()); }
  /// A register of f32 with `value` in every lane.
  mlir::Value splat(double value) { return constant(vectorF32(), value); }
  using CodeBuilder::broadcast;
  mlir::Value broadcast(mlir::Value scalar);

  //===--------------------------------------------------------------------===//
  // Memory
  //===--------------------------------------------------------------------===//

  /// Address of element `index` behind `pointer`.
  mlir::Value at(mlir::Value pointer, mlir::Value index, mlir::Type element);
  mlir::Value at(mlir::Value pointer, int64_t index, mlir::Type element);
  mlir::Value at(mlir::Value pointer, mlir::Value index) {
    return at(pointer, index, getF32Type());
  }
  mlir::Value at(mlir::Value pointer, int64_t index) {
    return at(pointer, index, getF32Type());
  }
  mlir::Value atByte(mlir::Value pointer, mlir::Value bytes) {
    return at(pointer, bytes, getI8Type());
  }
  mlir::Value atByte(mlir::Value pointer, int64_t bytes) {
    return at(pointer, bytes, getI8Type());
  }
  /// Plain load and store; without `alignment` that of an element.
  mlir::Value load(mlir::Value pointer, mlir::Type type, int64_t alignment = 0);
  void store(mlir::Value value, mlir::Value pointer, int64_t alignment = 0);
  /// One f32, or one i64 of an i32 or i64 in memory.
  mlir::Value loadScalar(mlir::Value pointer) {
    return load(pointer, getF32Type());
  }
  mlir::Value loadInteger(mlir::Value pointer, mlir::Type element) {
    return toI64(load(pointer, element));
  }

  /// Loads `width` elements (0: a scalar) of f32, bf16 or f16, as f32. With
  /// `count` (i64, 0..width) only so many exist in memory; the others are zero.
  mlir::Value loadFloats(mlir::Value pointer, mlir::Type element, int64_t width,
                         mlir::Value count = {});
  /// A register of floats.
  mlir::Value loadFloats(mlir::Value pointer, mlir::Type element,
                         mlir::Value count = {}) {
    return loadFloats(pointer, element, lanes(), count);
  }
  mlir::Value loadFloats(mlir::Value pointer, mlir::Value count = {}) {
    return loadFloats(pointer, getF32Type(), lanes(), count);
  }
  /// Stores f32 as `element`, rounded to nearest even; with `count` only the
  /// first so many lanes.
  void storeFloats(mlir::Value value, mlir::Value pointer, mlir::Type element,
                   mlir::Value count = {});
  void storeFloats(mlir::Value value, mlir::Value pointer,
                   mlir::Value count = {}) {
    storeFloats(value, pointer, getF32Type(), count);
  }
  /// f32 from the bits of bf16 or f16 (i16 or the float type), and back.
  mlir::Value widen(mlir::Value value, mlir::Type element);
  mlir::Value narrow(mlir::Value value, mlir::Type element);

  /// Stack memory of the kernel, aligned to a cache line.
  mlir::Value stackTile(int64_t bytes);
  /// Hint to load the cache line of `pointer` into all levels.
  void prefetch(mlir::Value pointer);
  /// The same for a line that will be written.
  void prefetchForWrite(mlir::Value pointer);

  //===--------------------------------------------------------------------===//
  // Loops over registers
  //===--------------------------------------------------------------------===//

  /// Calls `body` for each register of `count` consecutive floats with its
  /// offset and the number of its lanes that exist (null: all).
  void forVectors(int64_t count,
                  llvm::function_ref<void(mlir::Value, mlir::Value)> body);
  /// The same for tiles of at most `width` registers: offset, number of
  /// registers, and lanes of the last one.
  void
  forTiles(int64_t count, int64_t width,
           llvm::function_ref<void(mlir::Value, int64_t, mlir::Value)> body);

private:
  mlir::Value loadPart(mlir::Value pointer, mlir::Type element, int64_t width,
                       mlir::Value count);
  void storePart(mlir::Value value, mlir::Value pointer, mlir::Value count);
};

//===----------------------------------------------------------------------===//
// Slots of the kernel ABI
//===----------------------------------------------------------------------===//

/// Activation rows: `stride` elements from one row to the next.
struct Rows {
  mlir::Value pointer, stride;
  mlir::Type element;
  int64_t columns;

  /// Address of column `column` of row `row`.
  mlir::Value row(KernelBuilder &builder, mlir::Value row) const;
};

/// A pool of states or cache pages; `stride` bytes from one slot to the next.
struct Pool {
  mlir::Value pointer, stride;

  mlir::Value slot(KernelBuilder &builder, mlir::Value index) const;
};

/// Fields of the SeqTable of a call; all values are i64.
class Sequences {
public:
  Sequences(KernelBuilder &builder, mlir::Value table)
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

  KernelBuilder &builder;
  mlir::Value table;
};

/// A cursor over the slots of a kernel, read in the order of the operation's
/// operands, then its row results, then the number of rows.
class KernelArgs {
public:
  KernelArgs(KernelBuilder &builder, mlir::Value args)
      : builder(builder), args(args) {}

  /// Rows that tensor value `rows` (operand or result) stands for.
  Rows rows(mlir::Value rows);
  /// A weight, a vector or the tokens.
  mlir::Value pointer();
  /// A state or a cache.
  Pool pool();
  Sequences sequences() { return Sequences(builder, pointer()); }
  mlir::Value integer();

private:
  mlir::Value next(mlir::Type type);

  KernelBuilder &builder;
  mlir::Value args;
  int64_t slot = 0;
};

} // namespace ssm
