// RUN: ssm-opt %s --ssm-bind-recipes --ssm-lower-to-kern --kern-fuse-elementwise --kern-fuse-dt --kern-split-step | FileCheck %s

// Many tokens: convolution, then the recurrence in chunks. One token per sequence:
// both in one kernel.
// CHECK-LABEL: func.func private @mixer.prefill
// CHECK: kern.conv
// CHECK: kern.ssd
// CHECK-NOT: kern.ssm_step
// CHECK-LABEL: func.func private @mixer.step
// CHECK-NOT: kern.conv
// CHECK: kern.ssm_step
func.func private @mixer(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<18x8xf32>, %cw: tensor<14x4xf32>, %dt_bias: tensor<4xf32>, %a: tensor<4xf32>, %d: tensor<4xf32>, %conv: tensor<?x14x3xf32>, %state: tensor<?x4x2x3xf32>) -> (tensor<?x8xf32>, tensor<?x14x3xf32>, tensor<?x4x2x3xf32>) {
  %p = ssm.linear %x, %w : tensor<?x8xf32>, tensor<18x8xf32> -> tensor<?x18xf32>
  %xbc, %raw = ssm.split %p : tensor<?x18xf32> -> tensor<?x14xf32>, tensor<?x4xf32>
  %c, %conv1 = ssm.causal_conv1d %xbc, %seqs state %conv weight %cw activation(silu) : tensor<?x14xf32>, tensor<?x14x3xf32>, tensor<14x4xf32>
  %u, %b, %cc = ssm.split %c : tensor<?x14xf32> -> tensor<?x8xf32>, tensor<?x3xf32>, tensor<?x3xf32>
  %biased = ssm.add_bias %raw, %dt_bias : tensor<?x4xf32>, tensor<4xf32>
  %dt = ssm.activation softplus %biased : tensor<?x4xf32>
  %y, %s = ssm.ssd %u dt %dt A %a B %b C %cc D %d, %seqs state %state : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<4xf32>, tensor<?x4x2x3xf32>
  return %y, %conv1, %s : tensor<?x8xf32>, tensor<?x14x3xf32>, tensor<?x4x2x3xf32>
}
// CHECK-LABEL: ssm.program @m.prefill
// CHECK: @mixer.prefill
// CHECK-LABEL: ssm.program @m.step
// CHECK: @mixer.step
ssm.program @m hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %0 = ssm.weight "emb" : tensor<4x8xf32>
  %1 = ssm.embedding %tokens, %0 : tensor<4x8xf32> -> tensor<?x8xf32>
  %2 = ssm.layers %1, %seqs [#ssm.layer<0, @mixer ["w", "cw", "dt_bias", "a", "d"]>] : tensor<?x8xf32>
  %3 = ssm.linear %2, %0 : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
  ssm.return %3 : tensor<?x4xf32>
}
