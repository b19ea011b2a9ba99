// RUN: ssm-opt %s --ssm-bind-recipes --ssm-lower-to-kern | FileCheck %s

// CHECK-LABEL: func.func private @linear
// CHECK: kern.gemm %{{.*}}, %{{.*}} columns(
// CHECK-NEXT: ^bb0(%[[SUM:.*]]: f32, %[[BIAS:.*]]: f32):
// CHECK: arith.addf %[[SUM]], %[[BIAS]]
func.func private @linear(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<8x8xf32>, %b: tensor<8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.linear %x, %w bias %b : tensor<8xf32> : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func private @layer_norm
// CHECK: kern.rowwise layer %{{.*}} columns({{.*}}) eps(1.000000e-05)
// CHECK: finish
// CHECK-NEXT: ^bb0(%[[V:.*]]: f32, %[[MEAN:.*]]: f32, %[[RSTD:.*]]: f32, %[[GAIN:.*]]: f32, %[[SHIFT:.*]]: f32):
// CHECK: %[[CENTERED:.*]] = arith.subf %[[V]], %[[MEAN]]
// CHECK: %[[NORMED:.*]] = arith.mulf %[[CENTERED]], %[[RSTD]]
// CHECK: %[[PLUS_ONE:.*]] = arith.addf %[[GAIN]], %{{.*}}
// CHECK: %[[SCALED:.*]] = arith.mulf %[[NORMED]], %[[PLUS_ONE]]
// CHECK: arith.addf %[[SCALED]], %[[SHIFT]]
func.func private @layer_norm(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.norm <layer1p, eps = 1.0e-5> %x weight %w : tensor<8xf32> bias %b : tensor<8xf32> : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func private @gate_after_norm
// CHECK: kern.rowwise rms %{{.*}} elements(%{{.*}}) columns(%{{.*}}) groups(2)
// CHECK: value
// CHECK-NEXT: ^bb0(%[[Y:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: kern.yield %[[Y]]
// CHECK: finish
// CHECK: math.exp
func.func private @gate_after_norm(%y: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.gated_norm before_gate %y, %y weight %w : tensor<8xf32> groups(2) eps(1.0e-5) : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func private @gate_before_norm
// CHECK: kern.rowwise rms
// CHECK: math.exp
// CHECK: finish
// CHECK-NOT: math.exp
func.func private @gate_before_norm(%y: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.gated_norm after_gate %y, %y weight %w : tensor<8xf32> groups(2) eps(1.0e-5) : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func private @split
// CHECK: kern.columns %{{.*}} from 0
// CHECK: kern.columns %{{.*}} from 4 {{.*}} -> tensor<?x3xf32>
func.func private @split(%x: tensor<?x7xf32>, %seqs: !ssm.seqs) -> (tensor<?x4xf32>, tensor<?x3xf32>) {
  %0:2 = ssm.split %x : tensor<?x7xf32> -> tensor<?x4xf32>, tensor<?x3xf32>
  return %0#0, %0#1 : tensor<?x4xf32>, tensor<?x3xf32>
}

// CHECK-LABEL: func.func private @softplus
// CHECK: kern.rowwise none
// CHECK: finish
// CHECK-NEXT: ^bb0(%[[X:.*]]: f32, %{{.*}}: f32, %{{.*}}: f32):
// CHECK: %[[MAGNITUDE:.*]] = math.absf %[[X]]
// CHECK: %[[NEGATIVE:.*]] = arith.negf %[[MAGNITUDE]]
// CHECK: %[[EXP:.*]] = math.exp %[[NEGATIVE]]
// CHECK: %[[SMALL:.*]] = math.log1p %[[EXP]]
// CHECK: %[[POSITIVE:.*]] = arith.maximumf %[[X]]
// CHECK: arith.addf %[[POSITIVE]], %[[SMALL]]
func.func private @softplus(%x: tensor<?x8xf32>, %seqs: !ssm.seqs) -> tensor<?x8xf32> {
  %0 = ssm.activation softplus %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
