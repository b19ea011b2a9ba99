//===- DriverTest.cpp - Whole compilations --------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Driver.h"

#include "runtime/Artifact.h"
#include "runtime/Plan.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace ssm;

namespace {

/// A model of `layers` Mamba-2, attention and gated MLP layers in turn, whose
/// MLP has `inner` channels.
std::string hybrid(int layers, int inner = 48) {
  const char *kMixers[] = {
      "#ssm.mamba2<heads = 4, head_dim = 8, state = 16, groups = 1, conv = 4>",
      "#ssm.attention<heads = 4, kv_heads = 2, head_dim = 8, rope = <default, "
      "dims = 8, theta = 10000.0>>",
      "#ssm.mlp<inner = INNER, activation = silu, gated = true>"};
  std::string text = "ssm.model @tiny hidden(32) vocab(100) weights(bf16) "
                     "end_tokens([1]) {\n  ssm.embed \"embed\"\n";
  for (int i = 0; i < layers; ++i) {
    std::string name = "layers." + std::to_string(i);
    std::string mixer = kMixers[i % 3];
    if (size_t place = mixer.find("INNER"); place != std::string::npos)
      mixer.replace(place, 5, std::to_string(inner));
    text += "  ssm.layer norm(<rms, eps = 1.0e-5>, \"" + name +
            ".norm\") {\n    ssm.block \"" + name + ".mixer\" " + mixer +
            "\n  }\n";
  }
  return text + "  ssm.head \"embed\" norm(<rms, eps = 1.0e-5>, \"norm\")\n}\n";
}

class DriverTest : public testing::Test {
protected:
  DriverTest() : context(makeRegistry()) {
    context.loadAllAvailableDialects();
    context.getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
      errors += diagnostic.str() + "\n";
      return success();
    });
    options.targets = {"x86-64-v3"};
    options.precisions = {"f32"};
  }

  static DialectRegistry makeRegistry() {
    DialectRegistry registry;
    registerCompiler(registry);
    return registry;
  }

  OwningOpRef<ModuleOp> parse(const std::string &text) {
    return parseSourceString<ModuleOp>(text, ParserConfig(&context));
  }

  Artifact compiled(const std::string &text) {
    FailureOr<Artifact> artifact = compile(*parse(text), options);
    EXPECT_TRUE(succeeded(artifact)) << errors;
    return succeeded(artifact) ? *artifact : Artifact();
  }

  /// The model of `text` at another level.
  std::string textOf(const std::string &text, EmitLevel level) {
    llvm::SmallString<0> bytes;
    llvm::raw_svector_ostream stream(bytes);
    EXPECT_TRUE(succeeded(emitText(*parse(text), options, level, stream)))
        << errors;
    return bytes.str().str();
  }

  /// What the runtime reads of the first image.
  ssmrt::Plan planOf(const Artifact &artifact) {
    ssmrt::Expected<ssmrt::Artifact> file = ssmrt::Artifact::parse(
        ssmrt::MappedFile::fromBytes("test.ssmx", artifactBytes(artifact)));
    EXPECT_TRUE(file.ok()) << file.status().message;
    if (!file)
      return {};
    ssmrt::Expected<ssmrt::Plan> plan = file->plan(file->images()[0]);
    EXPECT_TRUE(plan.ok()) << plan.status().message;
    return plan ? *plan : ssmrt::Plan();
  }

  MLIRContext context;
  CompileOptions options;
  std::string errors;
};

TEST_F(DriverTest, RuntimeReadsWhatWasWritten) {
  Artifact artifact = compiled(hybrid(3));
  ASSERT_EQ(artifact.variants.size(), 1u);
  EXPECT_EQ(artifact.model, "tiny");
  EXPECT_EQ(artifact.weights, "bf16");
  EXPECT_EQ(artifact.hash.size(), 64u);
  ssmrt::Plan plan = planOf(artifact);
  EXPECT_EQ(plan.bodies.size(), 3u);
  EXPECT_EQ(plan.layers.size(), 3u);
  EXPECT_EQ(plan.states.size(), 4u);
  EXPECT_EQ(plan.vocab, 100);
  EXPECT_EQ(plan.endTokens, std::vector<int32_t>{1});
}

/// Equal layers share everything but their row in the table.
TEST_F(DriverTest, SizeDoesNotGrowWithEqualLayers) {
  Artifact few = compiled(hybrid(6)), many = compiled(hybrid(111));
  ASSERT_EQ(few.variants.size(), 1u);
  ASSERT_EQ(many.variants.size(), 1u);
  EXPECT_EQ(few.variants[0].code, many.variants[0].code);
  ssmrt::Plan fewPlan = planOf(few), manyPlan = planOf(many);
  EXPECT_EQ(fewPlan.kernels.size(), manyPlan.kernels.size());
  EXPECT_EQ(fewPlan.buffers.size(), manyPlan.buffers.size());
  EXPECT_EQ(fewPlan.bodies.size(), manyPlan.bodies.size());
  EXPECT_EQ(manyPlan.layers.size(), 111u);
  auto lines = [](const std::string &text) { return llvm::count(text, '\n'); };
  EXPECT_EQ(lines(textOf(hybrid(6), EmitLevel::Kern)),
            lines(textOf(hybrid(111), EmitLevel::Kern)));
}

TEST_F(DriverTest, OneImagePerTargetAndPrecision) {
  options.targets = {"x86-64-v3", "x86-64-v4", "x86-64-v3"};
  options.precisions = {"auto", "f32", "bf16"};
  std::vector<std::string> images;
  options.progress = [&](const std::string &image, size_t done, size_t total) {
    EXPECT_EQ(done, images.size());
    EXPECT_EQ(total, 4u);
    images.push_back(image);
  };
  Artifact artifact = compiled(hybrid(3));
  EXPECT_EQ(artifact.variants.size(), 4u);
  EXPECT_EQ(images,
            (std::vector<std::string>{"x86-64-v3, f32", "x86-64-v3, bf16",
                                      "x86-64-v4, f32", "x86-64-v4, bf16"}));
}

/// Halves of a gated product that are no multiple of a vector, and odd sizes.
TEST_F(DriverTest, GateOfOddWidth) {
  ssmrt::Plan plan = planOf(compiled(hybrid(3, 43)));
  EXPECT_EQ(plan.layers.size(), 3u);
}

/// Kern form can be printed, edited and compiled again: same code.
TEST_F(DriverTest, StartsAtAnyLevel) {
  Artifact whole = compiled(hybrid(3));
  for (EmitLevel level : {EmitLevel::Ops, EmitLevel::Kern, EmitLevel::Plan}) {
    Artifact again = compiled(textOf(hybrid(3), level));
    ASSERT_EQ(again.variants.size(), 1u);
    EXPECT_EQ(whole.variants[0].code, again.variants[0].code);
    EXPECT_EQ(whole.variants[0].plan, again.variants[0].plan);
  }
}

TEST_F(DriverTest, EmitsAssembly) {
  EXPECT_NE(textOf(hybrid(3), EmitLevel::Assembly).find("gemm_0"),
            std::string::npos);
  EXPECT_NE(textOf(hybrid(3), EmitLevel::Llvm).find("define"),
            std::string::npos);
}

TEST_F(DriverTest, RefusesWhatItDoesNotKnow) {
  options.targets = {"z80"};
  EXPECT_TRUE(failed(compile(*parse(hybrid(3)), options)));
  EXPECT_NE(errors.find("unknown target 'z80'"), std::string::npos);
  options.targets = {"x86-64-v3"};
  options.precisions = {"f64"};
  EXPECT_TRUE(failed(compile(*parse(hybrid(3)), options)));
  EXPECT_NE(errors.find("unknown precision 'f64' (supported: auto, f32, bf16)"),
            std::string::npos);
  options.precisions = {"bf16"};
  options.strict = true;
  EXPECT_TRUE(failed(compile(*parse(hybrid(3)), options)));
  EXPECT_NE(errors.find("precision bf16 rounds, which --strict excludes"),
            std::string::npos);
  EXPECT_TRUE(failed(compile(*parse("module {}"), options)));
  EXPECT_NE(errors.find("expected a model"), std::string::npos);
}

} // namespace
