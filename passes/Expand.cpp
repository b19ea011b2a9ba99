//===- Expand.cpp - Block form to op form ---------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ssm.model { embed, layers of blocks, head }  ->  one func.func per distinct
// layer and an ssm.program { embedding, table of layers, norm, linear }. Layers
// with equal hyper-parameters share a function: rows of the table differ only
// in the names of the weights. Precondition: no experts.
//
//===----------------------------------------------------------------------===//

#include "passes/LayerBody.h"
#include "passes/Passes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace ssm {
#define GEN_PASS_DEF_EXPANDPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace ssm;

namespace {
/// Expands one model. Functions are inserted before it.
class ModelExpander {
public:
  ModelExpander(ModelOp model, SymbolTable &symbols)
      : model(model), symbols(symbols), builder(model) {}

  LogicalResult expand();

private:
  FailureOr<LayerBody *> bodyOf(LayerOp layer);
  FailureOr<LayerAttr> expandLayer(LayerOp layer, int64_t place);
  void buildProgram(ArrayAttr table);
  Value programWeight(Location loc, const Twine &name, Type type);
  Type matrixElement();

  ModelOp model;
  SymbolTable &symbols;
  OpBuilder builder;
  llvm::MapVector<Attribute, std::unique_ptr<LayerBody>> bodies;
};
} // namespace

/// What two layers must have in common to share a body.
static Attribute layerKey(LayerOp layer) {
  SmallVector<Attribute> key = {layer.getNorm(), layer.getMultiplierAttr()};
  for (BlockOp block : layer.getBody().getOps<BlockOp>())
    key.append({block.getMixer(), block.getInMultiplierAttr(),
                block.getOutMultiplierAttr()});
  return ArrayAttr::get(layer.getContext(), key);
}

/// Names of the kinds of blocks in `layer`, for its function.
static std::string layerName(LayerOp layer, size_t index) {
  std::string name;
  for (BlockOp block : layer.getBody().getOps<BlockOp>())
    name += TypeSwitch<Attribute, StringRef>(block.getMixer())
                .Case([](MambaAttr) { return "mamba_"; })
                .Case([](Mamba2Attr) { return "mamba2_"; })
                .Case([](AttentionAttr) { return "attention_"; })
                .Case([](MlpAttr) { return "mlp_"; })
                .Default([](Attribute) { return "experts_"; });
  return name + std::to_string(index);
}

Type ModelExpander::matrixElement() {
  switch (model.getWeights()) {
  case WeightFormat::F32:
    return builder.getF32Type();
  case WeightFormat::BF16:
    return builder.getBF16Type();
  case WeightFormat::F16:
    return builder.getF16Type();
  }
  llvm_unreachable("unknown weight format");
}

/// x + multiplier * sum of blocks(norm(x)).
static LogicalResult buildLayer(LayerBody &body, LayerOp layer) {
  Value normed = buildNorm(body, body.input(), layer.getNorm());
  Value sum;
  for (auto [index, block] :
       llvm::enumerate(layer.getBody().getOps<BlockOp>())) {
    body.setOwner(index);
    FailureOr<Value> output = buildBlock(body, block, normed);
    if (failed(output))
      return failure();
    sum = sum ? AddOp::create(body.builder, body.loc, sum, *output) : *output;
  }
  sum = body.scale(sum, layer.getMultiplier());
  body.finish(AddOp::create(body.builder, body.loc, body.input(), sum));
  return success();
}

FailureOr<LayerBody *> ModelExpander::bodyOf(LayerOp layer) {
  std::unique_ptr<LayerBody> &body = bodies[layerKey(layer)];
  if (body)
    return body.get();
  OpBuilder::InsertionGuard guard(builder);
  body = std::make_unique<LayerBody>(builder, layer,
                                     layerName(layer, bodies.size() - 1),
                                     model.getHidden(), matrixElement());
  symbols.insert(body->function);
  if (failed(buildLayer(*body, layer)))
    return failure();
  return body.get();
}

FailureOr<LayerAttr> ModelExpander::expandLayer(LayerOp layer, int64_t place) {
  FailureOr<LayerBody *> body = bodyOf(layer);
  if (failed(body))
    return failure();
  SmallVector<StringRef> prefixes;
  for (BlockOp block : layer.getBody().getOps<BlockOp>())
    prefixes.push_back(block.getPrefix());
  SmallVector<Attribute> names;
  for (const LayerBody::Weight &weight : (*body)->weights) {
    StringRef prefix = weight.owner == LayerBody::Weight::kNorm
                           ? layer.getNormPrefix()
                           : prefixes[weight.owner];
    names.push_back(builder.getStringAttr(prefix + "." + weight.leaf));
  }
  return LayerAttr::get(builder.getContext(), layer.getNumber().value_or(place),
                        FlatSymbolRefAttr::get((*body)->function),
                        builder.getArrayAttr(names));
}

Value ModelExpander::programWeight(Location loc, const Twine &name, Type type) {
  return WeightOp::create(builder, loc, type, name.str());
}

void ModelExpander::buildProgram(ArrayAttr table) {
  Location loc = model.getLoc();
  auto embed = cast<EmbedOp>(model.getBody().front().front());
  auto head = cast<HeadOp>(model.getBody().front().back());
  int64_t hidden = model.getHidden(), vocab = model.getVocab();
  auto program = ProgramOp::create(builder, loc, model.getSymNameAttr(),
                                   model.getHiddenAttr(), model.getVocabAttr(),
                                   model.getEndTokensAttr());
  Type tokensType =
      RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  Block *block = builder.createBlock(
      &program.getBody(), {}, {tokensType, SeqsType::get(loc.getContext())},
      {loc, loc});
  Value tokens = block->getArgument(0), seqs = block->getArgument(1);
  auto rows = [&](int64_t width) {
    return RankedTensorType::get({ShapedType::kDynamic, width},
                                 builder.getF32Type());
  };
  auto vector = RankedTensorType::get({hidden}, builder.getF32Type());
  auto matrix = RankedTensorType::get({vocab, hidden}, matrixElement());

  Value embedding =
      programWeight(embed.getLoc(), embed.getPrefix() + ".weight", matrix);
  Value x = EmbeddingOp::create(builder, embed.getLoc(), rows(hidden), tokens,
                                embedding, embed.getMultiplierAttr());
  x = LayersOp::create(builder, loc, x, seqs, table);

  loc = head.getLoc();
  x = OutputRowsOp::create(builder, loc, rows(hidden), x, seqs);
  Value gain = programWeight(loc, head.getNormPrefix() + ".weight", vector);
  Value bias;
  if (head.getNorm().getKind() == NormKind::Layer1p)
    bias = programWeight(loc, head.getNormPrefix() + ".bias", vector);
  x = NormOp::create(builder, loc, x, gain, bias, head.getNorm());
  bool tied = head.getPrefix() == embed.getPrefix();
  Value output = tied
                     ? embedding
                     : programWeight(loc, head.getPrefix() + ".weight", matrix);
  Value logits =
      LinearOp::create(builder, loc, rows(vocab), x, output, Value());
  if (!head.getMultiplier().isExactlyValue(1.0))
    logits = ScaleOp::create(builder, loc, logits, head.getMultiplierAttr());
  ReturnOp::create(builder, loc, logits);
}

LogicalResult ModelExpander::expand() {
  SmallVector<Attribute> table;
  for (LayerOp layer : model.getBody().getOps<LayerOp>()) {
    FailureOr<LayerAttr> row = expandLayer(layer, table.size());
    if (failed(row))
      return failure();
    table.push_back(*row);
  }
  buildProgram(builder.getArrayAttr(table));
  model.erase();
  return success();
}

namespace {
struct ExpandPass : public ssm::impl::ExpandPassBase<ExpandPass> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (ModelOp model :
         llvm::make_early_inc_range(getOperation().getOps<ModelOp>()))
      if (failed(ModelExpander(model, symbols).expand()))
        return signalPassFailure();
  }
};
} // namespace
