//===- EmitEmbed.cpp - Kernels of kern.embed ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block copies a row of the table; a table in panels is that of the head.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Emitters.h"
#include "codegen/gpu/Gemm.h"

using namespace mlir;
using namespace ssm::gpu;

static constexpr int64_t kThreads = 128;

/// Place of column `column` of token `token` in the table.
static Value placeOf(TileBuilder &builder, kern::EmbedOp op, Value token,
                     Value column) {
  int64_t width = op.getResult().getType().getDimSize(1);
  int64_t panel = op.getPanel(), pair = op.getPair();
  if (panel == 1)
    return builder.add(builder.mul(token, width), column);
  int64_t pieces = llvm::divideCeil(width, pair);
  Value piece = builder.add(builder.mul(builder.div(token, panel), pieces),
                            builder.div(column, pair));
  Value row = builder.add(builder.mul(piece, panel), builder.rem(token, panel));
  return builder.add(builder.mul(row, pair), builder.rem(column, pair));
}

KernelInfos ssm::gpu::emitEmbed(kern::EmbedOp op, StringRef name,
                                const Target &target, ModuleOp module) {
  TileBuilder builder(op.getLoc(), target);
  KernelArgs args(builder, builder.startKernel(module, name, kThreads));
  Value tokens = args.tokens(), table = args.weight(op.getTable());
  Rows result = args.rows(op.getResult());
  args.integer();
  Value row = builder.blockId();
  Value token = builder.toI64(builder.loadConstant(tokens, row));
  Value scale = builder.f32(op.getMultiplier().convertToDouble());
  builder.forThreads(result.columns, [&](Value column) {
    Value value = builder.loadFloats(table, placeOf(builder, op, token, column),
                                     0, {}, tile::Cache::ReadOnly);
    builder.storeFloats(builder.mul(value, scale), result.row(builder, row),
                        column);
  });
  builder.finishKernel();
  return SmallVector<KernelInfo>{
      {name.str(), symbolOf(CallSymbol::Rows, op.getContext())}};
}
