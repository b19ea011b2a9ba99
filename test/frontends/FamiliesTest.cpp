//===- FamiliesTest.cpp - Keys, defaults and refusals per family ----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImportHelper.h"

#include <gtest/gtest.h>

using namespace ssm;

/// A config of a family with small sizes.
static std::string config(const std::string &family, const std::string &more) {
  return "{\"model_type\": \"" + family +
         "\", \"hidden_size\": 32, \"vocab_size\": 16" +
         (more.empty() ? "" : ", ") + more + "}";
}

static std::string textOf(const std::string &text) {
  ModelFolder folder(text);
  Imported model(folder.path);
  EXPECT_TRUE(model.ok()) << model.errors;
  return model.ok() ? model.text() : "";
}

#define EXPECT_PART(text, part)                                                \
  EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(Mamba, Defaults) {
  std::string text = textOf(config("mamba", ""));
  EXPECT_PART(text, "#ssm.mamba<inner = 64, state = 16, conv = 4, dt_rank = "
                    "2>");
  EXPECT_PART(text, "backbone.layers.31.mixer");
  EXPECT_PART(text, "ssm.head \"backbone.embeddings\""); // tied
}

TEST(Mamba, IntermediateSizeWins) {
  ModelFolder folder(config("mamba", R"("expand": 16, "intermediate_size": 48,
                                        "time_step_rank": "auto")"));
  Imported model(folder.path);
  ASSERT_TRUE(model.ok()) << model.errors;
  EXPECT_PART(model.text(), "inner = 48");
  EXPECT_EQ(model.report.notes.size(), 1u);
}

TEST(Mamba, Negatives) {
  EXPECT_PART(errorsOf(config("mamba", R"("d_model": 16)")),
              "\"hidden_size\": 32 contradicts \"d_model\": 16");
  EXPECT_PART(errorsOf(config("mamba", R"("intermediate_size": 64,
                                          "d_inner": 60)")),
              "\"intermediate_size\": 64 contradicts \"d_inner\": 60");
  EXPECT_PART(errorsOf(config("mamba", R"("rms_norm": false)")),
              "unsupported \"rms_norm\": false (supported: true)");
  EXPECT_PART(errorsOf(config("mamba", R"("ssm_cfg": {"d_state": 4})")),
              "unsupported \"ssm_cfg\"");
  EXPECT_PART(errorsOf(config("mamba", R"("hidden_act": "gelu")")),
              "unsupported \"hidden_act\": \"gelu\" (supported: silu, swish)");
  EXPECT_PART(errorsOf(config("mamba", R"("expand": 1e300)")), "is no size");
  EXPECT_PART(errorsOf(config("mamba", R"("mixer_rms_eps": 1e-6)")),
              "unknown key \"mixer_rms_eps\"");
}

TEST(FalconMamba, NormsInsideTheMixer) {
  EXPECT_PART(textOf(config("falcon_mamba", "")), "dt_bc_eps = 1.000000e-06");
}

TEST(Mamba2, Keys) {
  std::string text = textOf(config("mamba2", R"("num_heads": 4, "head_dim": 16,
      "n_groups": 2, "time_step_limit": [0.0, Infinity],
      "norm_before_gate": true)"));
  EXPECT_PART(text, "#ssm.mamba2<heads = 4, head_dim = 16, state = 128, "
                    "groups = 2, conv = 4>");
  EXPECT_PART(text, "ssm.head \"lm_head\""); // untied
}

TEST(Mamba2, Negatives) {
  EXPECT_PART(errorsOf(config("mamba2", R"("num_heads": 4, "head_dim": 15,
                                           "n_groups": 1)")),
              "contradicts \"expand\" times \"hidden_size\" = 64");
  std::string heads = R"("num_heads": 4, "head_dim": 16, "n_groups": 1, )";
  EXPECT_PART(errorsOf(config("mamba2", heads + R"("intermediate_size": 32)")),
              "\"intermediate_size\": 32 contradicts");
  EXPECT_PART(errorsOf(config("mamba2", R"("num_heads": 4, "head_dim": 16,
                                           "n_groups": 3)")),
              "'groups' 3 to divide 'heads' 4");
  for (const char *limit :
       {"[0.1]", "[0, 1, 2]", "[\"a\", 1]", "0.5", "[0, NaN]"})
    EXPECT_PART(
        errorsOf(config("mamba2", heads + "\"time_step_limit\": " + limit)),
        "(supported: a list of 2 numbers)");
  for (const char *limit : {"[-1, 1]", "[2, 1]", "[Infinity, Infinity]"})
    EXPECT_PART(
        errorsOf(config("mamba2", heads + "\"time_step_limit\": " + limit)),
        "unsupported \"time_step_limit\"");
}

TEST(NemotronH, PatternSpellings) {
  std::string words = config(
      "nemotron_h", R"("layers_block_type": ["mamba", "full_attention", "mlp"],
                       "num_hidden_layers": 3, "attention_head_dim": 8,
                       "mlp_hidden_act": "gelu")");
  std::string text = textOf(words);
  EXPECT_PART(text, "#ssm.mamba2<heads = 128, head_dim = 64, state = 128, "
                    "groups = 8, conv = 4>");
  EXPECT_PART(text, "#ssm.attention<heads = 32, kv_heads = 8, head_dim = 8>");
  EXPECT_PART(text, "#ssm.mlp<inner = 21504, activation = gelu>");
  ModelFolder folder(
      config("nemotron_h", R"("hybrid_override_pattern": "M*-/MM/MM")"));
  Imported model(folder.path);
  ASSERT_TRUE(model.ok()) << model.errors;
  EXPECT_EQ(model.report.pattern, "M*-");
  EXPECT_EQ(model.report.notes.size(), 1u);
}

TEST(NemotronH, Negatives) {
  auto error = [](const std::string &more) {
    return errorsOf(config("nemotron_h", more));
  };
  std::string pattern = R"("hybrid_override_pattern": "M*-", )";
  EXPECT_PART(error(""), "missing \"layers_block_type\" or");
  EXPECT_PART(error(pattern + R"("layers_block_type": ["mamba", "mlp"])"),
              "\"layers_block_type\" says M-, contradicts "
              "\"hybrid_override_pattern\": M*-");
  EXPECT_PART(error(pattern + R"("num_hidden_layers": 4)"),
              "\"num_hidden_layers\": 4 contradicts the number of layers in "
              "the pattern = 3");
  EXPECT_PART(error(R"("hybrid_override_pattern": "MX")"),
              "\"hybrid_override_pattern\": \"MX\": unknown letter 'X'");
  EXPECT_PART(error(R"("layers_block_type": ["conv"])"),
              "unsupported layer \"conv\" at index 0");
  EXPECT_PART(error(pattern + R"("attention_bias": true)"),
              "unsupported \"attention_bias\": true");
  EXPECT_PART(error(pattern + R"("sliding_window": 64)"),
              "unsupported \"sliding_window\": 64");
  EXPECT_PART(error(pattern + R"("mamba_proj_bias": true)"),
              "unsupported \"mamba_proj_bias\": true");
  EXPECT_PART(error(pattern + R"("head_dim": 8, "attention_head_dim": 9)"),
              "\"head_dim\": 8 contradicts \"attention_head_dim\": 9");
  EXPECT_PART(error(pattern + R"("rms_norm_eps": 1e-6,
                                 "layer_norm_epsilon": 1e-5)"),
              "contradicts \"rms_norm_eps\"");
  EXPECT_PART(error(pattern + R"("time_step_limit": [0.1, 1])"),
              "unsupported \"time_step_limit\": [0.1, 1]");
}

TEST(Llama, Negatives) {
  EXPECT_PART(errorsOf(config("llama", R"("num_attention_heads": 5)")),
              "\"hidden_size\" 32 is not divisible by "
              "\"num_attention_heads\" 5");
  EXPECT_PART(errorsOf(config("llama", R"("num_attention_heads": 4,
                                          "num_key_value_heads": 3)")),
              "'kv_heads' 3 to divide 'heads' 4");
  EXPECT_PART(errorsOf(config("llama", R"("pretraining_tp": 2)")),
              "unsupported \"pretraining_tp\": 2");
  EXPECT_PART(errorsOf(config("llama", R"("num_attention_heads": 4,
                                          "sliding_window": 4)")),
              "unknown key \"sliding_window\"");
}

TEST(Nemotron, LayerNormHalfRope) {
  std::string text = textOf(config("nemotron", R"("num_attention_heads": 4)"));
  EXPECT_PART(text, "<layer1p, eps = 1.000000e-05>");
  EXPECT_PART(text, "rope = <default, dims = 4, theta = 1.000000e+04>");
  EXPECT_PART(text, "activation = relu2>");
}

TEST(Mistral, Window) {
  std::string heads = R"("num_attention_heads": 8)";
  EXPECT_PART(textOf(config("mistral", heads)), "window = 4096");
  std::string text =
      textOf(config("mistral", heads + R"(, "sliding_window": null)"));
  EXPECT_EQ(text.find("window"), std::string::npos);
}

TEST(Qwen2, WindowsAndBiases) {
  std::string start = R"("num_attention_heads": 4, "num_key_value_heads": 2,
                         "num_hidden_layers": 2, "sliding_window": 8, )";
  std::string text =
      textOf(config("qwen2", start + R"("use_sliding_window": true,
                          "max_window_layers": 1)"));
  size_t second = text.find("model.layers.1.self_attn");
  EXPECT_GT(text.find("window = 8"), second);
  EXPECT_PART(text, "bias = true>");
  EXPECT_EQ(text.find("out_bias"), std::string::npos);
  EXPECT_PART(
      errorsOf(config("qwen2", start + R"("layer_types": ["sliding_attention",
                                                      "full_attention"])")),
      "unsupported \"layer_types\"");
  EXPECT_PART(
      errorsOf(config("qwen2", start + R"("layer_types": ["full_attention"])")),
      "\"layer_types\" has 1 layers, contradicts "
      "\"num_hidden_layers\": 2");
}

TEST(Qwen3, QueryKeyNorm) {
  EXPECT_PART(textOf(config("qwen3", "")), "qk_norm_eps = 1.000000e-06");
}

TEST(Bamba, Keys) {
  std::string start = R"("num_hidden_layers": 2, "num_attention_heads": 4,
      "num_key_value_heads": 2, "mamba_n_heads": 4, )";
  std::string text =
      textOf(config("bamba", start + R"("attn_layer_indices": [1])"));
  EXPECT_PART(text, "dims = 4");
  EXPECT_PART(text, "model.layers.0.mamba");
  EXPECT_PART(
      errorsOf(config("bamba", start + R"("attn_layer_indices": [1, 1])")),
      "\"attn_layer_indices\": [1, 1]: index 1 stands twice");
  EXPECT_PART(errorsOf(config("bamba", start + R"("attn_rotary_emb": 8)")),
              "\"attn_rotary_emb\": 8 contradicts");
}

TEST(Jamba, Periods) {
  std::string start = R"("num_hidden_layers": 4, "num_attention_heads": 4,
      "num_key_value_heads": 2, "num_experts": 4, "attn_layer_period": 4, )";
  ModelFolder folder(config("jamba", start + R"("attn_layer_offset": 2)"));
  Imported model(folder.path);
  ASSERT_TRUE(model.ok()) << model.errors;
  EXPECT_EQ(model.report.pattern, "M-ME*-ME");
  EXPECT_PART(model.text(), "dt_bc_eps = 1.000000e-06, dt_bc_gain = true>");
  EXPECT_PART(errorsOf(config("jamba", start + R"("attn_layer_offset": 4)")),
              "\"attn_layer_offset\": 4: expected an offset from 0 to 3");
}

TEST(MambaSsm, Format) {
  std::string start = R"({"d_model": 64, "n_layer": 2, "vocab_size": 10, )";
  std::string text =
      textOf(start + R"("ssm_cfg": {"layer": "Mamba2", "d_state": 32},
                        "pad_vocab_size_multiple": 16})");
  EXPECT_PART(text, "vocab(16)");
  EXPECT_PART(text, "#ssm.mamba2<heads = 2, head_dim = 64, state = 32, groups "
                    "= 1, conv = 4>");
  EXPECT_PART(text, "ssm.head \"backbone.embedding\"");
  EXPECT_PART(textOf(start + R"("ssm_cfg": {}})"), "#ssm.mamba<inner = 128");
  EXPECT_PART(errorsOf(start + R"("ssm_cfg": {"layer": "Mamba3"}})"),
              "unsupported \"layer\": \"Mamba3\" (supported: Mamba1, Mamba2)");
  EXPECT_PART(errorsOf(start + R"("ssm_cfg": {}, "d_intermediate": 64})"),
              "unsupported \"d_intermediate\": 64");
  EXPECT_PART(errorsOf(start + R"("ssm_cfg": {"layer": "Mamba2",
                                   "D_has_hdim": true}})"),
              "unsupported \"D_has_hdim\": true");
}
