//===- ModelBuilder.cpp - Building the block form -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/ModelBuilder.h"

using namespace mlir;
using namespace ssm;

Location ModelBuilder::locationOf(StringRef prefix) {
  return NameLoc::get(builder.getStringAttr(prefix));
}

void ModelBuilder::start(StringRef name, int64_t hidden, int64_t vocab,
                         StringRef embedPrefix, double multiplier) {
  Location loc = locationOf(name);
  module = ModuleOp::create(loc);
  builder.setInsertionPointToStart(module->getBody());
  model = ModelOp::create(builder, loc, name, hidden, vocab, WeightFormat::F32,
                          /*end_tokens=*/DenseI64ArrayAttr());
  builder.createBlock(&model.getBody());
  EmbedOp::create(builder, locationOf(embedPrefix), embedPrefix,
                  APFloat(multiplier));
}

void ModelBuilder::layer(NormAttr norm, const Twine &normPrefix,
                         std::optional<int64_t> number, double multiplier) {
  currentLayer = nullptr;
  if (!norm)
    return;
  builder.setInsertionPointToEnd(&model.getBody().front());
  std::string prefix = normPrefix.str();
  IntegerAttr numberAttr;
  if (number)
    numberAttr = builder.getI64IntegerAttr(*number);
  currentLayer = LayerOp::create(builder, locationOf(prefix), norm, prefix,
                                 APFloat(multiplier), numberAttr);
  builder.createBlock(&currentLayer.getBody());
}

void ModelBuilder::block(const Twine &prefix, Attribute mixer,
                         double inMultiplier, double outMultiplier) {
  if (!mixer || !currentLayer)
    return;
  builder.setInsertionPointToEnd(&currentLayer.getBody().front());
  std::string name = prefix.str();
  BlockOp::create(builder, locationOf(name), name, mixer, APFloat(inMultiplier),
                  APFloat(outMultiplier));
}

void ModelBuilder::head(StringRef prefix, NormAttr norm, StringRef normPrefix,
                        double multiplier) {
  if (!norm)
    return;
  builder.setInsertionPointToEnd(&model.getBody().front());
  HeadOp::create(builder, locationOf(prefix), prefix, norm, normPrefix,
                 APFloat(multiplier));
}
