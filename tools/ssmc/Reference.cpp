//===- Reference.cpp - Runs a model on the reference interpreter ----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Reference.h"

#include "codegen/reference/Interpreter.h"
#include "dialect/Ssm.h"
#include "runtime/Checkpoint.h"
#include "runtime/SafeTensors.h"
#include "runtime/Sampler.h"
#include "tools/run/Output.h"
#include "tools/run/Prompts.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <chrono>
#include <list>
#include <optional>

using namespace ssm;
using namespace ssm::reference;
using ssmrt::DType;
using ssmrt::Status;

namespace {
using Rows = std::vector<float>;

double millisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now() - start)
      .count();
}

/// Everything about one run; prompts go one after the other.
class ReferenceRun {
public:
  ReferenceRun(mlir::ModuleOp module, const std::string &hash,
               const ssmrt::RunOptions &options)
      : module(module), hash(hash), options(options) {}

  Status execute();

private:
  Status open();
  Status generate(size_t index, ssmrt::Output &output);
  Status addState(size_t index);
  void add(const std::string &name, std::vector<int64_t> shape, Rows values,
           ssmrt::SafeTensorsWriter &writer);
  HiddenObserver observer(size_t index);

  mlir::ModuleOp module;
  const std::string &hash;
  const ssmrt::RunOptions &options;
  const std::chrono::steady_clock::time_point start =
      std::chrono::steady_clock::now();
  std::optional<ssmrt::Checkpoint> checkpoint;
  std::optional<Interpreter> interpreter;
  std::optional<ssmrt::Tokenizer> tokenizer;
  std::vector<int64_t> layerNumbers;
  std::vector<std::vector<std::string>> stateNames;

  ssmrt::RunReport report;
  ssmrt::GenerationResult result;
  std::vector<Sequence> sequences;
  ssmrt::SafeTensorsWriter logits, hidden, state;
  /// What the writers point at.
  std::list<Rows> kept;
};
} // namespace

static Rows narrowed(const Tensor &tensor) {
  return Rows(tensor.values.begin(), tensor.values.end());
}

/// Leaf of a state's name in files, by the shape of the body's argument:
/// conv [?, C, K-1], ssm [?, I, N] or [?, H, P, N], caches [?, Hkv, ?, d].
static std::vector<std::string> namesOfStates(mlir::func::FuncOp body,
                                              size_t weights) {
  std::vector<std::string> names;
  bool hasKeys = false;
  for (mlir::BlockArgument argument :
       body.getArguments().drop_front(2 + weights)) {
    auto type = llvm::cast<mlir::RankedTensorType>(argument.getType());
    bool isConv = llvm::any_of(argument.getUsers(), [&](mlir::Operation *user) {
      return llvm::isa<CausalConv1dOp>(user);
    });
    if (type.getRank() == 4 && type.isDynamicDim(2)) {
      names.push_back(hasKeys ? "v" : "k");
      hasKeys = !hasKeys;
    } else {
      names.push_back(isConv ? "conv" : "ssm");
    }
  }
  return names;
}

Status ReferenceRun::open() {
  if (!options.stateIn.empty())
    return ssmrt::error("--state-in, got --device=reference, supported cpu");
  if (options.weights.empty())
    return ssmrt::error(options.model +
                        ": no weights, expected --weights DIR or random:SEED");
  ssmrt::Expected<ssmrt::Checkpoint> opened =
      ssmrt::Checkpoint::open(options.weights);
  if (!opened)
    return opened.status();
  checkpoint.emplace(std::move(*opened));
  auto created = Interpreter::create(
      module,
      [this](llvm::StringRef name, llvm::ArrayRef<int64_t> shape)
          -> llvm::Expected<std::shared_ptr<const std::vector<float>>> {
        std::vector<int64_t> sizes(shape.begin(), shape.end());
        Status status = checkpoint->check(name.str(), sizes);
        // A convolution's weight [C, 1, K] reads as [C, K].
        if (!status && sizes.size() == 2) {
          std::vector<int64_t> conv = {sizes[0], 1, sizes[1]};
          if (checkpoint->check(name.str(), conv)) {
            status = {};
            sizes = conv;
          }
        }
        if (!status)
          return llvm::createStringError(status.message);
        int64_t count = 1;
        for (int64_t size : sizes)
          count *= size;
        auto values = std::make_shared<std::vector<float>>(count);
        checkpoint->read(name.str(), sizes, 0, count, values->data());
        return values;
      });
  if (!created)
    return ssmrt::error(options.model + ": " +
                        llvm::toString(created.takeError()));
  interpreter.emplace(std::move(*created));

  module.walk([&](LayersOp op) {
    for (auto layer : op.getTable().getAsRange<LayerAttr>()) {
      layerNumbers.push_back(layer.getNumber());
      auto body =
          mlir::SymbolTable::lookupNearestSymbolFrom<mlir::func::FuncOp>(
              op, layer.getBody());
      stateNames.push_back(namesOfStates(body, layer.getWeights().size()));
    }
  });
  return {};
}

void ReferenceRun::add(const std::string &name, std::vector<int64_t> shape,
                       Rows values, ssmrt::SafeTensorsWriter &writer) {
  kept.push_back(std::move(values));
  writer.add(name, DType::F32, std::move(shape), kept.back().data());
}

/// Keeps the residual stream of a prompt; of the rows of the table that share a
/// number the last one.
HiddenObserver ReferenceRun::observer(size_t index) {
  if (options.hidden.empty())
    return nullptr;
  std::string prefix = "hidden.p" + std::to_string(index) + ".";
  return [this, prefix](int64_t layer, const Tensor &rows) {
    std::string name = layer == kFinalNorm ? "final_norm" : "input";
    if (layer >= 0) {
      bool isLast = layer + 1 == int64_t(layerNumbers.size()) ||
                    layerNumbers[layer + 1] != layerNumbers[layer];
      if (!isLast)
        return;
      name = std::to_string(layerNumbers[layer]);
    }
    add(prefix + name, {rows.dim(0), rows.dim(1)}, narrowed(rows), hidden);
  };
}

Status ReferenceRun::generate(size_t index, ssmrt::Output &output) {
  std::vector<int32_t> tokens = report.prompts[index];
  Sequence &sequence = sequences[index];
  bool allLogits = !options.logits.empty() || !options.hidden.empty();
  HiddenObserver observe = observer(index);
  std::vector<int32_t> &generated = result.tokens[index];
  while (true) {
    bool isPrompt = generated.empty();
    auto begin = std::chrono::steady_clock::now();
    auto rows =
        interpreter->evaluate(sequence, tokens, !(isPrompt && allLogits),
                              isPrompt ? observe : nullptr);
    if (!rows)
      return ssmrt::error(options.model + ": " +
                          llvm::toString(rows.takeError()));
    double spent = millisecondsSince(begin);
    (isPrompt ? result.prefillMs : result.decodeMs) += spent;
    (isPrompt ? result.prefillTokens : result.decodedTokens) +=
        int64_t(tokens.size());
    Rows values = narrowed(*rows);
    int64_t vocab = interpreter->vocab();
    if (isPrompt && !options.logits.empty())
      add(report.prompts.size() == 1 ? "logits"
                                     : "logits." + std::to_string(index),
          {rows->dim(0), vocab}, values, logits);
    if (int64_t(generated.size()) >= options.count)
      return {};
    int32_t token =
        ssmrt::sample(values.data() + values.size() - vocab, vocab,
                      options.sampling, index, uint64_t(sequence.position));
    if (token < 0)
      return ssmrt::error(options.model + ": no logit is a number");
    if (report.firstTokenMs == 0)
      report.firstTokenMs = millisecondsSince(start);
    generated.push_back(token);
    bool goesOn = output.push(int64_t(index), token);
    bool isEnd = !options.ignoreEnd &&
                 llvm::is_contained(interpreter->endTokens(), token);
    if (!goesOn || isEnd || int64_t(generated.size()) == options.count)
      return {};
    tokens = {token};
  }
}

/// The states of a sequence under their canonical names and shapes.
Status ReferenceRun::addState(size_t index) {
  std::string number = std::to_string(index);
  const Sequence &sequence = sequences[index];
  state.setMetadata("tokens_seen." + number, std::to_string(sequence.position));
  if (!result.tokens[index].empty())
    state.setMetadata("next_token." + number,
                      std::to_string(result.tokens[index].back()));
  for (size_t layer = 0; layer < sequence.states.size(); ++layer)
    for (size_t i = 0; i < sequence.states[layer].size(); ++i) {
      const Tensor &tensor = sequence.states[layer][i];
      add("state." + number + "." + std::to_string(layerNumbers[layer]) + "." +
              stateNames[layer][i],
          {tensor.shape.begin(), tensor.shape.end()}, narrowed(tensor), state);
    }
  return {};
}

Status ReferenceRun::execute() {
  if (Status status = open(); !status)
    return status;
  ssmrt::Expected<ssmrt::Tokenizer> read =
      ssmrt::Tokenizer::fromFile(options.weights + "/tokenizer.json");
  if (read)
    tokenizer.emplace(std::move(*read));
  else if (needTokenizer(options.prompts) || !options.stop.empty())
    return read.status();
  ssmrt::Tokenizer *text = tokenizer ? &*tokenizer : nullptr;
  auto prompts = readPrompts(options.prompts, text);
  if (!prompts)
    return prompts.status();
  if (prompts->empty())
    return ssmrt::error(
        "no prompt, expected --prompt, --prompt-file or --tokens");
  report.device = "reference";
  report.precision = "f64";
  report.image = "interpreter";
  report.prompts = std::move(*prompts);
  size_t count = report.prompts.size();
  sequences.resize(count);
  result.tokens.resize(count);
  report.loadMs = millisecondsSince(start);
  ssmrt::Output output(options, text, count);
  for (size_t i = 0; i < count; ++i) {
    if (report.prompts[i].empty())
      return ssmrt::error("prompt " + std::to_string(i) +
                          " has no tokens, expected at least one");
    if (Status status = generate(i, output); !status)
      return status;
    if (Status status = addState(i); !status)
      return status;
  }
  if (Status status = output.finish(result, report); !status)
    return status;
  if (!options.logits.empty())
    if (Status status = logits.write(options.logits); !status)
      return status;
  if (!options.hidden.empty())
    if (Status status = hidden.write(options.hidden); !status)
      return status;
  if (options.stateOut.empty())
    return {};
  state.setMetadata("format", "ssmc-state");
  state.setMetadata("version", "1");
  state.setMetadata("model", hash);
  state.setMetadata("sequences", std::to_string(count));
  return state.write(options.stateOut);
}

Status ssm::runReference(mlir::ModuleOp module, const std::string &hash,
                         const ssmrt::RunOptions &options) {
  return ReferenceRun(module, hash, options).execute();
}
