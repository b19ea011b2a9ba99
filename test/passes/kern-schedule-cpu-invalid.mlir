// RUN: ssm-opt %s --split-input-file --verify-diagnostics --kern-schedule-cpu=target=x86-64-v3
// RUN: not ssm-opt %s --kern-schedule-cpu=target=z80 2>&1 | FileCheck %s
// CHECK: error: unknown target 'z80' (supported: native, x86-64-v3

func.func private @shared_weight(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<32x8xf32>) -> tensor<?x16xf32> {
  // expected-error @below {{'kern.gemm' op expected a paired product to have weights of its own in a layer}}
  %h = kern.gemm %x, %w paired(16) : tensor<?x8xf32>, tensor<32x8xf32> -> tensor<?x16xf32> {
    ^bb0(%gate: f32, %up: f32): kern.yield %up : f32 }
  %g = kern.gemm %x, %w : tensor<?x8xf32>, tensor<32x8xf32> -> tensor<?x32xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  return %h : tensor<?x16xf32>
}

// -----

func.func private @mlp(%x: tensor<?x16xf32>, %seqs: !ssm.seqs, %w: tensor<32x16xf32>) -> tensor<?x16xf32> {
  %h = kern.gemm %x, %w paired(16) : tensor<?x16xf32>, tensor<32x16xf32> -> tensor<?x16xf32> {
    ^bb0(%gate: f32, %up: f32): kern.yield %up : f32 }
  return %h : tensor<?x16xf32>
}
ssm.program @no_interleave hidden(16) vocab(4) {
^bb0(%x: tensor<?x16xf32>, %seqs: !ssm.seqs):
  // expected-error @below {{'ssm.layers' op expected a recipe that interleaves for a paired product}}
  %y = ssm.layers %x, %seqs [#ssm.layer<0, @mlp [#kern.recipe<<tensor "w" [32, 16]>>]>] : tensor<?x16xf32>
  ssm.return %y : tensor<?x16xf32>
}
