// RUN: ssm-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{'ssm.model' op expected an ssm.embed first}}
ssm.model @model_c1_embedding_first hidden(8) vocab(16) weights(f32) {
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}

// -----

// expected-error @below {{'ssm.model' op expected an ssm.head last}}
ssm.model @model_c2_head_last hidden(8) vocab(16) weights(f32) {
  ssm.embed "emb"
  ssm.layer norm(<rms, eps = 1.0e-5>, "0.norm") {
    ssm.block "0" #ssm.mlp<inner = 16, activation = silu>
  }
}

// -----

// expected-error @below {{'ssm.model' op expected only layers between embedding and head}}
ssm.model @model_c3_only_layers hidden(8) vocab(16) weights(f32) {
  ssm.embed "emb"
  // expected-note @below {{found 'ssm.embed'}}
  ssm.embed "emb"
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}

// -----

// expected-error @below {{'ssm.model' op expected at least one layer}}
ssm.model @model_c3_a_layer hidden(8) vocab(16) weights(f32) {
  ssm.embed "emb"
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}

// -----

ssm.model @layer_c1_a_block hidden(8) vocab(16) weights(f32) {
  ssm.embed "emb"
  // expected-error @below {{'ssm.layer' op expected at least one block}}
  ssm.layer norm(<rms, eps = 1.0e-5>, "0.norm") {
  }
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}

// -----

ssm.model @layer_c1_only_blocks hidden(8) vocab(16) weights(f32) {
  ssm.embed "emb"
  // expected-error @below {{'ssm.layer' op expected only blocks in a layer}}
  ssm.layer norm(<rms, eps = 1.0e-5>, "0.norm") {
    // expected-note @below {{found 'ssm.weight'}}
    %0 = ssm.weight "w" : tensor<8xf32>
  }
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}

// -----

// expected-error @below {{expected 'eps' to be positive and finite, got 0.000000e+00}}
func.func @norm_attr_eps() attributes {x = #ssm.norm<rms, eps = 0.0>} { return }

// -----

// expected-error @below {{expected 'dims' to be even, got 3}}
func.func @rope_attr_even() attributes {x = #ssm.rope<default, dims = 3, theta = 10000.0>} { return }

// -----

// expected-error @below {{expected 'high_freq_factor' 4.000000e+00 to exceed 'low_freq_factor' 4.000000e+00}}
func.func @rope_attr_factors() attributes {x = #ssm.rope<llama3, dims = 2, theta = 10000.0, low_freq_factor = 4.0>} { return }

// -----

// expected-error @below {{expected 'inner' to be positive, got 0}}
func.func @mamba_attr_positive() attributes {x = #ssm.mamba<inner = 0, state = 1, conv = 4, dt_rank = 1>} { return }

// -----

// expected-error @below {{expected 'dt_bc_eps' beside 'dt_bc_gain'}}
func.func @mamba_attr_gain() attributes {x = #ssm.mamba<inner = 1, state = 1, conv = 4, dt_rank = 1, dt_bc_gain = true>} { return }

// -----

// expected-error @below {{expected 'groups' 3 to divide 'heads' 4}}
func.func @mamba2_attr_groups() attributes {x = #ssm.mamba2<heads = 4, head_dim = 2, state = 1, groups = 3, conv = 4>} { return }

// -----

// expected-error @below {{expected 0 <= 'dt_min' <= 'dt_max'}}
func.func @mamba2_attr_dt() attributes {x = #ssm.mamba2<heads = 4, head_dim = 2, state = 1, groups = 2, conv = 4, dt_min = 2.0, dt_max = 1.0>} { return }

// -----

// expected-error @below {{expected 'kv_heads' 3 to divide 'heads' 4}}
func.func @attention_attr_heads() attributes {x = #ssm.attention<heads = 4, kv_heads = 3, head_dim = 2>} { return }

// -----

// expected-error @below {{expected 'stored_kv_heads' 3 to be a multiple of 'kv_heads' 2}}
func.func @attention_attr_stored() attributes {x = #ssm.attention<heads = 4, kv_heads = 2, head_dim = 2, stored_kv_heads = 3>} { return }

// -----

// expected-error @below {{expected rope 'dims' 4 to be at most 'head_dim' 2}}
func.func @attention_attr_rope() attributes {x = #ssm.attention<heads = 4, kv_heads = 2, head_dim = 2, rope = <default, dims = 4, theta = 10000.0>>} { return }

// -----

// expected-error @below {{expected 'used' 3 to be at most 'count' 2}}
func.func @experts_attr_used() attributes {x = #ssm.experts<count = 2, used = 3, inner = 2, activation = silu, score = "sigmoid">} { return }

// -----

// expected-error @below {{expected 'groups' 3 to divide 'count' 4 and 'used_groups' 1 to be at most 'groups'}}
func.func @experts_attr_groups() attributes {x = #ssm.experts<count = 4, used = 2, inner = 2, activation = silu, score = "sigmoid", groups = 3>} { return }

// -----

// expected-error @below {{expected 'shared_inner' not to be negative, got -1}}
func.func @experts_attr_shared() attributes {x = #ssm.experts<count = 4, used = 2, inner = 2, activation = silu, score = "sigmoid", shared_inner = -1>} { return }

// -----

// expected-error @below {{unknown 'score' "argmax" (supported: sigmoid, softmax_all, softmax_chosen)}}
func.func @experts_attr_score() attributes {x = #ssm.experts<count = 4, used = 2, inner = 2, activation = silu, score = "argmax">} { return }

// -----

// expected-error @below {{expected 'head_dim' to be at most 1024, got 1025}}
func.func @attention_attr_head_dim() attributes {x = #ssm.attention<heads = 4, kv_heads = 2, head_dim = 1025>} { return }

// -----

// expected-error @below {{expected 'conv' to be at most 1024, got 2000}}
func.func @mamba_attr_conv() attributes {x = #ssm.mamba<inner = 8, state = 4, conv = 2000, dt_rank = 1>} { return }

// -----

// expected-error @below {{expected 'state' to be at most 1024, got 4096}}
func.func @mamba2_attr_state() attributes {x = #ssm.mamba2<heads = 4, head_dim = 8, state = 4096, groups = 2, conv = 4>} { return }
