// RUN: ssm-opt %s --split-input-file --transform-interpreter | FileCheck %s
// RUN: ssm-opt %s --split-input-file --transform-interpreter --remarks-filter="placement" 2>&1 | FileCheck %s --check-prefix=SAYS

// Each letter keeps its layers in order; new ones are copies without weights.
// SAYS: weights of 3 layers kept, of 1 uninitialized
// CHECK-LABEL: ssm.model @place
// CHECK: ssm.block "a" #ssm.mamba2
// CHECK: ssm.block "c" #ssm.attention
// CHECK: norm(<rms, eps = 1.000000e-05>, "uninitialized.0.norm")
// CHECK-NEXT: ssm.block "uninitialized.0.mixer" #ssm.mamba2<heads = 8
// CHECK: ssm.block "b" #ssm.mlp
// CHECK-NOT: ssm.layer
ssm.model @place hidden(64) vocab(100) weights(f32) {
  ssm.embed "embed"
  ssm.layer number(0) norm(<rms, eps = 1.0e-5>, "a.norm") { ssm.block "a" #ssm.mamba2<heads = 8, head_dim = 16, state = 16, groups = 2, conv = 4> }
  ssm.layer number(1) norm(<rms, eps = 1.0e-5>, "b.norm") { ssm.block "b" #ssm.mlp<inner = 256, activation = gelu> }
  ssm.layer number(2) norm(<rms, eps = 1.0e-5>, "c.norm") { ssm.block "c" #ssm.attention<heads = 4, kv_heads = 4, head_dim = 16> }
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    transform.ssm.place %root("M*M-") : !transform.any_op
    transform.yield
  }
}

// -----

// The paper's rule; a kind that the model lacks comes with its parameters.
// CHECK-LABEL: ssm.model @spread
// CHECK: "a.norm")
// CHECK: ssm.block "uninitialized.0.mixer" #ssm.mamba2
// CHECK: ssm.block "uninitialized.1.mixer" #ssm.attention<heads = 4, kv_heads = 1
// CHECK: ssm.block "uninitialized.2.mixer" #ssm.mamba2
// CHECK: ssm.block "uninitialized.3.mixer" #ssm.mamba2
// CHECK-NOT: ssm.layer
ssm.model @spread hidden(64) vocab(100) weights(f32) {
  ssm.embed "embed"
  ssm.layer norm(<rms, eps = 1.0e-5>, "a.norm") { ssm.block "a" #ssm.mamba2<heads = 8, head_dim = 16, state = 16, groups = 2, conv = 4> }
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    transform.ssm.spread %root attention(1) mlp(0) layers(5) new [#ssm.attention<heads = 4, kv_heads = 1, head_dim = 16>] : !transform.any_op
    transform.yield
  }
}

// -----

// Order, from parameters too; numbers would be wrong.
// CHECK-LABEL: ssm.model @order
// CHECK: ssm.layer norm(<rms, eps = 1.000000e-05>, "c.norm")
// CHECK: ssm.layer norm(<rms, eps = 1.000000e-05>, "uninitialized.0.norm")
// CHECK-NEXT: #ssm.mlp<inner = 100, activation = relu2>
// CHECK: ssm.layer norm(<rms, eps = 1.000000e-05>, "a.norm")
// CHECK-NOT: ssm.layer
ssm.model @order hidden(64) vocab(100) weights(f32) {
  ssm.embed "embed"
  ssm.layer number(7) norm(<rms, eps = 1.0e-5>, "a.norm") { ssm.block "a" #ssm.mlp<inner = 1, activation = gelu> }
  ssm.layer number(8) norm(<rms, eps = 1.0e-5>, "b.norm") { ssm.block "b" #ssm.mlp<inner = 2, activation = gelu> }
  ssm.layer number(9) norm(<rms, eps = 1.0e-5>, "c.norm") { ssm.block "c" #ssm.mlp<inner = 3, activation = gelu> }
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    transform.ssm.move %root from(0) to(2) : !transform.any_op
    transform.ssm.swap %root(0, 1) : !transform.any_op
    transform.ssm.erase %root at(1) : !transform.any_op
    transform.ssm.insert %root at(1)(#ssm.mlp<inner = 100, activation = relu2>) : !transform.any_op
    transform.yield
  }
}

// -----

// CHECK-LABEL: ssm.model @replace
// CHECK: ssm.layer norm(<rms, eps = 1.000000e-05>, "a.norm")
// CHECK-NEXT: ssm.block "uninitialized.1.mixer" #ssm.mamba2<heads = 4
// CHECK: ssm.layer norm(<rms, eps = 1.000000e-05>, "b.norm")
// CHECK-NEXT: ssm.block "uninitialized.0.mixer" #ssm.attention<heads = 2
ssm.model @replace hidden(64) vocab(100) weights(f32) {
  ssm.embed "embed"
  ssm.layer norm(<rms, eps = 1.0e-5>, "a.norm") { ssm.block "a" #ssm.mamba<inner = 128, state = 16, conv = 4, dt_rank = 4> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "b.norm") { ssm.block "b" #ssm.mamba<inner = 128, state = 16, conv = 4, dt_rank = 4> }
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    transform.ssm.replace_mixer %root at [1] with(#ssm.attention<heads = 2, kv_heads = 2, head_dim = 32>) : !transform.any_op
    transform.ssm.replace_mixer %root kind "mamba" with(#ssm.mamba2<heads = 4, head_dim = 32, state = 16, groups = 1, conv = 4>) : !transform.any_op
    transform.yield
  }
}
