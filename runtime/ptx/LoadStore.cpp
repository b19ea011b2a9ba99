//===- LoadStore.cpp - Loads and stores -----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Access.h"
#include "runtime/ptx/Lanes.h"

namespace ssmrt::ptx {

namespace {

template <class M, class R>
Flow executeLoad(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Access access;
  computeAddresses(warp, instruction, access);
  const uint32_t bytes = sizeof(M) * instruction.elements;
  if (findAccess(warp, instruction, mask, access, bytes, AccessKind::Read) ==
      Flow::Fail)
    return Flow::Fail;
  const uint32_t *slots =
      instruction.elements == 1
          ? &instruction.destination
          : warp.block->worker->grid->code->lists.data() + instruction.list;
  for (uint32_t element = 0; element < instruction.elements; ++element) {
    R *d = warp.lanes<R>(slots[element]);
    forLanes(mask, [&, d](uint32_t lane) {
      M value;
      std::memcpy(&value, access.host[lane] + element * sizeof(M),
                  sizeof(value));
      d[lane] = static_cast<R>(value);
    });
  }
  return Flow::Next;
}

/// kind: bits of the register / 16, by element (immediates have the type's).
template <class M>
Flow executeStore(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Access access;
  computeAddresses(warp, instruction, access);
  const uint32_t bytes = sizeof(M) * instruction.elements;
  if (findAccess(warp, instruction, mask, access, bytes, AccessKind::Write) ==
      Flow::Fail)
    return Flow::Fail;
  // Pairs of slot and bytes of a lane in the register.
  const uint32_t *slots =
      warp.block->worker->grid->code->lists.data() + instruction.list;
  for (uint32_t element = 0; element < instruction.elements; ++element) {
    const uint8_t *a = warp.file + slots[2 * element];
    const uint32_t stride = slots[2 * element + 1];
    forLanes(mask, [&, a, stride](uint32_t lane) {
      std::memcpy(access.host[lane] + element * sizeof(M), a + lane * stride,
                  sizeof(M));
    });
  }
  return Flow::Next;
}

template <class M> Handler loadInto(unsigned bits) {
  // Signed values are extended to the register by its signed type.
  constexpr bool kSigned = std::is_signed<M>::value;
  if (bits == 16 && sizeof(M) <= 2)
    return executeLoad<M, std::conditional_t<kSigned, int16_t, uint16_t>>;
  if (bits == 32 && sizeof(M) <= 4)
    return executeLoad<M, std::conditional_t<kSigned, int32_t, uint32_t>>;
  if (bits == 64)
    return executeLoad<M, std::conditional_t<kSigned, int64_t, uint64_t>>;
  return nullptr;
}

Handler loadHandler(Type type, unsigned bits) {
  const bool isSigned = type.kind == Type::Signed;
  switch (type.bits) {
  case 8:
    return isSigned ? loadInto<int8_t>(bits) : loadInto<uint8_t>(bits);
  case 16:
    return isSigned ? loadInto<int16_t>(bits) : loadInto<uint16_t>(bits);
  case 32:
    return isSigned ? loadInto<int32_t>(bits) : loadInto<uint32_t>(bits);
  case 64:
    return loadInto<uint64_t>(bits);
  default:
    return nullptr;
  }
}

/// Removes cache hints, which change nothing here. Returns whether an operand
/// with a cache policy follows.
bool takeCacheHints(Decoder &decoder) {
  for (std::string_view hint :
       {"ca", "cg", "cs", "lu", "cv", "wb", "wt", "L1::evict_normal",
        "L1::evict_unchanged", "L1::evict_first", "L1::evict_last",
        "L1::no_allocate", "L2::evict_normal", "L2::evict_first",
        "L2::evict_last", "L2::64B", "L2::128B", "L2::256B"})
    decoder.take(hint);
  return decoder.take("L2::cache_hint");
}

void takeOrder(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  decoder.take("weak");
  const int order =
      decoder.takeOneOf({"volatile", "relaxed", "acquire", "release", "mmio"});
  const int scope = decoder.takeOneOf({"cta", "cluster", "gpu", "sys"});
  instruction.strong = order >= 0;
  instruction.acquire = order == 2;
  instruction.release = order == 3;
  instruction.wideScope = scope >= 1 || order == 0;
}

Space takeSpace(Decoder &decoder) {
  const int space = decoder.takeOneOf({"global", "shared", "shared::cta",
                                       "shared::cluster", "local", "param",
                                       "param::entry", "param::func", "const"});
  static constexpr Space kSpaces[] = {
      Space::Global,        Space::Shared, Space::Shared,
      Space::SharedCluster, Space::Local,  Space::Param,
      Space::Param,         Space::Param,  Space::Const};
  return space < 0 ? Space::Generic : kSpaces[space];
}

uint16_t takeElements(Decoder &decoder) {
  const int vector = decoder.takeOneOf({"v2", "v4", "v8"});
  return vector < 0 ? 1 : static_cast<uint16_t>(2 << vector);
}

bool checkElements(Decoder &decoder, const OperandSyntax &operand,
                   uint16_t elements) {
  const bool isVector = operand.kind == OperandSyntax::Vector;
  if (isVector == (elements > 1) &&
      (!isVector || operand.parts.size() == elements))
    return true;
  decoder.fail("expected " + std::to_string(elements) + " registers");
  return false;
}

bool decodeLoad(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  takeOrder(decoder);
  Space space = takeSpace(decoder);
  instruction.nonCoherent = decoder.take("nc");
  const bool policy = takeCacheHints(decoder);
  instruction.elements = takeElements(decoder);
  const Type type = decoder.takeType();
  instruction.elementBytes = type.bits / 8;
  if (!decoder.expectOperands(policy ? 3 : 2) ||
      !checkElements(decoder, decoder.operand(0), instruction.elements))
    return true;
  decoder.address(decoder.operand(1), space);
  unsigned bits = 0;
  if (instruction.elements == 1) {
    instruction.destination =
        decoder.writeWide(decoder.operand(0), type.bits, bits);
  } else {
    instruction.list = static_cast<uint32_t>(decoder.listSize());
    std::vector<uint32_t> slots;
    for (const OperandSyntax &part : decoder.operand(0).parts) {
      unsigned width = 0;
      // '_' takes the width of the others.
      slots.push_back(decoder.writeWide(part, type.bits, width));
      if (part.name != "_")
        bits = width;
    }
    for (uint32_t slot : slots)
      decoder.addList(slot);
  }
  instruction.execute = loadHandler(type, std::max<unsigned>(bits, 16));
  if (!instruction.execute)
    decoder.fail("unsupported type");
  return true;
}

bool decodeStore(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  takeOrder(decoder);
  Space space = takeSpace(decoder);
  const bool policy = takeCacheHints(decoder);
  instruction.elements = takeElements(decoder);
  const Type type = decoder.takeType();
  instruction.elementBytes = type.bits / 8;
  if (!decoder.expectOperands(policy ? 3 : 2) ||
      !checkElements(decoder, decoder.operand(1), instruction.elements))
    return true;
  decoder.address(decoder.operand(0), space);
  std::vector<uint32_t> slots;
  auto source = [&](const OperandSyntax &operand) {
    unsigned bits = 0;
    Type wanted = type;
    if (operand.kind == OperandSyntax::Integer)
      wanted = {Type::Bits, std::max<uint8_t>(type.bits, 16)};
    else if (operand.kind == OperandSyntax::Float32 ||
             operand.kind == OperandSyntax::Float64)
      wanted.kind = Type::Float;
    slots.push_back(decoder.readWide(operand, wanted, bits));
    slots.push_back(bits / 8);
  };
  if (instruction.elements == 1)
    source(decoder.operand(1));
  for (const OperandSyntax &part : decoder.operand(1).parts)
    source(part);
  instruction.list = static_cast<uint32_t>(decoder.listSize());
  for (uint32_t slot : slots)
    decoder.addList(slot);
  switch (type.bits) {
  case 8:
    instruction.execute = executeStore<uint8_t>;
    break;
  case 16:
    instruction.execute = executeStore<uint16_t>;
    break;
  case 32:
    instruction.execute = executeStore<uint32_t>;
    break;
  case 64:
    instruction.execute = executeStore<uint64_t>;
    break;
  default:
    decoder.fail("unsupported type");
  }
  return true;
}

Flow executeNothing(Warp &, const Instruction &, uint32_t) {
  return Flow::Next;
}

/// Prefetches and cache controls have no effect that could be seen.
bool decodeHint(Decoder &decoder) {
  for (std::string_view modifier : std::vector(decoder.modifiers()))
    decoder.take(modifier);
  decoder.instruction.execute = executeNothing;
  return true;
}

/// createpolicy gives an opaque value.
bool decodePolicy(Decoder &decoder) {
  for (std::string_view modifier : std::vector(decoder.modifiers()))
    decoder.take(modifier);
  decoder.instruction.destination = decoder.write(decoder.operand(0), 64);
  decoder.instruction.execute = executeNothing;
  return true;
}

} // namespace

bool decodeMemory(Decoder &decoder) {
  decoder.instruction.group = Class::Memory;
  if (decoder.opcode == "ld" || decoder.opcode == "ldu")
    return decodeLoad(decoder);
  if (decoder.opcode == "st")
    return decodeStore(decoder);
  if (decoder.opcode == "prefetch" || decoder.opcode == "prefetchu" ||
      decoder.opcode == "applypriority" || decoder.opcode == "discard")
    return decodeHint(decoder);
  if (decoder.opcode == "createpolicy")
    return decodePolicy(decoder);
  return false;
}

} // namespace ssmrt::ptx
