//===- Mamba2.cpp - Reader of mamba2 --------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/Families.h"

using namespace mlir;
using namespace ssm;

void ssm::readMamba2(Config &config, ModelBuilder &model) {
  Backbone backbone = readBackbone(config, {4096, 32768, 64, /*tied=*/false});
  int64_t heads = config.size("num_heads", 128);
  int64_t headDim = config.size("head_dim", 64);
  int64_t inner =
      config.scaledSize("expand", config.number("expand", 2), backbone.hidden);
  if (heads * headDim != inner)
    config.error() << "\"num_heads\": " << heads
                   << " times \"head_dim\": " << headDim
                   << " contradicts \"expand\" times "
                   << "\"hidden_size\" = " << inner;
  config.requireEqual({"intermediate_size", "d_inner"}, inner,
                      "\"expand\" times \"hidden_size\"");
  TimeStepLimit limit = readTimeStepLimit(config, "time_step_limit");
  auto mixer = config.make<Mamba2Attr>(
      heads, headDim, config.size("state_size", 128),
      config.size("n_groups", 8), config.size("conv_kernel", 4),
      config.flag("use_conv_bias", true), config.flag("use_bias", false),
      limit.min, limit.max, GateOrder::AfterGate, Real(backbone.eps));
  // Earlier transformers wrote norm_before_gate: true as its default and never
  // read it; the norm follows the gate in every mamba2 checkpoint.
  config.ignore({"norm_before_gate", "time_step_rank"});
  buildBackbone(config, model, backbone, mixer);
}
