// RUN: ssm-opt %s --ssm-bind-recipes --ssm-lower-to-kern --kern-fuse-elementwise --kern-pair-gates --split-input-file | FileCheck %s

// CHECK-LABEL: func.func private @gate
// CHECK: kern.gemm %{{.*}}, %{{.*}} paired(1) : tensor<?x8xf32>, tensor<32x8xf32> -> tensor<?x16xf32>
// CHECK: ^bb0(%[[GATE:.*]]: f32, %[[UP:.*]]: f32):
// CHECK: %[[ACT:.*]] = arith.divf %[[GATE]]
// CHECK: arith.mulf %[[ACT]], %[[UP]]
func.func private @gate(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %g: tensor<16x8xf32>, %u: tensor<16x8xf32>, %d: tensor<8x16xf32>) -> tensor<?x8xf32> {
  %0 = ssm.linear %x, %g : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  %1 = ssm.activation silu %0 : tensor<?x16xf32>
  %2 = ssm.linear %x, %u : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  %3 = ssm.mul %1, %2 : tensor<?x16xf32>
  %4 = ssm.linear %3, %d : tensor<?x16xf32>, tensor<8x16xf32> -> tensor<?x8xf32>
  return %4 : tensor<?x8xf32>
}
// CHECK: <tensor "g"[16, 8]>, <tensor "u"[16, 8]>, <interleave[1]>
ssm.program @rows_interleave hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %0 = ssm.weight "emb" : tensor<4x8xf32>
  %1 = ssm.embedding %tokens, %0 : tensor<4x8xf32> -> tensor<?x8xf32>
  %2 = ssm.layers %1, %seqs [#ssm.layer<0, @gate ["g", "u", "d"]>] : tensor<?x8xf32>
  %3 = ssm.linear %2, %0 : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
  ssm.return %3 : tensor<?x4xf32>
}

// -----

// Partners read the same rows, or they are none.
// CHECK-LABEL: func.func private @negative_other_input
// CHECK-NOT: paired
func.func private @negative_other_input(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %g: tensor<8x8xf32>, %u: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.linear %x, %g : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %1 = ssm.linear %0, %u : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %2 = ssm.mul %0, %1 : tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}
ssm.program @p hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %0 = ssm.weight "emb" : tensor<4x8xf32>
  %1 = ssm.embedding %tokens, %0 : tensor<4x8xf32> -> tensor<?x8xf32>
  %2 = ssm.layers %1, %seqs [#ssm.layer<0, @negative_other_input ["g", "u"]>] : tensor<?x8xf32>
  %3 = ssm.linear %2, %0 : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
  ssm.return %3 : tensor<?x4xf32>
}
