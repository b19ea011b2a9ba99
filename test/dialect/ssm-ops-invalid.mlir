// RUN: ssm-opt %s --split-input-file --verify-diagnostics

func.func @norm_c1_rms_bias(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @below {{'ssm.norm' op expected no bias for an RMS norm}}
  %0 = ssm.norm <rms, eps = 1.0e-5> %x weight %w : tensor<8xf32> bias %w : tensor<8xf32> : tensor<?x8xf32>
  return
}

// -----

func.func @norm_c1_layer_bias(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @below {{'ssm.norm' op expected a weight and a bias for a layer norm}}
  %0 = ssm.norm <layer1p, eps = 1.0e-5> %x weight %w : tensor<8xf32> : tensor<?x8xf32>
  return
}

// -----

func.func @norm_weight_size(%x: tensor<?x8xf32>, %w: tensor<9xf32>) {
  // expected-error @below {{'ssm.norm' op expected 'weight' of 8 entries, got 9}}
  %0 = ssm.norm <rms, eps = 1.0e-5> %x weight %w : tensor<9xf32> : tensor<?x8xf32>
  return
}

// -----

func.func @linear_input(%x: tensor<?x8xf32>, %w: tensor<4x9xf32>) {
  // expected-error @below {{'ssm.linear' op failed to verify that dimension 1 of 'weight' matches dimension 1 of 'input'}}
  %0 = ssm.linear %x, %w : tensor<?x8xf32>, tensor<4x9xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @mean_heads_groups(%w: tensor<8x4xf32>) {
  // expected-error @below {{'ssm.mean_heads' op expected groups of 3 heads of 2 rows, got 'tensor<8x4xf32>'}}
  %0 = ssm.mean_heads %w by 3 of 2 : tensor<8x4xf32> -> tensor<4x4xf32>
  return
}

// -----

func.func @mean_heads_result(%w: tensor<8x4xf32>) {
  // expected-error @below {{'ssm.mean_heads' op expected a result of 4 rows, got 'tensor<2x4xf32>'}}
  %0 = ssm.mean_heads %w by 2 of 2 : tensor<8x4xf32> -> tensor<2x4xf32>
  return
}

// -----

func.func @linear_result(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{'ssm.linear' op failed to verify that dimension 0 of 'weight' matches dimension 1 of 'result'}}
  %0 = ssm.linear %x, %w : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @linear_bias(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>, %b: tensor<8xf32>) {
  // expected-error @below {{'ssm.linear' op expected 'bias' of 4 entries, got 8}}
  %0 = ssm.linear %x, %w bias %b : tensor<8xf32> : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @rows_type(%x: tensor<?x8xbf16>, %w: tensor<4x8xf32>) {
  // expected-error @below {{'ssm.linear' op operand #0 must be rows (2-D f32 tensor), but got 'tensor<?x8xbf16>'}}
  %0 = ssm.linear %x, %w : tensor<?x8xbf16>, tensor<4x8xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @gated_norm_groups(%x: tensor<?x8xf32>) {
  // expected-error @below {{'ssm.gated_norm' op expected 'groups' 3 to divide 8 columns}}
  %0 = ssm.gated_norm no_norm %x, %x groups(3) eps(1.0e-5) : tensor<?x8xf32>
  return
}

// -----

func.func @gated_norm_weight(%x: tensor<?x8xf32>) {
  // expected-error @below {{'ssm.gated_norm' op expected a weight}}
  %0 = ssm.gated_norm after_gate %x, %x groups(2) eps(1.0e-5) : tensor<?x8xf32>
  return
}

// -----

func.func @gated_norm_no_weight(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @below {{'ssm.gated_norm' op expected no weight without a norm}}
  %0 = ssm.gated_norm no_norm %x, %x weight %w : tensor<8xf32> groups(2) eps(1.0e-5) : tensor<?x8xf32>
  return
}

// -----

func.func @split_sum(%x: tensor<?x8xf32>) {
  // expected-error @below {{'ssm.split' op expected parts of 8 columns in all, got 7}}
  %0:2 = ssm.split %x : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x3xf32>
  return
}
