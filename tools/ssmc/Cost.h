//===- Cost.h - Prices as tables and JSON ---------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "passes/placement/ModelPrice.h"

#include "llvm/Support/JSON.h"

#include <string>

namespace ssm {

/// What `ssmc inspect --cost` was asked for.
struct CostRequest {
  std::string model, device;
  int64_t context = 4096, batch = 1;
  bool json = false;
};

/// Prints the price of every layer and of the whole model.
int inspectCost(const CostRequest &request);

/// The fields of a price in their units.
llvm::json::Object toJson(const Price &price, const Workload &workload);

/// A count as an integer; JSON has no exact doubles of that size.
inline int64_t whole(double value) { return int64_t(value + 0.5); }

} // namespace ssm
