// RUN: ssm-opt %s --ssm-bind-recipes --ssm-lower-to-kern --kern-fuse-elementwise --kern-fuse-dt --split-input-file | FileCheck %s

// CHECK-LABEL: func.func private @softplus_of_biased_dt
// CHECK-SAME: %[[BIAS:[a-z0-9]+]]: tensor<4xf32>, %[[W:[a-z0-9]+]]: tensor<4x8xf32>
// CHECK: %[[RAW:.*]] = kern.gemm %{{.*}}, %[[W]]
// CHECK: kern.ssd %{{.*}} dt %[[RAW]], %[[BIAS]] A
// CHECK: ^bb0(%[[DT:.*]]: f32, %[[B:.*]]: f32):
// CHECK: arith.addf %[[DT]], %[[B]]
// CHECK: math.log1p
// CHECK-NOT: kern.rowwise
func.func private @softplus_of_biased_dt(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %dt_bias: tensor<4xf32>, %dtw: tensor<4x8xf32>, %a: tensor<4xf32>, %d: tensor<4xf32>, %b: tensor<?x3xf32>, %state: tensor<?x4x2x3xf32>) -> (tensor<?x8xf32>, tensor<?x4x2x3xf32>) {
  %raw = ssm.linear %x, %dtw : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
  %biased = ssm.add_bias %raw, %dt_bias : tensor<?x4xf32>, tensor<4xf32>
  %dt = ssm.activation softplus %biased : tensor<?x4xf32>
  %y, %s = ssm.ssd %x dt %dt A %a B %b C %b D %d, %seqs state %state : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<4xf32>, tensor<?x4x2x3xf32>
  return %y, %s : tensor<?x8xf32>, tensor<?x4x2x3xf32>
}

// The clamp of dt_limit goes along.
// CHECK-LABEL: func.func private @clamped_dt
// CHECK: kern.ssd
// CHECK: math.log1p
// CHECK: arith.maximumf %{{.*}}, %{{.*}}
// CHECK: arith.minimumf
// CHECK-NOT: kern.rowwise
func.func private @clamped_dt(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %dt_bias: tensor<4xf32>, %raw: tensor<?x4xf32>, %a: tensor<4xf32>, %d: tensor<4xf32>, %b: tensor<?x3xf32>, %state: tensor<?x4x2x3xf32>) -> (tensor<?x8xf32>, tensor<?x4x2x3xf32>) {
  %biased = ssm.add_bias %raw, %dt_bias : tensor<?x4xf32>, tensor<4xf32>
  %sp = ssm.activation softplus %biased : tensor<?x4xf32>
  %dt = ssm.clamp %sp from 0.05 to 0.3 : tensor<?x4xf32>
  %y, %s = ssm.ssd %x dt %dt A %a B %b C %b D %d, %seqs state %state : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<4xf32>, tensor<?x4x2x3xf32>
  return %y, %s : tensor<?x8xf32>, tensor<?x4x2x3xf32>
}

// dt that another kernel reads is computed once, outside.
// CHECK-LABEL: func.func private @negative_two_users
// CHECK: kern.rowwise
// CHECK: kern.ssd
func.func private @negative_two_users(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %dt_bias: tensor<4xf32>, %raw: tensor<?x4xf32>, %a: tensor<4xf32>, %d: tensor<4xf32>, %b: tensor<?x3xf32>, %w: tensor<8x4xf32>, %state: tensor<?x4x2x3xf32>) -> (tensor<?x8xf32>, tensor<?x4x2x3xf32>) {
  %biased = ssm.add_bias %raw, %dt_bias : tensor<?x4xf32>, tensor<4xf32>
  %dt = ssm.activation softplus %biased : tensor<?x4xf32>
  %y, %s = ssm.ssd %x dt %dt A %a B %b C %b D %d, %seqs state %state : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<4xf32>, tensor<?x4x2x3xf32>
  %z = ssm.linear %dt, %w : tensor<?x4xf32>, tensor<8x4xf32> -> tensor<?x8xf32>
  %r = ssm.add %y, %z : tensor<?x8xf32>
  return %r, %s : tensor<?x8xf32>, tensor<?x4x2x3xf32>
}
