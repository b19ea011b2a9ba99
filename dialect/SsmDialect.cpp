//===- SsmDialect.cpp - Registration and attributes of the ssm dialect ----===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Ssm.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace ssm;

#include "dialect/SsmDialect.cpp.inc"
#include "dialect/SsmEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/SsmAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/SsmTypes.cpp.inc"

void SsmDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/SsmAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/SsmTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/SsmOps.cpp.inc"
      >();
}

AsmPrinter &ssm::operator<<(AsmPrinter &printer, const Real &real) {
  printer.printFloat(llvm::APFloat(real.value));
  return printer;
}

bool ssm::dimsCompatible(Type a, int64_t aDim, Type b, int64_t bDim) {
  auto aType = dyn_cast<RankedTensorType>(a),
       bType = dyn_cast<RankedTensorType>(b);
  if (!aType || !bType || aDim >= aType.getRank() || bDim >= bType.getRank())
    return false;
  int64_t aSize = aType.getDimSize(aDim), bSize = bType.getDimSize(bDim);
  return aSize == bSize || ShapedType::isDynamic(aSize) ||
         ShapedType::isDynamic(bSize);
}

//===----------------------------------------------------------------------===//
// Hyper-parameters
//===----------------------------------------------------------------------===//

using EmitError = function_ref<InFlightDiagnostic()>;

/// Fails unless every named size is at least 1.
static LogicalResult
verifyPositive(EmitError emitError,
               ArrayRef<std::pair<StringRef, int64_t>> sizes) {
  for (auto [name, size] : sizes)
    if (size < 1)
      return emitError() << "expected '" << name << "' to be positive, got "
                         << size;
  return success();
}

/// Fails if a size that kernels unroll is beyond what any model has: code would
/// grow without end.
static LogicalResult
verifyUnrolled(EmitError emitError,
               ArrayRef<std::pair<StringRef, int64_t>> sizes) {
  constexpr int64_t kMost = 1024;
  for (auto [name, size] : sizes)
    if (size > kMost)
      return emitError() << "expected '" << name << "' to be at most " << kMost
                         << ", got " << size;
  return success();
}

/// Fails unless `eps` is a positive finite number.
static LogicalResult verifyEps(EmitError emitError, StringRef name,
                               double eps) {
  if (!(eps > 0) || !std::isfinite(eps))
    return emitError() << "expected '" << name
                       << "' to be positive and finite, got " << eps;
  return success();
}

LogicalResult NormAttr::verify(EmitError emitError, NormKind, Real eps) {
  return verifyEps(emitError, "eps", eps);
}

LogicalResult RopeAttr::verify(EmitError emitError, RopeKind, int64_t dims,
                               Real theta, Real factor, Real lowFreqFactor,
                               Real highFreqFactor, int64_t originalPositions) {
  if (failed(verifyPositive(
          emitError,
          {{"dims", dims}, {"original_positions", originalPositions}})) ||
      failed(verifyEps(emitError, "theta", theta)) ||
      failed(verifyEps(emitError, "factor", factor)))
    return failure();
  if (dims % 2)
    return emitError() << "expected 'dims' to be even, got " << dims;
  if (!(highFreqFactor > lowFreqFactor))
    return emitError() << "expected 'high_freq_factor' " << highFreqFactor
                       << " to exceed 'low_freq_factor' " << lowFreqFactor;
  return success();
}

SmallVector<double> RopeAttr::frequencies() const {
  constexpr double kTwoPi = 6.283185307179586476925;
  SmallVector<double> result;
  for (int64_t i = 0; i < getDims() / 2; ++i) {
    double frequency =
        std::pow(getTheta(), -2.0 * double(i) / double(getDims()));
    if (getKind() == RopeKind::Linear) {
      frequency /= getFactor();
    } else if (getKind() == RopeKind::Llama3) {
      double wavelength = kTwoPi / frequency;
      double original = double(getOriginalPositions());
      if (wavelength > original / getLowFreqFactor()) {
        frequency /= getFactor();
      } else if (wavelength >= original / getHighFreqFactor()) {
        double smooth = (original / wavelength - getLowFreqFactor()) /
                        (getHighFreqFactor() - getLowFreqFactor());
        frequency = (1 - smooth) * frequency / getFactor() + smooth * frequency;
      }
    }
    result.push_back(frequency);
  }
  return result;
}

LogicalResult MambaAttr::verify(EmitError emitError, int64_t inner,
                                int64_t state, int64_t conv, int64_t dtRank,
                                bool, bool, std::optional<Real> dtBcEps,
                                bool dtBcGain) {
  if (dtBcGain && !dtBcEps)
    return emitError() << "expected 'dt_bc_eps' beside 'dt_bc_gain'";
  if (dtBcEps && failed(verifyEps(emitError, "dt_bc_eps", *dtBcEps)))
    return failure();
  if (failed(verifyPositive(emitError, {{"inner", inner},
                                        {"state", state},
                                        {"conv", conv},
                                        {"dt_rank", dtRank}})))
    return failure();
  return verifyUnrolled(emitError, {{"state", state}, {"conv", conv}});
}

LogicalResult Mamba2Attr::verify(EmitError emitError, int64_t heads,
                                 int64_t headDim, int64_t state, int64_t groups,
                                 int64_t conv, bool, bool, Real dtMin,
                                 std::optional<Real> dtMax, GateOrder,
                                 Real normEps) {
  if (failed(verifyPositive(emitError, {{"heads", heads},
                                        {"head_dim", headDim},
                                        {"state", state},
                                        {"groups", groups},
                                        {"conv", conv}})) ||
      failed(verifyUnrolled(
          emitError,
          {{"head_dim", headDim}, {"state", state}, {"conv", conv}})) ||
      failed(verifyEps(emitError, "norm_eps", normEps)))
    return failure();
  if (heads % groups)
    return emitError() << "expected 'groups' " << groups
                       << " to divide 'heads' " << heads;
  if (!(dtMin >= 0) || (dtMax && !(*dtMax >= dtMin)))
    return emitError() << "expected 0 <= 'dt_min' <= 'dt_max'";
  return success();
}

LogicalResult AttentionAttr::verify(
    EmitError emitError, int64_t heads, int64_t kvHeads, int64_t headDim,
    std::optional<Real>, std::optional<int64_t> window, RopeAttr rope, bool,
    bool, std::optional<Real> qkNormEps, std::optional<int64_t> storedKvHeads) {
  if (failed(verifyPositive(emitError, {{"heads", heads},
                                        {"kv_heads", kvHeads},
                                        {"head_dim", headDim},
                                        {"window", window.value_or(1)}})) ||
      failed(verifyUnrolled(emitError, {{"head_dim", headDim}})))
    return failure();
  if (heads % kvHeads)
    return emitError() << "expected 'kv_heads' " << kvHeads
                       << " to divide 'heads' " << heads;
  if (storedKvHeads.value_or(kvHeads) % kvHeads ||
      storedKvHeads.value_or(kvHeads) < kvHeads)
    return emitError() << "expected 'stored_kv_heads' " << *storedKvHeads
                       << " to be a multiple of 'kv_heads' " << kvHeads;
  if (rope && rope.getDims() > headDim)
    return emitError() << "expected rope 'dims' " << rope.getDims()
                       << " to be at most 'head_dim' " << headDim;
  if (qkNormEps)
    return verifyEps(emitError, "qk_norm_eps", *qkNormEps);
  return success();
}

LogicalResult MlpAttr::verify(EmitError emitError, int64_t inner, Activation,
                              bool, bool) {
  return verifyPositive(emitError, {{"inner", inner}});
}

LogicalResult ExpertsAttr::verify(EmitError emitError, int64_t count,
                                  int64_t used, int64_t inner, Activation,
                                  StringRef score, bool, int64_t sharedInner,
                                  int64_t groups, int64_t usedGroups, bool,
                                  Real, std::optional<int64_t> latent) {
  if (failed(verifyPositive(emitError, {{"count", count},
                                        {"used", used},
                                        {"inner", inner},
                                        {"groups", groups},
                                        {"used_groups", usedGroups},
                                        {"latent", latent.value_or(1)}})))
    return failure();
  if (used > count)
    return emitError() << "expected 'used' " << used
                       << " to be at most 'count' " << count;
  if (count % groups || usedGroups > groups)
    return emitError() << "expected 'groups' " << groups
                       << " to divide 'count' " << count
                       << " and 'used_groups' " << usedGroups
                       << " to be at most 'groups'";
  if (sharedInner < 0)
    return emitError() << "expected 'shared_inner' not to be negative, got "
                       << sharedInner;
  if (score != "sigmoid" && score != "softmax_all" && score != "softmax_chosen")
    return emitError()
           << "unknown 'score' \"" << score
           << "\" (supported: sigmoid, softmax_all, softmax_chosen)";
  return success();
}
