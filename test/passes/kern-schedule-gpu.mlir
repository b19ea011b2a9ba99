// RUN: ssm-opt %s --kern-schedule-gpu=target=sm_80 | FileCheck %s
// RUN: not ssm-opt %s --kern-schedule-gpu=target=sm_10 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: unknown GPU target 'sm_10'

// CHECK-LABEL: @product.step
// CHECK: schedule [#kern.gemm_schedule<stream, max_rows = 1, block_rows = 1, panel = 8, pair = 8, block_columns = 8>,
// CHECK-SAME: <stream, max_rows = 4, block_rows = 4, panel = 8, pair = 8, block_columns = 8>,
// CHECK-SAME: <stream, max_rows = 16, block_rows = 16, panel = 8, pair = 8, block_columns = 32>,
// CHECK-SAME: <blocked, max_rows = -1, block_rows = 64, panel = 8, pair = 8, block_columns = 64>]
func.func private @product.step(%x: tensor<?x8xf32>, %w: tensor<4x8xbf16>) -> tensor<?x4xf32> {
  %y = kern.gemm %x, %w : tensor<?x8xf32>, tensor<4x8xbf16> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  return %y : tensor<?x4xf32>
}

// Many channels: a block takes more of them. A prefill has one streaming form.
// CHECK-LABEL: @wide.prefill
// CHECK: schedule [#kern.gemm_schedule<stream, max_rows = 16, block_rows = 16, panel = 8, pair = 4, block_columns = 64>,
// CHECK-SAME: <blocked, max_rows = -1
func.func private @wide.prefill(%x: tensor<?x8xf32>, %w: tensor<20000x8xf32>) -> tensor<?x20000xf32> {
  %y = kern.gemm %x, %w : tensor<?x8xf32>, tensor<20000x8xf32> -> tensor<?x20000xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  return %y : tensor<?x20000xf32>
}

// Partners are the halves of a panel.
// CHECK-LABEL: @paired.prefill
// CHECK: kern.gemm {{.*}} paired(4)
func.func private @paired.prefill(%x: tensor<?x8xf32>, %seqs: !ssm.seqs,
    %w: tensor<32x8xf32>, %down: tensor<8x16xf32>) -> tensor<?x8xf32> {
  %h = kern.gemm %x, %w paired(16) : tensor<?x8xf32>, tensor<32x8xf32> -> tensor<?x16xf32> {
    ^bb0(%gate: f32, %up: f32): %p = arith.mulf %gate, %up : f32
      kern.yield %p : f32 }
  %y = kern.gemm %h, %down : tensor<?x16xf32>, tensor<8x16xf32> -> tensor<?x8xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: ssm.program @tied.step
// CHECK: kern.embed {{.*}} {pair = 4 : i64, panel = 8 : i64}
// CHECK: interleave[4]
ssm.program @tied.step hidden(8) vocab(16) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %t = ssm.weight "t" {recipe = #kern.recipe<<tensor "t" [16, 8]>>} : tensor<16x8xf32>
  %x = kern.embed %tokens, %t times 1.0 : tensor<16x8xf32> -> tensor<?x8xf32>
  %r = ssm.layers %x, %seqs [#ssm.layer<0, @paired.prefill [#kern.recipe<<tensor "gate" [16, 8]>, <tensor "up" [16, 8]>, <interleave [16]>>, #kern.recipe<<tensor "down" [8, 16]>>]>] : tensor<?x8xf32>
  %y = kern.gemm %r, %t : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  ssm.return %y : tensor<?x16xf32>
}
