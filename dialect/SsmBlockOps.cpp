//===- SsmBlockOps.cpp - Verifiers of the block form ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Ssm.h"

using namespace mlir;
using namespace ssm;

LogicalResult ModelOp::verifyRegions() {
  Block &block = getBody().front();
  if (block.empty() || !isa<EmbedOp>(block.front()))
    return emitOpError("expected an ssm.embed first");
  if (!isa<HeadOp>(block.back()))
    return emitOpError("expected an ssm.head last");
  size_t layers = 0;
  for (Operation &op : llvm::drop_begin(block)) {
    if (&op == &block.back())
      break;
    if (!isa<LayerOp>(op)) {
      InFlightDiagnostic diag =
          emitOpError("expected only layers between embedding and head");
      diag.attachNote(op.getLoc()) << "found '" << op.getName() << "'";
      return diag;
    }
    ++layers;
  }
  if (!layers)
    return emitOpError("expected at least one layer");
  return success();
}

LogicalResult LayerOp::verifyRegions() {
  Block &block = getBody().front();
  if (block.empty())
    return emitOpError("expected at least one block");
  for (Operation &op : block)
    if (!isa<BlockOp>(op)) {
      InFlightDiagnostic diag = emitOpError("expected only blocks in a layer");
      diag.attachNote(op.getLoc()) << "found '" << op.getName() << "'";
      return diag;
    }
  return success();
}
