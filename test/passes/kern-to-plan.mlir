// RUN: ssm-opt %s --kern-to-plan --verify-roundtrip | FileCheck %s

#blocked = #kern.gemm_schedule<blocked, max_rows = -1, block_rows = 6, panel = 32, pair = 1>

// Equal in both entries, so that they share their kernels; conv reads columns of
// a product, and the last product adds to the stream in place.
func.func private @mixer_0.prefill(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %in: tensor<12x8xf32>,
    %w: tensor<6x4xf32>, %out: tensor<8x6xf32>, %state: tensor<?x6x3xf32>)
    -> (tensor<?x8xf32>, tensor<?x6x3xf32>) {
  %p = kern.gemm %x, %in schedule [#blocked] : tensor<?x8xf32>, tensor<12x8xf32> -> tensor<?x12xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  %v = kern.columns %p from 6 : tensor<?x12xf32> -> tensor<?x6xf32>
  %c, %new = kern.conv %v, %seqs state %state weight %w
      : tensor<?x6xf32>, tensor<?x6x3xf32>, tensor<6x4xf32> -> tensor<?x6xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  %y = kern.gemm %c, %out elements(%x : tensor<?x8xf32>) schedule [#blocked]
      : tensor<?x6xf32>, tensor<8x6xf32> -> tensor<?x8xf32> {
    ^bb0(%sum: f32, %e: f32): %a = arith.addf %sum, %e : f32
      kern.yield %a : f32 }
  return %y, %new : tensor<?x8xf32>, tensor<?x6x3xf32>
}
func.func private @mixer_0.step(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %in: tensor<12x8xf32>,
    %w: tensor<6x4xf32>, %out: tensor<8x6xf32>, %state: tensor<?x6x3xf32>)
    -> (tensor<?x8xf32>, tensor<?x6x3xf32>) {
  %p = kern.gemm %x, %in schedule [#blocked] : tensor<?x8xf32>, tensor<12x8xf32> -> tensor<?x12xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  %v = kern.columns %p from 6 : tensor<?x12xf32> -> tensor<?x6xf32>
  %c, %new = kern.conv %v, %seqs state %state weight %w
      : tensor<?x6xf32>, tensor<?x6x3xf32>, tensor<6x4xf32> -> tensor<?x6xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  %y = kern.gemm %c, %out elements(%x : tensor<?x8xf32>) schedule [#blocked]
      : tensor<?x6xf32>, tensor<8x6xf32> -> tensor<?x8xf32> {
    ^bb0(%sum: f32, %e: f32): %a = arith.addf %sum, %e : f32
      kern.yield %a : f32 }
  return %y, %new : tensor<?x8xf32>, tensor<?x6x3xf32>
}
// The product reads the whole stream: its result is copied. Two products in a
// chain of additions both write the stream.
func.func private @gemm_0.prefill(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %y = kern.gemm %x, %w schedule [#blocked] : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  return %y : tensor<?x8xf32>
}
func.func private @gemm_0.step(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %h = kern.rowwise rms %x eps(1.0e-5) : tensor<?x8xf32> -> tensor<?x8xf32>
    value { ^bb0(%v: f32): kern.yield %v : f32 }
    finish { ^bb0(%v: f32, %mean: f32, %rstd: f32): kern.yield %rstd : f32 }
  %a = kern.gemm %h, %w elements(%x : tensor<?x8xf32>) schedule [#blocked]
      : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32> {
    ^bb0(%sum: f32, %e: f32): kern.yield %e : f32 }
  %b = kern.gemm %h, %w elements(%a : tensor<?x8xf32>) schedule [#blocked]
      : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32> {
    ^bb0(%sum: f32, %e: f32): kern.yield %e : f32 }
  return %b : tensor<?x8xf32>
}

ssm.program @tiny.prefill hidden(8) vocab(4) end_tokens([1]) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %table = ssm.weight "e" {recipe = #kern.recipe<<tensor "e" [4, 8]>, <pack "f32" [32, 1]>>} : tensor<4x8xf32>
  %x = kern.embed %tokens, %table times 1.0 {panel = 32 : i64} : tensor<4x8xf32> -> tensor<?x8xf32>
  %y = ssm.layers %x, %seqs [
    #ssm.layer<0, @mixer_0.prefill [#kern.recipe<<tensor "i" [12, 8]>, <pack "f32" [32, 1]>>,
      #kern.recipe<<tensor "c" [6, 1, 4]>, <transpose>, <pack "f32">>, #kern.recipe<<tensor "o" [8, 6]>, <pack "f32" [32, 1]>>]>,
    #ssm.layer<1, @gemm_0.prefill [#kern.recipe<<tensor "w" [8, 8]>, <pack "f32" [32, 1]>>]>] : tensor<?x8xf32>
  %h = kern.rowwise rms %y eps(1.0e-5) gather : tensor<?x8xf32> -> tensor<?x8xf32>
    value { ^bb0(%v: f32): kern.yield %v : f32 }
    finish { ^bb0(%v: f32, %mean: f32, %rstd: f32): kern.yield %v : f32 }
  %l = kern.gemm %h, %table schedule [#blocked] : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  ssm.return %l : tensor<?x4xf32>
}
ssm.program @tiny.step hidden(8) vocab(4) end_tokens([1]) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %table = ssm.weight "e" {recipe = #kern.recipe<<tensor "e" [4, 8]>, <pack "f32" [32, 1]>>} : tensor<4x8xf32>
  %x = kern.embed %tokens, %table times 1.0 {panel = 32 : i64} : tensor<4x8xf32> -> tensor<?x8xf32>
  %y = ssm.layers %x, %seqs [
    #ssm.layer<0, @mixer_0.step [#kern.recipe<<tensor "i" [12, 8]>, <pack "f32" [32, 1]>>,
      #kern.recipe<<tensor "c" [6, 1, 4]>, <transpose>, <pack "f32">>, #kern.recipe<<tensor "o" [8, 6]>, <pack "f32" [32, 1]>>]>,
    #ssm.layer<1, @gemm_0.step [#kern.recipe<<tensor "w" [8, 8]>, <pack "f32" [32, 1]>>]>] : tensor<?x8xf32>
  %h = kern.rowwise rms %y eps(1.0e-5) gather : tensor<?x8xf32> -> tensor<?x8xf32>
    value { ^bb0(%v: f32): kern.yield %v : f32 }
    finish { ^bb0(%v: f32, %mean: f32, %rstd: f32): kern.yield %v : f32 }
  %l = kern.gemm %h, %table schedule [#blocked] : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
    ^bb0(%sum: f32): kern.yield %sum : f32 }
  ssm.return %l : tensor<?x4xf32>
}

// CHECK-LABEL: plan.program @tiny hidden(8) vocab(4) end_tokens([1]) stream(@x) logits(@logits) precision("f32")
// CHECK-COUNT-1: plan.kernel @conv_0
// CHECK-NOT: plan.kernel @conv_1
// CHECK: plan.kernel @gemm_1 {
// CHECK: plan.weight @weight_0 <<tensor "e"[4, 8]>, <pack "f32"[32, 1]>>
// CHECK: plan.buffer @x[rows, 8] f32 stride(16) offset(0)
// CHECK: plan.buffer @logits[outputs, 4] f32 stride(16) offset(192)
// CHECK: plan.state @state_0 conv [6, 3] f32
// CHECK: plan.body @before weights(0) states [] prefill
// CHECK: plan.launch @embed_0 rows [<tokens>, <global_weight of @weight_0>, <buffer of @x>, <stride of @x>, <rows>]
// CHECK: plan.body @body_mixer_0 weights(3) states [@state_0] prefill
// CHECK-NEXT: plan.launch @gemm_0 rows [<buffer of @x>, <stride of @x>, <weight>, <buffer of @[[WIDE:.*]]>, <stride of @[[WIDE]]>, <rows>]
// CHECK-NEXT: plan.launch @conv_0 rows [<buffer of @[[WIDE]] at 6>, <stride of @[[WIDE]]>, <seqs>, <state>, <state_stride>, <weight at 1>, <buffer of @[[C:.*]]>, <stride of @[[C]]>, <rows>]
// CHECK-NEXT: plan.launch @gemm_1 rows [<buffer of @[[C]]>, <stride of @[[C]]>, <weight at 2>, <buffer of @x>, <stride of @x>, <buffer of @x>, <stride of @x>, <rows>]
// CHECK: plan.body @body_gemm_0 weights(1) states [] prefill
// CHECK: plan.launch @gemm_{{.*}} <buffer of @[[Y:buffer_.*]]>, <stride of @[[Y]]>, <rows>]
// CHECK-NEXT: plan.launch @rowwise_{{.*}} rows [<buffer of @[[Y]]>, <stride of @[[Y]]>, <buffer of @x>, <stride of @x>, <seqs>, <rows>]
// CHECK: } step {
// CHECK-COUNT-2: <buffer of @x>, <stride of @x>, <buffer of @x>, <stride of @x>, <rows>]
// CHECK: plan.body @after
// CHECK-NEXT: plan.launch @rowwise_{{.*}} outputs [<buffer of @x>, <stride of @x>, <buffer of @[[O:.*]]>, <stride of @[[O]]>, <seqs>, <outputs>]
// CHECK-NEXT: plan.launch @gemm_{{.*}} outputs [<buffer of @[[O]]>, <stride of @[[O]]>, <global_weight of @weight_0>, <buffer of @logits>, <stride of @logits>, <outputs>]
// CHECK: plan.layers before @before [#ssm.layer<0, @body_mixer_0 [@{{.*}}, @{{.*}}, @{{.*}}]>, #ssm.layer<1, @body_gemm_0 [@{{.*}}]>] after @after
