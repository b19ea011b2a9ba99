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

/// Rows and columns of the least tile of a layout: one instruction's.
static std::pair<int64_t, int64_t> atomOf(Layout layout) {
  switch (layout) {
  case Layout::A:
    return {16, 16};
  case Layout::B:
    return {8, 16};
  case Layout::Acc:
    return {16, 8};
  case Layout::WideA:
    return {64, 16};
  case Layout::WideAcc:
    return {64, 8};
  }
  llvm_unreachable("unknown layout");
}

LogicalResult RegType::verify(function_ref<InFlightDiagnostic()> emitError,
                              int64_t rows, int64_t columns, Type element,
                              Layout layout) {
  auto [atomRows, atomColumns] = atomOf(layout);
  if (rows < 1 || columns < 1 || rows % atomRows || columns % atomColumns)
    return emitError() << "expected whole atoms of " << atomRows << " x "
                       << atomColumns << " in layout "
                       << stringifyLayout(layout) << ", got " << rows << " x "
                       << columns;
  return success();
}

LogicalResult SharedType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t rows, int64_t columns, Type element,
                                 int64_t swizzle) {
  if (swizzle != 0 && swizzle != 32 && swizzle != 64 && swizzle != 128)
    return emitError() << "expected a swizzle of 32, 64 or 128 bytes, got "
                       << swizzle;
  int64_t bytes = columns * element.getIntOrFloatBitWidth() / 8;
  if (rows < 1 || bytes < 1 || (swizzle && bytes % swizzle))
    return emitError() << "expected rows of a multiple of " << swizzle
                       << " bytes, got " << bytes;
  return success();
}

int64_t SharedType::getBytes() const {
  return getRows() * getColumns() * getElement().getIntOrFloatBitWidth() / 8;
}

LogicalResult RingType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t stages, ArrayRef<SharedType> tiles) {
  if (stages < 1 || tiles.empty())
    return emitError() << "expected stages and tiles, got " << stages
                       << " stages of " << tiles.size() << " tiles";
  return success();
}

int64_t RingType::getBytes() const {
  int64_t bytes = 0;
  for (SharedType tile : getTiles())
    bytes += tile.getBytes();
  return bytes * getStages();
}

int64_t tile::sizeOf(Type type, unsigned dim) {
  if (auto pending = dyn_cast<PendingType>(type))
    type = pending.getTile();
  if (auto shared = dyn_cast<SharedType>(type))
    return dim == 0 ? shared.getRows() : shared.getColumns();
  auto tile = cast<RegType>(type);
  return dim == 0 ? tile.getRows() : tile.getColumns();
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
  getBody().walk([&](Operation *op) {
    if (auto alloc = dyn_cast<AllocSharedOp>(op))
      bytes += llvm::alignTo(alloc.getBytes(), kAccessBytes);
    if (auto alloc = dyn_cast<AllocTileOp>(op))
      bytes += alloc.getResult().getType().getBytes();
    if (auto ring = dyn_cast<RingInitOp>(op))
      bytes += ring.getResult().getType().getBytes();
  });
  return bytes;
}

/// Whether `op` touches global memory that other kernels may write.
static bool touchesGlobal(Operation *op) {
  if (auto load = dyn_cast<LoadOp>(op))
    return !isShared(load.getPointer().getType()) &&
           load.getCache() != Cache::ReadOnly;
  if (auto store = dyn_cast<StoreOp>(op))
    return !isShared(store.getPointer().getType());
  if (auto atomic = dyn_cast<AtomicOp>(op))
    return !isShared(atomic.getPointer().getType());
  return isa<CpAsyncOp, TmaLoadOp, TmaStoreOp>(op);
}

/// func_c4: what comes before the wait for other kernels touches nothing of
/// theirs.
static LogicalResult verifyGridWait(FuncOp function) {
  for (Block &block : function.getBody())
    for (auto wait : block.getOps<GridWaitOp>())
      for (Operation &before :
           llvm::make_range(block.begin(), wait->getIterator())) {
        WalkResult result = before.walk([&](Operation *op) {
          if (!touchesGlobal(op))
            return WalkResult::advance();
          InFlightDiagnostic diag =
              op->emitOpError("expected no access to global memory before "
                              "'tile.grid_wait'");
          diag.attachNote(wait.getLoc()) << "the wait is here";
          return WalkResult::interrupt();
        });
        if (result.wasInterrupted())
          return failure();
      }
  return success();
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
  return verifyGridWait(*this);
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

LogicalResult ConvertLayoutOp::verify() {
  Layout from = getValue().getType().getLayout();
  Layout to = getResult().getType().getLayout();
  if ((from == Layout::Acc && to == Layout::A) ||
      (from == Layout::WideAcc && to == Layout::WideA))
    return success();
  return emitOpError("expected acc to a, or wide_acc to wide_a, got ")
         << stringifyLayout(from) << " to " << stringifyLayout(to);
}

LogicalResult StageTileOp::verify() {
  ArrayRef<SharedType> tiles = getStage().getType().getRing().getTiles();
  int64_t number = getNumber();
  if (number < 0 || number >= int64_t(tiles.size()))
    return emitOpError("expected a tile of ")
           << tiles.size() << " in the ring, got number " << number;
  if (tiles[number] != getResult().getType())
    return emitOpError("expected the type of tile ")
           << number << ", " << tiles[number] << ", got "
           << getResult().getType();
  return success();
}
