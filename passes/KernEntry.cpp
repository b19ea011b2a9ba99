//===- KernEntry.cpp - The launches of kern form, as read -----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/KernEntry.h"

#include "dialect/KernRecipe.h"

using namespace mlir;
using namespace ssm;
using plan::ArgumentKind;

FailureOr<LayersOp> ssm::layersOf(ProgramOp program) {
  auto tables = program.getBody().getOps<LayersOp>();
  if (std::distance(tables.begin(), tables.end()) != 1)
    return program.emitOpError("expected exactly one ssm.layers");
  return *tables.begin();
}

/// Operands of `op` that are states or caches, in order.
static SmallVector<StateUse> stateUses(Operation *op, Value state) {
  using plan::StateKind;
  SmallVector<StateUse> uses;
  auto note = [&](StateKind kind, Value operand) {
    if (operand == state)
      uses.push_back({kind, cast<RankedTensorType>(operand.getType())});
  };
  if (auto conv = dyn_cast<kern::ConvOp>(op))
    note(StateKind::Conv, conv.getState());
  if (auto scan = dyn_cast<kern::ScanOp>(op))
    note(StateKind::Ssm1, scan.getState());
  if (auto ssd = dyn_cast<kern::SsdOp>(op))
    note(StateKind::Ssm2, ssd.getState());
  if (auto ssmStep = dyn_cast<kern::SsmStepOp>(op)) {
    note(StateKind::Conv, ssmStep.getConvState());
    note(StateKind::Ssm2, ssmStep.getState());
  }
  if (auto append = dyn_cast<kern::KvAppendOp>(op)) {
    note(StateKind::Key, append.getKeyCache());
    note(StateKind::Value, append.getValueCache());
  }
  if (auto attention = dyn_cast<kern::AttentionStepOp>(op)) {
    note(StateKind::Key, attention.getKeyCache());
    note(StateKind::Value, attention.getValueCache());
  }
  return uses;
}

/// What the state argument `state` keeps, by the operation that updates it.
static FailureOr<StateUse> useOfState(func::FuncOp function, Value state) {
  for (Operation *user : state.getUsers()) {
    SmallVector<StateUse> uses = stateUses(user, state);
    if (!uses.empty())
      return uses.front();
  }
  return function.emitOpError("argument ")
         << cast<BlockArgument>(state).getArgNumber()
         << " is no state of a kernel";
}

bool ssm::isState(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() > 2;
}

/// Binds the states that `op` returns to those that it takes, which it updates
/// in place: nobody may read the old ones afterwards.
static LogicalResult bindStateResults(Operation *op, KernEntry &entry) {
  SmallVector<Value> before;
  for (Value operand : op->getOperands())
    if (isState(operand))
      before.push_back(operand);
  size_t next = 0;
  for (Value result : op->getResults()) {
    if (!isState(result))
      continue;
    Value old = before[next++];
    entry.bindings[result] = entry.bindings.lookup(old);
    for (Operation *user : old.getUsers())
      if (user != op && op->isBeforeInBlock(user))
        return user->emitOpError("reads a state that '")
               << op->getName() << "' has updated in place";
  }
  return success();
}

/// Binds the weight and state arguments of `function`.
static LogicalResult bindArguments(func::FuncOp function, KernEntry &entry) {
  Block &block = function.getBody().front();
  size_t states = function.getNumResults() - 1;
  entry.weights = block.getNumArguments() - 2 - states;
  entry.list.streamIn = block.getArgument(0);
  for (size_t i = 0; i < entry.weights; ++i)
    entry.bindings[block.getArgument(2 + i)] = {
        ArgumentKind::Weight, int64_t(i), {}};
  for (size_t i = 0; i < states; ++i) {
    Value state = block.getArgument(2 + entry.weights + i);
    FailureOr<StateUse> use = useOfState(function, state);
    if (failed(use))
      return failure();
    entry.states.push_back(*use);
    entry.bindings[state] = {ArgumentKind::State, int64_t(i), {}};
  }
  return success();
}

/// Fails unless `terminator` returns the states in their order.
static LogicalResult verifyReturnedStates(Operation *terminator,
                                          const KernEntry &entry) {
  for (size_t i = 0; i < entry.states.size(); ++i) {
    auto binding = entry.bindings.find(terminator->getOperand(i + 1));
    if (binding == entry.bindings.end() ||
        binding->second.kind != ArgumentKind::State ||
        binding->second.number != int64_t(i))
      return terminator->emitOpError("expected result ")
             << i + 1 << " to be state " << i << ", updated in place";
  }
  return success();
}

FailureOr<KernEntry> ssm::readBody(func::FuncOp function) {
  KernEntry entry;
  if (failed(bindArguments(function, entry)))
    return failure();
  Block &block = function.getBody().front();
  for (Operation &op : block.without_terminator()) {
    if (!isa<kern::KernDialect>(op.getDialect()))
      return op.emitOpError("expected kern form");
    entry.list.ops.push_back(&op);
    if (failed(bindStateResults(&op, entry)))
      return failure();
  }
  entry.list.streamOut = block.getTerminator()->getOperand(0);
  if (failed(verifyReturnedStates(block.getTerminator(), entry)))
    return failure();
  return entry;
}

/// Fails if `op`, behind the layers, reads rows from before them.
static LogicalResult verifyRowsOf(Operation *op, LayersOp layers) {
  for (Value operand : op->getOperands()) {
    Operation *producer = operand.getDefiningOp();
    if (producer && isRows(operand) && producer->isBeforeInBlock(layers))
      return op->emitOpError("reads rows from before the layers, whose memory "
                             "the layers use");
  }
  return success();
}

LogicalResult ssm::readProgram(ProgramOp program, KernEntry &before,
                               KernEntry &after) {
  FailureOr<LayersOp> layers = layersOf(program);
  if (failed(layers))
    return failure();
  Block &block = program.getBody().front();
  for (Operation &op : block.without_terminator()) {
    if (&op == *layers)
      continue;
    if (auto weight = dyn_cast<WeightOp>(op)) {
      auto recipe = weight->getAttrOfType<kern::RecipeAttr>("recipe");
      if (!recipe || !kern::isPacked(recipe))
        return weight.emitOpError("expected a packed recipe; run "
                                  "--kern-assign-layouts first");
      Binding binding{ArgumentKind::GlobalWeight, 0, recipe};
      before.bindings[weight] = after.bindings[weight] = binding;
      continue;
    }
    if (!isa<kern::KernDialect>(op.getDialect()))
      return op.emitOpError("expected kern form");
    bool isBefore = op.isBeforeInBlock(*layers);
    if (!isBefore && failed(verifyRowsOf(&op, *layers)))
      return failure();
    (isBefore ? before : after).list.ops.push_back(&op);
  }
  before.list.streamOut = layers->getInput();
  after.list.streamIn = layers->getResult();
  after.list.logits = block.getTerminator()->getOperand(0);
  return success();
}
