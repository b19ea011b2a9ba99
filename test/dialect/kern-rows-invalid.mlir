// RUN: ssm-opt %s --split-input-file --verify-diagnostics

func.func @columns_range(%x: tensor<?x8xf32>) {
  // expected-error @below {{'kern.columns' op expected columns 6..10 to lie in 8}}
  %0 = kern.columns %x from 6 : tensor<?x8xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @rowwise_width(%x: tensor<?x8xf32>) {
  // expected-error @below {{'kern.rowwise' op expected a result of 8 columns}}
  %0 = kern.rowwise none %x : tensor<?x8xf32> -> tensor<?x4xf32> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32):
    kern.yield %v : f32
  }
  return
}

// -----

func.func @rowwise_groups(%x: tensor<?x8xf32>) {
  // expected-error @below {{'kern.rowwise' op expected 'groups' 3 to divide 8 columns}}
  %0 = kern.rowwise rms %x groups(3) : tensor<?x8xf32> -> tensor<?x8xf32> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32):
    kern.yield %v : f32
  }
  return
}

// -----

func.func @rowwise_value_arguments(%x: tensor<?x8xf32>) {
  // expected-error @below {{'kern.rowwise' op expected region 'value' to take 2 values, got 1}}
  %0 = kern.rowwise none %x elements(%x : tensor<?x8xf32>) : tensor<?x8xf32> -> tensor<?x8xf32> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32, %e: f32):
    kern.yield %v : f32
  }
  return
}

// -----

func.func @rowwise_finish_arguments(%x: tensor<?x8xf32>, %c: tensor<8xf32>) {
  // expected-error @below {{'kern.rowwise' op expected region 'finish' to take 4 values, got 3}}
  %0 = kern.rowwise none %x columns(%c : tensor<8xf32>) : tensor<?x8xf32> -> tensor<?x8xf32> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32):
    kern.yield %v : f32
  }
  return
}

// -----

func.func @rowwise_columns(%x: tensor<?x8xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'kern.rowwise' op expected column operands of 8 entries, got 4}}
  %0 = kern.rowwise none %x columns(%c : tensor<4xf32>) : tensor<?x8xf32> -> tensor<?x8xf32> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32, %g: f32):
    kern.yield %v : f32
  }
  return
}

// -----

func.func @region_types(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{'kern.gemm' op expected region 'epilogue' to take f32 values, got 'f64'}}
  %0 = kern.gemm %x, %w : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
  ^bb0(%sum: f64):
    %r = arith.truncf %sum : f64 to f32
    kern.yield %r : f32
  }
  return
}

// -----

func.func @region_operations(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{'kern.gemm' op expected only scalar arith and math operations in region 'epilogue'}}
  %0 = kern.gemm %x, %w : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
  ^bb0(%sum: f32):
    // expected-note @below {{found 'math.sin'}}
    %r = math.sin %sum : f32
    kern.yield %r : f32
  }
  return
}

// -----

func.func @gemm_elements(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{'kern.gemm' op expected element operands of 4 columns, got 8}}
  %0 = kern.gemm %x, %w elements(%x : tensor<?x8xf32>) : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
  ^bb0(%sum: f32, %e: f32):
    kern.yield %sum : f32
  }
  return
}

// -----

func.func @gemm_input(%x: tensor<?x8xf32>, %w: tensor<4x9xf32>) {
  // expected-error @below {{'kern.gemm' op failed to verify that dimension 1 of 'weight' matches dimension 1 of 'input'}}
  %0 = kern.gemm %x, %w : tensor<?x8xf32>, tensor<4x9xf32> -> tensor<?x4xf32> {
  ^bb0(%sum: f32):
    kern.yield %sum : f32
  }
  return
}

// -----

func.func @gemm_result(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{'kern.gemm' op expected a result of 4 columns, got 8}}
  %0 = kern.gemm %x, %w : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x8xf32> {
  ^bb0(%sum: f32):
    kern.yield %sum : f32
  }
  return
}

// -----

func.func @gemm_pairs(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{'kern.gemm' op expected pairs of 4 columns to divide 4 columns}}
  %0 = kern.gemm %x, %w paired(4) : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x2xf32> {
  ^bb0(%gate: f32, %up: f32):
    kern.yield %gate : f32
  }
  return
}

// -----

func.func @norm_gemm_weight(%x: tensor<?x8xf32>, %w: tensor<16x4xf32>) -> tensor<?x16xf32> {
  // expected-error @below {{'kern.norm_gemm' op expected a weight of 8 columns, got 4}}
  %0 = kern.norm_gemm rms %x rounded f32 gemm %w : tensor<?x8xf32>, tensor<16x4xf32> -> tensor<?x16xf32> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32):
    kern.yield %v : f32
  } epilogue {
  ^bb0(%sum: f32):
    kern.yield %sum : f32
  }
  return %0 : tensor<?x16xf32>
}

// -----

func.func @norm_gemm_rounded(%x: tensor<?x8xf32>, %w: tensor<16x8xf32>) -> tensor<?x16xf32> {
  // expected-error @below {{'kern.norm_gemm' op expected 'rounded' to be f32 or bf16, got 'f16'}}
  %0 = kern.norm_gemm rms %x rounded f16 gemm %w : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32):
    kern.yield %v : f32
  } epilogue {
  ^bb0(%sum: f32):
    kern.yield %sum : f32
  }
  return %0 : tensor<?x16xf32>
}

// -----

func.func @norm_gemm_groups(%x: tensor<?x8xf32>, %w: tensor<16x8xf32>) -> tensor<?x16xf32> {
  // expected-error @below {{'kern.norm_gemm' op expected 'groups' 3 to divide 8 columns}}
  %0 = kern.norm_gemm rms %x groups(3) rounded f32 gemm %w : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32):
    kern.yield %v : f32
  } epilogue {
  ^bb0(%sum: f32):
    kern.yield %sum : f32
  }
  return %0 : tensor<?x16xf32>
}
