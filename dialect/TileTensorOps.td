//===- TileTensorOps.td - Tiles, rings, tensor cores -------*- tablegen -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of matrices in registers and shared memory, the tensor instructions on them,
// and how they come there. A result of an asynchronous product has a type of its own
// that only its wait reads, so using it early cannot be written.
//
//===----------------------------------------------------------------------===//

#ifndef TILE_TENSOR_OPS_TD
#define TILE_TENSOR_OPS_TD

include "dialect/TileDialect.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def Tile_RegType : Tile_Type<"Reg", "reg"> {
  let summary = "Tile of a matrix in the registers of a warp or warpgroup";
  let description = [{
    `layout` says which thread has which element: `acc`, `a` and `b` are those of the
    m16n8k16 instructions of a warp, `wide_acc` and `wide_a` those of the m64nNk16
    instructions of a warpgroup.

    Constraint: `reg_c1` whole atoms of the layout: 16 x 8 (acc), 16 x 16 (a), 8 x 16
    (b), 64 x 8 (wide_acc), 64 x 16 (wide_a).
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "::mlir::Type":$element,
    EnumParameter<Tile_Layout>:$layout);
  let assemblyFormat = "`<` $rows `,` $columns `,` $element `,` $layout `>`";
  let genVerifyDecl = 1;
}

def Tile_PendingType : Tile_Type<"Pending", "pending"> {
  let summary = "Register tile that a tensor instruction is still writing";
  let parameters = (ins "::tile::RegType":$tile);
  let assemblyFormat = "`<` $tile `>`";
}

def Tile_SharedType : Tile_Type<"Shared", "shared"> {
  let summary = "Tile of a matrix in shared memory, its rows swizzled";
  let description = [{
    Rows of `columns` elements; 16-byte pieces of a line of `swizzle` bytes change places
    by the number of the row.

    Constraint: `shared_c1` rows of a multiple of the line.
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "::mlir::Type":$element,
    DefaultValuedParameter<"int64_t", "0">:$swizzle);
  let assemblyFormat = "`<` $rows `,` $columns `,` $element (`,` `swizzle` `=` $swizzle^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{ int64_t getBytes() const; }];
}

def Tile_RingType : Tile_Type<"Ring", "ring"> {
  let summary = "Stages of shared tiles that a producer fills and consumers empty";
  let parameters = (ins "int64_t":$stages, ArrayRefParameter<"::tile::SharedType">:$tiles);
  let assemblyFormat = "`<` $stages `,` $tiles `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{ int64_t getBytes() const; }];
}

def Tile_StageType : Tile_Type<"Stage", "stage"> {
  let summary = "A stage of a ring, in the hands of one side";
  let parameters = (ins "::tile::RingType":$ring);
  let assemblyFormat = "`<` $ring `>`";
}

def Tile_MapType : Tile_Type<"Map", "map"> {
  let summary = "Descriptor of a matrix in global memory, for copies of whole tiles";
  let parameters = (ins "::tile::SharedType":$box);
  let assemblyFormat = "`<` $box `>`";
}

class Tile_RegIn<string layoutName> : Type<
    And<[Tile_RegType.predicate,
         CPred<"::llvm::cast<::tile::RegType>($_self).getLayout() == "
               "::tile::Layout::" # layoutName>]>,
    "register tile in the layout of " # layoutName, "::tile::RegType">;
def Tile_A : Tile_RegIn<"A">;
def Tile_B : Tile_RegIn<"B">;
def Tile_Acc : Tile_RegIn<"Acc">;
def Tile_WideA : Tile_RegIn<"WideA">;
def Tile_WideAcc : Tile_RegIn<"WideAcc">;

/// Dimensions `i` of `a` and `j` of `b` are equal; 0 rows, 1 columns.
class TileDims<string a, int i, string b, int j> : PredOpTrait<
  "dim " # i # " of '" # a # "' to be dim " # j # " of '" # b # "'",
  CPred<"::tile::sizeOf($" # a # ".getType(), " # i # ") == "
        "::tile::sizeOf($" # b # ".getType(), " # j # ")">>;

//===----------------------------------------------------------------------===//
// Tiles in shared memory and registers
//===----------------------------------------------------------------------===//

def Tile_AllocTileOp : Tile_Op<"alloc_tile"> {
  let summary = "A tile of shared memory, aligned for tensor instructions";
  let results = (outs Tile_SharedType:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Tile_ZeroOp : Tile_Op<"zero", [Pure]> {
  let summary = "Register tile of zeros";
  let results = (outs Tile_RegType:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Tile_ReadTileOp : Tile_Op<"read_tile", [MemoryEffects<[MemRead]>,
    PredOpTrait<"'source' and 'result' to have one element type",
      CPred<"::llvm::cast<::tile::SharedType>($source.getType()).getElement() == "
            "::llvm::cast<::tile::RegType>($result.getType()).getElement()">>]> {
  let summary = "Part of a shared tile, from (row, column) on, in registers";
  let arguments = (ins Tile_SharedType:$source, I64:$row, I64:$column);
  let results = (outs Tile_RegType:$result);
  let assemblyFormat = [{
    $source `[` $row `,` $column `]` attr-dict `:` type($source) `->` type($result)
  }];
}

def Tile_WriteTileOp : Tile_Op<"write_tile", [MemoryEffects<[MemWrite]>]> {
  let summary = "Writes a register tile to a shared tile, from (row, column) on";
  let arguments = (ins Tile_RegType:$value, Tile_SharedType:$target, I64:$row, I64:$column);
  let assemblyFormat = [{
    $value `,` $target `[` $row `,` $column `]` attr-dict `:` type($value) `,` type($target)
  }];
}

def Tile_ConvertLayoutOp : Tile_Op<"convert_layout", [Pure, TileDims<"value", 0, "result", 0>,
                                                      TileDims<"value", 1, "result", 1>]> {
  let summary = "The same tile for other threads or in a narrower type";
  let description = [{
    Free where registers stay in place: an accumulator narrowed to 16 bits is the first
    operand of the next product.

    Constraint: `convert_layout_c1` acc to a, or wide_acc to wide_a.
  }];
  let arguments = (ins Tile_RegType:$value);
  let results = (outs Tile_RegType:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Tensor instructions
//===----------------------------------------------------------------------===//

def Tile_MmaOp : Tile_Op<"mma", [Pure, AllTypesMatch<["acc", "result"]>,
    TileDims<"a", 0, "acc", 0>, TileDims<"b", 0, "acc", 1>, TileDims<"a", 1, "b", 1>]> {
  let summary = "acc + a b^T, by a warp";
  let description = "a [M, K], b [N, K], acc [M, N]; sums in the type of acc.";
  let arguments = (ins Tile_A:$a, Tile_B:$b, Tile_Acc:$acc);
  let results = (outs Tile_Acc:$result);
  let assemblyFormat = "$a `,` $b `,` $acc attr-dict `:` type($a) `,` type($b) `,` type($acc)";
}

def Tile_WgmmaOp : Tile_Op<"wgmma", [TileDims<"a", 0, "result", 0>,
    TileDims<"b", 0, "result", 1>, TileDims<"a", 1, "b", 1>]> {
  let summary = "Starts acc + a b^T by a warpgroup, as a group of its own";
  let description = [{
    a [M, K] in shared memory or registers, b [N, K] in shared memory. Without `acc` the
    sums start at zero. `a`, `b` and the result must not change until a
    `tile.wgmma_wait`.
  }];
  let arguments = (ins AnyTypeOf<[Tile_WideA, Tile_SharedType]>:$a, Tile_SharedType:$b,
    Optional<AnyTypeOf<[Tile_WideAcc, Tile_PendingType]>>:$acc);
  let results = (outs Tile_PendingType:$result);
  let assemblyFormat = [{
    $a `,` $b (`,` $acc^ `:` type($acc))? attr-dict `:` type($a) `,` type($b) `->` type($result)
  }];
}

def Tile_WgmmaWaitOp : Tile_Op<"wgmma_wait", [PredOpTrait<
    "'result' to be the tile of 'value'",
    CPred<"::llvm::cast<::tile::PendingType>($value.getType()).getTile() == ::llvm::cast<::tile::RegType>($result.getType())">>]> {
  let summary = "Waits until all but the last `pending` groups are done";
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$pending, Tile_PendingType:$value);
  let results = (outs Tile_WideAcc:$result);
  let assemblyFormat = "$pending `,` $value attr-dict `:` type($value) `->` type($result)";
}

//===----------------------------------------------------------------------===//
// Rings and copies of tiles
//===----------------------------------------------------------------------===//

def Tile_RingInitOp : Tile_Op<"ring_init"> {
  let summary = "A ring with all stages empty, for `consumers` warpgroups";
  let arguments = (ins ConfinedAttr<I64Attr, [IntPositive]>:$consumers);
  let results = (outs Tile_RingType:$result);
  let assemblyFormat = "$consumers attr-dict `:` type($result)";
}

/// Takes stage number `index` (counted on for ever) of a ring.
class Tile_TakeStageOp<string mnemonic, string text> : Tile_Op<mnemonic, [PredOpTrait<
    "'result' to be a stage of 'ring'",
    CPred<"::llvm::cast<::tile::StageType>($result.getType()).getRing() == ::llvm::cast<::tile::RingType>($ring.getType())">>]> {
  let summary = text;
  let arguments = (ins Tile_RingType:$ring, I64:$index);
  let results = (outs Tile_StageType:$result);
  let assemblyFormat = "$ring `[` $index `]` attr-dict `:` type($ring) `->` type($result)";
}

def Tile_RingAcquireOp : Tile_TakeStageOp<"ring_acquire",
  "Waits until a stage is empty: the producer's side">;
def Tile_RingWaitOp : Tile_TakeStageOp<"ring_wait",
  "Waits until a stage is full: the consumer's side">;

def Tile_RingReleaseOp : Tile_Op<"ring_release"> {
  let summary = "Gives an emptied stage back to the producer";
  let arguments = (ins Tile_StageType:$stage);
  let assemblyFormat = "$stage attr-dict `:` type($stage)";
}

def Tile_StageTileOp : Tile_Op<"stage_tile", [Pure]> {
  let summary = "Tile `number` of a stage";
  let description = "Constraint: `stage_tile_c1` the number and type of a tile of the ring.";
  let arguments = (ins Tile_StageType:$stage, I64Attr:$number);
  let results = (outs Tile_SharedType:$result);
  let assemblyFormat = "$stage `[` $number `]` attr-dict `:` type($stage) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_TmaLoadOp : Tile_Op<"tma_load", [MemoryEffects<[MemRead, MemWrite]>, PredOpTrait<
    "'target' to be the box of 'map'",
    CPred<"::llvm::cast<::tile::MapType>($map.getType()).getBox() == ::llvm::cast<::tile::SharedType>($target.getType())">>]> {
  let summary = "Starts a copy of a tile to a stage, which it fills";
  let arguments = (ins Tile_MapType:$map, I64:$row, I64:$column, Tile_SharedType:$target,
    Tile_StageType:$stage);
  let assemblyFormat = [{
    $map `[` $row `,` $column `]` `,` $target `fills` $stage attr-dict
    `:` type($map) `,` type($target) `,` type($stage)
  }];
}

def Tile_TmaStoreOp : Tile_Op<"tma_store", [MemoryEffects<[MemRead, MemWrite]>, PredOpTrait<
    "'source' to be the box of 'map'",
    CPred<"::llvm::cast<::tile::MapType>($map.getType()).getBox() == ::llvm::cast<::tile::SharedType>($source.getType())">>]> {
  let summary = "Starts a copy of a shared tile to global memory";
  let arguments = (ins Tile_SharedType:$source, Tile_MapType:$map, I64:$row, I64:$column);
  let assemblyFormat = [{
    $source `,` $map `[` $row `,` $column `]` attr-dict `:` type($source) `,` type($map)
  }];
}

def Tile_FenceAsyncOp : Tile_Op<"fence_async"> {
  let summary = "Makes what the thread wrote to shared memory visible to asynchronous copies";
  let assemblyFormat = "attr-dict";
}

//===----------------------------------------------------------------------===//
// Kernels in a chain
//===----------------------------------------------------------------------===//

def Tile_GridWaitOp : Tile_Op<"grid_wait", [HasParent<"FuncOp">]> {
  let summary = "Waits for the kernels that the launch depends on";
  let description = [{
    A kernel with this operation may start before its predecessors end. Until here it
    touches only what no kernel writes.

    Constraint: `func_c4` no access to global memory before it but loads with
    `cache(read_only)`.
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_GridLaunchNextOp : Tile_Op<"grid_launch_next"> {
  let summary = "Lets kernels that depend on this one start";
  let assemblyFormat = "attr-dict";
}

#endif // TILE_TENSOR_OPS_TD
