// RUN: ssm-opt %s --kern-schedule-cpu=target=x86-64-v3 | FileCheck %s
// RUN: ssm-opt %s --kern-schedule-cpu=target=x86-64-v4-bf16 | FileCheck %s --check-prefix=DOT

// CHECK-LABEL: @product
// CHECK: schedule [#kern.gemm_schedule<stream, max_rows = 1, block_rows = 1, panel = 32, pair = 1>,
// CHECK-SAME: <stream, max_rows = 8, block_rows = 8, panel = 32, pair = 1>,
// CHECK-SAME: <blocked, max_rows = -1, block_rows = 6, panel = 32, pair = 1>]
// DOT-LABEL: @product
// DOT: <blocked, max_rows = -1, block_rows = 12, panel = 32, pair = 1>]
func.func private @product(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) -> tensor<?x4xf32> {
  %y = kern.gemm %x, %w : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  return %y : tensor<?x4xf32>
}

// DOT-LABEL: @dot_of_bf16
// DOT: <blocked, max_rows = -1, block_rows = 8, panel = 32, pair = 2, dot = true>]
func.func private @dot_of_bf16(%x: tensor<?x8xbf16>, %w: tensor<4x8xbf16>) -> tensor<?x4xf32> {
  %y = kern.gemm %x, %w : tensor<?x8xbf16>, tensor<4x8xbf16> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  return %y : tensor<?x4xf32>
}

// DOT-LABEL: @no_dot_of_f32_input
// DOT: <blocked, max_rows = -1, block_rows = 12, panel = 32, pair = 2>]
func.func private @no_dot_of_f32_input(%x: tensor<?x8xf32>, %w: tensor<4x8xbf16>) -> tensor<?x4xf32> {
  %y = kern.gemm %x, %w : tensor<?x8xf32>, tensor<4x8xbf16> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  return %y : tensor<?x4xf32>
}

// CHECK-LABEL: @pairs_of_whole_vectors
// CHECK: kern.gemm {{.*}} paired(8)
func.func private @pairs_of_whole_vectors(%x: tensor<?x8xf32>, %seqs: !ssm.seqs,
    %w: tensor<32x8xf32>, %down: tensor<8x16xf32>) -> tensor<?x8xf32> {
  %h = kern.gemm %x, %w paired(16) : tensor<?x8xf32>, tensor<32x8xf32> -> tensor<?x16xf32> {
    ^bb0(%gate: f32, %up: f32): %p = arith.mulf %gate, %up : f32
      kern.yield %p : f32 }
  %y = kern.gemm %h, %down : tensor<?x16xf32>, tensor<8x16xf32> -> tensor<?x8xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: @split_pairs
// CHECK-SAME: %[[GATE:[^:]*]]: tensor<6x8xf32>, %[[UP:[^:]*]]: tensor<6x8xf32>,
// CHECK-SAME: %[[GATE_BIAS:[^:]*]]: tensor<6xf32>, %[[UP_BIAS:[^:]*]]: tensor<6xf32>
// CHECK: %[[SUMS:.*]] = kern.gemm %{{.*}}, %[[GATE]] schedule
// CHECK: kern.gemm %{{.*}}, %[[UP]] columns(%[[GATE_BIAS]], %[[UP_BIAS]]
// CHECK-SAME: elements(%[[SUMS]] : tensor<?x6xf32>)
// CHECK: ^bb0(%[[U:.*]]: f32, %[[GB:.*]]: f32, %[[UB:.*]]: f32, %[[G:.*]]: f32):
// CHECK: %[[A:.*]] = arith.addf %[[G]], %[[GB]]
// CHECK: %[[B:.*]] = arith.addf %[[U]], %[[UB]]
func.func private @split_pairs(%x: tensor<?x8xf32>, %seqs: !ssm.seqs,
    %w: tensor<12x8xf32>, %bias: tensor<12xf32>, %down: tensor<8x6xf32>) -> tensor<?x8xf32> {
  %h = kern.gemm %x, %w columns(%bias : tensor<12xf32>) paired(6)
      : tensor<?x8xf32>, tensor<12x8xf32> -> tensor<?x6xf32> {
    ^bb0(%gate: f32, %up: f32, %gb: f32, %ub: f32):
      %a = arith.addf %gate, %gb : f32
      %b = arith.addf %up, %ub : f32
      %p = arith.mulf %a, %b : f32
      kern.yield %p : f32 }
  %y = kern.gemm %h, %down : tensor<?x6xf32>, tensor<8x6xf32> -> tensor<?x8xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: ssm.program @recipes_follow
// CHECK: kern.embed {{.*}}panel = 32
// CHECK: @pairs_of_whole_vectors [#kern.recipe<<tensor "g"[16, 8]>, <tensor "u"[16, 8]>, <interleave[8]>>, #kern.recipe<<tensor "d"[8, 16]>>]
// CHECK: @split_pairs [#kern.recipe<<tensor "g"[6, 8]>>, #kern.recipe<<tensor "u"[6, 8]>, <scale by 2.000000e+00 : f64>>,
// CHECK-SAME: #kern.recipe<<tensor "gb"[6]>>, #kern.recipe<<tensor "ub"[6]>>, #kern.recipe<<tensor "d"[8, 6]>>]
ssm.program @recipes_follow hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %table = ssm.weight "emb" {recipe = #kern.recipe<<tensor "emb" [4, 8]>>} : tensor<4x8xf32>
  %x = kern.embed %tokens, %table times 1.0 : tensor<4x8xf32> -> tensor<?x8xf32>
  %y = ssm.layers %x, %seqs [
    #ssm.layer<0, @pairs_of_whole_vectors [#kern.recipe<<tensor "g" [16, 8]>, <tensor "u" [16, 8]>, <interleave[16]>>,
      #kern.recipe<<tensor "d" [8, 16]>>]>,
    #ssm.layer<1, @split_pairs [#kern.recipe<<tensor "g" [6, 8]>, <tensor "u" [6, 8]>, <scale by 2.0 : f64>, <interleave[6]>>,
      #kern.recipe<<tensor "gb" [6]>, <tensor "ub" [6]>, <interleave[6]>>, #kern.recipe<<tensor "d" [8, 6]>>]>]
    : tensor<?x8xf32>
  %l = kern.gemm %y, %table : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  ssm.return %l : tensor<?x4xf32>
}

// CHECK-LABEL: ssm.program @negative_untied
// CHECK-NOT: panel = 32 : i64
// CHECK: kern.embed
ssm.program @negative_untied hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %table = ssm.weight "emb" {recipe = #kern.recipe<<tensor "emb" [4, 8]>>} : tensor<4x8xf32>
  %head = ssm.weight "head" {recipe = #kern.recipe<<tensor "head" [4, 8]>>} : tensor<4x8xf32>
  %x = kern.embed %tokens, %table times 1.0 : tensor<4x8xf32> -> tensor<?x8xf32>
  %l = kern.gemm %x, %head : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  ssm.return %l : tensor<?x4xf32>
}
