// RUN: ssm-opt %s --split-input-file --verify-diagnostics --kern-assign-layouts

ssm.program @no_schedule hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  %w = ssm.weight "w" {recipe = #kern.recipe<<tensor "w" [4, 8]>>} : tensor<4x8xf32>
  // expected-error @below {{'kern.gemm' op expected a schedule; run --kern-schedule-cpu first}}
  %l = kern.gemm %x, %w : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  ssm.return %l : tensor<?x4xf32>
}

// -----

ssm.program @no_recipe hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  // expected-error @below {{'ssm.weight' op expected a recipe}}
  %w = ssm.weight "w" : tensor<4x8xf32>
  %x = kern.embed %tokens, %w times 1.0 : tensor<4x8xf32> -> tensor<?x8xf32>
  ssm.return %x : tensor<?x8xf32>
}

// -----

ssm.program @wrong_shape hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  // expected-error @below {{expected a recipe for 'tensor<4x8xf32>', got 8 x 4 from #kern.recipe}}
  %w = ssm.weight "w" {recipe = #kern.recipe<<tensor "w" [8, 4]>>} : tensor<4x8xf32>
  %x = kern.embed %tokens, %w times 1.0 : tensor<4x8xf32> -> tensor<?x8xf32>
  ssm.return %x : tensor<?x8xf32>
}

// -----

#one = #kern.gemm_schedule<blocked, max_rows = -1, block_rows = 6, panel = 32, pair = 1>
ssm.program @two_layouts hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %a = ssm.weight "w" {recipe = #kern.recipe<<tensor "w" [4, 8]>>} : tensor<4x8xf32>
  %b = ssm.weight "w" {recipe = #kern.recipe<<tensor "w" [4, 8]>>} : tensor<4x8xf32>
  // expected-note @below {{the other user is here}}
  %x = kern.embed %tokens, %a times 1.0 : tensor<4x8xf32> -> tensor<?x8xf32>
  // expected-error @below {{'kern.gemm' op wants a weight in another layout than its other user}}
  %l = kern.gemm %x, %b schedule [#one] : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  ssm.return %l : tensor<?x4xf32>
}

// -----

#one = #kern.gemm_schedule<stream, max_rows = 1, block_rows = 1, panel = 32, pair = 1>
#other = #kern.gemm_schedule<blocked, max_rows = -1, block_rows = 6, panel = 16, pair = 1>
ssm.program @two_panels hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  %w = ssm.weight "w" {recipe = #kern.recipe<<tensor "w" [4, 8]>>} : tensor<4x8xf32>
  // expected-error @below {{'kern.gemm' op expected one panel and pair in all entries of the schedule}}
  %l = kern.gemm %x, %w schedule [#one, #other] : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  ssm.return %l : tensor<?x4xf32>
}
