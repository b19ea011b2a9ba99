//===- ExploreReport.cpp - Tables, JSON, CSV and HTML of a space ----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Explore.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace ssm;

/// Predicted over measured, less one.
static double errorOf(double predicted, double measured) {
  return predicted / measured - 1;
}

static double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Predicted beside measured, with the median error.
static void printMeasured(const ExploreResult &result) {
  std::vector<double> prefill, decode;
  llvm::raw_ostream &os = llvm::outs();
  for (size_t index : result.front) {
    const Variant &variant = result.variants[index];
    if (!variant.measured)
      continue;
    const Measured &m = *variant.measured;
    if (prefill.empty())
      os << "measured with random weights, best of the rounds (median); error "
            "of the prediction against the best\n";
    double prefillError = errorOf(m.predictedPrefill, m.prefill);
    double decodeError = errorOf(m.predictedDecode, m.decode);
    os << llvm::formatv(
        "  prefill {0,8:F2} ms predicted {1,8:F2} ({2,8:F2}) {3,6:F1} %   "
        "decode {4,8:F3} ms predicted {5,8:F3} ({6,8:F3}) {7,6:F1} %  {8}\n",
        m.predictedPrefill * 1e3, m.prefill * 1e3, m.medianPrefill * 1e3,
        prefillError * 100, m.predictedDecode * 1e3, m.decode * 1e3,
        m.medianDecode * 1e3, decodeError * 100,
        labelOf(variant, result.choices));
    prefill.push_back(std::abs(prefillError));
    decode.push_back(std::abs(decodeError));
  }
  if (!prefill.empty())
    os << llvm::formatv("median error of {0}: prefill {1:F1} %, decode {2:F1} "
                        "%\n",
                        prefill.size(), median(prefill) * 100,
                        median(decode) * 100);
}

void ssm::printTable(const ExploreResult &result, int64_t top) {
  llvm::raw_ostream &os = llvm::outs();
  os << llvm::formatv("{0} on {1}: context {2}, batch {3}\n", result.modelName,
                      result.device, result.context, result.batch);
  os << llvm::formatv(
      "{0} variants in {1:F2} s ({2:F0} per second), {3} cannot be, {4} beyond "
      "the limits, {5} on the front\n",
      result.tried, result.seconds,
      double(result.tried) / std::max(result.seconds, 1e-9), result.failed,
      result.pruned, result.front.size());
  os << "  prefill ms  decode ms  memory GB  params G  state MB     KV MB  "
        "layers  attn  mlp  hidden  variant\n";
  int64_t row = 0;
  for (size_t index : result.front) {
    if (row++ == top)
      break;
    const Variant &v = result.variants[index];
    os << llvm::formatv(
        "{0,12:F2} {1,10:F3} {2,10:F2} {3,9:F3} {4,9:F2} {5,9:F2} {6,7} {7,5} "
        "{8,4} {9,7}  {10}\n",
        v.price.prefill.seconds * 1e3, v.price.decode.seconds * 1e3,
        v.memory / 1e9, v.price.parameters / 1e9, v.price.stateBytes / 1e6,
        v.price.cacheBytes / 1e6, v.layers, v.attention, v.mlp, v.hidden,
        labelOf(v, result.choices));
  }
  if (int64_t(result.front.size()) > top)
    os << llvm::formatv("  ... {0} more, see --top, --csv, --html\n",
                        int64_t(result.front.size()) - top);
  printMeasured(result);
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static llvm::json::Object numbersOf(const Price &price, double memory) {
  return llvm::json::Object{{"params", whole(price.parameters)},
                            {"prefill_ms", price.prefill.seconds * 1e3},
                            {"prefill_flops", whole(price.prefill.flops)},
                            {"prefill_bytes", whole(price.prefill.bytes)},
                            {"decode_ms", price.decode.seconds * 1e3},
                            {"decode_flops", whole(price.decode.flops)},
                            {"decode_bytes", whole(price.decode.bytes)},
                            {"memory", whole(memory)},
                            {"state", whole(price.stateBytes)},
                            {"kv", whole(price.cacheBytes)}};
}

static llvm::json::Object variantJson(const ExploreResult &result,
                                      const Variant &variant) {
  llvm::json::Object object = numbersOf(variant.price, variant.memory);
  object["label"] = labelOf(variant, result.choices);
  llvm::json::Object choices;
  for (size_t i = 0; i < result.choices.size(); ++i)
    choices[result.choices[i].name] =
        result.choices[i].options[variant.assignment[i]];
  object["choices"] = std::move(choices);
  object["pattern"] = variant.pattern;
  object["hidden"] = variant.hidden;
  object["attention"] = variant.attention;
  object["mlp"] = variant.mlp;
  object["layers"] = variant.layers;
  object["front"] = variant.onFront;
  if (const auto &m = variant.measured)
    object["measured"] =
        llvm::json::Object{{"prefill_ms", m->prefill * 1e3},
                           {"decode_ms", m->decode * 1e3},
                           {"median_prefill_ms", m->medianPrefill * 1e3},
                           {"median_decode_ms", m->medianDecode * 1e3},
                           {"predicted_prefill_ms", m->predictedPrefill * 1e3},
                           {"predicted_decode_ms", m->predictedDecode * 1e3}};
  return object;
}

/// Layers as numbers of distinct parts, which are priced once.
static void addParts(const VariantDetail &detail, llvm::json::Object &object) {
  llvm::json::Array kinds, layers;
  llvm::StringMap<int64_t> numbers;
  for (const PricedPart &part : detail.parts) {
    std::string key = part.kind;
    llvm::raw_string_ostream(key)
        << part.price.parameters << " " << part.price.prefill.seconds << " "
        << part.price.decode.seconds;
    auto [entry, isNew] = numbers.try_emplace(key, kinds.size());
    if (isNew)
      kinds.push_back(
          llvm::json::Object{{"kind", part.kind},
                             {"params", whole(part.price.parameters)},
                             {"prefill_ms", part.price.prefill.seconds * 1e3},
                             {"decode_ms", part.price.decode.seconds * 1e3},
                             {"state", whole(part.price.stateBytes)},
                             {"kv", whole(part.price.cacheBytes)}});
    layers.push_back(entry->second);
  }
  object["kinds"] = std::move(kinds);
  object["parts"] = std::move(layers);
}

static llvm::json::Array curveJson(const VariantDetail &detail) {
  llvm::json::Array curve;
  for (const CurvePoint &point : detail.curve) {
    llvm::json::Object object = numbersOf(point.price, point.memory);
    object["context"] = point.context;
    object["batch"] = point.batch;
    curve.push_back(std::move(object));
  }
  return curve;
}

/// Everything but the variants.
static llvm::json::Object headJson(const ExploreResult &result,
                                   const Device &device) {
  return llvm::json::Object{{"model", result.modelName},
                            {"device", device.key},
                            {"device_name", result.device},
                            {"device_memory", whole(device.memoryBytes)},
                            {"context", result.context},
                            {"batch", result.batch},
                            {"tried", int64_t(result.tried)},
                            {"failed", int64_t(result.failed)},
                            {"pruned", int64_t(result.pruned)},
                            {"seconds", result.seconds}};
}

llvm::json::Object ssm::toJson(const ExploreResult &result,
                               const Device &device) {
  llvm::json::Object object = headJson(result, device);
  llvm::json::Array variants, front;
  for (const Variant &variant : result.variants)
    variants.push_back(variantJson(result, variant));
  for (auto [index, detail] : llvm::zip_equal(result.front, result.details)) {
    llvm::json::Object row = variantJson(result, result.variants[index]);
    row["at"] = curveJson(detail);
    addParts(detail, row);
    front.push_back(std::move(row));
  }
  object["variants"] = std::move(variants);
  object["front"] = std::move(front);
  return object;
}

void ssm::writeCsv(const ExploreResult &result, llvm::raw_ostream &os) {
  for (const Choice &choice : result.choices)
    os << choice.name << ",";
  os << "pattern,hidden,layers,attention_layers,mlp_layers,front,params,"
        "prefill_ms,"
        "prefill_flops,decode_ms,decode_flops,decode_bytes,memory,state,kv\n";
  auto quoted = [](llvm::StringRef text) {
    return text.contains(',') ? ("\"" + text + "\"").str() : text.str();
  };
  for (const Variant &v : result.variants) {
    for (size_t i = 0; i < result.choices.size(); ++i)
      os << quoted(result.choices[i].options[v.assignment[i]]) << ",";
    os << llvm::formatv(
        "{0},{1},{2},{3},{4},{5},{6},{7:F6},{8},{9:F6},{10},{11},{12},{13},"
        "{14}\n",
        v.pattern, v.hidden, v.layers, v.attention, v.mlp, int(v.onFront),
        whole(v.price.parameters), v.price.prefill.seconds * 1e3,
        whole(v.price.prefill.flops), v.price.decode.seconds * 1e3,
        whole(v.price.decode.flops), whole(v.price.decode.bytes),
        whole(v.memory), whole(v.price.stateBytes), whole(v.price.cacheBytes));
  }
}

//===----------------------------------------------------------------------===//
// HTML
//===----------------------------------------------------------------------===//

static constexpr llvm::StringLiteral kPage =
#include "tools/ssmc/ExplorePage.inc"
    ;

/// Dots that a plot can show; the front is always whole.
static constexpr size_t kMostDots = 3000;

void ssm::writeHtml(const ExploreResult &result, const Device &device,
                    llvm::raw_ostream &os) {
  llvm::json::Object object = headJson(result, device);
  llvm::json::Array others, front;
  size_t step = 1 + result.variants.size() / kMostDots;
  for (size_t i = 0; i < result.variants.size(); i += step)
    if (const Variant &v = result.variants[i]; !v.onFront)
      others.push_back(llvm::json::Array{v.price.prefill.seconds * 1e3,
                                         v.price.decode.seconds * 1e3});
  for (auto [index, detail] : llvm::zip_equal(result.front, result.details)) {
    llvm::json::Object row = variantJson(result, result.variants[index]);
    row["at"] = curveJson(detail);
    addParts(detail, row);
    front.push_back(std::move(row));
  }
  object["others"] = std::move(others);
  object["front"] = std::move(front);
  std::string data = llvm::formatv("{0}", llvm::json::Value(std::move(object)));
  // Text of a script element must not close it.
  for (size_t at = 0; (at = data.find("</", at)) != std::string::npos; at += 3)
    data.replace(at, 2, "<\\/");
  auto [before, after] = kPage.split("DATA_OF_THE_REPORT");
  os << before << data << after;
}
