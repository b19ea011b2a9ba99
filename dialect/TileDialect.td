//===- TileDialect.td - The tile dialect -------------------*- tablegen -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TILE_DIALECT_TD
#define TILE_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "dialect/TileEnums.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::tile";
  let summary = "Explicit GPU kernels";
  let description = [{
    A `tile.func` is the code of one thread of a block, as CUDA has it: it knows
    its number, shares memory with its block and meets it at barriers. Arithmetic is
    `arith` and `math` on scalars and short vectors, control flow `scf`. Nothing is
    implied: what an operation costs can be read off it.

    Index arithmetic is i64. Lowers by local patterns to LLVM and NVVM operations.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect"];
  let useDefaultTypePrinterParser = 1;
}

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

class Tile_Type<string name, string typeMnemonic> : TypeDef<Tile_Dialect, name> {
  let mnemonic = typeMnemonic;
}


def Tile_PtrType : Tile_Type<"Ptr", "ptr"> {
  let summary = "Address of elements in global or shared memory";
  let description = [{
    The element is an integer or float of 8 to 64 bits, or a pointer to global
    memory.
  }];
  let parameters = (ins "::mlir::Type":$element, EnumParameter<Tile_Space>:$space);
  let assemblyFormat = "`<` $element `,` $space `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes of an element.
    int64_t getElementBytes() const;
    bool isShared() const { return getSpace() == Space::Shared; }
  }];
}

#endif // TILE_DIALECT_TD
