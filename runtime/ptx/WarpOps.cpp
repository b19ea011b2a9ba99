//===- WarpOps.cpp - Exchanges between the lanes of a warp ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Lanes.h"

#include <algorithm>

namespace ssmrt::ptx {

namespace {

/// Brings together the lanes that the member mask in `slot` names.
Flow meetMembers(Warp &warp, const Instruction &instruction, uint32_t &mask,
                 uint32_t slot) {
  const uint32_t *members = warp.lanes<uint32_t>(slot);
  return meet(warp, instruction, mask, members[lowestLane(mask)]);
}

enum Shuffle : uint8_t { Up, Down, Butterfly, Index };

/// source: value, lane operand, clamp, member mask; kind: Shuffle.
Flow executeShuffle(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (Flow flow = meetMembers(warp, instruction, mask, instruction.source[3]);
      flow != Flow::Next)
    return flow;
  const uint32_t *a = warp.lanes<uint32_t>(instruction.source[0]);
  const uint32_t *b = warp.lanes<uint32_t>(instruction.source[1]);
  const uint32_t *c = warp.lanes<uint32_t>(instruction.source[2]);
  uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
  uint32_t result[kLanes];
  uint32_t valid = 0;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    if (!(mask >> lane & 1))
      continue;
    const uint32_t amount = b[lane] & 31;
    const uint32_t segment = c[lane] >> 8 & 31;
    const uint32_t clamp = c[lane] & 31;
    const int32_t last =
        static_cast<int32_t>((lane & segment) | (clamp & ~segment));
    const uint32_t first = lane & segment;
    int32_t from = 0;
    bool inside = false;
    switch (instruction.kind) {
    case Up:
      from = static_cast<int32_t>(lane) - static_cast<int32_t>(amount);
      inside = from >= last;
      break;
    case Down:
      from = static_cast<int32_t>(lane + amount);
      inside = from <= last;
      break;
    case Butterfly:
      from = static_cast<int32_t>(lane ^ amount);
      inside = from <= last;
      break;
    default:
      from = static_cast<int32_t>(first | (amount & ~segment));
      inside = from <= last;
      break;
    }
    if (!inside)
      from = static_cast<int32_t>(lane);
    valid |= uint32_t(inside) << lane;
    if (!(mask >> from & 1))
      return fail(warp, instruction, lane,
                  "reads from lane " + std::to_string(from) +
                      ", which does not take part");
    result[lane] = a[from];
  }
  forLanes(mask, [&](uint32_t lane) { d[lane] = result[lane]; });
  if (instruction.destination2 != kNoSlot) {
    uint32_t &p = warp.predicate(instruction.destination2);
    p = (p & ~mask) | (valid & mask);
  }
  return Flow::Next;
}

bool decodeShuffle(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  const int kind = decoder.takeOneOf({"up", "down", "bfly", "idx"});
  if (!decoder.take("sync") || kind < 0 || !decoder.take("b32") ||
      !decoder.expectOperands(5)) {
    decoder.fail("expected shfl.sync.{up,down,bfly,idx}.b32");
    return true;
  }
  instruction.kind = static_cast<uint8_t>(kind);
  for (int i = 0; i < 4; ++i)
    instruction.source[i] =
        decoder.read(decoder.operand(i + 1), {Type::Bits, 32});
  const OperandSyntax &result = decoder.operand(0);
  if (result.kind == OperandSyntax::Pair) {
    instruction.destination = decoder.write(result.parts[0], 32);
    instruction.destination2 = decoder.writePredicate(result.parts[1]);
  } else {
    instruction.destination = decoder.write(result, 32);
  }
  instruction.execute = executeShuffle;
  return true;
}

enum Vote : uint8_t { All, Any, Uniform, Ballot };

/// source: predicate, member mask; kind: Vote; kind2: predicate negated.
Flow executeVote(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (Flow flow = meetMembers(warp, instruction, mask, instruction.source[1]);
      flow != Flow::Next)
    return flow;
  uint32_t votes = warp.predicate(instruction.source[0]);
  if (instruction.kind2)
    votes = ~votes;
  votes &= mask;
  if (instruction.kind == Ballot) {
    uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
    forLanes(mask, [=](uint32_t lane) { d[lane] = votes; });
    return Flow::Next;
  }
  const bool result = instruction.kind == All   ? votes == mask
                      : instruction.kind == Any ? votes != 0
                                                : votes == mask || votes == 0;
  uint32_t &p = warp.predicate(instruction.destination);
  p = (p & ~mask) | (result ? mask : 0);
  return Flow::Next;
}

bool decodeVote(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  const int kind = decoder.takeOneOf({"all", "any", "uni", "ballot"});
  if (!decoder.take("sync") || kind < 0 ||
      !decoder.take(kind == Ballot ? "b32" : "pred") ||
      !decoder.expectOperands(3)) {
    decoder.fail("expected vote.sync.{all,any,uni}.pred or .ballot.b32");
    return true;
  }
  instruction.kind = static_cast<uint8_t>(kind);
  bool negated = false;
  instruction.source[0] = decoder.readPredicate(decoder.operand(1), negated);
  instruction.kind2 = negated;
  instruction.source[1] = decoder.read(decoder.operand(2), {Type::Bits, 32});
  instruction.destination = kind == Ballot
                                ? decoder.write(decoder.operand(0), 32)
                                : decoder.writePredicate(decoder.operand(0));
  instruction.execute = executeVote;
  return true;
}

/// source: value, member mask; kind: all (with destination2), else any.
template <class T>
Flow executeMatch(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (Flow flow = meetMembers(warp, instruction, mask, instruction.source[1]);
      flow != Flow::Next)
    return flow;
  const T *a = warp.lanes<T>(instruction.source[0]);
  uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
  uint32_t equal[kLanes] = {};
  forLanes(mask, [&](uint32_t lane) {
    for (uint32_t other = 0; other < kLanes; ++other)
      equal[lane] |= uint32_t((mask >> other & 1) && a[other] == a[lane])
                     << other;
  });
  const bool all = equal[lowestLane(mask)] == mask;
  forLanes(mask, [&](uint32_t lane) {
    d[lane] = instruction.kind ? (all ? mask : 0) : equal[lane];
  });
  if (instruction.destination2 != kNoSlot) {
    uint32_t &p = warp.predicate(instruction.destination2);
    p = (p & ~mask) | (all ? mask : 0);
  }
  return Flow::Next;
}

bool decodeMatch(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  const int kind = decoder.takeOneOf({"any", "all"});
  const bool sync = decoder.take("sync");
  const Type type = decoder.takeType();
  if (kind < 0 || !sync || type.kind != Type::Bits ||
      !decoder.expectOperands(3)) {
    decoder.fail("expected match.{any,all}.sync");
    return true;
  }
  instruction.kind = static_cast<uint8_t>(kind);
  instruction.source[0] = decoder.read(decoder.operand(1), type);
  instruction.source[1] = decoder.read(decoder.operand(2), {Type::Bits, 32});
  const OperandSyntax &result = decoder.operand(0);
  if (result.kind == OperandSyntax::Pair) {
    instruction.destination = decoder.write(result.parts[0], 32);
    instruction.destination2 = decoder.writePredicate(result.parts[1]);
  } else {
    instruction.destination = decoder.write(result, 32);
  }
  instruction.execute =
      type.bits == 64 ? executeMatch<uint64_t> : executeMatch<uint32_t>;
  return true;
}

struct Sum {
  template <class T> T operator()(T a, T b) const {
    return static_cast<T>(uint32_t(a) + uint32_t(b));
  }
};
struct Least {
  template <class T> T operator()(T a, T b) const { return std::min(a, b); }
};
struct Most {
  template <class T> T operator()(T a, T b) const { return std::max(a, b); }
};
struct And {
  template <class T> T operator()(T a, T b) const { return a & b; }
};
struct Or {
  template <class T> T operator()(T a, T b) const { return a | b; }
};
struct Xor {
  template <class T> T operator()(T a, T b) const { return a ^ b; }
};

template <class T, class F>
Flow executeReduce(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (Flow flow = meetMembers(warp, instruction, mask, instruction.source[1]);
      flow != Flow::Next)
    return flow;
  const T *a = warp.lanes<T>(instruction.source[0]);
  T *d = warp.lanes<T>(instruction.destination);
  T total = a[lowestLane(mask)];
  for (uint32_t lanes = mask & (mask - 1); lanes; lanes &= lanes - 1)
    total = F()(total, a[lowestLane(lanes)]);
  forLanes(mask, [=](uint32_t lane) { d[lane] = total; });
  return Flow::Next;
}

bool decodeReduce(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  const bool sync = decoder.take("sync");
  const int which =
      decoder.takeOneOf({"add", "min", "max", "and", "or", "xor"});
  const Type type = decoder.takeType();
  if (!sync || which < 0 || !type.isInteger() || type.bits != 32 ||
      !decoder.expectOperands(3)) {
    decoder.fail("unsupported reduction");
    return true;
  }
  const bool isSigned = type.kind == Type::Signed;
  static constexpr Handler kUnsigned[] = {
      executeReduce<uint32_t, Sum>,  executeReduce<uint32_t, Least>,
      executeReduce<uint32_t, Most>, executeReduce<uint32_t, And>,
      executeReduce<uint32_t, Or>,   executeReduce<uint32_t, Xor>};
  instruction.execute = kUnsigned[which];
  if (isSigned && which == 1)
    instruction.execute = executeReduce<int32_t, Least>;
  if (isSigned && which == 2)
    instruction.execute = executeReduce<int32_t, Most>;
  instruction.source[0] = decoder.read(decoder.operand(1), type);
  instruction.source[1] = decoder.read(decoder.operand(2), {Type::Bits, 32});
  instruction.destination = decoder.write(decoder.operand(0), 32);
  return true;
}

Flow executeActiveMask(Warp &warp, const Instruction &instruction,
                       uint32_t mask) {
  uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
  forLanes(mask, [=](uint32_t lane) { d[lane] = mask; });
  return Flow::Next;
}

bool decodeActiveMask(Decoder &decoder) {
  if (!decoder.take("b32") || !decoder.expectOperands(1))
    decoder.fail("expected activemask.b32");
  decoder.instruction.destination = decoder.write(decoder.operand(0), 32);
  decoder.instruction.execute = executeActiveMask;
  return true;
}

/// Elects the lowest member.
Flow executeElect(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (Flow flow = meetMembers(warp, instruction, mask, instruction.source[0]);
      flow != Flow::Next)
    return flow;
  const uint32_t leader = lowestLane(mask);
  uint32_t *d = warp.lanes<uint32_t>(instruction.destination);
  forLanes(mask, [=](uint32_t lane) { d[lane] = leader; });
  uint32_t &p = warp.predicate(instruction.destination2);
  p = (p & ~mask) | (uint32_t(1) << leader & mask);
  return Flow::Next;
}

bool decodeElect(Decoder &decoder) {
  const OperandSyntax &result = decoder.operand(0);
  if (!decoder.take("sync") || !decoder.expectOperands(2) ||
      result.kind != OperandSyntax::Pair) {
    decoder.fail("expected elect.sync d|p, mask");
    return true;
  }
  Instruction &instruction = decoder.instruction;
  instruction.source[0] = decoder.read(decoder.operand(1), {Type::Bits, 32});
  instruction.destination = decoder.write(result.parts[0], 32);
  instruction.destination2 = decoder.writePredicate(result.parts[1]);
  instruction.execute = executeElect;
  return true;
}

} // namespace

bool decodeWarp(Decoder &decoder) {
  using Decode = bool (*)(Decoder &);
  static constexpr std::pair<std::string_view, Decode> kTable[] = {
      {"shfl", decodeShuffle},          {"vote", decodeVote},
      {"match", decodeMatch},           {"redux", decodeReduce},
      {"activemask", decodeActiveMask}, {"elect", decodeElect},
  };
  for (const auto &[name, decode] : kTable)
    if (decoder.opcode == name) {
      decoder.instruction.group = Class::Warp;
      return decode(decoder);
    }
  return false;
}

} // namespace ssmrt::ptx
