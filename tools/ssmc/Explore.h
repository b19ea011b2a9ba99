//===- Explore.h - Spaces of variants, priced and measured ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "passes/placement/Device.h"
#include "passes/placement/ModelPrice.h"
#include "passes/placement/Space.h"
#include "tools/ssmc/Cost.h"

#include <optional>
#include <string>
#include <vector>

namespace ssm {

//===----------------------------------------------------------------------===//
// What is asked
//===----------------------------------------------------------------------===//

/// The flags of `ssmc explore`.
struct ExploreOptions {
  std::string model;
  /// A transform script; else the shorthand below writes one.
  std::string space;
  /// Lists of values by flag, as written: "1..8", "on,off", "0.5,4".
  std::string attention, mlp, layers, patterns, rope, kvHeads, window, mlpRatio,
      activation, state, headDim, groups, budget;
  bool emitScript = false;

  std::string device = "h100";
  std::vector<int64_t> contexts = {4096, 32768, 131072};
  std::vector<int64_t> batches = {1};
  /// "params=9b", "memory=80gb", "decode_ms=20", "prefill_ms=500".
  std::vector<std::string> limits;
  /// Names of objectives, least first; "+name" is maximised.
  std::vector<std::string> objectives = {"prefill_ms", "decode_ms",
                                         "+attention"};
  bool all = false;
  uint64_t mostVariants = 1000000;

  int64_t top = 20;
  std::string json, csv, html, ir;

  int measure = 0;
  int threads = 0;
  std::string journal;
  bool resume = false;
};

//===----------------------------------------------------------------------===//
// What is found
//===----------------------------------------------------------------------===//

/// Times of a variant on this machine, in seconds, and of its price there.
struct Measured {
  double prefill = 0, decode = 0;
  double medianPrefill = 0, medianDecode = 0;
  double predictedPrefill = 0, predictedDecode = 0;
};

/// One assignment of the space and what its model costs at the first context
/// and batch.
struct Variant {
  std::vector<size_t> assignment;
  std::string pattern;
  int64_t hidden = 0, attention = 0, mlp = 0, layers = 0;
  Price price;
  double memory = 0;
  bool onFront = false;
  std::optional<Measured> measured;
};

/// The price at another context and batch.
struct CurvePoint {
  int64_t context, batch;
  Price price;
  double memory;
};

/// What the report shows of one variant.
struct VariantDetail {
  std::vector<PricedPart> parts;
  std::vector<CurvePoint> curve;
};

struct ExploreResult {
  std::string modelName, device;
  int64_t context, batch;
  std::vector<Choice> choices;
  std::vector<Variant> variants;
  /// Places of the front in `variants`, by the first objective.
  std::vector<size_t> front;
  uint64_t tried = 0, failed = 0, pruned = 0;
  double seconds = 0;
  /// Details of the variants of the front, in its order.
  std::vector<VariantDetail> details;
};

/// "attention=4 kv_heads=8".
std::string labelOf(const Variant &variant, const std::vector<Choice> &choices);

/// The transform script that the shorthand of `options` means for `model`.
llvm::Expected<std::string> writeScript(const ExploreOptions &options,
                                        ModelOp model);

/// "8b" -> 8e9: a number with k, m, b (g, t), "gb" and the like.
llvm::Expected<double> parseAmount(llvm::StringRef text);

/// The value of an objective.
llvm::Expected<double> valueOf(const Variant &variant, llvm::StringRef name);

//===----------------------------------------------------------------------===//
// Reports
//===----------------------------------------------------------------------===//

void printTable(const ExploreResult &result, int64_t top);
llvm::json::Object toJson(const ExploreResult &result, const Device &device);
void writeCsv(const ExploreResult &result, llvm::raw_ostream &os);
void writeHtml(const ExploreResult &result, const Device &device,
               llvm::raw_ostream &os);

//===----------------------------------------------------------------------===//
// This machine
//===----------------------------------------------------------------------===//

/// Measures the limits of this machine and the shares of them that kernels
/// reach, on models of a few layers.
llvm::Expected<Device> describeThisMachine(int threads);

/// Compiles the model of `module` for this machine and times a prefill of
/// `context` tokens and steps after as many, with random weights. What is
/// predicted takes the shares of `device`, but the limits of the moment.
llvm::Expected<Measured> measureHere(mlir::ModuleOp module,
                                     const Device &device, int64_t context,
                                     int64_t batch, int threads);

} // namespace ssm
