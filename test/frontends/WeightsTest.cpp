//===- WeightsTest.cpp - Models against the tensors of their files --------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImportHelper.h"

#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>

using namespace ssm;

namespace {
struct Tensor {
  std::string type;
  std::vector<int64_t> shape;
};
using Tensors = std::map<std::string, Tensor>;
} // namespace

/// A safetensors file of zeros.
static std::string makeFile(const Tensors &tensors) {
  nlohmann::json header = nlohmann::json::object();
  uint64_t offset = 0;
  for (const auto &[name, tensor] : tensors) {
    uint64_t bytes = tensor.type == "F32" ? 4 : tensor.type == "F64" ? 8 : 2;
    for (int64_t size : tensor.shape)
      bytes *= size;
    header[name] = {{"dtype", tensor.type},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  std::string file;
  for (int byte = 0; byte < 8; ++byte)
    file += char(uint64_t(text.size()) >> (8 * byte));
  return file + text + std::string(offset, '\0');
}

/// A one-layer llama of width 4 with its tensors, changed by `change`.
static Imported importChanged(const std::function<void(Tensors &)> &change,
                              const std::string &more = "") {
  Tensors tensors;
  auto add = [&](const std::string &name, std::vector<int64_t> shape) {
    tensors[name + ".weight"] = {shape.size() == 1 ? "F32" : "BF16", shape};
  };
  add("model.embed_tokens", {8, 4});
  add("model.norm", {4});
  add("lm_head", {8, 4});
  std::string layer = "model.layers.0.";
  add(layer + "input_layernorm", {4});
  add(layer + "post_attention_layernorm", {4});
  for (const char *name : {"q_proj", "k_proj", "v_proj", "o_proj"})
    add(layer + "self_attn." + name, {4, 4});
  add(layer + "mlp.gate_proj", {6, 4});
  add(layer + "mlp.up_proj", {6, 4});
  add(layer + "mlp.down_proj", {4, 6});
  change(tensors);
  ModelFolder folder(R"({"model_type": "llama", "hidden_size": 4,
      "vocab_size": 8, "intermediate_size": 6, "num_hidden_layers": 1,
      "num_attention_heads": 1)" +
                     more + "}");
  folder.write("model.safetensors", makeFile(tensors));
  return Imported(folder.path);
}

static bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

TEST(Weights, Formats) {
  Imported same = importChanged([](Tensors &) {});
  ASSERT_TRUE(same.ok()) << same.errors;
  EXPECT_EQ(same.report.weights, "bf16");
  Imported half = importChanged([](Tensors &tensors) {
    for (auto &[name, tensor] : tensors)
      tensor.type = "F16";
  });
  ASSERT_TRUE(half.ok()) << half.errors;
  EXPECT_EQ(half.report.weights, "f16");
  Imported mixed = importChanged(
      [](Tensors &tensors) { tensors["lm_head.weight"].type = "F16"; });
  ASSERT_TRUE(mixed.ok()) << mixed.errors;
  EXPECT_EQ(mixed.report.weights, "f32");
}

TEST(Weights, KnownSkips) {
  Imported skipped = importChanged([](Tensors &tensors) {
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {"F32", {2}};
    tensors["mtp.norm.weight"] = {"F32", {4}};
  });
  ASSERT_TRUE(skipped.ok()) << skipped.errors;
  EXPECT_EQ(skipped.report.notes.size(), 1u);
  Imported tied =
      importChanged([](Tensors &) {}, R"(, "tie_word_embeddings": true)");
  ASSERT_TRUE(tied.ok()) << tied.errors;
  EXPECT_TRUE(tied.report.tied);
  EXPECT_TRUE(contains(tied.report.notes.front(), "lm_head.weight"));
}

TEST(Weights, TiedModelWithTheHeadAlone) {
  auto removeEmbedding = [](Tensors &tensors) {
    tensors.erase("model.embed_tokens.weight");
  };
  Imported tied =
      importChanged(removeEmbedding, R"(, "tie_word_embeddings": true)");
  ASSERT_TRUE(tied.ok()) << tied.errors;
  EXPECT_TRUE(tied.report.tied);
  EXPECT_EQ(tied.report.notes.front(),
            "the embedding is read from lm_head.weight, its only copy");
  EXPECT_TRUE(contains(importChanged(removeEmbedding).errors,
                       "missing tensor 'model.embed_tokens.weight'"));
}

TEST(Weights, NemotronHByItsNamesInMemory) {
  for (std::string root : {"backbone", "model", "transformer"}) {
    ModelFolder folder(R"({"model_type": "nemotron_h", "hidden_size": 4,
        "vocab_size": 8, "hybrid_override_pattern": "-",
        "intermediate_size": 6, "tie_word_embeddings": true})");
    folder.write(
        "model.safetensors",
        makeFile(
            {{root + ".embeddings.weight", {"F32", {8, 4}}},
             {root + ".norm_f.weight", {"F32", {4}}},
             {root + ".layers.0.norm.weight", {"F32", {4}}},
             {root + ".layers.0.mixer.up_proj.weight", {"F32", {6, 4}}},
             {root + ".layers.0.mixer.down_proj.weight", {"F32", {4, 6}}}}));
    Imported imported(folder.path);
    EXPECT_EQ(imported.ok(), root != "transformer") << imported.errors;
  }
}

TEST(Weights, NegativeMissing) {
  Imported model = importChanged([](Tensors &tensors) {
    tensors.erase("model.layers.0.mlp.up_proj.weight");
  });
  EXPECT_FALSE(model.ok());
  EXPECT_TRUE(contains(model.errors, "missing tensor "
                                     "'model.layers.0.mlp.up_proj.weight'"))
      << model.errors;
}

TEST(Weights, NegativeManyProblemsInOneLine) {
  Imported model = importChanged([](Tensors &tensors) {
    tensors.erase("model.layers.0.mlp.up_proj.weight");
    tensors.erase("model.layers.0.mlp.gate_proj.weight");
    tensors["more"] = {"F32", {4}};
  });
  EXPECT_FALSE(model.ok());
  EXPECT_TRUE(contains(model.errors, "(and 2 more tensors")) << model.errors;
  EXPECT_EQ(llvm::StringRef(model.errors).count("tensor '"), 1u);
}

TEST(Weights, NegativeShape) {
  Imported model = importChanged([](Tensors &tensors) {
    tensors["model.layers.0.mlp.down_proj.weight"].shape = {6, 4};
  });
  EXPECT_FALSE(model.ok());
  EXPECT_TRUE(
      contains(model.errors, "'model.layers.0.mlp.down_proj.weight', got "))
      << model.errors;
}

TEST(Weights, NegativeUnknownTensor) {
  Imported model = importChanged([](Tensors &tensors) {
    tensors["model.layers.0.self_attn.q_proj.bias"] = {"F32", {4}};
  });
  EXPECT_FALSE(model.ok());
  EXPECT_TRUE(contains(model.errors,
                       "unknown tensor 'model.layers.0.self_attn.q_proj.bias'"))
      << model.errors;
}

TEST(Weights, NegativeType) {
  Imported model = importChanged(
      [](Tensors &tensors) { tensors["model.norm.weight"].type = "F64"; });
  EXPECT_FALSE(model.ok());
  EXPECT_TRUE(contains(model.errors, "got F64")) << model.errors;
}

TEST(Weights, NegativeFile) {
  ModelFolder folder(R"({"model_type": "llama"})");
  folder.write("model.safetensors", "short");
  EXPECT_TRUE(contains(Imported(folder.path).errors, "model.safetensors"));
}
