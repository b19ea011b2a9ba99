// RUN: ssm-opt %s --ssm-bind-recipes --ssm-lower-to-kern --kern-fuse-elementwise --kern-fuse-epilogues --split-input-file | FileCheck %s

// CHECK-LABEL: func.func private @bias_activation_residual
// CHECK-SAME: (%[[X:[a-z0-9]+]]: {{.*}}, %[[B:[a-z0-9]+]]: tensor<8xf32>)
// CHECK: kern.gemm %[[X]], %{{.*}} columns(%[[B]] : tensor<8xf32>) elements(%[[X]] : tensor<?x8xf32>)
// CHECK: ^bb0(%[[SUM:.*]]: f32, %[[BIAS:.*]]: f32, %[[RES:.*]]: f32):
// CHECK: %[[V:.*]] = arith.addf %[[SUM]], %[[BIAS]]
// CHECK: %[[ACT:.*]] = arith.divf %[[V]]
// CHECK: arith.addf %[[RES]], %[[ACT]]
// CHECK-NOT: kern.rowwise
func.func private @bias_activation_residual(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<8x8xf32>, %b: tensor<8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.linear %x, %w bias %b : tensor<8xf32> : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %1 = ssm.activation silu %0 : tensor<?x8xf32>
  %2 = ssm.add %x, %1 : tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}

// A product that two kernels read keeps its own epilogue; what follows joins the
// other product as an element operand.
// CHECK-LABEL: func.func private @negative_two_users
// CHECK: %[[P:.*]] = kern.gemm %{{[a-z0-9]+}}, %{{[a-z0-9]+}} : tensor<?x8xf32>
// CHECK-NEXT: ^bb0(%[[A:.*]]: f32):
// CHECK-NEXT: kern.yield %[[A]]
// CHECK: kern.gemm %[[P]], %{{.*}} elements(%[[P]] : tensor<?x8xf32>)
func.func private @negative_two_users(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.linear %x, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %1 = ssm.activation silu %0 : tensor<?x8xf32>
  %2 = ssm.linear %0, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %3 = ssm.add %1, %2 : tensor<?x8xf32>
  return %3 : tensor<?x8xf32>
}

// A statistic needs whole rows, which no product's unit has.
// CHECK-LABEL: func.func private @negative_norm
// CHECK: kern.gemm
// CHECK: kern.rowwise rms
func.func private @negative_norm(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<8x8xf32>, %g: tensor<8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.linear %x, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %1 = ssm.norm <rms, eps = 1.0e-5> %0 weight %g : tensor<8xf32> : tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}
