//===- TileDialect.cpp - Registration and verifiers of the tile dialect ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Tile.h"

#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tile;

#include "dialect/TileDialect.cpp.inc"
#include "dialect/TileEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/TileTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/TileOps.cpp.inc"

/// Bytes that one instruction moves at most, and threads of a block.
static constexpr int64_t kAccessBytes = 16, kBlockThreads = 1024;

void TileDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/TileTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/TileOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

LogicalResult PtrType::verify(function_ref<InFlightDiagnostic()> emitError,
                              Type element, Space space) {
  if (auto pointer = dyn_cast<PtrType>(element))
    return pointer.isShared()
               ? emitError() << "expected a pointer in memory to point to "
                                "global memory"
               : success();
  if (!element.isIntOrFloat() || element.getIntOrFloatBitWidth() < 8 ||
      element.getIntOrFloatBitWidth() > 64)
    return emitError() << "expected elements of 8 to 64 bits, got " << element;
  return success();
}

int64_t PtrType::getElementBytes() const {
  if (isa<PtrType>(getElement()))
    return 8;
  return getElement().getIntOrFloatBitWidth() / 8;
}

bool tile::isAccess(Type value, Type pointer) {
  auto type = cast<PtrType>(pointer);
  if (getElementTypeOrSelf(value) != type.getElement())
    return false;
  auto vector = dyn_cast<VectorType>(value);
  return !vector ||
         vector.getNumElements() * type.getElementBytes() <= kAccessBytes;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

int64_t FuncOp::getSharedBytes() {
  int64_t bytes = 0;
  getBody().walk([&](AllocSharedOp alloc) {
    bytes += llvm::alignTo(alloc.getBytes(), kAccessBytes);
  });
  return bytes;
}

LogicalResult FuncOp::verifyRegions() {
  int64_t threads = getBlock();
  if (threads % kWarpLanes || threads > kBlockThreads)
    return emitOpError("expected a multiple of ")
           << kWarpLanes << " up to " << kBlockThreads << " threads, got "
           << threads;
  if (getBody().empty())
    return emitOpError("expected a body");
  for (Type type : getBody().getArgumentTypes()) {
    auto pointer = dyn_cast<PtrType>(type);
    if (!type.isInteger(64) && (!pointer || pointer.isShared()))
      return emitOpError("expected arguments of i64 or pointers to global "
                         "memory, got ")
             << type;
  }
  if (getSharedBytes() > kSharedBytes)
    return emitOpError("expected at most ")
           << kSharedBytes << " bytes of shared memory, got "
           << getSharedBytes();
  return success();
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

OpFoldResult OffsetOp::fold(FoldAdaptor adaptor) {
  return matchPattern(getIndex(), m_Zero()) ? getPointer() : Value();
}

OpFoldResult CastOp::fold(FoldAdaptor adaptor) {
  return getPointer().getType() == getType() ? getPointer() : Value();
}

LogicalResult CpAsyncOp::verify() {
  if (getBytes() == 4 || getBytes() == 8 || getBytes() == 16)
    return success();
  return emitOpError("expected 4, 8 or 16 bytes, got ") << getBytes();
}

LogicalResult AtomicOp::verify() {
  if (getValue().getType().isF32() && getCombine() != Combine::Add)
    return emitOpError("expected add for f32, got ")
           << stringifyCombine(getCombine());
  return success();
}

LogicalResult BarrierOp::verify() {
  if (getId() > 15)
    return emitOpError("expected an id of 0 to 15, got ") << getId();
  if (getThreads().value_or(kWarpLanes) % kWarpLanes)
    return emitOpError("expected a multiple of ")
           << kWarpLanes << " threads, got " << *getThreads();
  return success();
}

LogicalResult ReduceWarpOp::verify() {
  if (!llvm::isPowerOf2_64(getWidth()) || !llvm::isPowerOf2_64(getStride()) ||
      int64_t(getWidth() * getStride()) > kWarpLanes)
    return emitOpError("expected powers of two with a product of at most ")
           << kWarpLanes << ", got " << getWidth() << " and " << getStride();
  return success();
}
