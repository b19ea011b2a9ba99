//===- Interpreter.cpp - Op form in double precision ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/reference/Interpreter.h"
#include "codegen/reference/Operations.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace ssm;
using namespace ssm::reference;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

llvm::Expected<Interpreter> Interpreter::create(ModuleOp module,
                                                WeightSource weights) {
  auto programs = llvm::to_vector(module.getOps<ProgramOp>());
  if (programs.size() != 1)
    return makeError("expected one ssm.program in op form, got " +
                     llvm::Twine(programs.size()));
  Interpreter result;
  result.module = module;
  result.source = std::move(weights);
  result.vocabSize = programs[0].getVocab();
  if (auto ends = programs[0].getEndTokens())
    result.ends.assign(ends->begin(), ends->end());
  return result;
}

namespace ssm::reference {
/// One call: values of one block while its ops run in order.
class Evaluation {
public:
  Evaluation(Interpreter &interpreter, Sequence &sequence,
             ArrayRef<int32_t> tokens, bool lastOnly,
             const HiddenObserver &observer)
      : interpreter(interpreter), sequence(sequence), tokens(tokens),
        lastOnly(lastOnly), observer(observer) {}

  /// Runs the ops of `block`, whose arguments are bound; the terminator's
  /// operands stay readable by `get`.
  llvm::Error run(Block &block);

  const Tensor &get(Value value) const { return values.find(value)->second; }
  void set(Value value, Tensor tensor) { values[value] = std::move(tensor); }

private:
  const Tensor *optional(Value value) const {
    return value ? &get(value) : nullptr;
  }
  llvm::Expected<Tensor> weight(StringRef name, Type type);
  llvm::Error run(Operation &op);
  llvm::Error run(LayersOp op);

  Interpreter &interpreter;
  Sequence &sequence;
  ArrayRef<int32_t> tokens;
  bool lastOnly;
  const HiddenObserver &observer;
  llvm::DenseMap<Value, Tensor> values;
};
} // namespace ssm::reference

llvm::Expected<Tensor> Evaluation::weight(StringRef name, Type type) {
  auto shape = cast<RankedTensorType>(type).getShape();
  auto found = interpreter.cache.find(name);
  if (found != interpreter.cache.end())
    return found->second;
  auto values = interpreter.source(name, shape);
  if (!values)
    return values.takeError();
  Tensor tensor;
  tensor.shape.assign(shape.begin(), shape.end());
  tensor.weight = *values;
  interpreter.cache[name] = tensor;
  return tensor;
}

llvm::Error Evaluation::run(Block &block) {
  for (Operation &op : block.without_terminator())
    if (llvm::Error error = run(op))
      return error;
  return llvm::Error::success();
}

/// A new state of a sequence: zeros, and caches of no tokens.
static Tensor emptyState(RankedTensorType type) {
  Tensor state;
  size_t count = 1;
  for (int64_t size : type.getShape().drop_front()) {
    state.shape.push_back(ShapedType::isDynamic(size) ? 0 : size);
    count *= size_t(state.shape.back());
  }
  state.values.assign(count, 0.0);
  return state;
}

llvm::Error Evaluation::run(LayersOp op) {
  Tensor rows = get(op.getInput());
  if (observer)
    observer(-1, rows);
  auto table = op.getTable().getAsRange<LayerAttr>();
  sequence.states.resize(op.getTable().size());
  for (auto [index, layer] : llvm::enumerate(table)) {
    auto body =
        SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, layer.getBody());
    Evaluation inner(interpreter, sequence, tokens, lastOnly, observer);
    inner.set(body.getArgument(0), std::move(rows));
    unsigned argument = 2;
    for (auto name : layer.getWeights().getAsRange<StringAttr>()) {
      Value slot = body.getArgument(argument++);
      auto tensor = weight(name, slot.getType());
      if (!tensor)
        return tensor.takeError();
      inner.set(slot, *tensor);
    }
    std::vector<Tensor> &states = sequence.states[index];
    for (unsigned i = 0; argument < body.getNumArguments(); ++argument, ++i) {
      Value slot = body.getArgument(argument);
      if (i == states.size())
        states.push_back(emptyState(cast<RankedTensorType>(slot.getType())));
      inner.set(slot, states[i]);
    }
    Block &block = body.getBody().front();
    if (llvm::Error error = inner.run(block))
      return error;
    Operation *result = block.getTerminator();
    rows = inner.get(result->getOperand(0));
    for (size_t i = 0; i < states.size(); ++i)
      states[i] = inner.get(result->getOperand(i + 1));
    if (observer)
      observer(int64_t(index), rows);
  }
  set(op.getResult(), std::move(rows));
  return llvm::Error::success();
}

llvm::Error Evaluation::run(Operation &op) {
  return llvm::TypeSwitch<Operation *, llvm::Error>(&op)
      .Case([&](WeightOp op) -> llvm::Error {
        auto tensor = weight(op.getName(), op.getResult().getType());
        if (!tensor)
          return tensor.takeError();
        set(op.getResult(), *tensor);
        return llvm::Error::success();
      })
      .Case([&](LayersOp op) { return run(op); })
      .Case([&](EmbeddingOp op) {
        set(op.getResult(), embedding(tokens, get(op.getTable()),
                                      op.getMultiplier().convertToDouble()));
        return llvm::Error::success();
      })
      .Case([&](OutputRowsOp op) {
        const Tensor &input = get(op.getInput());
        set(op.getResult(), lastOnly ? lastRow(input) : input);
        return llvm::Error::success();
      })
      .Case([&](LinearOp op) {
        set(op.getResult(), linear(get(op.getInput()), get(op.getWeight()),
                                   optional(op.getBias())));
        return llvm::Error::success();
      })
      .Case([&](NormOp op) {
        set(op.getResult(), norm(get(op.getInput()), optional(op.getWeight()),
                                 optional(op.getBias()), op.getKind()));
        if (observer && isa<ProgramOp>(op->getParentOp()))
          observer(kFinalNorm, get(op.getResult()));
        return llvm::Error::success();
      })
      .Case([&](GatedNormOp op) {
        set(op.getResult(),
            gatedNorm(get(op.getInput()), get(op.getGate()),
                      optional(op.getWeight()), op.getOrder(), op.getGroups(),
                      op.getEps().convertToDouble()));
        return llvm::Error::success();
      })
      .Case([&](SplitOp op) {
        int64_t first = 0;
        for (Value part : op.getParts()) {
          int64_t count = cast<RankedTensorType>(part.getType()).getDimSize(1);
          set(part, columns(get(op.getInput()), first, count));
          first += count;
        }
        return llvm::Error::success();
      })
      .Case([&](ActivationOp op) {
        set(op.getResult(), map(get(op.getInput()), [&](double x) {
              return activate(x, op.getFunction());
            }));
        return llvm::Error::success();
      })
      .Case([&](AddOp op) {
        set(op.getResult(), zip(get(op.getLhs()), get(op.getRhs()),
                                [](double a, double b) { return a + b; }));
        return llvm::Error::success();
      })
      .Case([&](MulOp op) {
        set(op.getResult(), zip(get(op.getLhs()), get(op.getRhs()),
                                [](double a, double b) { return a * b; }));
        return llvm::Error::success();
      })
      .Case([&](ScaleOp op) {
        double factor = op.getFactor().convertToDouble();
        set(op.getResult(),
            map(get(op.getInput()), [&](double x) { return factor * x; }));
        return llvm::Error::success();
      })
      .Case([&](BiasOp op) {
        set(op.getResult(), addBias(get(op.getInput()), get(op.getBias())));
        return llvm::Error::success();
      })
      .Case([&](ClampOp op) {
        double lower = op.getLower().convertToDouble();
        double upper =
            op.getUpper() ? op.getUpper()->convertToDouble() : HUGE_VAL;
        set(op.getResult(), map(get(op.getInput()), [&](double x) {
              return std::min(std::max(x, lower), upper);
            }));
        return llvm::Error::success();
      })
      .Case([&](NegExpOp op) {
        set(op.getResult(),
            map(get(op.getInput()), [](double x) { return -std::exp(x); }));
        return llvm::Error::success();
      })
      .Case([&](MeanHeadsOp op) {
        auto element = cast<FloatType>(
            cast<RankedTensorType>(op.getType()).getElementType());
        set(op.getResult(),
            meanHeads(get(op.getInput()), op.getCount(), op.getHeadDim(),
                      element.getFloatSemantics()));
        return llvm::Error::success();
      })
      .Case([&](CausalConv1dOp op) {
        Tensor state = get(op.getState());
        set(op.getResult(),
            causalConv1d(get(op.getInput()), state, get(op.getWeight()),
                         optional(op.getBias()), op.getFunction()));
        set(op.getNewState(), std::move(state));
        return llvm::Error::success();
      })
      .Case([&](SelectiveScanOp op) {
        Tensor state = get(op.getState());
        set(op.getResult(),
            selectiveScan(get(op.getInput()), get(op.getDt()), get(op.getA()),
                          get(op.getB()), get(op.getC()), get(op.getD()),
                          state));
        set(op.getNewState(), std::move(state));
        return llvm::Error::success();
      })
      .Case([&](SsdOp op) {
        Tensor state = get(op.getState());
        set(op.getResult(),
            ssd(get(op.getInput()), get(op.getDt()), get(op.getA()),
                get(op.getB()), get(op.getC()), get(op.getD()), state));
        set(op.getNewState(), std::move(state));
        return llvm::Error::success();
      })
      .Case([&](RopeOp op) {
        set(op.getResult(), rope(get(op.getInput()), sequence.position,
                                 op.getHeadDim(), op.getRope()));
        return llvm::Error::success();
      })
      .Case([&](ssm::AttentionOp op) {
        Tensor keys = get(op.getKeyCache()), values = get(op.getValueCache());
        set(op.getResult(),
            attention(get(op.getQuery()), get(op.getKey()), get(op.getValue()),
                      keys, values, op.getScale().convertToDouble(),
                      op.getWindow()));
        set(op.getNewKeyCache(), std::move(keys));
        set(op.getNewValueCache(), std::move(values));
        return llvm::Error::success();
      })
      .Default([](Operation *op) {
        return makeError("the reference interpreter has no '" +
                         op->getName().getStringRef() + "'");
      });
}

llvm::Expected<Tensor> Interpreter::evaluate(Sequence &sequence,
                                             ArrayRef<int32_t> tokens,
                                             bool lastOnly,
                                             const HiddenObserver &observer) {
  for (int32_t token : tokens)
    if (token < 0 || token >= vocabSize)
      return makeError("token " + llvm::Twine(token) +
                       " is outside the vocabulary of " +
                       llvm::Twine(vocabSize));
  auto program = *module.getOps<ProgramOp>().begin();
  Evaluation evaluation(*this, sequence, tokens, lastOnly, observer);
  Block &block = program.getBody().front();
  if (llvm::Error error = evaluation.run(block))
    return error;
  sequence.position += int64_t(tokens.size());
  return evaluation.get(block.getTerminator()->getOperand(0));
}
