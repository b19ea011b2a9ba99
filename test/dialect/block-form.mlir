// RUN: ssm-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: ssm.model @hybrid hidden(128) vocab(512) weights(bf16) end_tokens([1])
ssm.model @hybrid hidden(128) vocab(512) weights(bf16) end_tokens([1]) {
  ssm.embed "backbone.embeddings"
  ssm.layer number(0) norm(<rms, eps = 1.0e-5>, "backbone.layers.0.norm") {
    // CHECK: #ssm.mamba2<heads = 4, head_dim = 64, state = 128, groups = 1, conv = 4, dt_max = 1.000000e-01>
    ssm.block "backbone.layers.0.mixer" #ssm.mamba2<heads = 4, head_dim = 64,
        state = 128, groups = 1, conv = 4, dt_max = 0.1>
  }
  ssm.layer norm(<rms, eps = 1.0e-5>, "backbone.layers.1.norm") multiplier(0.5) {
    ssm.block "backbone.layers.1.attn" #ssm.attention<heads = 4, kv_heads = 2,
        head_dim = 64, rope = <default, dims = 64, theta = 10000.0>> in(2.0)
    ssm.block "backbone.layers.1.mamba" #ssm.mamba<inner = 256, state = 16,
        conv = 4, dt_rank = 8>
  }
  ssm.layer norm(<layer1p, eps = 1.0e-5>, "backbone.layers.2.norm") {
    ssm.block "backbone.layers.2.mixer" #ssm.mlp<inner = 256, activation = relu2>
  }
  ssm.layer norm(<rms, eps = 1.0e-5>, "backbone.layers.3.norm") {
    ssm.block "backbone.layers.3.mixer" #ssm.experts<count = 8, used = 2,
        inner = 64, activation = silu, score = "sigmoid">
  }
  // CHECK: ssm.head "lm_head" norm(<rms, eps = 1.000000e-05>, "backbone.norm_f")
  ssm.head "lm_head" norm(<rms, eps = 1.0e-5>, "backbone.norm_f")
}
