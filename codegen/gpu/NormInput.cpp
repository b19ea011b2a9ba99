//===- NormInput.cpp - The norm in front of a product ---------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block computes the statistics of its rows, then each input as the product
// asks for it:
//
//   prepare: shared[row, group] = mean, rstd
//   load:    finish(value(input, elements...), mean, rstd, elements,
//   columns...)
//
// A pair of row and group belongs to one warp; where there are more warps, they
// share it.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/NormInput.h"

using namespace mlir;
using namespace ssm::gpu;

using Values = TileBuilder::Values;

Value NormInput::sourceOf(TileBuilder &builder, Value row) {
  Value clamped = builder.min(row, builder.sub(rowCount, 1));
  return op.getGather() ? sequences->outputRow(clamped) : clamped;
}

Values NormInput::operandsAt(TileBuilder &builder, ArrayRef<Rows> rows,
                             Value source, Value channel, Value mask) {
  Values values;
  for (const Rows &operand : rows)
    values.push_back(
        builder.loadFloats(operand.row(builder, source), channel, 0, mask));
  return values;
}

Value NormInput::sumOfGroup(TileBuilder &builder, const Task &task,
                            function_ref<Value(Value)> term) {
  int64_t parts = task.parts;
  Value first =
      builder.add(builder.mul(task.part, tile::kWarpLanes), builder.lane());
  Value sum = builder.accumulate(
      first, groupWidth, parts * tile::kWarpLanes,
      [&](Value inGroup, Value mask) {
        Value channel = builder.add(task.firstChannel, inGroup);
        return term(builder.cloneRegion(
            op.getValue(),
            operandsAt(builder, inputs, task.source, channel, mask)));
      });
  sum = builder.reduceWarp(tile::Combine::Add, sum);
  if (parts == 1)
    return sum;
  builder.store(sum, partial, builder.warp(), builder.equal(builder.lane(), 0));
  builder.barrier();
  Value base = builder.sub(builder.warp(), task.part);
  Value total = builder.load(partial, base);
  for (int64_t i = 1; i < parts; ++i)
    total = builder.add(total, builder.load(partial, builder.add(base, i)));
  builder.barrier();
  return total;
}

void NormInput::computeStatistic(TileBuilder &builder, const Task &task,
                                 Value number) {
  Value width = builder.f32(groupWidth);
  Value mean = builder.f32(0);
  bool isLayer = op.getStatistic() == kern::Statistic::Layer;
  if (isLayer)
    mean = builder.div(
        sumOfGroup(builder, task, [](Value value) { return value; }), width);
  Value squares = sumOfGroup(builder, task, [&](Value value) {
    if (isLayer)
      value = builder.sub(value, mean);
    return builder.mul(value, value);
  });
  Value variance = builder.add(builder.div(squares, width),
                               builder.f32(op.getEps().convertToDouble()));
  Value rstd = builder.div(builder.f32(1), builder.sqrt(variance));
  Value isFirst = builder.both(
      builder.less(builder.div(builder.warp(), task.parts), taskCount),
      builder.both(builder.equal(builder.lane(), 0),
                   builder.equal(task.part, 0)));
  Value place = builder.mul(number, 2);
  builder.store(mean, statistics, place, isFirst);
  builder.store(rstd, statistics, builder.add(place, 1), isFirst);
}

void NormInput::prepare(TileBuilder &builder, Value first, int64_t rows) {
  firstRow = first;
  if (op.getStatistic() == kern::Statistic::None)
    return;
  int64_t groups = op.getGroups(), tasks = rows * groups;
  taskCount = tasks;
  statistics = builder.allocShared(2 * tasks);
  // Warps that share a task.
  int64_t parts = 1;
  while (tasks * parts * 2 <= builder.warps())
    parts *= 2;
  if (parts > 1)
    partial = builder.allocShared(builder.warps());
  int64_t perRound = builder.warps() / parts;
  auto compute = [&](Value number) {
    Task task;
    task.parts = parts;
    task.part = builder.rem(builder.warp(), parts);
    task.source =
        sourceOf(builder, builder.add(firstRow, builder.div(number, groups)));
    task.firstChannel = builder.mul(builder.rem(number, groups), groupWidth);
    computeStatistic(builder, task, number);
  };
  Value number = builder.div(builder.warp(), parts);
  // Warps without a task of their own repeat the last: they meet the others at
  // barriers.
  if (tasks <= perRound)
    compute(tasks < perRound ? builder.min(number, builder.i64(tasks - 1))
                             : number);
  else
    builder.forLoop(number, builder.i64(tasks), perRound, compute);
  builder.barrier();
}

Value NormInput::load(TileBuilder &builder, Value row, Value channel,
                      Value mask) {
  Value source = sourceOf(builder, row);
  Values operands = operandsAt(builder, inputs, source, channel, mask);
  Value mean = builder.f32(0), rstd = builder.f32(1);
  if (op.getStatistic() != kern::Statistic::None) {
    int64_t groups = op.getGroups();
    Value inBlock = builder.mul(builder.sub(row, firstRow), groups);
    // A channel behind the last has no group.
    Value group =
        builder.min(builder.div(channel, groupWidth), builder.i64(groups - 1));
    Value place = builder.mul(builder.add(inBlock, group), 2);
    mean = builder.load(statistics, place);
    rstd = builder.load(statistics, builder.add(place, 1));
  }
  Values values = {builder.cloneRegion(op.getValue(), operands), mean, rstd};
  values.append(operands.begin() + 1, operands.end());
  for (Value vector : columns)
    values.push_back(builder.loadConstant(vector, channel, 0, mask));
  Value made = builder.cloneRegion(op.getFinish(), values);
  made = builder.widen(builder.narrow(made, op.getRounded()));
  return mask ? builder.select(mask, made, builder.f32(0)) : made;
}
