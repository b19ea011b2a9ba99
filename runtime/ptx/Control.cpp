//===- Control.cpp - Branches and ends ------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Lanes.h"

namespace ssmrt::ptx {

namespace {

Flow executeBranch(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Split &split = warp.split();
  if (mask == split.mask) {
    split.pc = instruction.target;
    return Flow::Next;
  }
  if (instruction.kind) // .uni
    return fail(warp, instruction, lowestLane(mask),
                "only lanes " + hex(mask) + " of " + hex(split.mask) +
                    " take a uniform branch");
  const uint32_t targets[] = {instruction.target, split.pc};
  const uint32_t masks[] = {mask, split.mask & ~mask};
  branchLanes(warp, instruction.reconverge, 2, targets, masks);
  return Flow::Next;
}

/// brx.idx: every lane jumps to lists[list + index].
Flow executeIndexed(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Split &split = warp.split();
  const uint32_t *index = warp.lanes<uint32_t>(instruction.source[0]);
  const uint32_t *entries =
      warp.block->worker->grid->code->lists.data() + instruction.list;
  uint32_t targets[kLanes + 1];
  uint32_t masks[kLanes + 1];
  size_t count = 0;
  auto send = [&](uint32_t target, uint32_t lanes) {
    for (size_t i = 0; i < count; ++i)
      if (targets[i] == target) {
        masks[i] |= lanes;
        return;
      }
    targets[count] = target;
    masks[count++] = lanes;
  };
  for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    if (index[lane] >= instruction.elements)
      return fail(warp, instruction, lane,
                  "index " + std::to_string(index[lane]) + " of " +
                      std::to_string(instruction.elements) + " targets");
    send(entries[index[lane]], uint32_t(1) << lane);
  }
  if (split.mask & ~mask) // lanes whose guard is off fall through
    send(split.pc, split.mask & ~mask);
  if (count == 1) {
    split.pc = targets[0];
    return Flow::Next;
  }
  branchLanes(warp, instruction.reconverge, count, targets, masks);
  return Flow::Next;
}

Flow executeExit(Warp &warp, const Instruction &, uint32_t mask) {
  return exitLanes(warp, mask);
}

Flow executeTrap(Warp &warp, const Instruction &instruction, uint32_t mask) {
  return fail(warp, instruction, lowestLane(mask), "trap");
}

Flow executeNothing(Warp &, const Instruction &, uint32_t) {
  return Flow::Next;
}

bool decodeBranch(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  instruction.kind = decoder.take("uni");
  if (!decoder.expectOperands(1))
    return true;
  decoder.needLabel(decoder.operand(0).name);
  instruction.target = 0; // until the label is known
  instruction.execute = executeBranch;
  return true;
}

bool decodeIndexed(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  decoder.take("uni");
  if (!decoder.take("idx") || !decoder.expectOperands(2)) {
    decoder.fail("expected brx.idx");
    return true;
  }
  instruction.source[0] =
      decoder.read(decoder.operand(0), {Type::Unsigned, 32});
  const Symbol *symbol = decoder.find(decoder.operand(1).name);
  if (!symbol || symbol->kind != Symbol::Targets || symbol->targets.empty()) {
    decoder.fail("unknown branch targets");
    return true;
  }
  instruction.list = symbol->targets.front();
  instruction.elements = static_cast<uint16_t>(symbol->targets.size());
  instruction.kind2 = kIndexedBranch;
  instruction.execute = executeIndexed;
  return true;
}

/// setmaxnreg and griddepcontrol change nothing here: there are registers
/// enough, and launches do not overlap.
bool decodeHint(Decoder &decoder) {
  if (decoder.opcode == "setmaxnreg") {
    if (decoder.takeOneOf({"inc", "dec"}) < 0 || !decoder.take("sync") ||
        !decoder.take("aligned") || !decoder.take("u32") ||
        !decoder.expectOperands(1))
      decoder.fail("expected setmaxnreg.{inc,dec}.sync.aligned.u32");
  } else if (decoder.takeOneOf({"wait", "launch_dependents"}) < 0) {
    decoder.fail("expected griddepcontrol.{wait,launch_dependents}");
  }
  decoder.instruction.execute = executeNothing;
  return true;
}

bool decodeSleep(Decoder &decoder) {
  if (!decoder.take("u32") || !decoder.expectOperands(1))
    decoder.fail("expected nanosleep.u32");
  decoder.read(decoder.operand(0), {Type::Unsigned, 32});
  decoder.instruction.execute = executeNothing;
  return true;
}

} // namespace

bool decodeControl(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  instruction.group = Class::Control;
  if (decoder.opcode == "bra")
    return decodeBranch(decoder);
  if (decoder.opcode == "brx")
    return decodeIndexed(decoder);
  if (decoder.opcode == "nanosleep")
    return decodeSleep(decoder);
  if (decoder.opcode == "setmaxnreg" || decoder.opcode == "griddepcontrol")
    return decodeHint(decoder);
  if (decoder.opcode == "exit" || decoder.opcode == "ret") {
    decoder.take("uni");
    instruction.kind2 = kExit;
    instruction.execute = executeExit;
    return true;
  }
  if (decoder.opcode == "trap" || decoder.opcode == "brkpt") {
    instruction.execute = executeTrap;
    return true;
  }
  return false;
}

} // namespace ssmrt::ptx
