// RUN: ssm-opt %s --split-input-file --verify-diagnostics

func.func @conv_state(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %s: tensor<?x8x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{'ssm.causal_conv1d' op expected a state of 3 inputs for 4 taps, got 4}}
  %0, %1 = ssm.causal_conv1d %x, %seqs state %s weight %w : tensor<?x8xf32>, tensor<?x8x4xf32>, tensor<8x4xf32>
  return
}

// -----

func.func @ssd_c1_heads(%x: tensor<?x9xf32>, %seqs: !ssm.seqs, %a: tensor<4xf32>, %dt: tensor<?x4xf32>, %b: tensor<?x3xf32>, %state: tensor<?x4x2x3xf32>) {
  // expected-error @below {{'ssm.ssd' op expected 4 heads of 2 columns of input, got 9}}
  %0, %1 = ssm.ssd %x dt %dt A %a B %b C %b D %a, %seqs state %state : tensor<?x9xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<4xf32>, tensor<?x4x2x3xf32>
  return
}

// -----

func.func @ssd_c2_groups(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %a: tensor<4xf32>, %dt: tensor<?x4xf32>, %b: tensor<?x9xf32>, %state: tensor<?x4x2x3xf32>) {
  // expected-error @below {{'ssm.ssd' op expected B of whole groups of 3 columns that divide 4 heads, got 9}}
  %0, %1 = ssm.ssd %x dt %dt A %a B %b C %b D %a, %seqs state %state : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x9xf32>, tensor<4xf32>, tensor<?x4x2x3xf32>
  return
}

// -----

func.func @rope_heads(%x: tensor<?x8xf32>, %seqs: !ssm.seqs) {
  // expected-error @below {{'ssm.rope' op expected whole heads of 3 columns, got 8}}
  %0 = ssm.rope <default, dims = 2, theta = 10000.0> %x, %seqs head_dim(3) : tensor<?x8xf32>
  return
}

// -----

func.func @rope_dims(%x: tensor<?x8xf32>, %seqs: !ssm.seqs) {
  // expected-error @below {{'ssm.rope' op expected rope 'dims' 4 to be at most 'head_dim' 2}}
  %0 = ssm.rope <default, dims = 4, theta = 10000.0> %x, %seqs head_dim(2) : tensor<?x8xf32>
  return
}

// -----

func.func @attention_keys(%q: tensor<?x8xf32>, %k: tensor<?x6xf32>, %seqs: !ssm.seqs, %c: tensor<?x2x?x2xf32>) {
  // expected-error @below {{'ssm.attention' op expected 2 key heads of 2 columns, got 6}}
  %0, %1, %2 = ssm.attention %q, %k, %k, %seqs cache %c, %c scale(0.5) : tensor<?x8xf32>, tensor<?x6xf32>, tensor<?x2x?x2xf32>
  return
}

// -----

func.func @attention_c1_heads(%q: tensor<?x6xf32>, %k: tensor<?x4xf32>, %seqs: !ssm.seqs, %c: tensor<?x2x?x2xf32>) {
  // expected-error @below {{'ssm.attention' op expected query heads in a multiple of 2 kv heads of 2 columns, got 6 columns}}
  %0, %1, %2 = ssm.attention %q, %k, %k, %seqs cache %c, %c scale(0.5) : tensor<?x6xf32>, tensor<?x4xf32>, tensor<?x2x?x2xf32>
  return
}

// -----

ssm.program @layers_body hidden(8) vocab(16) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %0 = ssm.weight "emb.weight" : tensor<16x8xf32>
  %1 = ssm.embedding %tokens, %0 : tensor<16x8xf32> -> tensor<?x8xf32>
  // expected-error @below {{'ssm.layers' op row 0 names no function: @missing}}
  %2 = ssm.layers %1, %seqs [#ssm.layer<0, @missing []>] : tensor<?x8xf32>
  ssm.return %2 : tensor<?x8xf32>
}

// -----

func.func private @body(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %w: tensor<8xf32>) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}
ssm.program @layers_weights hidden(8) vocab(16) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %0 = ssm.weight "emb.weight" : tensor<16x8xf32>
  %1 = ssm.embedding %tokens, %0 : tensor<16x8xf32> -> tensor<?x8xf32>
  // expected-error @below {{'ssm.layers' op row 0 binds 0 weights, but @body takes 1}}
  %2 = ssm.layers %1, %seqs [#ssm.layer<0, @body []>] : tensor<?x8xf32>
  ssm.return %2 : tensor<?x8xf32>
}

// -----

func.func private @body(%x: tensor<?x9xf32>, %seqs: !ssm.seqs) -> tensor<?x9xf32> {
  return %x : tensor<?x9xf32>
}
ssm.program @layers_rows hidden(8) vocab(16) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  %0 = ssm.weight "emb.weight" : tensor<16x8xf32>
  %1 = ssm.embedding %tokens, %0 : tensor<16x8xf32> -> tensor<?x8xf32>
  // expected-error @below {{'ssm.layers' op row 0: @body takes rows of 'tensor<?x9xf32>'}}
  %2 = ssm.layers %1, %seqs [#ssm.layer<0, @body []>] : tensor<?x8xf32>
  ssm.return %2 : tensor<?x8xf32>
}
