// RUN: ssm-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: plan.program @tiny hidden(8) vocab(32) end_tokens([1]) stream(@x) logits(@logits)
// CHECK-SAME: precision("f32") target("x86-64-v3") features ["avx2", "fma"]
plan.program @tiny hidden(8) vocab(32) end_tokens([1]) stream(@x) logits(@logits)
    precision("f32") target("x86-64-v3") features ["avx2", "fma"] {
  // CHECK: plan.kernel @embed_0 variants [#plan.variant<"embed_0", max_rows = -1,
  // CHECK-SAME: grid = ()[s0, s1, s2, s3] -> (s0), scratch = ()[s0, s1, s2, s3] -> (0)>]
  plan.kernel @embed_0 variants [#plan.variant<"embed_0", max_rows = -1,
      grid = ()[s0, s1, s2, s3] -> (s0), scratch = ()[s0, s1, s2, s3] -> (0)>] {
  ^bb0(%tokens: tensor<?xi32>, %table: tensor<32x8xf32>):
    %x = kern.embed %tokens, %table times 1.0 : tensor<32x8xf32> -> tensor<?x8xf32>
  }
  // CHECK: plan.kernel @copy
  plan.kernel @copy {
  ^bb0(%x: tensor<?x8xf32>):
    %y = kern.rowwise none %x : tensor<?x8xf32> -> tensor<?x8xf32>
      value { ^bb0(%v: f32): kern.yield %v : f32 }
      finish { ^bb0(%v: f32, %mean: f32, %rstd: f32): kern.yield %v : f32 }
  }
  // CHECK: plan.weight @table <<tensor "emb"[32, 8]>, <pack "f32"[32, 1]>>
  plan.weight @table <<tensor "emb" [32, 8]>, <pack "f32" [32, 1]>>
  // CHECK: plan.buffer @x[rows, 8] f32 stride(16) offset(0)
  plan.buffer @x[rows, 8] f32 stride(16) offset(0)
  plan.buffer @logits[outputs, 32] f32 stride(32) offset(64)
  // CHECK: plan.state @conv conv [8, 3] f32
  plan.state @conv conv [8, 3] f32
  plan.state @scan ssm1 [8, 16] f32
  plan.state @ssd ssm2 [2, 4, 16] f32
  // CHECK: plan.state @key key [2, 5] bf16
  plan.state @key key [2, 5] bf16
  plan.state @value value [2, 5] bf16
  // CHECK: plan.body @before weights(0) states [] prefill
  // CHECK: plan.launch @embed_0 rows [<tokens>, <global_weight of @table>, <buffer of @x>, <stride of @x>, <rows>]
  plan.body @before weights(0) states [] prefill {
    plan.launch @embed_0 rows [<tokens>, <global_weight of @table>, <buffer of @x>, <stride of @x>, <rows>]
  } step {
    plan.launch @embed_0 rows [<tokens>, <global_weight of @table>, <buffer of @x>, <stride of @x>, <rows>]
  }
  // CHECK: plan.body @layer weights(1) states [@conv, @key]
  // CHECK: <weight>, <state>, <state at 1>, <state_stride at 1>, <buffer of @x at 4>, <seqs>, <outputs>]
  plan.body @layer weights(1) states [@conv, @key] prefill {
    plan.launch @copy outputs [<weight>, <state>, <state at 1>, <state_stride at 1>, <buffer of @x at 4>, <seqs>, <outputs>]
  } step {
  }
  plan.body @after weights(0) states [] prefill {
  } step {
  }
  // CHECK: plan.layers before @before [#ssm.layer<0, @layer [@table]>] after @after
  plan.layers before @before [#ssm.layer<0, @layer [@table]>] after @after
}
