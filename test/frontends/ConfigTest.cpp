//===- ConfigTest.cpp - Rules that hold for every family ------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImportHelper.h"

#include <gtest/gtest.h>

using namespace ssm;

static std::string llama(const std::string &more) {
  return R"({"model_type": "llama", "hidden_size": 8, "vocab_size": 16,
             "intermediate_size": 12, "num_hidden_layers": 1,
             "num_attention_heads": 2)" +
         more + "}";
}

TEST(Config, Smallest) {
  ModelFolder folder(llama(""));
  Imported model(folder.path);
  ASSERT_TRUE(model.ok()) << model.errors;
  EXPECT_EQ(model.report.weights, "f32");
  EXPECT_TRUE(model.report.endTokens.empty());
  Imported file(folder.path + "/config.json");
  EXPECT_TRUE(file.ok());
  EXPECT_EQ(file.report.name, model.report.name);
}

TEST(Config, NegativeUnknownKeys) {
  EXPECT_EQ(errorsOf(llama(R"(, "logit_cap": 30.0, "new": [1, null])")),
            "config.json: unknown keys \"logit_cap\": 30.0, \"new\": "
            "[1, null]\n");
}

TEST(Config, KeysOfOlderLibraries) {
  EXPECT_EQ(errorsOf(llama(R"(, "is_encoder_decoder": false, "pruned_heads": {},
                              "top_k": 50, "id2label": {"0": "LABEL_0"},
                              "add_cross_attention": false,
                              "rope_interleaved": false,
                              "transformers.js_config": {"dtype": "q4"})")),
            "");
  EXPECT_EQ(errorsOf(llama(R"(, "pruned_heads": {"0": [1]})")),
            "config.json: unsupported \"pruned_heads\": {\"0\":[1]} "
            "(supported: none: all heads)\n");
  EXPECT_EQ(errorsOf(llama(R"(, "rope_interleaved": true)")),
            "config.json: unsupported \"rope_interleaved\": true (supported: "
            "false)\n");
}

TEST(Config, HarmlessKeysAreReported) {
  ModelFolder folder(
      llama(R"(, "initializer_range": 0.02, "pad_token_id": null)"));
  Imported model(folder.path);
  ASSERT_TRUE(model.ok()) << model.errors;
  ASSERT_EQ(model.report.ignoredKeys.size(), 2u);
  EXPECT_EQ(model.report.ignoredKeys[0].key, "initializer_range");
  EXPECT_EQ(model.report.ignoredKeys[1].value, "null");
}

TEST(Config, NullTakesTheDefault) {
  EXPECT_EQ(errorsOf(llama(R"(, "num_key_value_heads": null, "head_dim": null,
                              "rms_norm_eps": null, "rope_scaling": null,
                              "eos_token_id": null)")),
            "");
}

TEST(Config, NegativeValues) {
  EXPECT_EQ(errorsOf(llama(R"(, "num_key_value_heads": -2)")),
            "config.json: unsupported \"num_key_value_heads\": -2 (supported: "
            "an integer from 1 to 1048576)\n");
  EXPECT_EQ(errorsOf(llama(R"(, "head_dim": 18446744073709551615)")),
            "config.json: unsupported \"head_dim\": 18446744073709551615 "
            "(supported: an integer from 1 to 1048576)\n");
  EXPECT_EQ(errorsOf(llama(R"(, "mlp_bias": 1)")),
            "config.json: unsupported \"mlp_bias\": 1 (supported: true, "
            "false)\n");
  EXPECT_EQ(errorsOf(llama(R"(, "rms_norm_eps": Infinity)")),
            "config.json: unsupported \"rms_norm_eps\": Infinity (supported: "
            "a finite number)\n");
  EXPECT_NE(errorsOf(llama(R"(, "rms_norm_eps": 0)")).find("'eps'"),
            std::string::npos);
  EXPECT_NE(errorsOf(llama(R"(, "hidden_act": "tanh")"))
                .find("unsupported \"hidden_act\": \"tanh\" (supported: silu"),
            std::string::npos);
}

TEST(Config, NegativeFamily) {
  EXPECT_NE(errorsOf(R"({"model_type": "rwkv"})")
                .find("unsupported \"model_type\": \"rwkv\" (supported: mamba"),
            std::string::npos);
  EXPECT_NE(errorsOf("{}").find("missing \"model_type\""), std::string::npos);
  EXPECT_NE(errorsOf("[1]").find("config.json: expected an object, got [1]"),
            std::string::npos);
  EXPECT_NE(errorsOf(R"({"model_type": "zamba2"})").find("shared blocks"),
            std::string::npos);
  EXPECT_NE(errorsOf(R"({"model_type": "llava", "text_config": {"a": 1}})")
                .find("unsupported \"text_config\": a multimodal model"),
            std::string::npos);
  EXPECT_NE(errorsOf(llama(R"(, "architectures": ["MambaForCausalLM"])"))
                .find("\"architectures\": \"MambaForCausalLM\" contradicts"),
            std::string::npos);
  EXPECT_NE(errorsOf(llama(R"(, "quantization_config": {"bits": 4})"))
                .find("unsupported \"quantization_config\": {\"bits\":4}"),
            std::string::npos);
}

TEST(Config, Dtype) {
  ModelFolder folder(
      llama(R"(, "dtype": "bfloat16", "torch_dtype": "bfloat16")"));
  EXPECT_EQ(Imported(folder.path).report.weights, "bf16");
  EXPECT_EQ(
      errorsOf(llama(R"(, "dtype": "float16", "torch_dtype": "float32")")),
      "config.json: \"dtype\": \"float16\" contradicts \"torch_dtype\": "
      "\"float32\"\n");
  EXPECT_NE(errorsOf(llama(R"(, "dtype": "float64")"))
                .find("(supported: float32, bfloat16, float16)"),
            std::string::npos);
}

TEST(Config, Rope) {
  ModelFolder older(llama(R"(, "rope_theta": 500, "rope_scaling":
                            {"type": "linear", "factor": 2.0})"));
  ModelFolder newer(llama(R"(, "rope_parameters": {"rope_theta": 500,
                            "rope_type": "linear", "factor": 2.0})"));
  for (const ModelFolder *folder : {&older, &newer}) {
    Imported model(folder->path);
    ASSERT_TRUE(model.ok()) << model.errors;
    EXPECT_NE(model.text().find("<linear, dims = 4, theta = 5.000000e+02, "
                                "factor = 2.000000e+00>"),
              std::string::npos)
        << model.text();
  }
}

TEST(Config, NegativeRope) {
  EXPECT_EQ(errorsOf(llama(R"(, "rope_scaling": {"rope_type": "yarn"})")),
            "config.json: unsupported \"rope_type\": \"yarn\" (supported: "
            "default, linear, llama3)\n");
  EXPECT_EQ(errorsOf(llama(R"(, "rope_scaling": {"type": "linear"})")),
            "config.json: missing \"factor\" (expected a number)\n");
  EXPECT_EQ(errorsOf(llama(R"(, "rope_scaling": {"type": "linear",
                              "rope_type": "default", "factor": 2})")),
            "config.json: \"rope_type\": \"default\" contradicts \"type\": "
            "\"linear\"\n");
  EXPECT_EQ(errorsOf(llama(R"(, "rope_parameters": {"rope_type": "default",
                              "mscale": 1})")),
            "config.json: unknown key \"rope_parameters.mscale\": 1\n");
  EXPECT_NE(errorsOf(llama(R"(, "rope_theta": 1, "rope_parameters":
                              {"rope_theta": 2})"))
                .find("contradicts \"rope_parameters\""),
            std::string::npos);
  EXPECT_NE(errorsOf(llama(R"(, "partial_rotary_factor": 0.5)"))
                .find("unsupported \"partial_rotary_factor\": 0.5"),
            std::string::npos);
  EXPECT_NE(errorsOf(llama(R"(, "rope_parameters": {}, "rope_scaling":
                              {"type": "default"})"))
                .find("\"rope_scaling\" contradicts \"rope_parameters\""),
            std::string::npos);
}

TEST(Config, EndTokens) {
  ModelFolder folder(llama(R"(, "eos_token_id": [3, 99, 5])"));
  Imported model(folder.path);
  ASSERT_TRUE(model.ok()) << model.errors;
  EXPECT_EQ(model.report.endTokens, (std::vector<int64_t>{3, 5}));
  EXPECT_EQ(model.report.notes.size(), 1u); // 99 is outside
  folder.write("generation_config.json", R"({"eos_token_id": 7, "top_p": 1})");
  Imported other(folder.path);
  ASSERT_TRUE(other.ok()) << other.errors;
  EXPECT_EQ(other.report.endTokens, (std::vector<int64_t>{7}));
  EXPECT_NE(other.text().find("end_tokens([7])"), std::string::npos);
  folder.write("generation_config.json", R"({"eos_token_id": "x"})");
  EXPECT_NE(Imported(folder.path)
                .errors.find("generation_config.json: "
                             "unsupported \"eos_token_id\""),
            std::string::npos);
}

TEST(Config, NegativePaths) {
  EXPECT_NE(Imported("/nonexistent").errors.find("no such file or directory"),
            std::string::npos);
  ModelFolder folder;
  EXPECT_NE(Imported(folder.path).errors.find("config.json: No such file"),
            std::string::npos);
  folder.write("card.json", "{}");
  EXPECT_NE(Imported(folder.path + "/card.json")
                .errors.find("missing \"format\" (expected "
                             "\"ssmc-model-card\")"),
            std::string::npos);
  folder.write("model.onnx", "");
  EXPECT_NE(
      Imported(folder.path + "/model.onnx").errors.find("unsupported file"),
      std::string::npos);
}
