// RUN: ssm-opt %s --ssm-expand --ssm-bind-recipes --ssm-fuse-projections --split-input-file | FileCheck %s

// CHECK-LABEL: func.func private @attention_0
// CHECK: %[[FUSED:.*]] = ssm.linear %{{.*}}, %{{.*}} : tensor<?x8xf32>, tensor<16x8xbf16>
// CHECK: %[[PARTS:.*]]:3 = ssm.split %[[FUSED]] {{.*}} -> tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
// CHECK: ssm.attention %[[PARTS]]#0, %[[PARTS]]#1, %[[PARTS]]#2
// CHECK: #kern.recipe<<tensor "0.q_proj.weight"[8, 8]>, <tensor "0.k_proj.weight"[4, 8]>, <tensor "0.v_proj.weight"[4, 8]>, <concat[3]>>
ssm.model @queries_keys_values hidden(8) vocab(4) weights(bf16) {
  ssm.embed "emb"
  ssm.layer norm(<rms, eps = 1.0e-5>, "0.norm") {
    ssm.block "0" #ssm.attention<heads = 4, kv_heads = 2, head_dim = 2>
  }
  ssm.head "emb" norm(<rms, eps = 1.0e-5>, "norm")
}

// -----

// CHECK-LABEL: func.func private @attention_0
// CHECK: %[[FUSED:.*]] = ssm.linear {{.*}} bias %{{.*}} : tensor<16xf32>
// CHECK: %[[PARTS:.*]]:3 = ssm.split %[[FUSED]]
// CHECK: ssm.rope {{.*}} %[[PARTS]]#0
// CHECK: ssm.rope {{.*}} %[[PARTS]]#1
// CHECK: #kern.recipe<<tensor "0.q_proj.bias"[8]>, <tensor "0.k_proj.bias"[4]>, <tensor "0.v_proj.bias"[4]>, <concat[3]>>
ssm.model @biases_and_rope hidden(8) vocab(4) weights(f32) {
  ssm.embed "emb"
  ssm.layer norm(<rms, eps = 1.0e-5>, "0.norm") {
    ssm.block "0" #ssm.attention<heads = 4, kv_heads = 2, head_dim = 2,
        rope = <default, dims = 2, theta = 10000.0>, bias = true>
  }
  ssm.head "emb" norm(<rms, eps = 1.0e-5>, "norm")
}
