//===- TileOps.td - Threads, memory, warps -----------------*- tablegen -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TILE_OPS_TD
#define TILE_OPS_TD

include "dialect/TileTensorOps.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def Tile_Scalar : AnyTypeOf<[I8, I16, I32, I64, F16, BF16, F32],
                            "scalar (i8 to i64, f16, bf16, f32)">;
def Tile_Vector : VectorOfLengthAndType<[2, 4, 8, 16],
    [I8, I16, I32, I64, F16, BF16, F32]>;
/// What a load gives and a store takes.
def Tile_Value : AnyTypeOf<[Tile_Scalar, Tile_Vector, Tile_PtrType],
                           "scalar, short vector or pointer">;
/// What lanes exchange.
def Tile_Word : AnyTypeOf<[I32, F32, I64], "i32, i64 or f32">;

class Tile_PtrIn<string space> : Type<
    And<[Tile_PtrType.predicate,
         CPred<"::llvm::cast<::tile::PtrType>($_self).getSpace() == "
               "::tile::Space::" # space>]>,
    "pointer to " # !tolower(space) # " memory", "::tile::PtrType">;
def Tile_GlobalPtr : Tile_PtrIn<"Global">;
def Tile_SharedPtr : Tile_PtrIn<"Shared">;

/// `value` is an element of `pointer`, or a vector of up to 16 bytes of them.
class Accesses<string value, string pointer> : PredOpTrait<
  "'" # value # "' to be an element of '" # pointer #
      "' or a vector of at most 16 bytes of them",
  CPred<"::tile::isAccess($" # value # ".getType(), $" # pointer # ".getType())">>;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

def Tile_FuncOp : Tile_Op<"func", [Symbol, IsolatedFromAbove]> {
  let summary = "A kernel";
  let description = [{
    The arguments of the body are i64 or pointers to global memory: the slots of the
    kernel ABI. A block has `block` threads; at least `min_blocks` of them shall fit
    on a multiprocessor together, which bounds the registers of a thread.

    Constraints: `func_c1` a multiple of 32 up to 1024 threads; `func_c2` arguments of
    64 bits; `func_c3` shared memory of at most 227 KiB; `func_c4` if the body has a
    `tile.grid_wait`, nothing before it touches global memory but loads with
    `cache(read_only)`.

    ```mlir
    tile.func @fill block(128) {
    ^bb0(%rows: !tile.ptr<f32, global>, %count: i64):
      tile.return
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
    ConfinedAttr<I64Attr, [IntPositive]>:$block,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$min_blocks);
  let regions = (region AnyRegion:$body);
  let assemblyFormat = [{
    $sym_name `block` `(` $block `)` (`min_blocks` `(` $min_blocks^ `)`)?
    attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// Bytes of shared memory that a multiprocessor offers one block.
    static constexpr int64_t kSharedBytes = 227 * 1024;
    /// Bytes of all allocations of shared memory and rings.
    int64_t getSharedBytes();
  }];
}

def Tile_ReturnOp : Tile_Op<"return", [Pure, Terminator, ParentOneOf<["FuncOp"]>]> {
  let summary = "End of a thread";
  let assemblyFormat = "attr-dict";
}

class Tile_IndexOp<string mnemonic, string text>
    : Tile_Op<mnemonic, [Pure]> {
  let summary = text;
  let results = (outs I64:$result);
  let assemblyFormat = "attr-dict";
}

def Tile_BlockIdOp : Tile_IndexOp<"block_id", "Number of the block in the grid">;
def Tile_ThreadIdOp : Tile_IndexOp<"thread_id", "Number of the thread in its block">;
def Tile_LaneOp : Tile_IndexOp<"lane", "Number of the thread in its warp">;
def Tile_WarpOp : Tile_IndexOp<"warp", "Number of the warp in its block">;

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

def Tile_AllocSharedOp : Tile_Op<"alloc_shared"> {
  let summary = "Shared memory of the block, undefined at the start";
  let description = [{
    `count` elements, aligned to 16 bytes. Each operation is memory of its own for
    the whole life of the block.
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntPositive]>:$count);
  let results = (outs Tile_SharedPtr:$result);
  let assemblyFormat = "$count attr-dict `:` type($result)";
  let extraClassDeclaration = [{
    int64_t getBytes() { return getCount() * getResult().getType().getElementBytes(); }
  }];
}

def Tile_TableOp : Tile_Op<"table", [Pure]> {
  let summary = "Numbers that are known when the kernel is compiled, in memory";
  let arguments = (ins DenseI64ArrayAttr:$numbers);
  let results = (outs Tile_GlobalPtr:$result);
  let assemblyFormat = "$numbers attr-dict `:` type($result)";
}

def Tile_OffsetOp : Tile_Op<"offset", [Pure, AllTypesMatch<["pointer", "result"]>]> {
  let summary = "Address of element `index` behind a pointer";
  let arguments = (ins Tile_PtrType:$pointer, I64:$index);
  let results = (outs Tile_PtrType:$result);
  let assemblyFormat = "$pointer `[` $index `]` attr-dict `:` type($result)";
  let hasFolder = 1;
}

def Tile_CastOp : Tile_Op<"cast", [Pure, PredOpTrait<
    "'pointer' and 'result' to be in one space",
    CPred<"::tile::isShared($pointer.getType()) == ::tile::isShared($result.getType())">>]> {
  let summary = "The same address of elements of another type";
  let arguments = (ins Tile_PtrType:$pointer);
  let results = (outs Tile_PtrType:$result);
  let assemblyFormat = "$pointer attr-dict `:` type($pointer) `to` type($result)";
  let hasFolder = 1;
}

def Tile_LoadOp : Tile_Op<"load", [MemoryEffects<[MemRead]>,
                                   Accesses<"result", "pointer">]> {
  let summary = "Loads an element, or a vector of neighbours";
  let description = [{
    Reads the elements from `index` on; a vector lies at a multiple of its bytes.
    Where `mask` is false nothing is read and the result is zero.
  }];
  let arguments = (ins Tile_PtrType:$pointer, I64:$index, Optional<I1>:$mask,
    DefaultValuedAttr<Tile_Cache, "::tile::Cache::Any">:$cache);
  let results = (outs Tile_Value:$result);
  let assemblyFormat = [{
    $pointer `[` $index `]` (`mask` $mask^)? (`cache` `(` $cache^ `)`)? attr-dict
    `:` type($pointer) `->` type($result)
  }];
}

def Tile_StoreOp : Tile_Op<"store", [MemoryEffects<[MemWrite]>,
                                     Accesses<"value", "pointer">]> {
  let summary = "Stores an element, or a vector of neighbours, where `mask` is true";
  let arguments = (ins Tile_Value:$value, Tile_PtrType:$pointer, I64:$index,
    Optional<I1>:$mask);
  let assemblyFormat = [{
    $value `,` $pointer `[` $index `]` (`mask` $mask^)? attr-dict
    `:` type($value) `,` type($pointer)
  }];
}

def Tile_CpAsyncOp : Tile_Op<"cp_async", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Starts a copy of 4, 8 or 16 bytes from global to shared memory";
  let description = [{
    Both addresses are multiples of `bytes`. Where `mask` is false, zeros are
    written and nothing is read. The bytes are there for the thread itself after the
    `tile.cp_async_wait` of its group, for others after a barrier behind it.

    Constraint: `cp_async_c1` 4, 8 or 16 bytes.
  }];
  let arguments = (ins Tile_SharedPtr:$target, I64:$target_index,
    Tile_GlobalPtr:$source, I64:$source_index, Optional<I1>:$mask, I64Attr:$bytes);
  let assemblyFormat = [{
    $target `[` $target_index `]` `,` $source `[` $source_index `]` (`mask` $mask^)?
    `bytes` `(` $bytes `)` attr-dict `:` type($target) `,` type($source)
  }];
  let hasVerifier = 1;
}

def Tile_CpAsyncCommitOp : Tile_Op<"cp_async_commit"> {
  let summary = "Makes a group of the copies that the thread has started";
  let assemblyFormat = "attr-dict";
}

def Tile_CpAsyncWaitOp : Tile_Op<"cp_async_wait"> {
  let summary = "Waits until all but the last `pending` groups have arrived";
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$pending);
  let assemblyFormat = "$pending attr-dict";
}

def Tile_AtomicOp : Tile_Op<"atomic", [MemoryEffects<[MemRead, MemWrite]>,
    Accesses<"value", "pointer">, AllTypesMatch<["value", "result"]>]> {
  let summary = "Combines a value with memory as one step; gives the value before";
  let description = [{
    Relaxed, visible to the whole device (shared memory: to the block). Integers are
    unsigned in max and min. Float sums depend on the order of threads: only for what
    may.
  }];
  let arguments = (ins Tile_Combine:$combine, Tile_Word:$value,
    Tile_PtrType:$pointer, I64:$index);
  let results = (outs Tile_Word:$result);
  let assemblyFormat = [{
    $combine $value `,` $pointer `[` $index `]` attr-dict
    `:` type($value) `,` type($pointer)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Meeting other threads
//===----------------------------------------------------------------------===//

def Tile_BarrierOp : Tile_Op<"barrier"> {
  let summary = "Waits for the threads of the block";
  let description = [{
    All threads of the block, or `threads` of them that meet at barrier `id`; what
    they wrote before is visible to them behind it.

    Constraint: `barrier_c1` ids 0 to 15; `barrier_c2` a multiple of 32 threads.
  }];
  let arguments = (ins DefaultValuedAttr<I64Attr, "0">:$id, OptionalAttr<I64Attr>:$threads);
  let assemblyFormat = "(`id` `(` $id^ `)`)? (`threads` `(` $threads^ `)`)? attr-dict";
  let hasVerifier = 1;
}

def Tile_WarpBarrierOp : Tile_Op<"warp_barrier"> {
  let summary = "Waits for the lanes of the warp";
  let assemblyFormat = "attr-dict";
}

def Tile_ShuffleOp : Tile_Op<"shuffle", [AllTypesMatch<["value", "result"]>]> {
  let summary = "Value of another lane of the warp";
  let description = [{
    Lane l gets `value` of lane l xor `lane`, l - `lane`, l + `lane`, or `lane` (its own
    where there is none). All lanes of the warp take part.
  }];
  let arguments = (ins Tile_Shuffle:$from, Tile_Word:$value, I32:$lane);
  let results = (outs Tile_Word:$result);
  let assemblyFormat = "$from $lane `of` $value attr-dict `:` type($value)";
}

def Tile_ReduceWarpOp : Tile_Op<"reduce_warp", [AllTypesMatch<["value", "result"]>]> {
  let summary = "Combination of the values of neighbouring lanes";
  let description = [{
    Lanes form clusters of `width`; each gets the combination over its cluster.
    Partners of distance 1, 2, 4, ... are combined in turn, so all lanes of a cluster
    have the same bits. Integers are signed. With `stride` s, a cluster is every s-th lane.

    Constraint: `reduce_warp_c1` `width` and `stride` powers of two, together at most
    32.
  }];
  let arguments = (ins Tile_Combine:$combine, Tile_Word:$value,
    DefaultValuedAttr<I64Attr, "32">:$width, DefaultValuedAttr<I64Attr, "1">:$stride);
  let results = (outs Tile_Word:$result);
  let assemblyFormat = [{
    $combine $value (`width` `(` $width^ `)`)? (`stride` `(` $stride^ `)`)? attr-dict
    `:` type($value)
  }];
  let hasVerifier = 1;
}

def Tile_FenceOp : Tile_Op<"fence"> {
  let summary = "Orders the thread's accesses before it and behind it, for the device";
  let description = [{
    What the thread has written or seen before is visible, behind the fence of
    another block's thread, to whom an atomic between the two fences has told of it.
  }];
  let assemblyFormat = "attr-dict";
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

def Tile_ApproxOp : Tile_Op<"approx", [Pure, AllTypesMatch<["value", "result"]>]> {
  let summary = "Function that the GPU approximates in one instruction";
  let description = [{
    exp2 and log2 to 2^-22, rcp and rsqrt to 1 and 2 units in the last place, tanh to
    2^-11, all relative.
  }];
  let arguments = (ins Tile_Function:$function, F32:$value);
  let results = (outs F32:$result);
  let assemblyFormat = "$function $value attr-dict";
}

#endif // TILE_OPS_TD
