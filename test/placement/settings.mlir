// RUN: ssm-opt %s --split-input-file --transform-interpreter | FileCheck %s

// What needs other weights renames them; the rest keeps them.
// CHECK-LABEL: ssm.model @settings
// CHECK: ssm.block "uninitialized.{{[0-9]+}}.mixer" #ssm.mamba2<heads = 4, head_dim = 32, state = 8, groups = 4, conv = 4>
// CHECK: ssm.block "uninitialized.{{[0-9]+}}.mixer" #ssm.mlp<inner = 96, activation = relu2>
// CHECK: ssm.block "c" #ssm.attention<heads = 4, kv_heads = 1, head_dim = 16, window = 9, rope = <default, dims = 16, theta = 5.000000e+05>, stored_kv_heads = 4>
// CHECK: ssm.block "uninitialized.{{[0-9]+}}.mixer" #ssm.mamba<inner = 128, state = 8,
ssm.model @settings hidden(64) vocab(100) weights(f32) {
  ssm.embed "embed"
  ssm.layer norm(<rms, eps = 1.0e-5>, "a.norm") { ssm.block "a" #ssm.mamba2<heads = 8, head_dim = 16, state = 16, groups = 2, conv = 4> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "b.norm") { ssm.block "b" #ssm.mlp<inner = 256, activation = gelu> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "c.norm") { ssm.block "c" #ssm.attention<heads = 4, kv_heads = 4, head_dim = 16> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "d.norm") { ssm.block "d" #ssm.mamba<inner = 128, state = 16, conv = 4, dt_rank = 4> }
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %kv = transform.param.constant 1 : i64 -> !transform.any_param
    transform.ssm.set_head_dim %root(32) : !transform.any_op
    transform.ssm.set_groups %root(4) : !transform.any_op
    transform.ssm.set_state %root(8) : !transform.any_op
    transform.ssm.set_mlp_ratio %root(1.5) : !transform.any_op
    transform.ssm.set_activation %root("relu2") : !transform.any_op
    transform.ssm.set_kv_heads %root(%kv) : !transform.any_op
    transform.ssm.set_rope %root(500000) : !transform.any_op
    transform.ssm.set_window %root(9) : !transform.any_op
    transform.yield
  }
}

// -----

// Means of means are means of the checkpoint's heads; more heads need weights.
// CHECK-LABEL: ssm.model @kv_heads
// CHECK: ssm.block "c" #ssm.attention<heads = 8, kv_heads = 2, head_dim = 16, stored_kv_heads = 8>
// CHECK: ssm.block "uninitialized.{{[0-9]+}}.mixer" #ssm.attention<heads = 8, kv_heads = 2, head_dim = 16>
ssm.model @kv_heads hidden(64) vocab(100) weights(f32) {
  ssm.embed "embed"
  ssm.layer norm(<rms, eps = 1.0e-5>, "c.norm") { ssm.block "c" #ssm.attention<heads = 8, kv_heads = 8, head_dim = 16> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "d.norm") { ssm.block "d" #ssm.attention<heads = 8, kv_heads = 1, head_dim = 16> }
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    transform.ssm.set_kv_heads %root(4) : !transform.any_op
    transform.ssm.set_kv_heads %root(2) : !transform.any_op
    transform.yield
  }
}

// -----

// CHECK-LABEL: ssm.model @keeps_weights
// CHECK: ssm.block "c" #ssm.attention<heads = 4, kv_heads = 4, head_dim = 16>
// CHECK: ssm.block "b" #ssm.mlp<inner = 256, activation = silu>
ssm.model @keeps_weights hidden(64) vocab(100) weights(f32) {
  ssm.embed "embed"
  ssm.layer norm(<rms, eps = 1.0e-5>, "c.norm") { ssm.block "c" #ssm.attention<heads = 4, kv_heads = 4, head_dim = 16, window = 5, rope = <default, dims = 8, theta = 10000.0>> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "b.norm") { ssm.block "b" #ssm.mlp<inner = 256, activation = gelu> }
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    transform.ssm.set_rope %root("none") : !transform.any_op
    transform.ssm.set_window %root("none") : !transform.any_op
    transform.ssm.set_activation %root("silu") : !transform.any_op
    transform.ssm.set_kv_heads %root(4) : !transform.any_op
    transform.ssm.set_state %root(4) if_present : !transform.any_op
    transform.yield
  }
}

// -----

// Twice as wide is about four times the parameters; a tied head stays tied.
// CHECK-LABEL: ssm.model @fit hidden(128)
// CHECK: ssm.embed "uninitialized.embeddings"
// CHECK: #ssm.mlp<inner = 512
// CHECK: #ssm.attention<heads = 8, kv_heads = 4, head_dim = 16>
// CHECK: ssm.head "uninitialized.embeddings"
ssm.model @fit hidden(64) vocab(100) weights(f32) {
  ssm.embed "embed"
  ssm.layer norm(<rms, eps = 1.0e-5>, "b.norm") { ssm.block "b" #ssm.mlp<inner = 256, activation = gelu> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "c.norm") { ssm.block "c" #ssm.attention<heads = 4, kv_heads = 4, head_dim = 16> }
  ssm.head "embed" norm(<rms, eps = 1.0e-5>, "norm")
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    transform.ssm.fit_parameters %root(200000) : !transform.any_op
    transform.yield
  }
}
