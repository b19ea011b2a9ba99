// RUN: ssm-opt %s --ssm-bind-recipes --split-input-file | FileCheck %s

// CHECK-LABEL: func.func private @decay
// CHECK-SAME: (%{{.*}}, %{{.*}}, %[[A:.*]]: tensor<4xf32>)
// CHECK-NOT: ssm.neg_exp
// CHECK: ssm.add_bias %{{.*}}, %[[A]]
func.func private @decay(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %a_log: tensor<4xf32>) -> tensor<?x4xf32> {
  %0 = ssm.neg_exp %a_log : tensor<4xf32>
  %1 = ssm.add_bias %x, %0 : tensor<?x4xf32>, tensor<4xf32>
  return %1 : tensor<?x4xf32>
}
// CHECK: ssm.weight "emb" {recipe = #kern.recipe<<tensor "emb"[4, 4]>>}
// CHECK: #ssm.layer<0, @decay [#kern.recipe<<tensor "a"[4]>, <neg_exp>>]>, #ssm.layer<1, @decay [#kern.recipe<<tensor "b"[4]>, <neg_exp>>]>
ssm.program @rows_share_a_body hidden(4) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %0 = ssm.weight "emb" : tensor<4x4xbf16>
  %1 = ssm.embedding %tokens, %0 : tensor<4x4xbf16> -> tensor<?x4xf32>
  %2 = ssm.layers %1, %seqs [#ssm.layer<0, @decay ["a"]>, #ssm.layer<1, @decay ["b"]>] : tensor<?x4xf32>
  ssm.return %2 : tensor<?x4xf32>
}

// -----

// CHECK-LABEL: func.func private @means
// CHECK-NOT: ssm.mean_heads
func.func private @means(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %w: tensor<8x4xbf16>) -> tensor<?x4xf32> {
  %0 = ssm.mean_heads %w by 2 of 2 : tensor<8x4xbf16> -> tensor<4x4xbf16>
  %1 = ssm.linear %x, %0 : tensor<?x4xf32>, tensor<4x4xbf16> -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}
// CHECK: #ssm.layer<0, @means [#kern.recipe<<tensor "k"[8, 4]>, <mean "bf16"[2, 2]>>]>
ssm.program @means_of_heads hidden(4) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %0 = ssm.weight "emb" : tensor<4x4xbf16>
  %1 = ssm.embedding %tokens, %0 : tensor<4x4xbf16> -> tensor<?x4xf32>
  %2 = ssm.layers %1, %seqs [#ssm.layer<0, @means ["k"]>] : tensor<?x4xf32>
  ssm.return %2 : tensor<?x4xf32>
}

// -----

// CHECK-LABEL: func.func private @convolution
func.func private @convolution(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %w: tensor<4x3xf32>, %s: tensor<?x4x2xf32>) -> (tensor<?x4xf32>, tensor<?x4x2xf32>) {
  %0, %1 = ssm.causal_conv1d %x, %seqs state %s weight %w : tensor<?x4xf32>, tensor<?x4x2xf32>, tensor<4x3xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4x2xf32>
}
// CHECK: #ssm.layer<0, @convolution [#kern.recipe<<tensor "conv"[4, 1, 3]>>]>
ssm.program @checkpoint_shape hidden(4) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %0 = ssm.weight "emb" : tensor<4x4xf32>
  %1 = ssm.embedding %tokens, %0 : tensor<4x4xf32> -> tensor<?x4xf32>
  %2 = ssm.layers %1, %seqs [#ssm.layer<0, @convolution ["conv"]>] : tensor<?x4xf32>
  ssm.return %2 : tensor<?x4xf32>
}
