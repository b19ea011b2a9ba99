// RUN: ssm-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func private @rows
func.func private @rows(%tokens: tensor<?xi32>, %table: tensor<16x8xbf16>,
    %gain: tensor<8xf32>, %w: tensor<8x8xbf16>) -> tensor<?x2xf32> {
  // CHECK: kern.embed %{{.*}}, %{{.*}} times 2.0
  %0 = kern.embed %tokens, %table times 2.0 : tensor<16x8xbf16> -> tensor<?x8xf32>
  // CHECK: kern.rowwise rms %{{.*}} elements({{.*}}) columns({{.*}}) groups(2) eps(1.0{{.*}}) gather
  %1 = kern.rowwise rms %0 elements(%0 : tensor<?x8xf32>) columns(%gain : tensor<8xf32>) groups(2) eps(1.0e-5) gather : tensor<?x8xf32> -> tensor<?x8xbf16> value {
  ^bb0(%v: f32, %e: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32, %e: f32, %g: f32):
    %r = arith.mulf %v, %rstd : f32
    kern.yield %r : f32
  }
  // CHECK: kern.gemm %{{.*}}, %{{.*}} columns({{.*}}) paired(2) schedule [#kern.gemm_schedule<stream, max_rows = 1, block_rows = 1, panel = 32, pair = 2, dot = true>, #kern.gemm_schedule<blocked, max_rows = -1, block_rows = 8, panel = 32, pair = 2>]
  %2 = kern.gemm %1, %w columns(%gain : tensor<8xf32>) paired(2) schedule [#kern.gemm_schedule<stream, max_rows = 1, block_rows = 1, panel = 32, pair = 2, dot = true>, #kern.gemm_schedule<blocked, max_rows = -1, block_rows = 8, panel = 32, pair = 2>] : tensor<?x8xbf16>, tensor<8x8xbf16> -> tensor<?x4xf32> {
  ^bb0(%gate: f32, %up: f32, %gate_bias: f32, %up_bias: f32):
    %r = arith.mulf %gate, %up : f32
    kern.yield %r : f32
  }
  // CHECK: kern.columns %{{.*}} from 1
  %3 = kern.columns %2 from 1 : tensor<?x4xf32> -> tensor<?x2xf32>
  return %3 : tensor<?x2xf32>
}

// CHECK-LABEL: func.func private @norm_gemm
func.func private @norm_gemm(%x: tensor<?x8xf32>, %gain: tensor<8xf32>,
    %w: tensor<16x8xbf16>, %bias: tensor<16xf32>) -> tensor<?x16xf32> {
  // CHECK: kern.norm_gemm rms %{{.*}} elements({{.*}}) columns({{.*}}) groups(2) eps(1.0{{.*}}) gather rounded bf16 gemm %{{.*}} columns({{.*}}) schedule [#kern.gemm_schedule<stream, max_rows = 4, block_rows = 4, panel = 8, pair = 8, block_columns = 16>]
  %0 = kern.norm_gemm rms %x elements(%x : tensor<?x8xf32>) columns(%gain : tensor<8xf32>) groups(2) eps(1.0e-5) gather rounded bf16 gemm %w columns(%bias : tensor<16xf32>) schedule [#kern.gemm_schedule<stream, max_rows = 4, block_rows = 4, panel = 8, pair = 8, block_columns = 16>] : tensor<?x8xf32>, tensor<16x8xbf16> -> tensor<?x16xf32> value {
  ^bb0(%v: f32, %e: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32, %e: f32, %g: f32):
    kern.yield %v : f32
  } epilogue {
  ^bb0(%sum: f32, %b: f32):
    kern.yield %sum : f32
  }
  return %0 : tensor<?x16xf32>
}

// CHECK-LABEL: func.func private @mixers
func.func private @mixers(%x: tensor<?x8xf32>, %seqs: !ssm.seqs,
    %w: tensor<8x4xf32>, %v: tensor<8xf32>, %a: tensor<8x2xf32>,
    %b: tensor<?x2xf32>, %conv_state: tensor<?x8x3xf32>,
    %state: tensor<?x8x2xf32>) -> tensor<?x8xf32> {
  // CHECK: kern.conv %{{.*}}, %{{.*}} state %{{.*}} weight %{{.*}} columns(
  %0, %1 = kern.conv %x, %seqs state %conv_state weight %w columns(%v : tensor<8xf32>) : tensor<?x8xf32>, tensor<?x8x3xf32>, tensor<8x4xf32> -> tensor<?x8xf32> {
  ^bb0(%sum: f32, %bias: f32):
    kern.yield %sum : f32
  }
  // CHECK: kern.scan %{{.*}} dt %{{.*}} columns({{.*}}) elements(
  %2, %3 = kern.scan %0 dt %x A %a B %b C %b, %seqs state %state columns(%v : tensor<8xf32>) elements(%x : tensor<?x8xf32>) : tensor<?x8xf32>, tensor<8x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x8x2xf32> -> tensor<?x8xf32> {
  ^bb0(%y: f32, %input: f32, %d: f32, %gate: f32):
    kern.yield %y : f32
  }
  return %2 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func private @mamba2
func.func private @mamba2(%x: tensor<?x8xf32>, %seqs: !ssm.seqs,
    %a: tensor<4xf32>, %dt: tensor<?x4xf32>, %b: tensor<?x3xf32>,
    %xbc: tensor<?x14xf32>, %w: tensor<14x4xf32>,
    %conv_state: tensor<?x14x3xf32>, %state: tensor<?x4x2x3xf32>)
    -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  // CHECK: kern.ssd {{.*}} chunk(64)
  %0, %1 = kern.ssd %x dt %dt, %a A %a B %b C %b D %a, %seqs state %state chunk(64) : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<?x4x2x3xf32> -> tensor<?x8xf32> {
  ^bb0(%value: f32, %bias: f32):
    kern.yield %value : f32
  }
  // CHECK: kern.ssm_step {{.*}} conv_state
  %2, %3, %4 = kern.ssm_step %xbc dt %dt, %a A %a D %a weight %w, %seqs conv_state %conv_state state %1 : tensor<?x14xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<14x4xf32>, tensor<?x14x3xf32>, tensor<?x4x2x3xf32> -> tensor<?x8xf32> conv {
  ^bb0(%sum: f32):
    kern.yield %sum : f32
  } dt {
  ^bb0(%value: f32, %bias: f32):
    kern.yield %value : f32
  }
  return %0, %2 : tensor<?x8xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: func.func private @attention
func.func private @attention(%qkv: tensor<?x16xf32>, %seqs: !ssm.seqs,
    %cache: tensor<?x2x?x2xbf16>) -> tensor<?x8xbf16> {
  // CHECK: kern.kv_append {{.*}} query_scale(1.0{{.*}}) rope(<default, dims = 2, theta = 1.000000e+04>)
  %0, %1, %2 = kern.kv_append %qkv, %seqs cache %cache, %cache query_scale(1.0) rope(<default, dims = 2, theta = 10000.0>) : tensor<?x16xf32>, tensor<?x2x?x2xbf16> -> tensor<?x8xf32>
  // CHECK: kern.attention decode {{.*}} window(5)
  %3 = kern.attention decode %0, %seqs cache %1, %2 window(5) : tensor<?x8xf32>, tensor<?x2x?x2xbf16> -> tensor<?x8xbf16>
  return %3 : tensor<?x8xbf16>
}

// CHECK-LABEL: func.func private @attention_step
func.func private @attention_step(%qkv: tensor<?x16xf32>, %seqs: !ssm.seqs,
    %cache: tensor<?x2x?x2xbf16>) -> tensor<?x8xbf16> {
  // CHECK: kern.attention_step {{.*}} query_scale(1.0{{.*}}) rope({{.*}}) rounded f32 window(5)
  %0, %1, %2 = kern.attention_step %qkv, %seqs cache %cache, %cache query_scale(1.0) rope(<default, dims = 2, theta = 10000.0>) rounded f32 window(5) : tensor<?x16xf32>, tensor<?x2x?x2xbf16> -> tensor<?x8xbf16>
  return %0 : tensor<?x8xbf16>
}

// CHECK-LABEL: ssm.program @recipes
ssm.program @recipes hidden(8) vocab(16) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  // CHECK: #kern.recipe<<tensor "a"[8, 8]>, <slice[0, 4]>, <scale by 2.0{{.*}}>, <pack "bf16"[32, 2]>>
  %0 = ssm.weight "a" {recipe = #kern.recipe<<tensor "a" [8, 8]>, <slice[0, 4]>, <scale by 2.0 : f64>, <pack "bf16" [32, 2]>>} : tensor<16x8xf32>
  %1 = kern.embed %tokens, %0 times 1.0 : tensor<16x8xf32> -> tensor<?x8xf32>
  %2 = ssm.linear %1, %0 : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  ssm.return %2 : tensor<?x16xf32>
}
