// RUN: ssm-opt %s --ssm-bind-recipes --ssm-lower-to-kern | FileCheck %s

// CHECK-LABEL: func.func private @linear
// CHECK: kern.gemm %{{.*}}, %{{.*}} columns(%{{.*}}) {{.*}} {
// CHECK-NEXT: ^bb0(%[[SUM:.*]]: f32, %[[BIAS:.*]]: f32):
// CHECK: arith.addf %[[SUM]], %[[BIAS]]
func.func private @linear(%x: tensor<?x8xf32>, %seqs: !ssm.seqs,
    %w: tensor<8x8xf32>, %b: tensor<8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.linear %x, %w bias %b : tensor<8xf32> : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func private @layer_norm
// CHECK: kern.rowwise  layer
func.func private @layer_norm(%x: tensor<?x8xf32>, %seqs: !ssm.seqs,
    %w: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.norm <layer1p, eps = 1.0e-5> %x weight %w : tensor<8xf32> bias %b : tensor<8xf32> : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
