//===- WeightFiles.cpp - A model and the tensors of a checkpoint ----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/WeightFiles.h"
#include "frontends/TensorTable.h"

#include "llvm/ADT/StringSet.h"

#include <set>

using namespace mlir;
using namespace ssm;

/// True for tensors that no model needs: tables that are recomputed, layers of
/// multi-token prediction.
static bool isSkipped(StringRef name) {
  return name.ends_with("rotary_emb.inv_freq") || name.starts_with("mtp.");
}

/// Adds a problem for each tensor of `checkpoint` that is not in `needed`, a
/// note for those that may be there.
static void checkLeftovers(const ssmrt::Checkpoint &checkpoint,
                           const llvm::StringSet<> &needed,
                           std::vector<std::string> &problems,
                           std::vector<std::string> &notes) {
  constexpr StringLiteral kHead = "lm_head.weight";
  int64_t skipped = 0;
  for (const std::string &name : checkpoint.tensorNames()) {
    if (needed.contains(name))
      continue;
    if (name == kHead)
      notes.push_back("lm_head.weight is in the files, but the head is tied "
                      "to the embedding: not used");
    else if (isSkipped(name))
      ++skipped;
    else
      problems.push_back(checkpoint.name() + ": unknown tensor '" + name + "'");
  }
  if (skipped)
    notes.push_back(std::to_string(skipped) +
                    " tensors of rotary tables or multi-token prediction are "
                    "not used");
}

LogicalResult ssm::checkTensors(ModelOp model,
                                const ssmrt::Checkpoint &checkpoint,
                                std::vector<std::string> &notes) {
  std::vector<std::string> problems;
  llvm::StringSet<> needed;
  for (const TensorSpec &spec : modelTensors(model)) {
    needed.insert(spec.name);
    ssmrt::Status status = checkpoint.check(
        spec.name, std::vector<int64_t>(spec.shape.begin(), spec.shape.end()));
    if (!status)
      problems.push_back(status.message);
  }
  checkLeftovers(checkpoint, needed, problems, notes);
  if (problems.empty())
    return success();
  InFlightDiagnostic error = emitError(UnknownLoc::get(model.getContext()))
                             << problems.front();
  if (problems.size() > 1)
    error << " (and " << problems.size() - 1
          << " more tensors that are missing, unknown or of another shape)";
  return error;
}

WeightFormat ssm::weightFormatOf(ModelOp model,
                                 const ssmrt::Checkpoint &checkpoint) {
  std::set<ssmrt::DType> types;
  for (const TensorSpec &spec : modelTensors(model))
    if (spec.role == TensorRole::Matrix)
      if (const ssmrt::TensorView *view = checkpoint.find(spec.name))
        types.insert(view->type);
  if (types == std::set{ssmrt::DType::BF16})
    return WeightFormat::BF16;
  if (types == std::set{ssmrt::DType::F16})
    return WeightFormat::F16;
  return WeightFormat::F32;
}
