//===- Placement.cpp - Rewrites of the order of layers --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Pattern.h"
#include "passes/placement/ModelPrice.h"
#include "passes/placement/Weights.h"

#include <map>

using namespace mlir;
using namespace ssm;

/// The layers in order.
static SmallVector<LayerOp> layersOf(ModelOp model) {
  auto layers = model.getBody().getOps<LayerOp>();
  return SmallVector<LayerOp>(layers.begin(), layers.end());
}

/// The block of a layer that has one; else null.
static BlockOp onlyBlock(LayerOp layer) {
  auto blocks = layer.getBody().getOps<BlockOp>();
  return llvm::hasSingleElement(blocks) ? *blocks.begin() : BlockOp();
}

/// Fails unless `place` is that of one of `count` layers.
static LogicalResult checkPlace(int64_t place, int64_t count,
                                EmitError emitError) {
  if (place >= 0 && place < count)
    return success();
  return emitError() << "expected a place from 0 to " << count - 1 << ", got "
                     << place;
}

/// Fails unless `mixer` are the hyper-parameters of a block.
static LogicalResult checkMixer(Attribute mixer, EmitError emitError) {
  if (isa_and_nonnull<MambaAttr, Mamba2Attr, AttentionAttr, MlpAttr,
                      ExpertsAttr>(mixer))
    return success();
  return emitError() << "expected hyper-parameters of a layer (mamba, mamba2, "
                        "attention, mlp, experts), got "
                     << mixer;
}

Attribute ssm::defaultMixer(char letter, int64_t hidden, MLIRContext *context) {
  // The widest usual head that divides the width, at most 128.
  int64_t headDim = 128;
  while (hidden % headDim)
    headDim /= 2;
  if (letter == '*') {
    int64_t heads = hidden / headDim;
    int64_t kvHeads = heads % 4 ? heads : heads / 4;
    return AttentionAttr::get(context, heads, kvHeads, headDim, std::nullopt,
                              std::nullopt, RopeAttr(), false, false,
                              std::nullopt, std::nullopt);
  }
  if (letter == '-')
    return MlpAttr::get(context, 4 * hidden, Activation::Gelu, false, false);
  if (letter != 'M')
    return {};
  int64_t width = std::min<int64_t>(headDim, 64), heads = 2 * hidden / width;
  int64_t groups = 8;
  while (heads % groups)
    groups /= 2;
  return Mamba2Attr::get(context, heads, width, /*state=*/128, groups,
                         /*conv=*/4, true, false, Real(0), std::nullopt,
                         GateOrder::AfterGate, Real(1e-5));
}

//===----------------------------------------------------------------------===//
// Whole patterns
//===----------------------------------------------------------------------===//

namespace {
/// The layers of one letter, and what more of them look like.
struct Stock {
  SmallVector<LayerOp> layers;
  size_t used = 0;
  /// Copied for layers that the model has not.
  LayerOp copied;
  /// Hyper-parameters of copies; null: those of `copied`.
  Attribute mixer;
};
} // namespace

/// Sorts the layers of `model` by letter.
static FailureOr<std::map<char, Stock>>
takeStock(ModelOp model, ArrayAttr prototypes, EmitError emitError) {
  std::map<char, Stock> stocks;
  SmallVector<LayerOp> layers = layersOf(model);
  for (auto [place, layer] : llvm::enumerate(layers)) {
    BlockOp block = onlyBlock(layer);
    if (!block)
      return emitError() << "layer " << place
                         << " runs several blocks side by side, expected one";
    Stock &stock = stocks[letterOf(block.getMixer())];
    stock.layers.push_back(layer);
    if (!stock.copied)
      stock.copied = layer;
  }
  for (Attribute mixer :
       prototypes ? prototypes.getValue() : ArrayRef<Attribute>()) {
    if (failed(checkMixer(mixer, emitError)))
      return failure();
    Stock &stock = stocks[letterOf(mixer)];
    if (stock.mixer)
      return emitError() << "two hyper-parameters for letter '"
                         << StringRef(std::string(1, letterOf(mixer))) << "'";
    stock.mixer = mixer;
    if (!stock.copied)
      stock.copied = layers.front();
  }
  return stocks;
}

/// A copy of `stock`'s layer at the rewriter's place, with weights of its own.
static LayerOp copyLayer(RewriterBase &rewriter, const Stock &stock,
                         FreshNames &names) {
  auto layer = cast<LayerOp>(rewriter.clone(*stock.copied));
  if (stock.mixer)
    onlyBlock(layer).setMixerAttr(stock.mixer);
  names.rename(layer);
  return layer;
}

static LogicalResult placeLetters(RewriterBase &rewriter, ModelOp model,
                                  StringRef letters, ArrayAttr prototypes,
                                  EmitError emitError) {
  auto stocks = takeStock(model, prototypes, emitError);
  if (failed(stocks))
    return failure();
  for (char letter : letters)
    if (!stocks->count(letter))
      return emitError() << "the pattern has '" << StringRef(&letter, 1)
                         << "', of which the model has no layer: expected its "
                            "hyper-parameters in 'new'";
  FreshNames names(model);
  Operation *head = &model.getBody().front().back();
  rewriter.setInsertionPoint(head);
  int64_t kept = 0;
  for (char letter : letters) {
    Stock &stock = (*stocks)[letter];
    if (stock.used < stock.layers.size()) {
      stock.layers[stock.used++]->moveBefore(head);
      ++kept;
    } else {
      copyLayer(rewriter, stock, names);
    }
  }
  for (auto &[letter, stock] : *stocks)
    for (LayerOp layer : ArrayRef<LayerOp>(stock.layers).drop_front(stock.used))
      rewriter.eraseOp(layer);
  dropNumbers(model);
  sayWeights(model, "place", kept, int64_t(letters.size()) - kept);
  return success();
}

LogicalResult ssm::placeLayers(RewriterBase &rewriter, ModelOp model,
                               StringRef text, ArrayAttr prototypes,
                               EmitError emitError) {
  llvm::Expected<LayerPattern> pattern = parsePattern(text);
  if (!pattern)
    return emitError() << llvm::toString(pattern.takeError());
  return placeLetters(rewriter, model, pattern->letters, prototypes, emitError);
}

LogicalResult ssm::spreadLayers(RewriterBase &rewriter, ModelOp model,
                                int64_t layers, int64_t attention, int64_t mlp,
                                ArrayAttr prototypes, EmitError emitError) {
  if (!layers)
    layers = layersOf(model).size();
  llvm::Expected<std::string> letters = spreadCounts(layers, attention, mlp);
  if (!letters)
    return emitError() << llvm::toString(letters.takeError());
  return placeLetters(rewriter, model, *letters, prototypes, emitError);
}

//===----------------------------------------------------------------------===//
// Single layers
//===----------------------------------------------------------------------===//

LogicalResult ssm::moveLayer(ModelOp model, int64_t from, int64_t to,
                             EmitError emitError) {
  SmallVector<LayerOp> layers = layersOf(model);
  int64_t count = layers.size();
  if (failed(checkPlace(from, count, emitError)) ||
      failed(checkPlace(to, count, emitError)))
    return failure();
  if (from < to)
    layers[from]->moveAfter(layers[to]);
  if (from > to)
    layers[from]->moveBefore(layers[to]);
  dropNumbers(model);
  sayWeights(model, "move", count, 0);
  return success();
}

LogicalResult ssm::swapLayers(ModelOp model, int64_t first, int64_t second,
                              EmitError emitError) {
  SmallVector<LayerOp> layers = layersOf(model);
  int64_t count = layers.size();
  if (failed(checkPlace(first, count, emitError)) ||
      failed(checkPlace(second, count, emitError)))
    return failure();
  std::swap(layers[first], layers[second]);
  for (LayerOp layer : layers)
    layer->moveBefore(&model.getBody().front().back());
  dropNumbers(model);
  sayWeights(model, "swap", count, 0);
  return success();
}

LogicalResult ssm::eraseLayer(RewriterBase &rewriter, ModelOp model, int64_t at,
                              EmitError emitError) {
  SmallVector<LayerOp> layers = layersOf(model);
  if (failed(checkPlace(at, layers.size(), emitError)))
    return failure();
  if (layers.size() == 1)
    return emitError() << "expected more than one layer, the model would be "
                          "empty";
  rewriter.eraseOp(layers[at]);
  dropNumbers(model);
  sayWeights(model, "erase", int64_t(layers.size()) - 1, 0);
  return success();
}

LogicalResult ssm::insertLayer(RewriterBase &rewriter, ModelOp model,
                               int64_t at, Attribute mixer,
                               EmitError emitError) {
  SmallVector<LayerOp> layers = layersOf(model);
  int64_t count = layers.size();
  if (failed(checkMixer(mixer, emitError)) ||
      failed(checkPlace(at, count + 1, emitError)))
    return failure();
  LayerOp neighbour = layers[std::min(at, count - 1)];
  if (!onlyBlock(neighbour))
    return emitError() << "layer " << std::min(at, count - 1)
                       << " runs several blocks side by side, expected one";
  Stock stock;
  stock.copied = neighbour;
  stock.mixer = mixer;
  FreshNames names(model);
  rewriter.setInsertionPoint(at < count ? layers[at]
                                        : &model.getBody().front().back());
  copyLayer(rewriter, stock, names);
  dropNumbers(model);
  sayWeights(model, "insert", count, 1);
  return success();
}

LogicalResult ssm::replaceMixers(ModelOp model, ArrayRef<int64_t> at,
                                 Attribute mixer, EmitError emitError) {
  SmallVector<LayerOp> layers = layersOf(model);
  if (failed(checkMixer(mixer, emitError)))
    return failure();
  for (int64_t place : at) {
    if (failed(checkPlace(place, layers.size(), emitError)))
      return failure();
    if (!onlyBlock(layers[place]))
      return emitError() << "layer " << place
                         << " runs several blocks side by side, expected one";
  }
  FreshNames names(model);
  for (int64_t place : at) {
    BlockOp block = onlyBlock(layers[place]);
    block.setMixerAttr(mixer);
    names.rename(block);
  }
  sayWeights(model, "replace-mixer", int64_t(layers.size() - at.size()),
             int64_t(at.size()));
  return success();
}

LogicalResult ssm::replaceMixers(ModelOp model, StringRef kind, Attribute mixer,
                                 EmitError emitError) {
  SmallVector<int64_t> at;
  for (auto [place, layer] : llvm::enumerate(layersOf(model)))
    for (auto block : layer.getBody().getOps<BlockOp>())
      if (kindName(block.getMixer()) == kind)
        at.push_back(int64_t(place));
  if (at.empty())
    return emitError() << "the model has no layer of kind '" << kind
                       << "' (kinds: mamba, mamba2, attention, mlp, experts)";
  return replaceMixers(model, at, mixer, emitError);
}
