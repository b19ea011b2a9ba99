// RUN: ssm-opt %s --ssm-expand --split-input-file --verify-diagnostics

ssm.model @experts hidden(8) vocab(32) weights(f32) {
  ssm.embed "emb"
  ssm.layer norm(<rms, eps = 1.0e-5>, "0.norm") {
    // expected-error @below {{'ssm.block' op lowering of experts is not supported yet}}
    ssm.block "0.mixer" #ssm.experts<count = 8, used = 2, inner = 64,
        activation = silu, score = "sigmoid">
  }
  ssm.head "emb" norm(<rms, eps = 1.0e-5>, "norm")
}

// -----

ssm.model @qk_norm hidden(8) vocab(32) weights(f32) {
  ssm.embed "emb"
  ssm.layer norm(<rms, eps = 1.0e-5>, "0.norm") {
    // expected-error @below {{'ssm.block' op lowering of norms on queries and keys is not supported yet}}
    ssm.block "0.mixer" #ssm.attention<heads = 2, kv_heads = 1, head_dim = 4,
        qk_norm_eps = 1.0e-6>
  }
  ssm.head "emb" norm(<rms, eps = 1.0e-5>, "norm")
}
