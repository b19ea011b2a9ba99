//===- PlanTest.cpp - Tests of plans and artifacts ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToyModel.h"
#include "runtime/Artifact.h"
#include "runtime/CpuFeatures.h"

#include <gtest/gtest.h>

using namespace ssmrt;
using nlohmann::json;

namespace {

/// What the reader says about the toy plan after `path` (a JSON pointer) was
/// replaced.
std::string messageWith(const std::string &path, const json &value) {
  json plan = toyPlan();
  plan[json::json_pointer(path)] = value;
  return Plan::parse(plan.dump(), "p").status().message;
}

std::string messageOfArtifact(const std::string &bytes) {
  Expected<Artifact> artifact =
      Artifact::parse(MappedFile::fromBytes("a", bytes));
  return artifact.status().message;
}

int64_t evaluate(const std::string &text, const SymbolValues &symbols) {
  JsonErrors errors;
  const json value = json::parse(text);
  const Expression expression =
      Expression::read(JsonReader(value, errors, "e"));
  EXPECT_TRUE(errors.ok()) << errors.status().message;
  return expression.evaluate(symbols);
}

} // namespace

TEST(Expression, evaluates) {
  const SymbolValues symbols{10, 3, 4, 2};
  EXPECT_EQ(evaluate("7", symbols), 7);
  EXPECT_EQ(evaluate("\"tiles\"", symbols), 4);
  EXPECT_EQ(evaluate(R"(["add", ["mul", "rows", 3], "outputs"])", symbols), 32);
  EXPECT_EQ(evaluate(R"(["ceildiv", "rows", 3])", symbols), 4);
  EXPECT_EQ(evaluate(R"(["floordiv", "rows", "sequences"])", symbols), 3);
  EXPECT_EQ(evaluate(R"(["floordiv", "rows", 0])", symbols), 0);
  EXPECT_EQ(
      evaluate(R"(["mul", ["mul", 4503599627370496, 4503599627370496], 2])",
               symbols),
      INT64_MAX);
}

TEST(Plan, reads_the_toy_model) {
  Expected<Plan> plan = Plan::parse(toyPlan().dump(), "p");
  ASSERT_TRUE(plan.ok()) << plan.status().message;
  EXPECT_EQ(plan->layers.size(), 2u);
  EXPECT_EQ(plan->arenaRowBytes, 40 + 64);
  EXPECT_EQ(plan->headInput, 1);
  EXPECT_EQ(plan->endTokens, (std::vector<int32_t>{10}));
}

TEST(Plan, negative_indices) {
  EXPECT_EQ(messageWith("/bodies/0/prefill/0/kernels/0/kernel", 4),
            "p.bodies[0].prefill[0].kernels[0].kernel: got 4, expected an "
            "integer from 0 to 3");
  EXPECT_EQ(messageWith("/bodies/0/states/1", -1),
            "p.bodies[0].states[1]: got -1, expected an integer from 0 to 3");
  EXPECT_EQ(messageWith("/bodies/0/prefill/0/args/3/1", 4),
            "p.bodies[0].prefill[0].args[3][1]: got 4, expected an integer "
            "from 0 to 3");
  EXPECT_EQ(messageWith("/bodies/0/prefill/0/args/0/1", 3),
            "p.bodies[0].prefill[0].args[0][1]: got 3, expected an integer "
            "from 0 to 2");
  EXPECT_EQ(messageWith("/bodies/0/prefill/0/args/0/2", 4),
            "p.bodies[0].prefill[0].args[0][2]: got 4, expected an integer "
            "from 0 to 3");
  EXPECT_EQ(messageWith("/layers/1/body", 1),
            "p.layers[1].body: got 1, expected an integer from 0 to 0");
  EXPECT_EQ(messageWith("/layers/1/weights", {1}),
            "p.layers[1].weights[0]: got 1, expected an integer from 0 to 0");
  EXPECT_EQ(messageWith("/bodies/0/prefill/0/args/2", {"weight", 0}),
            "p.layers[0].weights: got 0 weights, expected 1");
  EXPECT_EQ(messageWith("/program/before/prefill/0/args/1", {"state", 0}),
            "p.program.before.prefill[0].args[1]: argument, got 'state'");
}

TEST(Plan, negative_sizes) {
  EXPECT_EQ(messageWith("/weights/0/bytes", 175),
            "p.weights[0].bytes: got 175, expected an integer from 176 to 176");
  EXPECT_EQ(messageWith("/states/0/bytes", 63),
            "p.states[0]: bytes, got 63, expected 64");
  EXPECT_EQ(messageWith("/states/2/bytes", 1023),
            "p.states[2]: bytes, got 1023, expected 1024");
  EXPECT_EQ(messageWith("/buffers/0/stride", 3),
            "p.buffers[0].stride: got 3, expected an integer from 4 to "
            "4294967296");
  EXPECT_EQ(messageWith("/buffers/2/offset", 41),
            "p.buffers[2]: offset, got 41, expected a multiple of the element "
            "size");
  EXPECT_EQ(messageWith("/vocab", 12),
            "p.logits: expected an f32 buffer of 12 columns");
  EXPECT_EQ(messageWith("/states/1/shape", {4503599627370496, 4096}),
            "p.states[1]: bytes, got 192, expected " +
                std::to_string(int64_t{1} << 40));
}

TEST(Plan, negative_forms) {
  EXPECT_EQ(messageWith("/version", 2),
            "p.version: got 2, expected an integer from 1 to 1");
  EXPECT_EQ(messageWith("/weights/0/recipe/0/verb", "pop"),
            "p.weights[0].recipe[0]: verb, got 'pop'");
  EXPECT_EQ(messageWith("/weights/0/recipe/1/type", "f64"),
            "p.weights[0].recipe[1].type: got 'f64', supported f32, bf16, f16");
  EXPECT_EQ(messageWith("/program/after/prefill/1/kernels/1/max_rows", 5),
            "p.program.after.prefill[1]: expected the last kernel to take any "
            "number of rows");
  EXPECT_EQ(messageWith("/bodies/0/prefill/0/kernels/0/grid", "lines"),
            "p.bodies[0].prefill[0].kernels[0].grid: got 'lines', supported "
            "rows, sequences, tiles, outputs");
  json deep = 1;
  for (int i = 0; i < 9; ++i)
    deep = {"add", deep, 1};
  EXPECT_NE(messageWith("/kernels/0/scratch", deep).find("at most 8 deep"),
            std::string::npos);
  EXPECT_EQ(Plan::parse("[]", "p").status().message,
            "p: got [], expected an object");
}

TEST(Artifact, reads_and_chooses) {
  Expected<Artifact> artifact =
      Artifact::parse(MappedFile::fromBytes("a", toyArtifact()));
  ASSERT_TRUE(artifact.ok()) << artifact.status().message;
  EXPECT_EQ(artifact->modelName(), "toy");
  Expected<size_t> index = artifact->choose("auto");
  ASSERT_TRUE(index.ok());
  EXPECT_EQ(*index, 0u);
  EXPECT_EQ(artifact->choose("bf16").status().message,
            "a: precision, got bf16, supported f32");
}

TEST(Artifact, negative_features) {
  json plan = toyPlan();
  plan["features"] = {"time_travel"};
  Expected<Artifact> artifact =
      Artifact::parse(MappedFile::fromBytes("a", toyArtifact(plan)));
  ASSERT_TRUE(artifact.ok());
  EXPECT_EQ(artifact->choose("auto").status().message,
            "a: no image for this machine: toy needs time_travel");
}

TEST(Artifact, negative_files) {
  SafeTensorsWriter writer;
  EXPECT_EQ(messageOfArtifact(writer.toBytes()),
            "a: not an artifact of ssmc compile");
  writer.setMetadata("format", "ssmc-artifact");
  writer.setMetadata("version", "2");
  EXPECT_EQ(messageOfArtifact(writer.toBytes()),
            "a: artifact version, got 2, supported 1");
  writer.setMetadata("version", "1");
  EXPECT_EQ(messageOfArtifact(writer.toBytes()), "a: missing manifest");
  writer.setMetadata("manifest", R"({"model": "m", "hash": "h", "abi": 1})");
  EXPECT_EQ(messageOfArtifact(writer.toBytes()),
            "a: manifest: no plan, expected plan.0");
  writer.setMetadata("plan.0", toyPlan().dump());
  EXPECT_EQ(messageOfArtifact(writer.toBytes()),
            "a: plan.0: missing tensor image.0 of type U8");
}

TEST(Artifact, negative_kernel_offset) {
  json plan = toyPlan();
  plan["kernels"][1]["offset"] = 16;
  Expected<Artifact> artifact =
      Artifact::parse(MappedFile::fromBytes("a", toyArtifact(plan)));
  ASSERT_TRUE(artifact.ok());
  EXPECT_EQ(artifact->plan(artifact->images()[0]).status().message,
            "a: plan.0: offset of kernel 'layer', got 16 in an image of 16 "
            "bytes");
}

TEST(CodeImage, loads_a_copy) {
  Expected<Artifact> artifact =
      Artifact::parse(MappedFile::fromBytes("a", toyArtifact()));
  ASSERT_TRUE(artifact.ok());
  Expected<CodeImage> image = CodeImage::load(*artifact, artifact->images()[0]);
  ASSERT_TRUE(image.ok()) << image.status().message;
  EXPECT_EQ(*reinterpret_cast<const char *>(image->kernelAt(3)), 0);
}

TEST(CpuFeatures, knows_this_machine) {
  EXPECT_FALSE(hasCpuFeature("time_travel"));
  EXPECT_EQ(firstMissingFeature({}), "");
#if defined(__x86_64__)
  EXPECT_TRUE(hasCpuFeature("sse2"));
#endif
}
