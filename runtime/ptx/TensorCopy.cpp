//===- TensorCopy.cpp - Copies of boxes of a tensor -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Access.h"
#include "runtime/ptx/Bulk.h"
#include "runtime/ptx/Lanes.h"
#include "runtime/ptx/TensorMap.h"

#include <algorithm>

namespace ssmrt::ptx {

namespace {

constexpr uint32_t kUnit = 16;
constexpr uint32_t kMapAlignment = 64;
constexpr uint32_t kSharedAlignment = 128;
/// Rows after which the pattern of a swizzle repeats.
constexpr uint32_t kSwizzleRows = 8;

/// One copy of one lane.
struct TensorCopy {
  Warp &warp;
  const Instruction &instruction;
  uint32_t lane;
  bool isLoad;
  TensorShape shape;
  int64_t start[kLargestTensorRank];
  uint64_t shared = 0; ///< address of the box in shared memory
  uint8_t *host = nullptr;
  BulkCopy copy = {};

  Flow readMap();
  Flow findRow(uint32_t row);
  Flow move(Block &owner, uint64_t mbarrier);
  /// Moves `bytes` bytes of the box from `offset` on, unit by unit. A null
  /// `global` means zeros.
  void add(uint64_t offset, uint8_t *global, uint64_t bytes);
};

Flow TensorCopy::readMap() {
  Access access;
  computeAddresses(warp, instruction, access);
  const uint64_t address = access.address[lane];
  if (address % kMapAlignment)
    return fail(warp, instruction, lane,
                "tensor map at " + hex(address) +
                    " is misaligned, expected a multiple of 64");
  TensorMap map;
  for (uint32_t i = 0; i < sizeof(map.words); i += kUnit) {
    access.address[lane] = address + i;
    if (findAccess(warp, instruction, uint32_t(1) << lane, access, kUnit,
                   AccessKind::Read) == Flow::Fail)
      return Flow::Fail;
    std::memcpy(reinterpret_cast<uint8_t *>(map.words.data()) + i,
                access.host[lane], kUnit);
  }
  Expected<TensorShape> decoded = decodeTensorMap(map);
  if (!decoded)
    return fail(warp, instruction, lane, decoded.status().message);
  shape = *decoded;
  if (shape.rank != instruction.elements)
    return fail(warp, instruction, lane,
                "tensor map of rank " + std::to_string(shape.rank) +
                    ", expected " + std::to_string(instruction.elements));
  return Flow::Next;
}

void TensorCopy::add(uint64_t offset, uint8_t *global, uint64_t bytes) {
  while (bytes) {
    const uint64_t part = std::min(bytes, kUnit - offset % kUnit);
    uint8_t *local = host + (swizzle(shared + offset, shape.swizzle) - shared);
    copy.segments.push_back({isLoad ? local : global, isLoad ? global : local,
                             static_cast<uint32_t>(part)});
    offset += part;
    bytes -= part;
    global += global ? part : 0;
  }
}

/// The part of a row of the box that lies in the tensor is copied. The rest of
/// a load is zero, of a store nothing.
Flow TensorCopy::findRow(uint32_t row) {
  const uint64_t rowBytes = uint64_t(shape.box[0]) * shape.elementBytes;
  uint64_t address = shape.address;
  bool isInside = true;
  for (uint32_t i = 1, rest = row; i < shape.rank; ++i) {
    const int64_t index = start[i] + rest % shape.box[i];
    rest /= shape.box[i];
    isInside &= index >= 0 && uint64_t(index) < shape.extents[i];
    address += static_cast<uint64_t>(index) * shape.strides[i - 1];
  }
  const int64_t extent = static_cast<int64_t>(shape.extents[0]);
  const int64_t first = std::max<int64_t>(0, -start[0]);
  const int64_t last = std::min<int64_t>(shape.box[0], extent - start[0]);
  const uint64_t offset = row * rowBytes;
  if (!isInside || first >= last) {
    if (isLoad)
      add(offset, nullptr, rowBytes);
    return Flow::Next;
  }
  const uint64_t before = static_cast<uint64_t>(first) * shape.elementBytes;
  const uint64_t inside =
      static_cast<uint64_t>(last - first) * shape.elementBytes;
  BulkRange range;
  range.space = Space::Global;
  range.address =
      address + static_cast<uint64_t>(start[0] + first) * shape.elementBytes;
  range.bytes = static_cast<uint32_t>(inside);
  range.alignment = shape.elementBytes;
  range.writes = !isLoad;
  uint8_t *global = nullptr;
  if (findBulk(warp, instruction, lane, range, global) == Flow::Fail)
    return Flow::Fail;
  if (!isLoad) {
    BulkRange source;
    source.address = shared + offset;
    source.bytes = static_cast<uint32_t>(rowBytes);
    uint8_t *unused = nullptr;
    if (findBulk(warp, instruction, lane, source, unused) == Flow::Fail)
      return Flow::Fail;
    add(offset + before, global, inside);
    return Flow::Next;
  }
  add(offset, nullptr, before);
  add(offset + before, global, inside);
  add(offset + before + inside, nullptr, rowBytes - before - inside);
  return Flow::Next;
}

/// Moves the box to or from shared memory of `owner`.
Flow TensorCopy::move(Block &owner, uint64_t mbarrier) {
  BulkRange box;
  box.address = shared;
  box.bytes = static_cast<uint32_t>(shape.boxBytes());
  box.alignment = std::max(kSharedAlignment, kSwizzleRows * shape.swizzle);
  box.writes = isLoad;
  box.owner = &owner;
  if (isLoad)
    box.agent = loadAgent(static_cast<uint32_t>(mbarrier) - kSharedBase);
  else
    box.checksOnly = true; // rows outside of the tensor are not read
  if (findBulk(warp, instruction, lane, box, host) == Flow::Fail)
    return Flow::Fail;
  copy = BulkCopy();
  const uint64_t rows =
      box.bytes / (uint64_t(shape.box[0]) * shape.elementBytes);
  for (uint32_t row = 0; row < rows; ++row)
    if (findRow(row) == Flow::Fail)
      return Flow::Fail;
  copy.isLoad = isLoad;
  copy.bytes = box.bytes;
  copy.sharedOffset = static_cast<uint32_t>(host - owner.shared.data());
  return startBulk(warp, instruction, lane, std::move(copy), owner, mbarrier);
}

/// cp.async.bulk.tensor.Nd, a load (kind 0) or a store (kind 1); elements: the
/// rank; source[0] and immediate: the map. The list holds the addresses in
/// shared memory of the box and, of a load, of the mbarrier, then the slots of
/// the coordinates.
Flow executeTensorCopy(Warp &warp, const Instruction &instruction,
                       uint32_t mask) {
  Block &block = *warp.block;
  const uint32_t *addresses =
      block.worker->grid->code->lists.data() + instruction.list;
  const bool isLoad = instruction.kind == 0;
  const uint32_t *slots = addresses + (isLoad ? 2 : 1) * kAddressEntries;
  for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) {
    const uint32_t lane = lowestLane(lanes);
    TensorCopy tensor = {warp, instruction, lane,    isLoad, {},
                         {},   0,           nullptr, {}};
    if (tensor.readMap() == Flow::Fail)
      return Flow::Fail;
    for (uint32_t i = 0; i < tensor.shape.rank; ++i)
      tensor.start[i] = warp.lanes<int32_t>(slots[i])[lane];
    LoadTarget target = {addressAt(warp, addresses, lane), 0, {&block}};
    if (isLoad && findTarget(warp, instruction, lane, addresses,
                             addresses + kAddressEntries, target) == Flow::Fail)
      return Flow::Fail;
    tensor.shared = target.address;
    for (Block *owner : target.owners)
      if (tensor.move(*owner, target.mbarrier) == Flow::Fail)
        return Flow::Fail;
  }
  return Flow::Next;
}

Flow executeNothing(Warp &, const Instruction &, uint32_t) {
  return Flow::Next;
}

/// [map, {coordinates}]: the map becomes the instruction's address, the
/// coordinates are added to `entries`.
void decodeBox(Decoder &decoder, const OperandSyntax &operand,
               std::vector<uint32_t> &entries) {
  const uint32_t rank = decoder.instruction.elements;
  if (operand.kind != OperandSyntax::Address || operand.parts.size() != 2 ||
      operand.parts[1].kind != OperandSyntax::Vector ||
      operand.parts[1].parts.size() != rank)
    return decoder.fail("expected a tensor map with " + std::to_string(rank) +
                        " coordinates, such as [%rd1, {%r1, %r2}]");
  for (const OperandSyntax &part : operand.parts[1].parts)
    entries.push_back(decoder.read(part, {Type::Signed, 32}));
  OperandSyntax map = operand;
  map.parts.resize(1);
  Space space = Space::Generic;
  decoder.address(map, space);
}

} // namespace

bool decodeTensorCopy(Decoder &decoder, bool prefetches) {
  Instruction &instruction = decoder.instruction;
  const int rank = decoder.takeOneOf({"1d", "2d", "3d", "4d", "5d"});
  instruction.elements = static_cast<uint16_t>(rank + 1);
  const bool isLoad =
      !decoder.modifiers().empty() && decoder.modifiers()[0] != "global";
  decoder.take("tile");
  const bool policy = decoder.take("L2::cache_hint");
  const bool multicast = isLoad && decoder.take("multicast::cluster");
  std::vector<uint32_t> entries;
  if (prefetches) {
    if (rank < 0 || !decoder.take("L2") || !decoder.take("global") ||
        !decoder.expectOperands(1 + policy))
      decoder.fail("expected cp.async.bulk.prefetch.tensor.Nd.L2.global");
    decodeBox(decoder, decoder.operand(0), entries);
    instruction.execute = executeNothing;
    return true;
  }
  instruction.kind = isLoad ? 0 : 1;
  const bool spaces =
      decoder.take("global") &&
      decoder.takeOneOf({"shared::cta", "shared::cluster"}) >= 0;
  const bool completion = isLoad ? decoder.take("mbarrier::complete_tx::bytes")
                                 : decoder.take("bulk_group");
  if (rank < 0 || !spaces || !completion) {
    decoder.fail("unsupported tensor copy");
    return true;
  }
  if (!decoder.expectOperands((isLoad ? 3 : 2) + multicast + policy))
    return true;
  addAddress(decoder, decoder.operand(isLoad ? 0 : 1), Space::Shared, entries);
  if (isLoad)
    addAddress(decoder, decoder.operand(2), Space::Shared, entries);
  if (multicast)
    decodeMulticast(decoder, decoder.operand(3));
  decodeBox(decoder, decoder.operand(isLoad ? 1 : 0), entries);
  instruction.list = static_cast<uint32_t>(decoder.listSize());
  for (uint32_t entry : entries)
    decoder.addList(entry);
  instruction.execute = executeTensorCopy;
  return true;
}

} // namespace ssmrt::ptx
