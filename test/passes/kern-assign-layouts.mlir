// RUN: ssm-opt %s --kern-assign-layouts | FileCheck %s

#one = #kern.gemm_schedule<blocked, max_rows = -1, block_rows = 6, panel = 32, pair = 1>
#two = #kern.gemm_schedule<blocked, max_rows = -1, block_rows = 6, panel = 32, pair = 2>

func.func private @conv_scan(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<8x4xf32>,
    %a: tensor<8x2xf32>, %bc: tensor<4x8xbf16>, %cs: tensor<?x8x3xf32>, %ss: tensor<?x8x2xf32>)
    -> (tensor<?x8xf32>, tensor<?x8x3xf32>, tensor<?x8x2xf32>) {
  %c, %cs1 = kern.conv %x, %seqs state %cs weight %w
      : tensor<?x8xf32>, tensor<?x8x3xf32>, tensor<8x4xf32> -> tensor<?x8xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  %p = kern.gemm %c, %bc schedule [#two] : tensor<?x8xf32>, tensor<4x8xbf16> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  %b = kern.columns %p from 0 : tensor<?x4xf32> -> tensor<?x2xf32>
  %k = kern.columns %p from 2 : tensor<?x4xf32> -> tensor<?x2xf32>
  %y, %ss1 = kern.scan %c dt %x A %a B %b C %k, %seqs state %ss
      : tensor<?x8xf32>, tensor<8x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x8x2xf32> -> tensor<?x8xf32> {
    ^bb0(%sum: f32, %v: f32): kern.yield %sum : f32 }
  return %y, %cs1, %ss1 : tensor<?x8xf32>, tensor<?x8x3xf32>, tensor<?x8x2xf32>
}

// CHECK-LABEL: ssm.program @layers
// CHECK: #kern.recipe<<tensor "w"[8, 1, 4]>, <transpose>, <pack "f32">>
// CHECK-SAME: #kern.recipe<<tensor "a"[8, 2]>, <neg_exp>, <pack "f32"[16, 1]>>
// CHECK-SAME: #kern.recipe<<tensor "bc"[4, 8]>, <pack "bf16"[32, 2]>>
ssm.program @layers hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  %y = ssm.layers %x, %seqs [#ssm.layer<0, @conv_scan [#kern.recipe<<tensor "w" [8, 1, 4]>>,
    #kern.recipe<<tensor "a" [8, 2]>, <neg_exp>>, #kern.recipe<<tensor "bc" [4, 8]>>]>] : tensor<?x8xf32>
  ssm.return %y : tensor<?x8xf32>
}

// CHECK-LABEL: ssm.program @tied
// CHECK: #kern.recipe<<tensor "t"[4, 8]>, <pack "f32"[32, 1]>>
// CHECK: #kern.recipe<<tensor "t"[4, 8]>, <pack "f32"[32, 1]>>
ssm.program @tied hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %table = ssm.weight "t" {recipe = #kern.recipe<<tensor "t" [4, 8]>>} : tensor<4x8xf32>
  %head = ssm.weight "t" {recipe = #kern.recipe<<tensor "t" [4, 8]>>} : tensor<4x8xf32>
  %x = kern.embed %tokens, %table times 1.0 {panel = 32 : i64} : tensor<4x8xf32> -> tensor<?x8xf32>
  %l = kern.gemm %x, %head schedule [#one] : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  ssm.return %l : tensor<?x4xf32>
}

// CHECK-LABEL: ssm.program @untied
// CHECK: #kern.recipe<<tensor "e"[4, 8]>, <pack "bf16">>
ssm.program @untied hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %table = ssm.weight "e" {recipe = #kern.recipe<<tensor "e" [4, 8]>>} : tensor<4x8xbf16>
  %x = kern.embed %tokens, %table times 1.0 : tensor<4x8xbf16> -> tensor<?x8xf32>
  ssm.return %x : tensor<?x8xf32>
}

// CHECK-LABEL: ssm.program @negative_packed
// CHECK: #kern.recipe<<tensor "p"[4, 8]>, <pack "f32">>
ssm.program @negative_packed hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %table = ssm.weight "p" {recipe = #kern.recipe<<tensor "p" [4, 8]>, <pack "f32">>} : tensor<4x8xf32>
  %x = kern.embed %tokens, %table times 1.0 : tensor<4x8xf32> -> tensor<?x8xf32>
  ssm.return %x : tensor<?x8xf32>
}
