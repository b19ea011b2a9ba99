//===- Warpgroup.cpp - Matrix products of four warps (wgmma) --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/BulkAccess.h"
#include "runtime/ptx/Lanes.h"
#include "runtime/ptx/SmallFloat.h"
#include "runtime/ptx/TensorMap.h"

#include <algorithm>
#include <charconv>

namespace ssmrt::ptx {

namespace {

constexpr uint32_t kM = 64;
constexpr uint32_t kK = 16;
constexpr uint32_t kLargestN = 256;
constexpr uint32_t kRowsPerWarp = kM / kWarpgroupWarps;
/// Eight elements of 16 bits: what the layouts of shared memory move about.
constexpr uint32_t kUnitBytes = 16;
constexpr uint32_t kUnit = 8;
constexpr uint8_t kAllWarps = (1 << kWarpgroupWarps) - 1;

/// Bits of Instruction::kind.
constexpr uint8_t kTransposeA = 1;
constexpr uint8_t kTransposeB = 2;
constexpr uint8_t kNegate = 4;
constexpr uint8_t kHalf = 8; ///< f16 instead of bf16
constexpr uint8_t kScaleNegated = 16;

/// Where a matrix of 16 columns lies in shared memory.
struct Layout {
  uint64_t start = 0;   ///< address
  uint64_t leading = 0; ///< bytes
  uint64_t stride = 0;  ///< bytes
  uint32_t span = 0;    ///< of the swizzle in bytes, or 0
  bool isTransposed = false;
};

uint64_t field(uint64_t descriptor, unsigned first, unsigned bits) {
  return descriptor >> first & ((uint64_t(1) << bits) - 1);
}

Layout layoutOf(uint64_t descriptor, bool isTransposed) {
  static constexpr uint32_t kSpans[] = {0, 128, 64, 32};
  Layout layout;
  layout.start = field(descriptor, 0, 14) * kUnitBytes;
  layout.leading = field(descriptor, 16, 14) * kUnitBytes;
  layout.stride = field(descriptor, 32, 14) * kUnitBytes;
  layout.span = kSpans[field(descriptor, 62, 2)];
  layout.isTransposed = isTransposed;
  return layout;
}

/// Address of the unit with the elements [row, column .. column + 8), or of a
/// transposed matrix [row .. row + 8, column).
uint64_t unitAddress(const Layout &layout, uint32_t row, uint32_t column) {
  const uint64_t line = layout.span ? layout.span : kUnitBytes;
  uint64_t address = layout.start;
  if (!layout.isTransposed) {
    address += row % kUnit * line + row / kUnit * layout.stride;
    address +=
        column / kUnit * (layout.span ? uint64_t(kUnitBytes) : layout.leading);
  } else if (layout.span == 0) {
    address += row / kUnit * layout.stride + column % kUnit * line +
               column / kUnit * layout.leading;
  } else {
    const uint64_t units = layout.span / kUnitBytes;
    address += row / kUnit % units * kUnitBytes +
               row / kUnit / units * layout.leading + column % kUnit * line +
               column / kUnit * layout.stride;
  }
  return swizzle(address, layout.span);
}

/// Calls visit(row, column, address) for every unit of `rows` rows.
template <class Visit>
void forUnits(const Layout &layout, uint32_t rows, Visit visit) {
  const uint32_t rowStep = layout.isTransposed ? kUnit : 1;
  const uint32_t columnStep = layout.isTransposed ? 1 : kUnit;
  for (uint32_t row = 0; row < rows; row += rowStep)
    for (uint32_t column = 0; column < kK; column += columnStep)
      visit(row, column, unitAddress(layout, row, column));
}

bool isInRegisters(const Instruction &instruction) {
  return instruction.source[0] == kNoSlot;
}

/// Accumulators of a thread, then registers of A.
struct Slots {
  const uint32_t *accumulators;
  uint32_t count;
  const uint32_t *left;
  uint32_t leftCount;
};

Slots slotsOf(const Block &block, const Instruction &instruction) {
  const uint32_t *list =
      block.worker->grid->code->lists.data() + instruction.list;
  const uint32_t count = instruction.elements / 2;
  return {list, count, list + count, isInRegisters(instruction) ? 4u : 0u};
}

float elementOf(const Instruction &instruction, uint16_t bits) {
  return instruction.kind & kHalf ? f16ToFloat(bits) : bf16ToFloat(bits);
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

/// Reads a matrix of `rows` rows in shared memory; `at`(row, column) is where
/// an element goes.
template <class At>
void readShared(const Block &block, const Instruction &instruction,
                const Layout &layout, uint32_t rows, At at) {
  forUnits(layout, rows, [&](uint32_t row, uint32_t column, uint64_t address) {
    uint16_t unit[kUnit];
    std::memcpy(unit, block.shared.data() + (address - kSharedBase),
                sizeof(unit));
    for (uint32_t i = 0; i < kUnit; ++i)
      at(layout.isTransposed ? row + i : row,
         layout.isTransposed ? column : column + i) =
          elementOf(instruction, unit[i]);
  });
}

/// d = a b {+ d}. Register r of lane l of warp w holds row 16 w + l / 4 + 8
/// (r / 2 % 2) and column 8 (r / 4) + 2 (l % 4) + r % 2 of d. Of a, register r
/// holds row 16 w + l / 4 + 8 (r % 2) and the columns 2 (l % 4) + 8 (r / 2) and
/// the next.
void execute(Block &block, uint32_t warpgroup, WarpgroupProduct &product) {
  const Instruction &instruction = *product.instruction;
  const Slots slots = slotsOf(block, instruction);
  const uint32_t n = instruction.elements;
  Warp *warps = &block.warps[warpgroup * kWarpgroupWarps];
  std::vector<float> left(kM * kK);
  std::vector<float> right(kK * n);
  for (uint32_t w = 0; w < kWarpgroupWarps; ++w)
    for (uint32_t r = 0; r < slots.leftCount; ++r)
      for (uint32_t i = 0; i < 2 * kLanes; ++i) {
        const uint32_t lane = i / 2;
        const uint32_t row = w * kRowsPerWarp + lane / 4 + 8 * (r % 2);
        const uint32_t column = 2 * (lane % 4) + i % 2 + 8 * (r / 2);
        left[row * kK + column] =
            elementOf(instruction, warps[w].lanes<uint16_t>(slots.left[r])[i]);
      }
  if (!isInRegisters(instruction))
    readShared(block, instruction,
               layoutOf(product.left, instruction.kind & kTransposeA), kM,
               [&](uint32_t row, uint32_t column) -> float & {
                 return left[row * kK + column];
               });
  readShared(block, instruction,
             layoutOf(product.right, instruction.kind & kTransposeB), n,
             [&](uint32_t row, uint32_t column) -> float & {
               return right[column * n + row];
             });
  const float sign = instruction.kind & kNegate ? -1 : 1;
  for (uint32_t m = 0; m < kM; ++m) {
    float sum[kLargestN] = {};
    for (uint32_t k = 0; k < kK; ++k)
      for (uint32_t column = 0; column < n; ++column)
        sum[column] += left[m * kK + k] * right[k * n + column];
    Warp &warp = warps[m / kRowsPerWarp];
    const uint32_t row = m % kRowsPerWarp;
    for (uint32_t column = 0; column < n; ++column) {
      const uint32_t lane = row % 8 * 4 + column / 2 % 4;
      const uint32_t r = column / 8 * 4 + row / 8 * 2 + column % 2;
      float &d = warp.lanes<float>(slots.accumulators[r])[lane];
      d = (product.accumulates ? d : 0) + sign * sum[column];
    }
  }
  product.isDone = true;
  block.worker->sinceProgress = 0;
}

/// Units that a product reads and no other product in flight does are free.
void releaseUnits(Block &block, uint32_t index, WarpgroupProduct &product) {
  const uint8_t agent = static_cast<uint8_t>(kWarpgroupAgent + index);
  Stamp now;
  now.epoch = product.epoch = ++block.asyncEpochs[agent];
  now.line = product.instruction->line;
  now.block = static_cast<uint32_t>(block.number + 1);
  now.agent = agent;
  const auto &products = block.warpgroups[index].products;
  for (uint32_t offset : product.units) {
    const bool isFree = std::none_of(
        products.begin(), products.end(), [&](const WarpgroupProduct &other) {
          return !other.isDone && std::binary_search(other.units.begin(),
                                                     other.units.end(), offset);
        });
    if (isFree)
      finishReads(block, offset, kUnitBytes, agent, now);
  }
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

/// Marks or clears the registers of a product that is in flight.
void setInFlight(Warp &warp, const Instruction &instruction, uint32_t line) {
  const Slots slots = slotsOf(*warp.block, instruction);
  for (uint32_t i = 0; i < slots.count; ++i)
    warp.registers[slots.accumulators[i] / kSlotBytes].resultLine = line;
  for (uint32_t i = 0; i < slots.leftCount; ++i)
    warp.registers[slots.left[i] / kSlotBytes].operandLine = line;
}

Flow checkRegisters(Warp &warp, const Instruction &instruction,
                    bool accumulates) {
  const Slots slots = slotsOf(*warp.block, instruction);
  if (warp.fences == 0)
    return fail(warp, instruction, 0, "needs wgmma.fence before it");
  for (uint32_t i = 0; i < slots.count + slots.leftCount; ++i) {
    const uint32_t index = slots.accumulators[i] / kSlotBytes;
    const RegisterUse &use = warp.registers[index];
    if (use.writtenAfter == warp.fences)
      return fail(warp, instruction, 0,
                  "needs wgmma.fence behind the write of its register at "
                  "line " +
                      std::to_string(use.writtenLine));
    if (i >= slots.count)
      continue;
    if (use.operandLine || (use.resultLine && use.elements != slots.count))
      return fail(warp, instruction, 0,
                  "writes a register of the product at line " +
                      std::to_string(use.operandLine ? use.operandLine
                                                     : use.resultLine) +
                      ", which nobody has waited for");
    if (accumulates && warp.defined[index] != kAllLanes)
      return fail(warp, instruction, lowestLane(~warp.defined[index]),
                  "reads a register that was never written");
    warp.defined[index] = kAllLanes;
    warp.registers[index].elements = slots.count;
  }
  setInFlight(warp, instruction, instruction.line);
  return Flow::Next;
}

//===----------------------------------------------------------------------===//
// Issue
//===----------------------------------------------------------------------===//

Flow checkWholeWarp(Warp &warp, const Instruction &instruction, uint32_t mask) {
  if (mask == kAllLanes)
    return Flow::Next;
  return fail(warp, instruction, lowestLane(mask),
              "only lanes " + hex(mask) + " execute an operation of the warp");
}

Flow checkLayout(Warp &warp, const Instruction &instruction,
                 uint64_t descriptor) {
  constexpr uint64_t kUsed = 0xc0003fff3fff3fff;
  if (descriptor & ~kUsed)
    return fail(warp, instruction, 0,
                "matrix descriptor " + hex(descriptor) +
                    " has a base offset or unknown bits");
  const Layout layout = layoutOf(descriptor, false);
  if (layout.span && layout.start % (kUnit * layout.span) >= layout.span)
    return fail(warp, instruction, 0,
                "matrix at " + hex(layout.start) +
                    " does not start in the first row of a pattern of " +
                    std::to_string(kUnit * layout.span) + " bytes");
  return Flow::Next;
}

/// Every warp of the warpgroup `index` is about to read `rows` rows.
Flow startReads(Block &block, uint32_t index, const Instruction &instruction,
                const Layout &layout, uint32_t rows,
                std::vector<uint32_t> &units) {
  Flow flow = Flow::Next;
  const bool races = block.worker->grid->options.checks.races;
  forUnits(layout, rows, [&](uint32_t, uint32_t, uint64_t address) {
    BulkRange range;
    range.address = address;
    range.bytes = kUnitBytes;
    range.agent = static_cast<uint8_t>(kWarpgroupAgent + index);
    for (uint32_t w = 0; w < (races ? kWarpgroupWarps : 1); ++w) {
      uint8_t *host = nullptr;
      if (flow == Flow::Next)
        flow = findBulk(block.warps[index * kWarpgroupWarps + w], instruction,
                        0, range, host);
    }
    units.push_back(static_cast<uint32_t>(address - kSharedBase));
  });
  return flow;
}

/// All warps are there.
Flow issue(Block &block, uint32_t index, const Instruction &instruction) {
  Warpgroup &group = block.warpgroups[index];
  WarpgroupProduct product = group.meeting;
  if (!isInRegisters(instruction) &&
      startReads(block, index, instruction,
                 layoutOf(product.left, instruction.kind & kTransposeA), kM,
                 product.units) == Flow::Fail)
    return Flow::Fail;
  if (startReads(block, index, instruction,
                 layoutOf(product.right, instruction.kind & kTransposeB),
                 instruction.elements, product.units) == Flow::Fail)
    return Flow::Fail;
  std::sort(product.units.begin(), product.units.end());
  block.worker->tensorFlop += 2 * kM * kK * instruction.elements;
  group.products.push_back(std::move(product));
  group.meeting = WarpgroupProduct();
  group.arrived = 0;
  for (uint32_t w = 0; w < kWarpgroupWarps; ++w)
    for (Split &split : block.warps[index * kWarpgroupWarps + w].splits)
      if (split.state == Split::Warpgroup)
        split.state = Split::Ready;
  return Flow::Next;
}

/// The descriptor in `slot`, which all lanes hold.
Flow readDescriptor(Warp &warp, const Instruction &instruction, uint32_t slot,
                    uint64_t &descriptor) {
  const uint64_t *lanes = warp.lanes<uint64_t>(slot);
  descriptor = lanes[0];
  for (uint32_t lane = 1; lane < kLanes; ++lane)
    if (lanes[lane] != descriptor)
      return fail(warp, instruction, lane,
                  "matrix descriptor " + hex(lanes[lane]) +
                      " differs from that of thread 0 of the warp, " +
                      hex(descriptor));
  return checkLayout(warp, instruction, descriptor);
}

/// wgmma.mma_async. source: descriptors of a (or kNoSlot: in registers) and b,
/// scale-d; elements: N. The list holds accumulators and registers of a. Warps
/// wait for each other, and the operation takes effect when it is waited for.
Flow executeProduct(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Block &block = *warp.block;
  const uint32_t index = warp.index / kWarpgroupWarps;
  if (checkWholeWarp(warp, instruction, mask) == Flow::Fail)
    return Flow::Fail;
  const size_t warps = block.warps.size() - index * kWarpgroupWarps;
  if (warps < kWarpgroupWarps)
    return fail(warp, instruction, 0,
                "warpgroup of " + std::to_string(warps) + " warps, expected " +
                    std::to_string(kWarpgroupWarps));
  WarpgroupProduct own;
  own.instruction = &instruction;
  if (!isInRegisters(instruction) &&
      readDescriptor(warp, instruction, instruction.source[0], own.left) ==
          Flow::Fail)
    return Flow::Fail;
  if (readDescriptor(warp, instruction, instruction.source[1], own.right) ==
      Flow::Fail)
    return Flow::Fail;
  const uint32_t scale = warp.predicate(instruction.source[2]) ^
                         (instruction.kind & kScaleNegated ? kAllLanes : 0);
  if (scale != 0 && scale != kAllLanes)
    return fail(warp, instruction, lowestLane(~scale),
                "scale-d differs among the threads of the warp");
  own.accumulates = scale != 0;
  Warpgroup &group = block.warpgroups[index];
  const WarpgroupProduct &other = group.meeting;
  if (group.arrived && other.instruction != &instruction)
    return fail(warp, instruction, 0,
                "other warps of the warpgroup execute the product at line " +
                    std::to_string(other.instruction->line));
  if (group.arrived && (other.left != own.left || other.right != own.right ||
                        other.accumulates != own.accumulates))
    return fail(warp, instruction, 0,
                "matrix descriptors or scale-d differ among the warps of the "
                "warpgroup");
  if (!warp.registers.empty() &&
      checkRegisters(warp, instruction, own.accumulates) == Flow::Fail)
    return Flow::Fail;
  if (!group.arrived)
    group.meeting = std::move(own);
  group.arrived |= 1 << warp.index % kWarpgroupWarps;
  if (group.arrived == kAllWarps)
    return issue(block, index, instruction);
  warp.split().state = Split::Warpgroup;
  return Flow::Wait;
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

Flow executeFence(Warp &warp, const Instruction &instruction, uint32_t mask) {
  ++warp.fences;
  return checkWholeWarp(warp, instruction, mask);
}

Flow executeCommit(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Warpgroup &group = warp.block->warpgroups[warp.index / kWarpgroupWarps];
  const uint32_t own = warp.index % kWarpgroupWarps;
  for (WarpgroupProduct &product : group.products)
    if (product.group[own] == AsyncCopy::kNotCommitted)
      product.group[own] = group.groups[own];
  ++group.groups[own];
  return checkWholeWarp(warp, instruction, mask);
}

/// wgmma.wait_group N (immediate).
Flow executeWait(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Block &block = *warp.block;
  const uint32_t index = warp.index / kWarpgroupWarps;
  const uint32_t own = warp.index % kWarpgroupWarps;
  const bool races = block.worker->grid->options.checks.races;
  Warpgroup &group = block.warpgroups[index];
  uint32_t epoch = 0;
  for (WarpgroupProduct &product : group.products) {
    if (product.waited >> own & 1 ||
        product.group[own] == AsyncCopy::kNotCommitted ||
        product.group[own] + static_cast<uint64_t>(instruction.immediate) >=
            group.groups[own])
      continue;
    if (!product.isDone) {
      execute(block, index, product);
      if (races)
        releaseUnits(block, index, product);
    }
    epoch = product.epoch;
    product.waited |= 1 << own;
    if (!warp.registers.empty())
      setInFlight(warp, *product.instruction, 0);
  }
  if (races && epoch) {
    Clock clock;
    clock.all[kWarpgroupAgent + index] = epoch + 1;
    acquireFrom(warp, mask, clock);
  }
  if (!warp.registers.empty())
    for (const WarpgroupProduct &product : group.products)
      if (!(product.waited >> own & 1))
        setInFlight(warp, *product.instruction, product.instruction->line);
  group.products.erase(std::remove_if(group.products.begin(),
                                      group.products.end(),
                                      [](const WarpgroupProduct &product) {
                                        return product.waited == kAllWarps;
                                      }),
                       group.products.end());
  return checkWholeWarp(warp, instruction, mask);
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// N of m64nNk16, or 0.
uint32_t takeShape(Decoder &decoder) {
  constexpr std::string_view kStart = "m64n";
  for (std::string_view modifier : std::vector(decoder.modifiers())) {
    if (modifier.substr(0, kStart.size()) != kStart)
      continue;
    uint32_t n = 0;
    const char *end = modifier.data() + modifier.size();
    const auto parsed =
        std::from_chars(modifier.data() + kStart.size(), end, n);
    if (std::string_view(parsed.ptr, size_t(end - parsed.ptr)) != "k16" ||
        n % 8 || n > kLargestN)
      return 0;
    decoder.take(modifier);
    return n;
  }
  return 0;
}

/// An immediate that is one of two.
bool isSecond(Decoder &decoder, size_t operand, uint64_t first,
              uint64_t second) {
  const uint64_t value =
      decoder.integer(decoder.operand(operand)).value_or(first);
  if (value != first && value != second)
    decoder.fail("operand " + std::to_string(operand + 1) + " is " +
                 std::to_string(static_cast<int64_t>(value)) + ", expected " +
                 std::to_string(static_cast<int64_t>(first)) + " or " +
                 std::to_string(static_cast<int64_t>(second)));
  return value == second;
}

bool decodeProduct(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  instruction.group = Class::Tensor;
  const bool aligned = decoder.take("sync") && decoder.take("aligned");
  const uint32_t n = takeShape(decoder);
  const bool accumulates = decoder.take("f32");
  const bool isHalf = decoder.take("f16") && decoder.take("f16");
  if (!aligned || n == 0 || !accumulates ||
      (!isHalf && !(decoder.take("bf16") && decoder.take("bf16")))) {
    decoder.fail("unsupported product, supported "
                 "wgmma.mma_async.sync.aligned.m64nNk16.f32 of bf16 or f16");
    return true;
  }
  const bool inRegisters = decoder.operand(1).kind == OperandSyntax::Vector;
  if (!decoder.expectOperands(inRegisters ? 7 : 8))
    return true;
  instruction.elements = static_cast<uint16_t>(n);
  const std::vector<OperandSyntax> &results = decoder.operand(0).parts;
  const std::vector<OperandSyntax> &left = decoder.operand(1).parts;
  if (results.size() != n / 2 || (inRegisters && left.size() != 4)) {
    decoder.fail("expected " + std::to_string(n / 2) +
                 " accumulators and 4 registers of a");
    return true;
  }
  instruction.list = static_cast<uint32_t>(decoder.listSize());
  for (const OperandSyntax &result : results) {
    const Symbol *symbol = decoder.find(result.name);
    if (!symbol || symbol->kind != Symbol::Register || symbol->bits != 32) {
      decoder.fail("expected accumulators of 32 bits");
      return true;
    }
    decoder.addList(symbol->slot);
  }
  for (const OperandSyntax &part : left)
    decoder.addList(decoder.read(part, {Type::Bits, 32}));
  const Type descriptor = {Type::Bits, 64};
  if (!inRegisters)
    instruction.source[0] = decoder.read(decoder.operand(1), descriptor);
  instruction.source[1] = decoder.read(decoder.operand(2), descriptor);
  bool negated = false;
  instruction.source[2] = decoder.readPredicate(decoder.operand(3), negated);
  const uint64_t minus = ~uint64_t(0);
  const bool negate =
      isSecond(decoder, 4, 1, minus) != isSecond(decoder, 5, 1, minus);
  const bool transposeA = !inRegisters && isSecond(decoder, 6, 0, 1);
  const bool transposeB = isSecond(decoder, inRegisters ? 6 : 7, 0, 1);
  instruction.kind = (transposeA ? kTransposeA : 0) |
                     (transposeB ? kTransposeB : 0) | (negate ? kNegate : 0) |
                     (isHalf ? kHalf : 0) | (negated ? kScaleNegated : 0);
  instruction.execute = executeProduct;
  return true;
}

} // namespace

Flow checkInFlight(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const uint32_t *uses =
      warp.block->worker->grid->code->lists.data() + instruction.uses;
  for (uint32_t i = 0; i < instruction.reads + instruction.writes; ++i) {
    const bool writes = i >= instruction.reads;
    RegisterUse &use = warp.registers[uses[i] / kSlotBytes];
    const uint32_t line =
        use.resultLine || !writes ? use.resultLine : use.operandLine;
    if (line)
      return fail(warp, instruction, lowestLane(mask),
                  std::string(writes ? "writes" : "reads") +
                      " a register of the product at line " +
                      std::to_string(line) + ", which nobody has waited for");
    if (writes) {
      use.writtenAfter = warp.fences;
      use.writtenLine = instruction.line;
    }
  }
  return Flow::Next;
}

void startWarpgroups(Block &block) {
  const Grid &grid = *block.worker->grid;
  const size_t warps = block.warps.size();
  block.warpgroups.assign((warps + kWarpgroupWarps - 1) / kWarpgroupWarps,
                          Warpgroup());
  for (Warp &warp : block.warps) {
    warp.fences = 0;
    warp.registers.clear();
    if (grid.options.checks.initialised)
      warp.registers.resize(grid.code->fileBytes / kSlotBytes);
  }
}

bool decodeWarpgroup(Decoder &decoder) {
  if (decoder.opcode != "wgmma")
    return false;
  Instruction &instruction = decoder.instruction;
  decoder.needWarpgroups();
  if (decoder.take("mma_async"))
    return decodeProduct(decoder);
  instruction.group = Class::Async;
  static constexpr Handler kHandlers[] = {executeFence, executeCommit,
                                          executeWait};
  const int which = decoder.takeOneOf({"fence", "commit_group", "wait_group"});
  if (which < 0 || !decoder.take("sync") || !decoder.take("aligned")) {
    decoder.fail("expected wgmma.{mma_async,fence,commit_group,wait_group}"
                 ".sync.aligned");
    return true;
  }
  instruction.execute = kHandlers[which];
  if (decoder.expectOperands(which == 2 ? 1 : 0) && which == 2)
    instruction.immediate =
        static_cast<int64_t>(decoder.integer(decoder.operand(0)).value_or(0));
  return true;
}

} // namespace ssmrt::ptx
