//===- Explore.cpp - ssmc explore -----------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Enumerates the assignments of a space, applies each to a copy of the model,
// prices it and throws the copy away: what is kept of a variant is a line.
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Explore.h"

#include "dialect/Pattern.h"
#include "mlir/Parser/Parser.h"
#include "passes/placement/TransformOps.h"
#include "tools/ssmc/Commands.h"
#include "tools/ssmc/Journal.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <tuple>

using namespace ssm;

template <typename... Args>
static llvm::Error error(const char *format, Args &&...args) {
  return llvm::createStringError(
      llvm::formatv(format, std::forward<Args>(args)...).str());
}

std::string ssm::labelOf(const Variant &variant,
                         const std::vector<Choice> &choices) {
  std::string label;
  for (size_t i = 0; i < choices.size(); ++i)
    label += (i ? " " : "") + choices[i].name + "=" +
             choices[i].options[variant.assignment[i]];
  return label.empty() ? "the model" : label;
}

llvm::Expected<double> ssm::valueOf(const Variant &variant,
                                    llvm::StringRef name) {
  const Price &price = variant.price;
  const std::pair<const char *, double> values[] = {
      {"prefill_ms", price.prefill.seconds * 1e3},
      {"decode_ms", price.decode.seconds * 1e3},
      {"memory", variant.memory},
      {"params", price.parameters},
      {"state", price.stateBytes},
      {"kv", price.cacheBytes},
      {"attention", double(variant.attention)},
      {"mlp", double(variant.mlp)},
      {"layers", double(variant.layers)},
      {"hidden", double(variant.hidden)}};
  std::vector<std::string> names;
  for (auto [known, value] : values) {
    if (name == known)
      return value;
    names.push_back(known);
  }
  return error("unknown quantity '{0}' (supported: {1})", name,
               llvm::join(names, ", "));
}

namespace {
/// A bound on a quantity of a variant.
struct Limit {
  std::string name;
  double most;
};

/// One run of `ssmc explore`.
class Explorer {
public:
  Explorer(const ExploreOptions &options, ModelOp model, Device device)
      : options(options), model(model),
        base(model->getParentOfType<mlir::ModuleOp>()),
        device(std::move(device)) {}

  llvm::Error loadSpace(const std::string &script, const std::string &place);
  llvm::Error explore();
  llvm::Error measure();
  /// Writes the first variants of the front as block form.
  llvm::Error writeVariants();

  ExploreResult result;

private:
  llvm::Error readLimits();
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
  make(const std::vector<size_t> &assignment);
  llvm::Error consider(ModelPricer &pricer,
                       const std::vector<size_t> &assignment);
  llvm::Error findFront();
  llvm::Error describeFront();
  std::string spaceHash(const std::string &script) const;

  const ExploreOptions &options;
  ModelOp model;
  mlir::ModuleOp base;
  Device device;
  std::optional<Space> space;
  std::string hash;
  std::vector<Limit> limits;
  std::string firstFailure;
};
} // namespace

std::string Explorer::spaceHash(const std::string &script) const {
  std::string text = script + device.key;
  llvm::raw_string_ostream os(text);
  base->print(os);
  os << options.contexts.front() << "," << options.batches.front();
  return llvm::toHex(llvm::SHA256::hash(llvm::arrayRefFromStringRef(text)),
                     true)
      .substr(0, 32);
}

llvm::Error Explorer::loadSpace(const std::string &script,
                                const std::string &place) {
  std::string message;
  mlir::ScopedDiagnosticHandler capture(base.getContext(),
                                        [&](mlir::Diagnostic &diagnostic) {
                                          if (message.empty())
                                            message = diagnostic.str();
                                          return mlir::success();
                                        });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(
      script, mlir::ParserConfig(base.getContext()), place);
  if (module) {
    auto created = Space::create(std::move(module));
    if (succeeded(created))
      space = std::move(*created);
  }
  if (!space)
    return error("{0}: {1}", place, message);
  if (space->size() > options.mostVariants)
    return error("the space has {0} assignments (supported: {1}, see "
                 "--max-variants)",
                 space->size(), options.mostVariants);
  hash = spaceHash(script);
  result.choices = space->choices();
  // The operations are the space's own.
  for (Choice &choice : result.choices)
    choice.operations.clear();
  return llvm::Error::success();
}

llvm::Error Explorer::readLimits() {
  for (llvm::StringRef text : options.limits) {
    auto [name, amount] = text.split('=');
    llvm::Expected<double> most = parseAmount(amount);
    if (!most)
      return error("--limit {0}: {1}", name, llvm::toString(most.takeError()));
    Variant any;
    if (auto value = valueOf(any, name); !value)
      return error("--limit: {0}", llvm::toString(value.takeError()));
    for (const Limit &other : limits)
      if (other.name == name)
        return error("--limit {0} stands twice, {1} and {2}", name, other.most,
                     *most);
    limits.push_back({name.str(), *most});
  }
  return llvm::Error::success();
}

llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
Explorer::make(const std::vector<size_t> &assignment) {
  std::string message;
  mlir::ScopedDiagnosticHandler capture(base.getContext(),
                                        [&](mlir::Diagnostic &diagnostic) {
                                          if (message.empty())
                                            message = diagnostic.str();
                                          return mlir::success();
                                        });
  mlir::OwningOpRef<mlir::ModuleOp> copy = base.clone();
  if (failed(space->apply(assignment, *copy)))
    return error("{0}", message);
  return copy;
}

llvm::Error Explorer::consider(ModelPricer &pricer,
                               const std::vector<size_t> &assignment) {
  ++result.tried;
  auto module = make(assignment);
  if (!module) {
    ++result.failed;
    std::string message = llvm::toString(module.takeError());
    if (firstFailure.empty())
      firstFailure = message;
    return llvm::Error::success();
  }
  ModelOp made = *(*module)->getOps<ModelOp>().begin();
  Variant variant;
  variant.assignment = assignment;
  variant.hidden = made.getHidden();
  variant.pattern = patternOf(made);
  for (auto layer : made.getBody().getOps<LayerOp>()) {
    ++variant.layers;
    for (auto block : layer.getBody().getOps<BlockOp>()) {
      variant.attention += llvm::isa<AttentionAttr>(block.getMixer());
      variant.mlp += llvm::isa<MlpAttr>(block.getMixer());
    }
  }
  variant.price = pricer.total(made);
  variant.memory = variant.price.memoryBytes(pricer.workloadOf(made));
  for (const Limit &limit : limits)
    if (llvm::cantFail(valueOf(variant, limit.name)) > limit.most) {
      ++result.pruned;
      return llvm::Error::success();
    }
  result.variants.push_back(std::move(variant));
  return llvm::Error::success();
}

llvm::Error Explorer::findFront() {
  struct Objective {
    std::string name;
    double sign;
  };
  std::vector<Objective> objectives;
  for (llvm::StringRef name : options.objectives) {
    bool most = name.consume_front("+");
    objectives.push_back({name.str(), most ? -1.0 : 1.0});
    if (auto value = valueOf(Variant(), name); !value)
      return error("--objective: {0}", llvm::toString(value.takeError()));
  }
  std::vector<std::vector<double>> values;
  for (const Variant &variant : result.variants) {
    std::vector<double> row;
    for (const Objective &objective : objectives)
      row.push_back(objective.sign *
                    llvm::cantFail(valueOf(variant, objective.name)));
    values.push_back(std::move(row));
  }
  std::vector<size_t> order(values.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  // In this order nothing is dominated by what comes later.
  auto covers = [&](size_t a, size_t b) {
    for (size_t k = 0; k < objectives.size(); ++k)
      if (values[a][k] > values[b][k])
        return false;
    return true;
  };
  for (size_t candidate : order) {
    if (!options.all && llvm::any_of(result.front, [&](size_t other) {
          return covers(other, candidate);
        }))
      continue;
    result.front.push_back(candidate);
    result.variants[candidate].onFront = true;
  }
  return llvm::Error::success();
}

llvm::Error Explorer::explore() {
  result.modelName = model.getSymName().str();
  result.device = device.name;
  result.context = options.contexts.front();
  result.batch = options.batches.front();
  if (llvm::Error failure = readLimits())
    return failure;
  ModelPricer pricer(device, result.context, result.batch);
  auto start = std::chrono::steady_clock::now();
  std::vector<size_t> assignment = space->first();
  do {
    if (llvm::Error failure = consider(pricer, assignment))
      return failure;
  } while (space->next(assignment));
  result.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  if (result.variants.empty())
    return error("no variant is left of {0}: {1} cannot be{2}, {3} are beyond "
                 "the limits",
                 result.tried, result.failed,
                 firstFailure.empty() ? "" : " (" + firstFailure + ")",
                 result.pruned);
  if (llvm::Error failure = findFront())
    return failure;
  return describeFront();
}

/// Prices the front at all contexts and batches, and its layers at the first.
llvm::Error Explorer::describeFront() {
  for (size_t index : result.front) {
    auto module = make(result.variants[index].assignment);
    if (!module)
      return module.takeError();
    ModelOp made = *(*module)->getOps<ModelOp>().begin();
    VariantDetail detail;
    detail.parts =
        ModelPricer(device, result.context, result.batch).parts(made);
    for (int64_t batch : options.batches)
      for (int64_t context : options.contexts) {
        ModelPricer pricer(device, context, batch);
        Price price = pricer.total(made);
        detail.curve.push_back({context, batch, price,
                                price.memoryBytes(pricer.workloadOf(made))});
      }
    result.details.push_back(std::move(detail));
  }
  return llvm::Error::success();
}

llvm::Error Explorer::measure() {
  llvm::Expected<Journal> journal =
      Journal::open(options.journal, hash, options.resume);
  if (!journal)
    return journal.takeError();
  int count = 0;
  for (size_t index : result.front) {
    if (count++ == options.measure)
      break;
    Variant &variant = result.variants[index];
    std::string label = labelOf(variant, result.choices);
    if (const Measured *known = journal->find(label)) {
      variant.measured = *known;
      continue;
    }
    auto module = make(variant.assignment);
    if (!module)
      return module.takeError();
    llvm::errs() << "measuring " << label << "\n";
    llvm::Expected<Measured> measured = measureHere(
        **module, device, result.context, result.batch, options.threads);
    if (!measured)
      return error("{0}: {1}", label, llvm::toString(measured.takeError()));
    variant.measured = *measured;
    if (llvm::Error failure = journal->add(label, *measured))
      return failure;
  }
  return llvm::Error::success();
}

llvm::Error Explorer::writeVariants() {
  if (std::error_code code = llvm::sys::fs::create_directories(options.ir))
    return error("{0}: {1}", options.ir, code.message());
  int64_t number = 0;
  for (size_t index : result.front) {
    if (number == options.top)
      break;
    auto module = make(result.variants[index].assignment);
    if (!module)
      return module.takeError();
    std::string path = llvm::formatv("{0}/{1}.mlir", options.ir, number++);
    llvm::Error failure = llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
      os << "// " << labelOf(result.variants[index], result.choices) << "\n";
      (*module)->print(os);
      return llvm::Error::success();
    });
    if (failure)
      return failure;
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Command
//===----------------------------------------------------------------------===//

/// The script of the space and what to call it in errors.
static llvm::Expected<std::pair<std::string, std::string>>
readScript(const ExploreOptions &options, ModelOp model) {
  if (options.space.empty()) {
    auto script = writeScript(options, model);
    if (!script)
      return script.takeError();
    return std::make_pair(*script, std::string("the space"));
  }
  auto buffer = llvm::MemoryBuffer::getFile(options.space);
  if (!buffer)
    return error("{0}: {1}", options.space, buffer.getError().message());
  return std::make_pair((*buffer)->getBuffer().str(), options.space);
}

static llvm::Expected<Device> readDevice(const ExploreOptions &options) {
  if (options.device == "here")
    return describeThisMachine(options.threads);
  return findDevice(options.device);
}

static int writeReports(const ExploreOptions &options,
                        const ExploreResult &result, const Device &device) {
  auto write = [&](const std::string &path,
                   llvm::function_ref<void(llvm::raw_ostream &)> text) {
    return path.empty() ? kDone : writeText(path, text);
  };
  int status = write(options.json, [&](llvm::raw_ostream &os) {
    os << llvm::formatv("{0:2}", llvm::json::Value(toJson(result, device)))
       << "\n";
  });
  if (status == kDone)
    status = write(options.csv,
                   [&](llvm::raw_ostream &os) { writeCsv(result, os); });
  if (status == kDone)
    status = write(options.html, [&](llvm::raw_ostream &os) {
      writeHtml(result, device, os);
    });
  return status;
}

static int runExplore(const ExploreOptions &options) {
  Session session;
  mlir::DialectRegistry registry;
  registerPlacement(registry);
  session.context.appendDialectRegistry(registry);
  session.context.loadAllAvailableDialects();
  // One variant at a time: no locks around attributes.
  session.context.disableMultithreading();
  ImportReport report;
  auto module = session.import(options.model, report);
  if (!module)
    return kBadInput;
  auto models = module->getOps<ModelOp>();
  if (!llvm::hasSingleElement(models))
    return fail(options.model + ": expected one model in block form");
  ModelOp model = *models.begin();
  auto script = readScript(options, model);
  if (!script)
    return fail(llvm::toString(script.takeError()));
  if (options.emitScript) {
    llvm::outs() << script->first;
    return kDone;
  }
  bool isThis = options.device == "here" ||
                llvm::StringRef(options.device).ends_with(".json");
  if (options.measure && !isThis)
    return fail("--measure times this machine: expected --device here or the "
                "file of ssmc bench --describe-device, got " +
                options.device);
  llvm::Expected<Device> device = readDevice(options);
  if (!device)
    return fail(llvm::toString(device.takeError()));
  Explorer explorer(options, model, *device);
  if (llvm::Error failure = explorer.loadSpace(script->first, script->second))
    return fail(llvm::toString(std::move(failure)));
  if (llvm::Error failure = explorer.explore())
    return fail(llvm::toString(std::move(failure)));
  if (!options.ir.empty())
    if (llvm::Error failure = explorer.writeVariants())
      return fail(llvm::toString(std::move(failure)));
  if (options.measure)
    if (llvm::Error failure = explorer.measure())
      return fail(llvm::toString(std::move(failure)));
  if (options.json != "-" && options.csv != "-")
    printTable(explorer.result, options.top);
  return writeReports(options, explorer.result, *device);
}

static void addSpaceFlags(CLI::App &command, ExploreOptions &options) {
  struct Row {
    const char *flag;
    std::string &list;
    const char *help;
  };
  const Row rows[] = {
      {"--attention", options.attention,
       "Attention layers, spread evenly: 1..8 or 2,4"},
      {"--mlp", options.mlp, "MLP layers, spread evenly: 20..28:2"},
      {"--layers", options.layers, "Layers in all"},
      {"--pattern", options.patterns, "Orders of layers, as M-M*-"},
      {"--kv-heads", options.kvHeads, "Key/value heads of attention"},
      {"--rope", options.rope, "Rotary positions: on, off or theta"},
      {"--window", options.window, "Sliding windows of attention, off"},
      {"--mlp-ratio", options.mlpRatio, "Inner width of MLPs over the model's"},
      {"--activation", options.activation,
       "Activations of MLPs: silu, gelu, gelu_tanh, relu2"},
      {"--state", options.state, "State sizes of Mamba and Mamba-2"},
      {"--head-dim", options.headDim, "Head widths of Mamba-2"},
      {"--groups", options.groups, "Groups of Mamba-2"},
      {"--budget", options.budget,
       "Rescale the width to a number of parameters: params=8b"},
  };
  CLI::Option *space = command.add_option(
      "--space", options.space,
      "Transform script with transform.tune.knob, instead of the flags below");
  for (const Row &row : rows)
    command.add_option(row.flag, row.list, row.help)
        ->excludes(space)
        ->group("Space");
  command.add_flag("--emit-script", options.emitScript,
                   "Print the script of the space and stop");
}

void ssm::addExploreCommand(CLI::App &app, Action &action) {
  auto options = std::make_shared<ExploreOptions>();
  CLI::App *command = app.add_subcommand(
      "explore", "Price variants of a model, keep the best, measure them");
  command
      ->add_option("MODEL", options->model,
                   "Hugging Face directory, model card (.json) or block form "
                   "(.mlir)")
      ->required();
  addSpaceFlags(*command, *options);
  command
      ->add_option("--device", options->device,
                   "a100, h100, h200, b200, a description (FILE.json), or "
                   "here: this machine, measured first")
      ->capture_default_str();
  command
      ->add_option("--context", options->contexts,
                   "Tokens of prompts and seen before decoding; the first "
                   "decides, all are in the reports")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--batch", options->batches, "Sequences, as --context")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--limit", options->limits,
                   "Drop variants beyond QUANTITY=AMOUNT: params=9b, "
                   "memory=80gb, decode_ms=20")
      ->delimiter(',');
  command
      ->add_option("--objective", options->objectives,
                   "Quantities that make the front; +NAME is better the larger")
      ->delimiter(',')
      ->capture_default_str();
  command->add_flag("--all", options->all,
                    "Keep every variant, as if all were on the front");
  command
      ->add_option("--max-variants", options->mostVariants,
                   "Refuse spaces with more")
      ->capture_default_str();
  command->add_option("--top", options->top, "Rows of the table")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--json", options->json, "Write all as JSON (-: stdout)");
  command->add_option("--csv", options->csv,
                      "Write a line per variant (-: stdout)");
  command->add_option("--html", options->html, "Write a report for a browser");
  command->add_option("--ir", options->ir,
                      "Write the front's first variants (--top) as block form "
                      "into this folder: 0.mlir, 1.mlir, ...");
  CLI::Option *measure =
      command
          ->add_option("--measure", options->measure,
                       "Compile and time this many variants of the front")
          ->check(CLI::PositiveNumber);
  command->add_option("--threads", options->threads,
                      "Threads of measurements (default: what this process "
                      "may use)");
  command
      ->add_option("--journal", options->journal,
                   "With --measure: file that keeps what was measured")
      ->default_val("explore.journal.json")
      ->needs(measure);
  command
      ->add_flag("--resume", options->resume,
                 "With --measure: go on with the journal of a run that was "
                 "cut off")
      ->needs(measure);
  command->footer(
      "Examples:\n"
      "  ssmc explore frontends/cards/mamba2-8b.json --attention 0..8 --mlp "
      "20..28 --budget params=8b --device h200 --html report.html\n"
      "  ssmc explore DIR --kv-heads 1,2,4,8 --state 64,128 --device here "
      "--measure 3");
  command->callback([&action, options] {
    action = [options] { return runExplore(*options); };
  });
}
