// RUN: ssm-opt %s --ssm-bind-recipes --ssm-lower-to-kern --split-input-file | FileCheck %s

// CHECK-LABEL: func.func private @ssd
// CHECK-SAME: %[[D:[a-z0-9_]+]]: tensor<4xf32>, %[[A:[a-z0-9_]+]]: tensor<4xf32>, %{{.*}}: tensor<?x4x2x3xf32>)
// CHECK: kern.ssd %{{.*}} dt %{{.*}}, %[[A]] A %[[A]] B %{{.*}} C %{{.*}} D %[[D]]
// CHECK-NEXT: ^bb0(%[[DT:[a-z0-9_]+]]: f32, %{{.*}}: f32):
// CHECK-NEXT: kern.yield %[[DT]]
func.func private @ssd(%x: tensor<?x15xf32>, %seqs: !ssm.seqs, %a_log: tensor<4xf32>, %d: tensor<4xf32>, %state: tensor<?x4x2x3xf32>) -> (tensor<?x8xf32>, tensor<?x4x2x3xf32>) {
  %a = ssm.neg_exp %a_log : tensor<4xf32>
  %y, %dt, %b = ssm.split %x : tensor<?x15xf32> -> tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x3xf32>
  %0, %1 = ssm.ssd %y dt %dt A %a B %b C %b D %d, %seqs state %state : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<4xf32>, tensor<?x4x2x3xf32>
  return %0, %1 : tensor<?x8xf32>, tensor<?x4x2x3xf32>
}
// CHECK: #ssm.layer<0, @ssd [{{.*}}#kern.recipe<<tensor "A_log"[4]>, <neg_exp>, <scale by 1.4426950408889634 : f64>>]>
ssm.program @base_two_decay hidden(15) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %0 = ssm.weight "emb" : tensor<4x15xf32>
  %1 = ssm.embedding %tokens, %0 : tensor<4x15xf32> -> tensor<?x15xf32>
  %2 = ssm.layers %1, %seqs [#ssm.layer<0, @ssd ["A_log", "D"]>] : tensor<?x15xf32>
  ssm.return %2 : tensor<?x15xf32>
}

// -----

// CHECK-LABEL: func.func private @conv
// CHECK: kern.conv {{.*}} columns(
// CHECK-NEXT: ^bb0(%[[SUM:[a-z0-9_]+]]: f32, %[[BIAS:[a-z0-9_]+]]: f32):
// CHECK: %[[BIASED:[a-z0-9_]+]] = arith.addf %[[SUM]], %[[BIAS]]
// CHECK: arith.divf %[[BIASED]]
func.func private @conv(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %w: tensor<4x3xf32>, %b: tensor<4xf32>, %s: tensor<?x4x2xf32>) -> (tensor<?x4xf32>, tensor<?x4x2xf32>) {
  %0, %1 = ssm.causal_conv1d %x, %seqs state %s weight %w bias %b : tensor<4xf32> activation(silu) : tensor<?x4xf32>, tensor<?x4x2xf32>, tensor<4x3xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4x2xf32>
}

// CHECK-LABEL: func.func private @scan
// CHECK: kern.scan {{.*}} columns(
// CHECK-NEXT: ^bb0(%[[Y:[a-z0-9_]+]]: f32, %[[X:[a-z0-9_]+]]: f32, %[[D:[a-z0-9_]+]]: f32):
// CHECK: %[[SKIP:[a-z0-9_]+]] = arith.mulf %[[D]], %[[X]]
// CHECK: arith.addf %[[Y]], %[[SKIP]]
func.func private @scan(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %a_log: tensor<4x4xf32>, %d: tensor<4xf32>, %s: tensor<?x4x4xf32>) -> (tensor<?x4xf32>, tensor<?x4x4xf32>) {
  %a = ssm.neg_exp %a_log : tensor<4x4xf32>
  %0, %1 = ssm.selective_scan %x dt %x A %a B %x C %x D %d, %seqs state %s : tensor<?x4xf32>, tensor<4x4xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x4x4xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4x4xf32>
}

// CHECK-LABEL: func.func private @attention_of_some_columns
// CHECK: %[[QKV:[a-z0-9_]+]] = kern.columns %{{.*}} from 2 : tensor<?x10xf32> -> tensor<?x8xf32>
// CHECK: %[[Q:[a-z0-9_]+]], %[[KC:[a-z0-9_]+]], %[[VC:[a-z0-9_]+]] = kern.kv_append %[[QKV]], {{.*}} query_scale(0.72{{.*}}) rope(<default, dims = 2
// CHECK-NOT: ssm.rope
// CHECK: kern.attention prefill %[[Q]], %{{.*}} cache %[[KC]], %[[VC]] window(3)
func.func private @attention_of_some_columns(%x: tensor<?x10xf32>, %seqs: !ssm.seqs, %kc: tensor<?x1x?x2xf32>, %vc: tensor<?x1x?x2xf32>) -> (tensor<?x4xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>) {
  %0:4 = ssm.split %x : tensor<?x10xf32> -> tensor<?x2xf32>, tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x2xf32>
  %q = ssm.rope <default, dims = 2, theta = 10000.0> %0#1, %seqs head_dim(2) : tensor<?x4xf32>
  %k = ssm.rope <default, dims = 2, theta = 10000.0> %0#2, %seqs head_dim(2) : tensor<?x2xf32>
  %1, %2, %3 = ssm.attention %q, %k, %0#3, %seqs cache %kc, %vc scale(0.5) window(3) : tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x1x?x2xf32>
  return %1, %2, %3 : tensor<?x4xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>
}
