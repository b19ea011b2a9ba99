// RUN: ssm-opt %s --ssm-lower-to-kern --kern-fuse-elementwise | FileCheck %s

// CHECK-LABEL: func.func private @norm_then_scale
// CHECK: kern.rowwise rms
// CHECK: finish
// CHECK: arith.constant 2.0
// CHECK-NOT: kern.rowwise
func.func private @norm_then_scale(%x: tensor<?x4xf32>, %seqs: !ssm.seqs) -> tensor<?x4xf32> {
  %0 = ssm.norm <rms, eps = 1.0e-5> %x : tensor<?x4xf32>
  %1 = ssm.scale %0 by 2.0 : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @sum_then_norm
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32>, %{{.*}}: !ssm.seqs, %[[W:.*]]: tensor<4xf32>)
// CHECK: kern.rowwise rms %[[X]] elements(%[[X]] : tensor<?x4xf32>) columns(%[[W]]
// CHECK: value
// CHECK-NEXT: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32):
// CHECK: arith.addf %[[A]], %[[B]]
// CHECK-NOT: kern.rowwise
func.func private @sum_then_norm(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %w: tensor<4xf32>) -> tensor<?x4xf32> {
  %0 = ssm.add %x, %x : tensor<?x4xf32>
  %1 = ssm.norm <rms, eps = 1.0e-5> %0 weight %w : tensor<4xf32> : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @scaled_gate
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32>,
// CHECK: kern.rowwise rms %[[X]] elements(%[[X]] : tensor<?x4xf32>)
// CHECK-NOT: kern.rowwise
func.func private @scaled_gate(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %w: tensor<4xf32>) -> tensor<?x4xf32> {
  %0 = ssm.scale %x by 2.0 : tensor<?x4xf32>
  %1 = ssm.gated_norm after_gate %x, %0 weight %w : tensor<4xf32> groups(1) eps(1.0e-5) : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @wanted_rows_then_norm
// CHECK: kern.rowwise rms {{.*}} gather
// CHECK-NOT: kern.rowwise
func.func private @wanted_rows_then_norm(%x: tensor<?x4xf32>, %seqs: !ssm.seqs) -> tensor<?x4xf32> {
  %0 = ssm.output_rows %x, %seqs : tensor<?x4xf32> -> tensor<?x4xf32>
  %1 = ssm.norm <rms, eps = 1.0e-5> %0 : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @negative_two_users
// CHECK-COUNT-3: kern.rowwise
func.func private @negative_two_users(%x: tensor<?x4xf32>, %seqs: !ssm.seqs) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %0 = ssm.norm <rms, eps = 1.0e-5> %x : tensor<?x4xf32>
  %1 = ssm.scale %0 by 2.0 : tensor<?x4xf32>
  %2 = ssm.scale %0 by 3.0 : tensor<?x4xf32>
  return %1, %2 : tensor<?x4xf32>, tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @negative_two_statistics
// CHECK-COUNT-2: kern.rowwise rms
func.func private @negative_two_statistics(%x: tensor<?x4xf32>, %seqs: !ssm.seqs) -> tensor<?x4xf32> {
  %0 = ssm.norm <rms, eps = 1.0e-5> %x : tensor<?x4xf32>
  %1 = ssm.norm <rms, eps = 1.0e-5> %0 : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @negative_column_before_statistic
// CHECK: kern.rowwise none
// CHECK: kern.rowwise rms
func.func private @negative_column_before_statistic(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %b: tensor<4xf32>) -> tensor<?x4xf32> {
  %0 = ssm.add_bias %x, %b : tensor<?x4xf32>, tensor<4xf32>
  %1 = ssm.norm <rms, eps = 1.0e-5> %0 : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @negative_wanted_rows_meet_others
// CHECK: kern.rowwise none {{.*}} gather
// CHECK: kern.rowwise none
func.func private @negative_wanted_rows_meet_others(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %o: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %0 = ssm.output_rows %x, %seqs : tensor<?x4xf32> -> tensor<?x4xf32>
  %1 = ssm.add %0, %o : tensor<?x4xf32>
  return %1, %o : tensor<?x4xf32>, tensor<?x4xf32>
}
