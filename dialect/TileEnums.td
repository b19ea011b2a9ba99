//===- TileEnums.td - Enumerations of the tile dialect -----*- tablegen -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TILE_ENUMS_TD
#define TILE_ENUMS_TD

include "mlir/IR/EnumAttr.td"

class Tile_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::tile";
}

def Tile_Space : Tile_Enum<"Space", "Address space", [
  I32EnumAttrCase<"Global", 1, "global">,
  I32EnumAttrCase<"Shared", 3, "shared">,
]>;

def Tile_Cache : Tile_Enum<"Cache", "How a load uses the caches", [
  I32EnumAttrCase<"Any", 0, "any">,
  // Nobody writes the memory while the kernel runs.
  I32EnumAttrCase<"ReadOnly", 1, "read_only">,
]>;

def Tile_Shuffle : Tile_Enum<"Shuffle", "Which lane a value comes from", [
  I32EnumAttrCase<"Xor", 0, "xor">,
  I32EnumAttrCase<"Up", 1, "up">,
  I32EnumAttrCase<"Down", 2, "down">,
  I32EnumAttrCase<"Index", 3, "index">,
]>;

def Tile_Combine : Tile_Enum<"Combine", "How two values become one", [
  I32EnumAttrCase<"Add", 0, "add">,
  I32EnumAttrCase<"Max", 1, "max">,
  I32EnumAttrCase<"Min", 2, "min">,
]>;

def Tile_Function : Tile_Enum<"Function", "Function with an instruction", [
  I32EnumAttrCase<"Exp2", 0, "exp2">,
  I32EnumAttrCase<"Reciprocal", 1, "rcp">,
  I32EnumAttrCase<"Rsqrt", 2, "rsqrt">,
  I32EnumAttrCase<"Tanh", 3, "tanh">,
  I32EnumAttrCase<"Log2", 4, "log2">,
]>;

def Tile_Layout : Tile_Enum<"Layout", "Which thread has which element of a tile", [
  I32EnumAttrCase<"A", 0, "a">,
  I32EnumAttrCase<"B", 1, "b">,
  I32EnumAttrCase<"Acc", 2, "acc">,
  I32EnumAttrCase<"WideA", 3, "wide_a">,
  I32EnumAttrCase<"WideAcc", 4, "wide_acc">,
]>;

#endif // TILE_ENUMS_TD
