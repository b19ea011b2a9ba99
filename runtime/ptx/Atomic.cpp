//===- Atomic.cpp - Atomic operations -------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Access.h"
#include "runtime/ptx/Lanes.h"
#include "runtime/ptx/SmallFloat.h"

#include <algorithm>

namespace ssmrt::ptx {

namespace {

// source[1] and source[2] are the operands; destination is kNoSlot for red.

struct Exchange {
  template <class T> T operator()(T, T b, T) const { return b; }
};
struct CompareAndSwap {
  template <class T> T operator()(T old, T b, T c) const {
    return old == b ? c : old;
  }
};
struct And {
  template <class T> T operator()(T old, T b, T) const { return old & b; }
};
struct Or {
  template <class T> T operator()(T old, T b, T) const { return old | b; }
};
struct Xor {
  template <class T> T operator()(T old, T b, T) const { return old ^ b; }
};
struct Add {
  template <class T> T operator()(T old, T b, T) const {
    return static_cast<T>(old + b);
  }
};
struct Min {
  template <class T> T operator()(T old, T b, T) const {
    return std::min(old, b);
  }
};
struct Max {
  template <class T> T operator()(T old, T b, T) const {
    return std::max(old, b);
  }
};
struct Increment {
  template <class T> T operator()(T old, T b, T) const {
    return old >= b ? 0 : old + 1;
  }
};
struct Decrement {
  template <class T> T operator()(T old, T b, T) const {
    return old == 0 || old > b ? b : old - 1;
  }
};
struct AddF16 {
  uint16_t operator()(uint16_t old, uint16_t b, uint16_t) const {
    return floatToF16(f16ToFloat(old) + f16ToFloat(b));
  }
};
struct AddBf16 {
  uint16_t operator()(uint16_t old, uint16_t b, uint16_t) const {
    return floatToBf16(bf16ToFloat(old) + bf16ToFloat(b));
  }
};
template <class F> struct Pair {
  uint32_t operator()(uint32_t old, uint32_t b, uint32_t) const {
    auto half = [](uint32_t word, int shift) {
      return static_cast<uint16_t>(word >> shift);
    };
    return uint32_t(F()(half(old, 16), half(b, 16), 0)) << 16 |
           F()(half(old, 0), half(b, 0), 0);
  }
};

template <class T, class F>
Flow executeAtomic(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Access access;
  computeAddresses(warp, instruction, access);
  Worker &worker = *warp.block->worker;
  std::unique_lock<std::mutex> lock(worker.grid->mutex, std::defer_lock);
  const uint64_t before = worker.sinceProgress;
  if (findAccess(warp, instruction, mask, access, sizeof(T),
                 AccessKind::Atomic) == Flow::Fail)
    return Flow::Fail;
  lock.lock();
  const T *b = warp.lanes<T>(instruction.source[1]);
  const T *c = warp.lanes<T>(instruction.source[2]);
  // The order of the lanes is not defined.
  const uint32_t start = worker.random.below(kLanes);
  bool changed = false;
  for (uint32_t i = 0; i < kLanes; ++i) {
    const uint32_t lane = (start + i) % kLanes;
    if (!(mask >> lane & 1))
      continue;
    T old;
    std::memcpy(&old, access.host[lane], sizeof(T));
    const T result = F()(old, b[lane], c[lane]);
    changed |= std::memcmp(&old, &result, sizeof(T)) != 0;
    std::memcpy(access.host[lane], &result, sizeof(T));
    if (instruction.destination != kNoSlot)
      warp.lanes<T>(instruction.destination)[lane] = old;
  }
  if (!changed) // a lock that is tried again and again
    worker.sinceProgress = before;
  return Flow::Next;
}

template <class F> Handler integerHandler(Type type) {
  const bool isSigned = type.kind == Type::Signed;
  if (!type.isInteger())
    return nullptr;
  if (type.bits == 32)
    return isSigned ? executeAtomic<int32_t, F> : executeAtomic<uint32_t, F>;
  if (type.bits == 64)
    return isSigned ? executeAtomic<int64_t, F> : executeAtomic<uint64_t, F>;
  return nullptr;
}

Handler addHandler(Type type) {
  if (type.is(Type::Float, 32))
    return executeAtomic<float, Add>;
  if (type.is(Type::Float, 64))
    return executeAtomic<double, Add>;
  if (type.is(Type::Float, 16))
    return executeAtomic<uint16_t, AddF16>;
  if (type.is(Type::BFloat, 16))
    return executeAtomic<uint16_t, AddBf16>;
  if (type.is(Type::Float, 16, 2))
    return executeAtomic<uint32_t, Pair<AddF16>>;
  if (type.is(Type::BFloat, 16, 2))
    return executeAtomic<uint32_t, Pair<AddBf16>>;
  // Signed sums wrap as well.
  type.kind = type.isInteger() ? Type::Unsigned : type.kind;
  return integerHandler<Add>(type);
}

Handler casHandler(Type type) {
  if (type.is(Type::Bits, 16))
    return executeAtomic<uint16_t, CompareAndSwap>;
  return integerHandler<CompareAndSwap>(type);
}

bool isCounter(Type type) { return type.is(Type::Unsigned, 32); }

Handler selectAtomic(Decoder &decoder, Type &type, size_t &operands) {
  static constexpr std::string_view kNames[] = {
      "exch", "cas", "and", "or", "xor", "add", "min", "max", "inc", "dec"};
  int which = 0;
  for (std::string_view name : kNames) {
    if (decoder.take(name))
      break;
    ++which;
  }
  decoder.take("noftz");
  type = decoder.takeType();
  operands = which == 1 ? 2 : 1;
  switch (which) {
  case 0:
    return integerHandler<Exchange>(type);
  case 1:
    return casHandler(type);
  case 2:
    return integerHandler<And>(type);
  case 3:
    return integerHandler<Or>(type);
  case 4:
    return integerHandler<Xor>(type);
  case 5:
    return addHandler(type);
  case 6:
    return integerHandler<Min>(type);
  case 7:
    return integerHandler<Max>(type);
  case 8:
    return isCounter(type) ? executeAtomic<uint32_t, Increment> : nullptr;
  case 9:
    return isCounter(type) ? executeAtomic<uint32_t, Decrement> : nullptr;
  default:
    return nullptr;
  }
}

} // namespace

bool decodeAtomic(Decoder &decoder) {
  const bool isRed = decoder.opcode == "red";
  if (!isRed && decoder.opcode != "atom")
    return false;
  Instruction &instruction = decoder.instruction;
  instruction.group = Class::Atomic;
  const int order =
      decoder.takeOneOf({"relaxed", "acquire", "release", "acq_rel"});
  const int scope = decoder.takeOneOf({"cta", "cluster", "gpu", "sys"});
  instruction.strong = true;
  instruction.acquire = order == 1 || order == 3;
  instruction.release = order == 2 || order == 3;
  instruction.wideScope = scope != 0;
  const int named =
      decoder.takeOneOf({"global", "shared", "shared::cta", "shared::cluster"});
  static constexpr Space kSpaces[] = {Space::Global, Space::Shared,
                                      Space::Shared, Space::SharedCluster};
  Space space = named < 0 ? Space::Generic : kSpaces[named];
  Type type;
  size_t operands = 0;
  instruction.execute = selectAtomic(decoder, type, operands);
  if (!instruction.execute) {
    decoder.fail("unsupported atomic operation");
    return true;
  }
  const size_t first = isRed ? 0 : 1;
  if (!decoder.expectOperands(first + 1 + operands))
    return true;
  decoder.address(decoder.operand(first), space);
  instruction.source[1] = decoder.read(decoder.operand(first + 1), type);
  instruction.source[2] = instruction.source[1];
  if (operands == 2)
    instruction.source[2] = decoder.read(decoder.operand(first + 2), type);
  if (!isRed)
    instruction.destination =
        decoder.write(decoder.operand(0), type.bits * type.count);
  return true;
}

} // namespace ssmrt::ptx
