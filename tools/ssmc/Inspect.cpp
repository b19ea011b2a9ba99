//===- Inspect.cpp - ssmc inspect -----------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Compile.h"
#include "tools/ssmc/Cost.h"

#include "passes/placement/Device.h"
#include "runtime/Artifact.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace ssm;

namespace {
struct InspectFlags {
  std::string model;
  bool kernels = false, json = false, cost = false;
  CostRequest price;
};
} // namespace

/// Bytes of the packed weights that a plan needs.
static int64_t weightBytes(const ssmrt::Plan &plan) {
  int64_t sum = 0;
  for (const ssmrt::PlanWeight &weight : plan.weights)
    sum += weight.layout.bytes();
  return sum;
}

/// Launches of one call of an entry point.
static int64_t launchesOf(const ssmrt::Plan &plan, ssmrt::Entry entry) {
  size_t sum = plan.before.of(entry).size() + plan.after.of(entry).size();
  for (const ssmrt::PlanLayer &layer : plan.layers)
    sum += plan.bodies[layer.body].launches.of(entry).size();
  return int64_t(sum);
}

/// The call for which kernels are described: a step of a batch, or the prefill
/// of its prompts.
static ssmrt::SymbolValues symbolsOf(const CostRequest &call, bool isStep) {
  int64_t rows = isStep ? 1 : call.context;
  int64_t tiles = llvm::divideCeil(rows, ssmrt::kPageTokens);
  return {rows * call.batch, call.batch, tiles * call.batch, call.batch};
}

/// Blocks of a launch of kernel `number`, and the call it belongs to; steps
/// come first.
static std::pair<int64_t, ssmrt::SymbolValues>
launchOf(const ssmrt::Plan &plan, int64_t number, const CostRequest &call) {
  for (bool isStep : {true, false}) {
    ssmrt::SymbolValues symbols = symbolsOf(call, isStep);
    std::vector<const ssmrt::PlanSection *> sections = {&plan.before,
                                                        &plan.after};
    for (const ssmrt::PlanBody &body : plan.bodies)
      sections.push_back(&body.launches);
    for (const ssmrt::PlanSection *section : sections)
      for (const ssmrt::PlanLaunch &launch :
           section->of(isStep ? ssmrt::Entry::Step : ssmrt::Entry::Prefill))
        for (const ssmrt::PlanLaunch::Variant &variant : launch.variants)
          if (variant.kernel == number)
            return {variant.grid.evaluate(symbols), symbols};
  }
  return {0, symbolsOf(call, true)};
}

/// A kernel of a GPU. The time is that of its bytes or operations, whichever
/// takes longer on `device`, at its limits.
static llvm::json::Object describeBlocks(const ssmrt::Plan &plan,
                                         int64_t number,
                                         const CostRequest &call,
                                         const Device &device) {
  const ssmrt::PlanKernel &kernel = plan.kernels[size_t(number)];
  auto [grid, symbols] = launchOf(plan, number, call);
  int64_t bytes = kernel.bytes.evaluate(symbols);
  int64_t flop = kernel.flop.evaluate(symbols);
  double seconds = std::max(double(bytes) / device.bandwidth,
                            double(flop) / device.f32Flops);
  return llvm::json::Object{
      {"name", kernel.name},
      {"rows", symbols.rows},
      {"grid", grid},
      {"block", kernel.block},
      {"registers", kernel.registers},
      {"shared_bytes", kernel.declaredShared + kernel.shared},
      {"bytes", bytes},
      {"flop", flop},
      {"expected_us", seconds * 1e6}};
}

static llvm::json::Object describe(const ssmrt::ArtifactImage &image,
                                   const ssmrt::Plan &plan,
                                   const InspectFlags &flags,
                                   const Device &device) {
  llvm::json::Object object{
      {"target", image.target},
      {"precision", image.precision},
      {"features", llvm::json::Array(image.features)},
      {"code_bytes", int64_t(image.code->bytes)},
      {"kernels", int64_t(plan.kernels.size())},
      {"bodies", int64_t(plan.bodies.size())},
      {"layers", int64_t(plan.layers.size())},
      {"weight_bytes", weightBytes(plan)},
      {"launches_prefill", launchesOf(plan, ssmrt::Entry::Prefill)},
      {"launches_step", launchesOf(plan, ssmrt::Entry::Step)},
      {"vocab", plan.vocab},
      {"hidden", plan.hidden}};
  if (flags.kernels) {
    llvm::json::Array names;
    for (auto [number, kernel] : llvm::enumerate(plan.kernels))
      names.push_back(
          plan.isGpu
              ? describeBlocks(plan, int64_t(number), flags.price, device)
              : llvm::json::Object{{"name", kernel.name},
                                   {"offset", kernel.offset}});
    object["kernel_table"] = std::move(names);
  }
  return object;
}

static void printKernel(const llvm::json::Object &kernel,
                        llvm::raw_ostream &os) {
  os << "  kernel " << *kernel.getString("name");
  if (std::optional<int64_t> offset = kernel.getInteger("offset")) {
    os << " at offset " << *offset << "\n";
    return;
  }
  os << " at " << *kernel.getInteger("rows") << " rows: grid "
     << *kernel.getInteger("grid") << ", block " << *kernel.getInteger("block");
  if (int64_t registers = *kernel.getInteger("registers"))
    os << ", " << registers << " registers";
  os << ", " << *kernel.getInteger("shared_bytes") << " bytes shared, "
     << *kernel.getInteger("bytes") << " bytes, " << *kernel.getInteger("flop")
     << " flop, "
     << llvm::formatv("{0:f2} us", *kernel.getNumber("expected_us")) << "\n";
}

static void print(const llvm::json::Object &image, llvm::raw_ostream &os) {
  os << "image " << *image.getString("target") << ", precision "
     << *image.getString("precision") << "\n";
  auto line = [&](llvm::StringRef name, llvm::StringRef key) {
    os << "  " << llvm::left_justify(name, 22) << *image.getInteger(key)
       << "\n";
  };
  line("code bytes", "code_bytes");
  line("kernels", "kernels");
  line("kinds of layers", "bodies");
  line("layers", "layers");
  line("packed weight bytes", "weight_bytes");
  line("launches, prefill", "launches_prefill");
  line("launches, step", "launches_step");
  if (const llvm::json::Array *table = image.getArray("kernel_table"))
    for (const llvm::json::Value &kernel : *table)
      printKernel(*kernel.getAsObject(), os);
}

static int inspectArtifact(const InspectFlags &flags) {
  auto artifact = ssmrt::Artifact::open(flags.model);
  if (!artifact)
    return fail(artifact.status().message);
  llvm::Expected<Device> device = findDevice(flags.price.device);
  if (!device)
    return fail(llvm::toString(device.takeError()));
  llvm::json::Array images;
  for (const ssmrt::ArtifactImage &image : artifact->images()) {
    auto plan = artifact->plan(image);
    if (!plan)
      return fail(plan.status().message);
    images.push_back(describe(image, *plan, flags, *device));
  }
  if (flags.json) {
    llvm::json::Object object{{"model", artifact->modelName()},
                              {"hash", artifact->modelHash()},
                              {"images", std::move(images)}};
    llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(std::move(object)))
                 << "\n";
    return kDone;
  }
  llvm::outs() << "model " << artifact->modelName() << "\n";
  for (const llvm::json::Value &image : images)
    print(*image.getAsObject(), llvm::outs());
  return kDone;
}

static int inspectPrice(InspectFlags flags) {
  if (isArtifact(flags.model))
    return fail(flags.model + ": an artifact, expected a model description for "
                              "--cost");
  flags.price.model = flags.model;
  flags.price.json = flags.json;
  return inspectCost(flags.price);
}

static int inspectDescription(const InspectFlags &flags) {
  if (flags.kernels)
    return fail(flags.model +
                ": a description, expected an artifact for --kernels");
  Session session;
  ImportReport report;
  auto module = session.import(flags.model, report);
  if (!module)
    return kBadInput;
  if (flags.json)
    llvm::outs() << llvm::formatv("{0:2}", toJson(report)) << "\n";
  else
    printExplain(report, llvm::outs());
  return kDone;
}

void ssm::addInspectCommand(CLI::App &app, Action &action) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App *command = app.add_subcommand(
      "inspect", "Say what a model or an artifact consists of");
  command
      ->add_option("MODEL", flags->model,
                   "Artifact (.ssmx) or model description")
      ->required();
  command->add_flag("--kernels", flags->kernels,
                    "List the kernels of an artifact");
  command->add_flag("--json", flags->json, "Print one JSON object");
  CLI::Option *cost = command->add_flag(
      "--cost", flags->cost,
      "Price every layer: parameters, operations, bytes, launches, state, time "
      "by roofline");
  command
      ->add_option("--device", flags->price.device,
                   "With --cost: a100, h100, h200, b200 or a description "
                   "(FILE.json)")
      ->default_val("h100")
      ->needs(cost);
  command
      ->add_option("--context", flags->price.context,
                   "With --cost: tokens of a prompt, and tokens seen before "
                   "decoding")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->needs(cost);
  command->add_option("--batch", flags->price.batch, "With --cost: sequences")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->needs(cost);
  command->footer("Examples:\n"
                  "  ssmc inspect model.ssmx --kernels\n"
                  "  ssmc inspect frontends/cards/mamba2-hybrid-8b.json --cost "
                  "--device h200 --context 4096 --batch 8");
  command->callback([&action, flags] {
    action = [flags] {
      if (flags->cost)
        return inspectPrice(*flags);
      return isArtifact(flags->model) ? inspectArtifact(*flags)
                                      : inspectDescription(*flags);
    };
  });
}
