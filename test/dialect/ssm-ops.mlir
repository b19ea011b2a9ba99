// RUN: ssm-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func private @rows
func.func private @rows(%x: tensor<?x8xf32>, %seqs: !ssm.seqs,
    %w: tensor<8xf32>, %m: tensor<16x8xbf16>, %b: tensor<16xf32>)
    -> (tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
  // CHECK: ssm.norm <rms, eps = 1.000000e-05> %{{.*}} weight
  %0 = ssm.norm <rms, eps = 1.0e-5> %x weight %w : tensor<8xf32> : tensor<?x8xf32>
  // CHECK: ssm.norm <layer1p, eps = 1.000000e-05> %{{.*}} weight %{{.*}} bias
  %1 = ssm.norm <layer1p, eps = 1.0e-5> %0 weight %w : tensor<8xf32> bias %w : tensor<8xf32> : tensor<?x8xf32>
  // CHECK: ssm.norm <rms, eps = 1.000000e-05> %{{[0-9]+}} : tensor
  %2 = ssm.norm <rms, eps = 1.0e-5> %1 : tensor<?x8xf32>
  // CHECK: ssm.linear %{{.*}}, %{{.*}} bias
  %3 = ssm.linear %2, %m bias %b : tensor<16xf32> : tensor<?x8xf32>, tensor<16x8xbf16> -> tensor<?x16xf32>
  // CHECK: ssm.split {{.*}} -> tensor<?x4xf32>, tensor<?x4xf32>
  %4:2 = ssm.split %2 : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  // CHECK: ssm.activation gelu_tanh
  %5 = ssm.activation gelu_tanh %3 : tensor<?x16xf32>
  // CHECK: ssm.add
  %6 = ssm.add %5, %3 : tensor<?x16xf32>
  // CHECK: ssm.mul
  %7 = ssm.mul %6, %3 : tensor<?x16xf32>
  // CHECK: ssm.scale %{{.*}} by 2.0
  %8 = ssm.scale %7 by 2.0 : tensor<?x16xf32>
  // CHECK: ssm.add_bias
  %9 = ssm.add_bias %8, %b : tensor<?x16xf32>, tensor<16xf32>
  // CHECK: ssm.clamp %{{.*}} from 0.0{{.*}} to 1.0
  %10 = ssm.clamp %9 from 0.0 to 1.0 : tensor<?x16xf32>
  // CHECK: ssm.clamp %{{.*}} from 0.0{{[^t]*}} : tensor
  %11 = ssm.clamp %10 from 0.0 : tensor<?x16xf32>
  // CHECK: ssm.gated_norm no_norm
  %12 = ssm.gated_norm no_norm %11, %3 groups(2) eps(1.0e-5) : tensor<?x16xf32>
  // CHECK: ssm.gated_norm before_gate %{{.*}}, %{{.*}} weight
  %13 = ssm.gated_norm before_gate %12, %3 weight %b : tensor<16xf32> groups(2) eps(1.0e-5) : tensor<?x16xf32>
  return %13, %4#0, %4#1 : tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @mamba
func.func private @mamba(%x: tensor<?x8xf32>, %seqs: !ssm.seqs,
    %w: tensor<8x4xf32>, %bias: tensor<8xf32>, %a: tensor<8x2xf32>,
    %b: tensor<?x2xf32>, %conv_state: tensor<?x8x3xf32>,
    %state: tensor<?x8x2xf32>)
    -> (tensor<?x8xf32>, tensor<?x8x3xf32>, tensor<?x8x2xf32>) {
  // CHECK: ssm.causal_conv1d {{.*}} bias {{.*}} activation(silu)
  %0, %1 = ssm.causal_conv1d %x, %seqs state %conv_state weight %w bias %bias : tensor<8xf32> activation(silu) : tensor<?x8xf32>, tensor<?x8x3xf32>, tensor<8x4xf32>
  // CHECK: ssm.causal_conv1d %{{.*}}, %{{.*}} state %{{.*}} weight %{{[a-z0-9]+}} :
  %2, %3 = ssm.causal_conv1d %0, %seqs state %1 weight %w : tensor<?x8xf32>, tensor<?x8x3xf32>, tensor<8x4xf32>
  // CHECK: ssm.mean_heads %{{.*}} by 2 of 2 : tensor<8x4xf32> -> tensor<4x4xf32>
  %means = ssm.mean_heads %w by 2 of 2 : tensor<8x4xf32> -> tensor<4x4xf32>
  // CHECK: ssm.neg_exp
  %4 = ssm.neg_exp %a : tensor<8x2xf32>
  // CHECK: ssm.selective_scan
  %5, %6 = ssm.selective_scan %2 dt %x A %4 B %b C %b D %bias, %seqs state %state : tensor<?x8xf32>, tensor<8x2xf32>, tensor<?x2xf32>, tensor<8xf32>, tensor<?x8x2xf32>
  return %5, %3, %6 : tensor<?x8xf32>, tensor<?x8x3xf32>, tensor<?x8x2xf32>
}

// CHECK-LABEL: func.func private @mamba2
func.func private @mamba2(%x: tensor<?x8xf32>, %seqs: !ssm.seqs,
    %a: tensor<4xf32>, %d: tensor<4xf32>, %dt: tensor<?x4xf32>,
    %b: tensor<?x6xf32>, %state: tensor<?x4x2x3xf32>)
    -> (tensor<?x8xf32>, tensor<?x4x2x3xf32>) {
  // CHECK: ssm.ssd
  %0, %1 = ssm.ssd %x dt %dt A %a B %b C %b D %d, %seqs state %state : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x6xf32>, tensor<4xf32>, tensor<?x4x2x3xf32>
  return %0, %1 : tensor<?x8xf32>, tensor<?x4x2x3xf32>
}

// CHECK-LABEL: func.func private @attention
func.func private @attention(%q: tensor<?x8xf32>, %seqs: !ssm.seqs,
    %k: tensor<?x4xf32>, %cache: tensor<?x2x?x2xf32>) -> tensor<?x8xf32> {
  // CHECK: ssm.rope <llama3, dims = 2, theta = 1.000000e+04, factor = 8.0{{.*}} head_dim(2)
  %0 = ssm.rope <llama3, dims = 2, theta = 10000.0, factor = 8.0> %q, %seqs head_dim(2) : tensor<?x8xf32>
  // CHECK: ssm.attention {{.*}} scale(5.000000e-01) window(7)
  %1, %2, %3 = ssm.attention %0, %k, %k, %seqs cache %cache, %cache scale(0.5) window(7) : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x2x?x2xf32>
  return %1 : tensor<?x8xf32>
}

// CHECK-LABEL: ssm.program @program hidden(8) vocab(16) end_tokens([1, 2])
ssm.program @program hidden(8) vocab(16) end_tokens([1, 2]) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  // CHECK: ssm.weight "emb.weight"
  %0 = ssm.weight "emb.weight" : tensor<16x8xf32>
  // CHECK: ssm.embedding {{.*}} multiplier(2.0
  %1 = ssm.embedding %tokens, %0 multiplier(2.0) : tensor<16x8xf32> -> tensor<?x8xf32>
  // CHECK: ssm.layers {{.*}} [#ssm.layer<3, @identity ["a"]>]
  %2 = ssm.layers %1, %seqs [#ssm.layer<3, @identity ["a"]>] : tensor<?x8xf32>
  // CHECK: ssm.output_rows
  %3 = ssm.output_rows %2, %seqs : tensor<?x8xf32> -> tensor<?x8xf32>
  %4 = ssm.linear %3, %0 : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  // CHECK: ssm.return
  ssm.return %4 : tensor<?x16xf32>
}

func.func private @identity(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %a: tensor<8xf32>) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}
