//===- Inspect.cpp - ssmc inspect -----------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Compile.h"
#include "tools/ssmc/Cost.h"

#include "runtime/Artifact.h"
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

static llvm::json::Object describe(const ssmrt::ArtifactImage &image,
                                   const ssmrt::Plan &plan, bool kernels) {
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
  if (kernels) {
    llvm::json::Array names;
    for (const ssmrt::PlanKernel &kernel : plan.kernels)
      names.push_back(
          llvm::json::Object{{"name", kernel.name}, {"offset", kernel.offset}});
    object["kernel_table"] = std::move(names);
  }
  return object;
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
      os << "  kernel " << *kernel.getAsObject()->getString("name")
         << " at offset " << *kernel.getAsObject()->getInteger("offset")
         << "\n";
}

static int inspectArtifact(const InspectFlags &flags) {
  auto artifact = ssmrt::Artifact::open(flags.model);
  if (!artifact)
    return fail(artifact.status().message);
  llvm::json::Array images;
  for (const ssmrt::ArtifactImage &image : artifact->images()) {
    auto plan = artifact->plan(image);
    if (!plan)
      return fail(plan.status().message);
    images.push_back(describe(image, *plan, flags.kernels));
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
