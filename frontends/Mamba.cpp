//===- Mamba.cpp - Readers of mamba and falcon_mamba ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/Families.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm;

/// Features of hidden per feature of dt when time_step_rank is "auto".
static constexpr int64_t kHiddenPerRank = 16;

/// The inner width: intermediate_size wins over expand, which published files
/// carry with wrong values.
static int64_t readInner(Config &config, int64_t hidden) {
  double expand = config.number("expand", 2);
  Keys innerKeys = {"intermediate_size", "d_inner"};
  if (!config.has(innerKeys))
    return config.scaledSize("expand", expand, hidden);
  int64_t inner = config.size(innerKeys);
  if (double(inner) != expand * double(hidden))
    config.note("\"intermediate_size\": " + Twine(inner) +
                " wins over \"expand\" times \"hidden_size\"");
  return inner;
}

/// Both families; falcon_mamba also normalises dt, B and C.
static void readMambaFamily(Config &config, ModelBuilder &model,
                            bool hasMixerNorm) {
  Backbone backbone = readBackbone(config, {768, 50280, 32, /*tied=*/true});
  int64_t hidden = backbone.hidden;
  std::optional<Real> mixerEps;
  if (hasMixerNorm)
    mixerEps = Real(config.number("mixer_rms_eps", 1e-6));
  auto mixer = config.make<MambaAttr>(
      readInner(config, hidden), config.size("state_size", 16),
      config.size("conv_kernel", 4),
      config.sizeOrAuto("time_step_rank",
                        llvm::divideCeil(hidden, kHiddenPerRank)),
      config.flag("use_conv_bias", true), config.flag("use_bias", false),
      mixerEps, /*dt_bc_gain=*/false);
  buildBackbone(config, model, backbone, mixer);

  // The three norms of falcon_mamba have no tensors that would reveal them.
  if (!hasMixerNorm && backbone.vocab == 65024 && hidden == 4096 &&
      backbone.layers == 64)
    config.note("the sizes are those of falcon-mamba-7b, but \"model_type\" "
                "says mamba: the norms of dt, B and C would be missing");
}

void ssm::readMamba(Config &config, ModelBuilder &model) {
  readMambaFamily(config, model, /*hasMixerNorm=*/false);
}

void ssm::readFalconMamba(Config &config, ModelBuilder &model) {
  readMambaFamily(config, model, /*hasMixerNorm=*/true);
}
