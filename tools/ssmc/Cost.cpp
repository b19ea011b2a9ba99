//===- Cost.cpp - Prices as tables and JSON -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Cost.h"

#include "dialect/Pattern.h"
#include "passes/placement/Device.h"
#include "tools/ssmc/Commands.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace ssm;

llvm::json::Object ssm::toJson(const Price &price, const Workload &workload) {
  auto work = [](const Work &work) {
    return llvm::json::Object{{"flops", whole(work.flops)},
                              {"bytes", whole(work.bytes)},
                              {"launches", work.launches},
                              {"seconds", work.seconds}};
  };
  return llvm::json::Object{
      {"parameters", whole(price.parameters)},
      {"active_parameters", whole(price.activeParameters)},
      {"weight_bytes", whole(price.parameters * double(workload.weightBytes))},
      {"state_bytes", whole(price.stateBytes)},
      {"kv_bytes_per_token", whole(price.cacheBytesPerToken)},
      {"kv_bytes", whole(price.cacheBytes)},
      {"memory_bytes", whole(price.memoryBytes(workload))},
      {"prefill", work(price.prefill)},
      {"decode", work(price.decode)}};
}

static void printRow(llvm::StringRef place, llvm::StringRef kind,
                     const Price &price) {
  llvm::outs() << llvm::formatv(
      "{0,5} {1,-9} {2,13} {3,11:F3} {4,10:F1} {5,3} {6,9:F3} {7,10:F3} "
      "{8,10:F1} {9,3} {10,9:F3} {11,9:F3} {12,9:F3}\n",
      place, kind, whole(price.parameters), price.prefill.flops / 1e12,
      price.prefill.bytes / 1e6, price.prefill.launches,
      price.prefill.seconds * 1e3, price.decode.flops / 1e9,
      price.decode.bytes / 1e6, price.decode.launches,
      price.decode.seconds * 1e3, price.stateBytes / 1e6,
      price.cacheBytes / 1e6);
}

static void printTable(ModelOp model, const ModelPricer &pricer,
                       const std::vector<PricedPart> &parts, const Price &total,
                       const CostRequest &request) {
  const Device &device = pricer.getDevice();
  Workload workload = pricer.workloadOf(model);
  llvm::raw_ostream &os = llvm::outs();
  os << llvm::formatv("{0} on {1}: context {2}, batch {3}, weights {4}\n",
                      model.getSymName(), device.name, request.context,
                      request.batch, stringifyWeightFormat(model.getWeights()));
  if (std::string pattern = patternOf(model); !pattern.empty())
    os << "pattern " << pattern << "\n";
  os << "                              ----------- prefill ----------------- "
        "-------------- decode --------------- -- one sequence --\n"
        "layer kind         parameters      TFLOP         MB  launches     ms "
        "    GFLOP         MB  launches     ms  state MB     KV MB\n";
  for (const PricedPart &part : parts)
    printRow(part.layer < 0 ? "" : std::to_string(part.layer), part.kind,
             part.price);
  printRow("", "total", total);
  double tokens = double(request.batch) * double(request.context);
  os << llvm::formatv(
      "memory {0:F2} GB of {1:F0}; prefill {2:F0} tokens/s, decode {3:F0} "
      "tokens/s at most\n",
      total.memoryBytes(workload) / 1e9, device.memoryBytes / 1e9,
      tokens / total.prefill.seconds,
      double(request.batch) / total.decode.seconds);
}

static llvm::json::Object costJson(ModelOp model, const ModelPricer &pricer,
                                   const std::vector<PricedPart> &parts,
                                   const Price &total,
                                   const CostRequest &request) {
  Workload workload = pricer.workloadOf(model);
  llvm::json::Array layers;
  for (const PricedPart &part : parts) {
    llvm::json::Object row = toJson(part.price, workload);
    row["kind"] = part.kind;
    if (part.layer >= 0)
      row["layer"] = part.layer;
    layers.push_back(std::move(row));
  }
  return llvm::json::Object{
      {"model", model.getSymName()},
      {"pattern", patternOf(model)},
      {"device", pricer.getDevice().key},
      {"context", request.context},
      {"batch", request.batch},
      {"weights", stringifyWeightFormat(model.getWeights())},
      {"parts", std::move(layers)},
      {"total", toJson(total, workload)}};
}

int ssm::inspectCost(const CostRequest &request) {
  Session session;
  ImportReport report;
  auto module = session.import(request.model, report);
  if (!module)
    return kBadInput;
  auto models = module->getOps<ModelOp>();
  if (models.empty())
    return fail(request.model + ": expected a model in block form");
  llvm::Expected<Device> device = findDevice(request.device);
  if (!device)
    return fail(llvm::toString(device.takeError()));
  ModelOp model = *models.begin();
  ModelPricer pricer(*device, request.context, request.batch);
  std::vector<PricedPart> parts = pricer.parts(model);
  Price total = pricer.total(model);
  if (request.json)
    llvm::outs() << llvm::formatv("{0:2}",
                                  llvm::json::Value(costJson(
                                      model, pricer, parts, total, request)))
                 << "\n";
  else
    printTable(model, pricer, parts, total, request);
  return kDone;
}
