//===- Matrix.cpp - Matrix products of one warp ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Access.h"
#include "runtime/ptx/Lanes.h"
#include "runtime/ptx/SmallFloat.h"

namespace ssmrt::ptx {

namespace {

/// Matrices move by rows of 16 bytes; eight rows make a matrix.
constexpr uint32_t kRowBytes = 16;
constexpr uint32_t kRows = 8;

Flow checkWholeWarp(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (mask == kAllLanes)
    return Flow::Next;
  return fail(warp, instruction, lowestLane(mask),
              "only lanes " + hex(mask) + " execute an operation of the warp");
}

const uint32_t *listOf(const Warp &warp, const Instruction &instruction) {
  return warp.block->worker->grid->code->lists.data() + instruction.list;
}

/// ldmatrix and stmatrix (kind2); kind: transposed; elements: matrices. Lane
/// 8 m + r addresses row r of matrix m. Lane l holds elements 2 (l % 4) and the
/// next of row l / 4, or of column l / 4 when transposed.
Flow executeMatrixMove(Warp &warp, const Instruction &instruction,
                       uint32_t mask) {
  if (checkWholeWarp(warp, instruction, mask) == Flow::Fail)
    return Flow::Fail;
  const bool stores = instruction.kind2;
  Access access;
  computeAddresses(warp, instruction, access);
  const uint32_t rows = instruction.elements * kRows;
  const uint32_t addressing =
      rows == kLanes ? kAllLanes : (uint32_t(1) << rows) - 1;
  if (findAccess(warp, instruction, addressing, access, kRowBytes,
                 stores ? AccessKind::Write : AccessKind::Read) == Flow::Fail)
    return Flow::Fail;
  const uint32_t *slots = listOf(warp, instruction);
  for (uint32_t matrix = 0; matrix < instruction.elements; ++matrix) {
    uint16_t *registers = warp.lanes<uint16_t>(slots[matrix]);
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      for (uint32_t half = 0; half < 2; ++half) {
        uint32_t row = lane / 4;
        uint32_t column = 2 * (lane % 4) + half;
        if (instruction.kind)
          std::swap(row, column);
        uint8_t *memory = access.host[matrix * kRows + row] + 2 * column;
        uint16_t *element = registers + 2 * lane + half;
        if (stores)
          std::memcpy(memory, element, sizeof(*element));
        else
          std::memcpy(element, memory, sizeof(*element));
      }
  }
  return Flow::Next;
}

bool decodeMatrixMove(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  const bool stores = decoder.opcode == "stmatrix";
  instruction.group = Class::Memory;
  const bool aligned = decoder.take("sync") && decoder.take("aligned");
  const int count = decoder.takeOneOf({"x1", "x2", "x4"});
  instruction.kind = decoder.take("trans");
  instruction.kind2 = stores;
  const bool shared = decoder.take("shared") || decoder.take("shared::cta");
  if (!aligned || count < 0 || !decoder.take("m8n8") || !decoder.take("b16") ||
      !decoder.expectOperands(2)) {
    decoder.fail("expected .sync.aligned.m8n8.{x1,x2,x4}.b16");
    return true;
  }
  instruction.elements = static_cast<uint16_t>(1 << count);
  Space space = shared ? Space::Shared : Space::Generic;
  decoder.address(decoder.operand(stores ? 0 : 1), space);
  const OperandSyntax &vector = decoder.operand(stores ? 1 : 0);
  if (vector.parts.size() != instruction.elements) {
    decoder.fail("expected " + std::to_string(instruction.elements) +
                 " registers");
    return true;
  }
  std::vector<uint32_t> slots;
  for (const OperandSyntax &part : vector.parts)
    slots.push_back(stores ? decoder.read(part, {Type::Bits, 32})
                           : decoder.write(part, 32));
  instruction.list = static_cast<uint32_t>(decoder.listSize());
  for (uint32_t slot : slots)
    decoder.addList(slot);
  instruction.execute = executeMatrixMove;
  return true;
}

//===----------------------------------------------------------------------===//
// mma.sync
//===----------------------------------------------------------------------===//

constexpr uint32_t kM = 16;
constexpr uint32_t kN = 8;
constexpr uint32_t kLargestK = 32;

enum Element : uint8_t { F16, Bf16, Tf32, S8, U8 };

uint32_t perRegister(Element element) {
  return element == Tf32 ? 1 : element >= S8 ? 4 : 2;
}

float elementOf(Element element, uint32_t word, uint32_t index) {
  switch (element) {
  case F16:
    return f16ToFloat(static_cast<uint16_t>(word >> 16 * index));
  case Bf16:
    return bf16ToFloat(static_cast<uint16_t>(word >> 16 * index));
  case Tf32:
    return floatOf(word & ~0x1fffu); // the low bits are not read
  case S8:
    return static_cast<int8_t>(word >> 8 * index);
  default:
    return static_cast<uint8_t>(word >> 8 * index);
  }
}

/// kind: Element of a; kind2: of b; elements: k; destination2: 1 if the
/// accumulators are pairs of f16. The list holds the slots of d, a, b and c.
Flow executeMma(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (checkWholeWarp(warp, instruction, mask) == Flow::Fail)
    return Flow::Fail;
  const Element elementA = static_cast<Element>(instruction.kind);
  const Element elementB = static_cast<Element>(instruction.kind2);
  const bool halves = instruction.destination2 == 1;
  const uint32_t k = instruction.elements;
  const uint32_t per = perRegister(elementA);
  const uint32_t registersB = k / (4 * per);
  const uint32_t registersD = halves ? 2 : 4;
  const uint32_t *d = listOf(warp, instruction);
  const uint32_t *a = d + registersD;
  const uint32_t *b = a + 2 * registersB;
  const uint32_t *c = b + registersB;
  float left[kM][kLargestK];
  float right[kLargestK][kN];
  for (uint32_t r = 0; r < 2 * registersB; ++r) {
    const uint32_t *words = warp.lanes<uint32_t>(a[r]);
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      for (uint32_t i = 0; i < per; ++i)
        left[lane / 4 + 8 * (r & 1)][per * (lane % 4) + 4 * per * (r >> 1) +
                                     i] = elementOf(elementA, words[lane], i);
  }
  for (uint32_t r = 0; r < registersB; ++r) {
    const uint32_t *words = warp.lanes<uint32_t>(b[r]);
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      for (uint32_t i = 0; i < per; ++i)
        right[per * (lane % 4) + 4 * per * r + i][lane / 4] =
            elementOf(elementB, words[lane], i);
  }
  // Sums of 8-bit products stay below 2^24, so f32 holds them exactly.
  float product[kM][kN] = {};
  for (uint32_t m = 0; m < kM; ++m)
    for (uint32_t i = 0; i < k; ++i)
      for (uint32_t n = 0; n < kN; ++n)
        product[m][n] += left[m][i] * right[i][n];
  const bool integers = elementA >= S8;
  for (uint32_t r = 0; r < 4; ++r)
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      const float value =
          product[lane / 4 + 8 * (r >> 1)][2 * (lane % 4) + (r & 1)];
      if (halves) {
        const uint16_t old =
            warp.lanes<uint16_t>(c[r >> 1])[2 * lane + (r & 1)];
        warp.lanes<uint16_t>(d[r >> 1])[2 * lane + (r & 1)] =
            floatToF16(f16ToFloat(old) + value);
      } else if (integers) {
        warp.lanes<uint32_t>(d[r])[lane] =
            warp.lanes<uint32_t>(c[r])[lane] +
            static_cast<uint32_t>(static_cast<int32_t>(value));
      } else {
        warp.lanes<float>(d[r])[lane] = warp.lanes<float>(c[r])[lane] + value;
      }
    }
  warp.block->worker->tensorFlop += 2 * kM * kN * k;
  return Flow::Next;
}

bool findElement(std::string_view name, Element &element) {
  static constexpr std::string_view kNames[] = {"f16", "bf16", "tf32", "s8",
                                                "u8"};
  for (uint8_t i = 0; i < std::size(kNames); ++i)
    if (name == kNames[i]) {
      element = static_cast<Element>(i);
      return true;
    }
  return false;
}

bool decodeMma(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  instruction.group = Class::Tensor;
  const bool aligned = decoder.take("sync") && decoder.take("aligned");
  const int shape =
      decoder.takeOneOf({"m16n8k4", "m16n8k8", "m16n8k16", "m16n8k32"});
  const bool layout = decoder.take("row") && decoder.take("col");
  const std::vector<std::string_view> types = decoder.modifiers();
  Element a = F16;
  Element b = F16;
  if (!aligned || shape < 0 || !layout || types.size() != 4 ||
      !findElement(types[1], a) || !findElement(types[2], b) ||
      perRegister(a) != perRegister(b) || (a != b && a < S8) ||
      types[0] != types[3] || !decoder.expectOperands(4)) {
    decoder.fail("unsupported shape or types of mma.sync");
    return true;
  }
  const uint32_t k = 4u << shape;
  const bool halves = types[0] == "f16" && a == F16;
  const bool fits = types[0] == (a >= S8 ? "s32" : "f32") || halves;
  const uint32_t registersB = k / (4 * perRegister(a));
  if (!fits || registersB < 1 || registersB > 2) {
    decoder.fail("unsupported shape or types of mma.sync");
    return true;
  }
  for (std::string_view type : types)
    decoder.take(type);
  instruction.kind = a;
  instruction.kind2 = b;
  instruction.elements = static_cast<uint16_t>(k);
  instruction.destination2 = halves;
  const size_t counts[] = {halves ? 2u : 4u, 2 * registersB, registersB,
                           halves ? 2u : 4u};
  std::vector<uint32_t> slots;
  for (size_t i = 0; i < 4; ++i) {
    std::vector<OperandSyntax> parts = decoder.operand(i).parts;
    if (decoder.operand(i).kind != OperandSyntax::Vector)
      parts = {decoder.operand(i)};
    if (parts.size() != counts[i]) {
      decoder.fail("operand " + std::to_string(i + 1) + " has " +
                   std::to_string(parts.size()) + " registers, expected " +
                   std::to_string(counts[i]));
      return true;
    }
    const Type word = {i == 3 && !halves && a < S8 ? Type::Float : Type::Bits,
                       32};
    for (const OperandSyntax &part : parts)
      slots.push_back(i == 0 ? decoder.write(part, 32)
                             : decoder.read(part, word));
  }
  instruction.list = static_cast<uint32_t>(decoder.listSize());
  for (uint32_t slot : slots)
    decoder.addList(slot);
  instruction.execute = executeMma;
  return true;
}

} // namespace

bool decodeMatrix(Decoder &decoder) {
  if (decoder.opcode == "ldmatrix" || decoder.opcode == "stmatrix")
    return decodeMatrixMove(decoder);
  if (decoder.opcode == "mma")
    return decodeMma(decoder);
  return false;
}

} // namespace ssmrt::ptx
