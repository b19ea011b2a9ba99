// RUN: ssm-opt %s --ssm-expand | FileCheck %s

// CHECK-LABEL: func.func private @mlp_0
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[SEQS:.*]]: !ssm.seqs, %[[GAIN:.*]]: tensor<8xf32>,
// CHECK-SAME: %[[UP:.*]]: tensor<16x8xf32>, %[[DOWN:.*]]: tensor<8x16xf32>) -> tensor<?x8xf32>
// CHECK: %[[NORMED:.*]] = ssm.norm <rms, eps = 1.000000e-05> %[[X]] weight %[[GAIN]]
// CHECK: %[[INNER:.*]] = ssm.linear %[[NORMED]], %[[UP]]
// CHECK: %[[ACTIVE:.*]] = ssm.activation relu2 %[[INNER]]
// CHECK: %[[OUTER:.*]] = ssm.linear %[[ACTIVE]], %[[DOWN]]
// CHECK: %[[SUM:.*]] = ssm.add %[[X]], %[[OUTER]]
// CHECK: return %[[SUM]]
// CHECK: ssm.program @equal_layers_share_a_body hidden(8) vocab(32) end_tokens([2])
// CHECK: ssm.layers {{.*}} [#ssm.layer<0, @mlp_0 ["a.norm.weight", "a.up_proj.weight", "a.down_proj.weight"]>,
// CHECK-SAME: #ssm.layer<7, @mlp_0 ["b.norm.weight", "b.up_proj.weight", "b.down_proj.weight"]>]
ssm.model @equal_layers_share_a_body hidden(8) vocab(32) weights(f32) end_tokens([2]) {
  ssm.embed "emb"
  ssm.layer norm(<rms, eps = 1.0e-5>, "a.norm") {
    ssm.block "a" #ssm.mlp<inner = 16, activation = relu2>
  }
  ssm.layer number(7) norm(<rms, eps = 1.0e-5>, "b.norm") {
    ssm.block "b" #ssm.mlp<inner = 16, activation = relu2>
  }
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}

// CHECK-LABEL: func.func private @mamba2_0
// CHECK: %[[PARTS:.*]]:3 = ssm.split {{.*}} : tensor<?x132xf32> -> tensor<?x32xf32>, tensor<?x96xf32>, tensor<?x4xf32>
// CHECK: %[[CONV:.*]], %[[NEW_CONV:.*]] = ssm.causal_conv1d %[[PARTS]]#1
// CHECK: %[[BIASED:.*]] = ssm.add_bias %[[PARTS]]#2
// CHECK: %[[DT:.*]] = ssm.activation softplus %[[BIASED]]
// CHECK: %[[CLAMPED:.*]] = ssm.clamp %[[DT]] from 0.000000e+00 to 1.000000e-01
// CHECK: %[[OUT:.*]], %[[NEW_STATE:.*]] = ssm.ssd {{.*}} dt %[[CLAMPED]]
// CHECK: ssm.gated_norm after_gate %[[OUT]], %[[PARTS]]#0 weight {{.*}} groups(2)
// CHECK: return {{.*}}, %[[NEW_CONV]], %[[NEW_STATE]]
ssm.model @mamba2 hidden(8) vocab(32) weights(bf16) {
  ssm.embed "emb"
  ssm.layer norm(<rms, eps = 1.0e-5>, "0.norm") {
    ssm.block "0.mixer" #ssm.mamba2<heads = 4, head_dim = 8, state = 16,
        groups = 2, conv = 4, dt_max = 0.1>
  }
  ssm.head "emb" norm(<rms, eps = 1.0e-5>, "norm")
}

// CHECK-LABEL: func.func private @mamba_0
// CHECK-COUNT-3: ssm.norm <rms, eps = 9.999
// CHECK: ssm.selective_scan
// CHECK: ssm.activation silu
// CHECK: ssm.mul
ssm.model @mamba_with_inner_norms hidden(8) vocab(32) weights(f32) {
  ssm.embed "emb"
  ssm.layer norm(<rms, eps = 1.0e-5>, "0.norm") {
    ssm.block "0.mixer" #ssm.mamba<inner = 16, state = 4, conv = 4,
        dt_rank = 3, dt_bc_eps = 1.0e-6>
  }
  ssm.head "emb" norm(<rms, eps = 1.0e-5>, "norm")
}

// CHECK-LABEL: func.func private @attention_mlp_0
// CHECK: %[[SCALED:.*]] = ssm.scale %[[NORMED:.*]] by 2.0
// CHECK-COUNT-2: ssm.rope
// CHECK: ssm.attention {{.*}} scale(5.000000e-01) window(24)
// CHECK: %[[ATTENDED:.*]] = ssm.linear
// CHECK: %[[DAMPED:.*]] = ssm.scale %[[ATTENDED]] by 3.0
// CHECK: ssm.activation silu
// CHECK: ssm.mul
// CHECK: %[[MLP:.*]] = ssm.linear
// CHECK: %[[BOTH:.*]] = ssm.add %[[DAMPED]], %[[MLP]]
// CHECK: ssm.scale %[[BOTH]] by 5.000000e-01
// CHECK-LABEL: ssm.program @blocks_side_by_side
// CHECK: ssm.embedding {{.*}} multiplier(4.0
// CHECK: %[[LOGITS:.*]] = ssm.linear
// CHECK: ssm.scale %[[LOGITS]] by 2.500000e-01
ssm.model @blocks_side_by_side hidden(8) vocab(32) weights(f32) {
  ssm.embed "emb" multiplier(4.0)
  ssm.layer norm(<rms, eps = 1.0e-5>, "0.norm") multiplier(0.5) {
    ssm.block "0.attention" #ssm.attention<heads = 2, kv_heads = 1,
        head_dim = 4, window = 24,
        rope = <default, dims = 4, theta = 10000.0>> in(2.0) out(3.0)
    ssm.block "0.mlp" #ssm.mlp<inner = 16, activation = silu, gated = true>
  }
  ssm.head "emb" norm(<rms, eps = 1.0e-5>, "norm") multiplier(0.25)
}
