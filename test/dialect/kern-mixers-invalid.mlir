// RUN: ssm-opt %s --split-input-file --verify-diagnostics

func.func @conv_state(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %s: tensor<?x8x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{'kern.conv' op expected a state of 3 inputs, got 4}}
  %0, %1 = kern.conv %x, %seqs state %s weight %w : tensor<?x8xf32>, tensor<?x8x4xf32>, tensor<8x4xf32> -> tensor<?x8xf32> {
  ^bb0(%sum: f32):
    kern.yield %sum : f32
  }
  return
}

// -----

func.func @scan_states(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %a: tensor<8x2xf32>, %b: tensor<?x3xf32>, %s: tensor<?x8x2xf32>) {
  // expected-error @below {{'kern.scan' op expected B and C of 2 columns}}
  %0, %1 = kern.scan %x dt %x A %a B %b C %b, %seqs state %s : tensor<?x8xf32>, tensor<8x2xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x8x2xf32> -> tensor<?x8xf32> {
  ^bb0(%y: f32, %input: f32):
    kern.yield %y : f32
  }
  return
}

// -----

func.func @ssd_heads(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %a: tensor<4xf32>, %dt: tensor<?x3xf32>, %b: tensor<?x3xf32>, %s: tensor<?x4x2x3xf32>) {
  // expected-error @below {{'kern.ssd' op expected dt and A of 4 heads}}
  %0, %1 = kern.ssd %x dt %dt, %a A %a B %b C %b D %a, %seqs state %s chunk(32) : tensor<?x8xf32>, tensor<?x3xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<?x4x2x3xf32> -> tensor<?x8xf32> {
  ^bb0(%value: f32, %bias: f32):
    kern.yield %value : f32
  }
  return
}

// -----

func.func @ssd_result(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %a: tensor<4xf32>, %dt: tensor<?x4xf32>, %b: tensor<?x3xf32>, %s: tensor<?x4x2x3xf32>) {
  // expected-error @below {{'kern.ssd' op expected a result of 8 columns, got 9}}
  %0, %1 = kern.ssd %x dt %dt, %a A %a B %b C %b D %a, %seqs state %s chunk(32) : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<?x4x2x3xf32> -> tensor<?x9xf32> {
  ^bb0(%value: f32, %bias: f32):
    kern.yield %value : f32
  }
  return
}

// -----

func.func @ssd_groups(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %a: tensor<4xf32>, %dt: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x4x2x3xf32>) {
  // expected-error @below {{'kern.ssd' op expected B of whole groups of 3 columns}}
  %0, %1 = kern.ssd %x dt %dt, %a A %a B %b C %b D %a, %seqs state %s chunk(32) : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x4xf32>, tensor<?x4x2x3xf32> -> tensor<?x8xf32> {
  ^bb0(%value: f32, %bias: f32):
    kern.yield %value : f32
  }
  return
}

// -----

func.func @ssd_chunk(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %a: tensor<4xf32>, %dt: tensor<?x4xf32>, %b: tensor<?x3xf32>, %s: tensor<?x4x2x3xf32>) {
  // expected-error @below {{'kern.ssd' op expected 'chunk' to be positive, got 0}}
  %0, %1 = kern.ssd %x dt %dt, %a A %a B %b C %b D %a, %seqs state %s chunk(0) : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<?x4x2x3xf32> -> tensor<?x8xf32> {
  ^bb0(%value: f32, %bias: f32):
    kern.yield %value : f32
  }
  return
}

// -----

func.func @ssm_step_groups(%x: tensor<?x13xf32>, %seqs: !ssm.seqs, %a: tensor<4xf32>, %dt: tensor<?x4xf32>, %w: tensor<13x4xf32>, %c: tensor<?x13x3xf32>, %s: tensor<?x4x2x3xf32>) {
  // expected-error @below {{'kern.ssm_step' op expected B and C of whole groups of 3 columns beside x, got 5}}
  %0, %1, %2 = kern.ssm_step %x dt %dt, %a A %a D %a weight %w, %seqs conv_state %c state %s : tensor<?x13xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<13x4xf32>, tensor<?x13x3xf32>, tensor<?x4x2x3xf32> -> tensor<?x8xf32> conv {
  ^bb0(%sum: f32):
    kern.yield %sum : f32
  } dt {
  ^bb0(%value: f32, %bias: f32):
    kern.yield %value : f32
  }
  return
}

// -----

func.func @kv_append_columns(%x: tensor<?x15xf32>, %seqs: !ssm.seqs, %c: tensor<?x2x?x2xf32>) {
  // expected-error @below {{'kern.kv_append' op expected 16 columns of q, k and v, got 15}}
  %0, %1, %2 = kern.kv_append %x, %seqs cache %c, %c query_scale(1.0) : tensor<?x15xf32>, tensor<?x2x?x2xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @kv_append_heads(%x: tensor<?x14xf32>, %seqs: !ssm.seqs, %c: tensor<?x2x?x2xf32>) {
  // expected-error @below {{'kern.kv_append' op expected query heads in a multiple of kv heads}}
  %0, %1, %2 = kern.kv_append %x, %seqs cache %c, %c query_scale(1.0) : tensor<?x14xf32>, tensor<?x2x?x2xf32> -> tensor<?x6xf32>
  return
}

// -----

func.func @attention_heads(%x: tensor<?x6xf32>, %seqs: !ssm.seqs, %c: tensor<?x2x?x2xf32>) {
  // expected-error @below {{'kern.attention' op expected query heads in a multiple of kv heads}}
  %0 = kern.attention decode %x, %seqs cache %c, %c : tensor<?x6xf32>, tensor<?x2x?x2xf32> -> tensor<?x6xf32>
  return
}

// -----

func.func @attention_step_rounded(%x: tensor<?x12xf32>, %seqs: !ssm.seqs, %k: tensor<?x1x?x2xf32>) -> tensor<?x8xf32> {
  // expected-error @below {{'kern.attention_step' op expected 'rounded' to be f32 or bf16, got 'f16'}}
  %0, %1, %2 = kern.attention_step %x, %seqs cache %k, %k query_scale(1.0) rounded f16 : tensor<?x12xf32>, tensor<?x1x?x2xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @attention_step_columns(%x: tensor<?x10xf32>, %seqs: !ssm.seqs, %k: tensor<?x1x?x2xf32>) -> tensor<?x8xf32> {
  // expected-error @below {{'kern.attention_step' op expected 12 columns of q, k and v, got 10}}
  %0, %1, %2 = kern.attention_step %x, %seqs cache %k, %k query_scale(1.0) rounded f32 : tensor<?x10xf32>, tensor<?x1x?x2xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
