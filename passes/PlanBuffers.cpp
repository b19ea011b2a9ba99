//===- PlanBuffers.cpp - Memory of the activations of a plan --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/PlanBuffers.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm;
using plan::RowCount;

/// Rows begin at a border of a cache line.
static constexpr int64_t kLineBytes = 64;
/// Rows in this distance would compete for the same lines of a cache.
static constexpr int64_t kAliasBytes = 512;

static int64_t bytesOf(Type element) {
  return element.getIntOrFloatBitWidth() / 8;
}

/// Distance of rows of `columns` elements, in elements.
static int64_t strideOf(int64_t columns, Type element) {
  int64_t size = bytesOf(element);
  int64_t bytes = llvm::alignTo(columns * size, kLineBytes);
  if (bytes % kAliasBytes == 0)
    bytes += kLineBytes;
  return bytes / size;
}

static int64_t rowBytes(const PlannedBuffer &buffer) {
  return buffer.stride * bytesOf(buffer.element);
}

bool ssm::isRows(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 2 && type.isDynamicDim(0);
}

Value ssm::viewedRows(Value rows) {
  while (auto columns = rows.getDefiningOp<kern::ColumnsOp>())
    rows = columns.getInput();
  return rows;
}

//===----------------------------------------------------------------------===//
// The residual stream in place
//===----------------------------------------------------------------------===//

namespace {
/// Positions of launches in their list.
class Order {
public:
  explicit Order(const LaunchList &list) {
    for (auto [index, op] : llvm::enumerate(list.ops))
      positions[op] = index;
  }
  bool contains(Operation *op) const { return positions.contains(op); }
  /// The position of `op`; behind all others if it is not in the list.
  int64_t of(Operation *op) const {
    auto found = positions.find(op);
    return found == positions.end() ? int64_t(positions.size()) : found->second;
  }
  /// Position of the last operation that reads `rows` or columns of it; `from`
  /// if there is none.
  int64_t lastUse(Value rows, int64_t from) const {
    int64_t last = from;
    for (Operation *user : rows.getUsers()) {
      if (auto columns = dyn_cast<kern::ColumnsOp>(user))
        last = std::max(last, lastUse(columns.getResult(), from));
      else
        last = std::max(last, of(user));
    }
    return last;
  }

private:
  llvm::DenseMap<Operation *, int64_t> positions;
};
} // namespace

/// Operands that `op` reads at an element just before it writes this element of
/// its result, and nowhere else.
static SmallVector<OpOperand *> inPlaceOperands(Operation *op) {
  SmallVector<OpOperand *> operands;
  auto append = [&](OperandRange range) {
    for (unsigned i = 0; i < range.size(); ++i)
      operands.push_back(&op->getOpOperand(range.getBeginOperandIndex() + i));
  };
  if (auto gemm = dyn_cast<kern::GemmOp>(op))
    append(gemm.getElements());
  if (auto gemm = dyn_cast<kern::NormGemmOp>(op))
    append(gemm.getElements());
  if (auto scan = dyn_cast<kern::ScanOp>(op))
    append(scan.getElements());
  auto rowwise = dyn_cast<kern::RowwiseOp>(op);
  if (rowwise && !rowwise.getGather() &&
      rowwise.getStatistic() == kern::Statistic::None) {
    operands.push_back(&rowwise.getInputMutable());
    append(rowwise.getElements());
  }
  return operands;
}

/// True if `op` may write its result over `old`: nobody reads `old` later, and
/// `op` itself only where it writes.
static bool mayOverwrite(Operation *op, Value old, const Order &order) {
  int64_t position = order.of(op);
  if (old && order.lastUse(old, -1) > position)
    return false;
  SmallVector<OpOperand *> inPlace = inPlaceOperands(op);
  for (OpOperand &operand : op->getOpOperands())
    if (old && viewedRows(operand.get()) == old &&
        (operand.get() != old || !llvm::is_contained(inPlace, &operand)))
      return false;
  return true;
}

/// Values of `list` that live in the residual stream, last first.
static SmallVector<Value> streamValues(const LaunchList &list) {
  SmallVector<Value> values;
  Order order(list);
  Value value = list.streamOut;
  while (value && value != list.streamIn) {
    Operation *op = value.getDefiningOp();
    if (!op || isa<kern::ColumnsOp>(op) || !order.contains(op) ||
        !mayOverwrite(op, list.streamIn, order))
      break;
    values.push_back(value);
    // The value before it in a chain of additions may live there as well.
    Value before;
    for (OpOperand *operand : inPlaceOperands(op)) {
      Value candidate = operand->get();
      if (candidate.getType() == value.getType() &&
          mayOverwrite(op, candidate, order))
        before = candidate;
      if (candidate == list.streamIn)
        return values;
    }
    value = before;
  }
  return values;
}

/// A copy of `rows`.
static Value copyRows(OpBuilder &builder, Value rows) {
  MLIRContext *context = builder.getContext();
  Location loc = rows.getLoc();
  auto copy = kern::RowwiseOp::create(
      builder, loc, rows.getType(), rows, ValueRange(), ValueRange(),
      kern::StatisticAttr::get(context, kern::Statistic::None),
      builder.getI64IntegerAttr(1), builder.getF64FloatAttr(0.0), UnitAttr());
  OpBuilder::InsertionGuard guard(builder);
  for (auto [region, count] :
       {std::pair(&copy.getValue(), 1), std::pair(&copy.getFinish(), 3)}) {
    SmallVector<Type> types(count, builder.getF32Type());
    SmallVector<Location> locations(count, loc);
    Block *block = builder.createBlock(region, {}, types, locations);
    kern::YieldOp::create(builder, loc, block->getArgument(0));
  }
  return copy.getResult();
}

void ssm::makeStreamWritable(LaunchList &list, OpBuilder &builder) {
  if (!list.streamOut || list.streamOut == list.streamIn ||
      !streamValues(list).empty())
    return;
  list.streamOut = copyRows(builder, list.streamOut);
  list.ops.push_back(list.streamOut.getDefiningOp());
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

BufferPlan::BufferPlan(int64_t hidden, int64_t vocab, Type f32) {
  buffers.push_back({RowCount::Rows, hidden, f32, strideOf(hidden, f32), 0});
  buffers.push_back({RowCount::Outputs, vocab, f32, strideOf(vocab, f32), 0});
}

unsigned BufferPlan::findOrAdd(PlannedBuffer buffer) {
  for (unsigned index = 2; index < buffers.size(); ++index) {
    const PlannedBuffer &other = buffers[index];
    if (other.rows == buffer.rows && other.columns == buffer.columns &&
        other.element == buffer.element && other.offset == buffer.offset)
      return index;
  }
  buffers.push_back(buffer);
  return buffers.size() - 1;
}

RowCount BufferPlan::rowsOf(Operation *op) const {
  for (Value result : op->getResults())
    if (isRows(result))
      return rowCounts.lookup(result);
  return RowCount::Rows;
}

/// Rows of the results of `op`, given those of values before it.
static RowCount resultRows(Operation *op,
                           const llvm::DenseMap<Value, RowCount> &rowCounts) {
  auto rowwise = dyn_cast<kern::RowwiseOp>(op);
  if (rowwise && rowwise.getGather())
    return RowCount::Outputs;
  auto normGemm = dyn_cast<kern::NormGemmOp>(op);
  if (normGemm && normGemm.getGather())
    return RowCount::Outputs;
  for (Value operand : op->getOperands())
    if (isRows(operand))
      return rowCounts.lookup(viewedRows(operand));
  return RowCount::Rows;
}

namespace {
/// Memory that is taken from launch `begin` to launch `end`.
struct Taken {
  RowCount rows;
  int64_t begin, end, offset, bytes;
};
} // namespace

/// Lowest offset where `wanted` overlaps nothing that is alive with it.
static int64_t firstFit(ArrayRef<Taken> taken, const Taken &wanted) {
  SmallVector<Taken> alive;
  for (const Taken &other : taken)
    if (other.rows == wanted.rows && other.begin <= wanted.end &&
        wanted.begin <= other.end)
      alive.push_back(other);
  llvm::sort(alive, [](const Taken &a, const Taken &b) {
    return a.offset < b.offset;
  });
  int64_t offset = 0;
  for (const Taken &other : alive) {
    if (offset + wanted.bytes <= other.offset)
      break;
    offset = std::max(offset, other.offset + other.bytes);
  }
  return offset;
}

void BufferPlan::place(const LaunchList &list) {
  Order order(list);
  int64_t end = list.ops.size();
  SmallVector<Taken> taken = {
      {RowCount::Rows, -1, end, 0, rowBytes(buffers[0])},
      {RowCount::Outputs, -1, end, 0, rowBytes(buffers[1])}};
  if (list.streamIn) {
    views[list.streamIn] = {0, 0};
    rowCounts[list.streamIn] = RowCount::Rows;
  }
  for (Value value : streamValues(list))
    views[value] = {0, 0};
  if (list.logits)
    views[list.logits] = {1, 0};

  for (auto [index, op] : llvm::enumerate(list.ops)) {
    for (Value result : op->getResults()) {
      if (!isRows(result))
        continue;
      RowCount rows = resultRows(op, rowCounts);
      rowCounts[result] = rows;
      if (auto columns = dyn_cast<kern::ColumnsOp>(op)) {
        BufferView base = views.lookup(columns.getInput());
        views[result] = {base.buffer,
                         base.column + int64_t(columns.getFirst())};
        continue;
      }
      if (views.contains(result))
        continue;
      auto type = cast<RankedTensorType>(result.getType());
      PlannedBuffer buffer{rows, type.getDimSize(1), type.getElementType(),
                           strideOf(type.getDimSize(1), type.getElementType()),
                           0};
      Taken wanted{rows, int64_t(index), order.lastUse(result, index), 0,
                   rowBytes(buffer)};
      wanted.offset = buffer.offset = firstFit(taken, wanted);
      taken.push_back(wanted);
      views[result] = {findOrAdd(buffer), 0};
    }
  }
}

SmallVector<PlannedBuffer> BufferPlan::finish() const {
  int64_t end = 0;
  for (const PlannedBuffer &buffer : buffers)
    if (buffer.rows == RowCount::Rows)
      end = std::max(end, buffer.offset + rowBytes(buffer));
  SmallVector<PlannedBuffer> finished = buffers;
  for (PlannedBuffer &buffer : finished)
    if (buffer.rows == RowCount::Outputs)
      buffer.offset += end;
  return finished;
}
