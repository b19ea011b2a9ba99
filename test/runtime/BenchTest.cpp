//===- BenchTest.cpp - The model bench on GPUs ----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToyPtx.h"
#include "tools/bench/ModelBench.h"

#include <gtest/gtest.h>

using namespace ssmrt;
using nlohmann::json;

namespace {

Expected<ssmbench::BenchResult> benchOn(const std::string &device) {
  setenv("SSMC_CUDA_DRIVER", SSMC_FAKE_CUDA_LIBRARY, 1);
  // Little memory, as copies within it are timed.
  setenv("SSMC_FAKE_CUDA", "memory=2000000", 1);
  TemporaryFolder folder;
  writeToyWeights(folder);
  ModelOptions options;
  options.weights = folder.path();
  options.useCache = false;
  options.device = device;
  Expected<std::shared_ptr<Model>> model =
      Model::load(*toyArtifactOf({toyGpuImage()}), options);
  if (!model)
    return model.status();
  ssmbench::BenchOptions bench;
  bench.promptLength = 5;
  bench.generatedLength = 3;
  bench.context = 2;
  bench.batch = 2;
  bench.rounds = 2;
  return ssmbench::benchmark(*model, bench);
}

} // namespace

TEST(Bench, measures_copies_on_a_gpu) {
  Expected<ssmbench::BenchResult> result = benchOn("cuda");
  ASSERT_TRUE(result.ok()) << result.status().message;
  EXPECT_EQ(result->device, "cuda");
  EXPECT_GT(result->copyRate, 0);
  EXPECT_GT(result->bestStep, 0);
  EXPECT_EQ(result->weightBytes, 176);
  const json printed = json::parse(ssmbench::toJson(*result));
  EXPECT_EQ(printed["device_name"], "Fake GPU, sm_90, PTX");
  EXPECT_GT(printed["limits"]["copy_gb_per_s"], 0);
  EXPECT_GT(printed["decode"]["share_of_copy"], 0);
  EXPECT_FALSE(printed["decode"].contains("share_of_read"));
  // One launch for each step, two layers.
  EXPECT_EQ(printed["step_kernels"].size(), 4u);
  EXPECT_NE(ssmbench::toText(*result).find("% of copy"), std::string::npos);
}

TEST(Bench, has_no_limits_on_the_interpreter) {
  Expected<ssmbench::BenchResult> result = benchOn("ptx");
  ASSERT_TRUE(result.ok()) << result.status().message;
  EXPECT_EQ(result->copyRate, 0);
  const json printed = json::parse(ssmbench::toJson(*result));
  EXPECT_EQ(printed["device"], "ptx");
  EXPECT_FALSE(printed["decode"].contains("share_of_copy"));
  EXPECT_GT(printed["decode"]["tokens_per_s"], 0);
  EXPECT_EQ(ssmbench::toText(*result).find("of copy"), std::string::npos);
}
