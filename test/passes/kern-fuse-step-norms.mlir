// RUN: ssm-opt %s --kern-fuse-step-norms | FileCheck %s

// CHECK-LABEL: func.func private @norm.step
// CHECK-NOT: kern.rowwise
// CHECK: %[[Y:.*]] = kern.norm_gemm rms %arg0 columns(%arg2 : tensor<8xf32>) eps({{.*}}) rounded bf16 gemm %arg1
// CHECK: value {
// CHECK: finish {
// CHECK: arith.mulf
// CHECK: epilogue {
// CHECK: math.absf
// CHECK: return %[[Y]]
func.func private @norm.step(%x: tensor<?x8xf32>, %w: tensor<4x8xbf16>, %gain: tensor<8xf32>) -> tensor<?x4xf32> {
  %n = kern.rowwise rms %x columns(%gain : tensor<8xf32>) eps(1.0e-5) : tensor<?x8xf32> -> tensor<?x8xbf16> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32, %g: f32):
    %0 = arith.mulf %v, %rstd : f32
    kern.yield %0 : f32
  }
  %y = kern.gemm %n, %w : tensor<?x8xbf16>, tensor<4x8xbf16> -> tensor<?x4xf32> {
  ^bb0(%sum: f32):
    %0 = math.absf %sum : f32
    kern.yield %0 : f32
  }
  return %y : tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @two_products.step
// CHECK-COUNT-2: kern.norm_gemm rms %arg0
func.func private @two_products.step(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) -> tensor<?x4xf32> {
  %n = kern.rowwise rms %x : tensor<?x8xf32> -> tensor<?x8xf32> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32):
    kern.yield %v : f32
  }
  %a = kern.gemm %n, %w : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
  ^bb0(%sum: f32):
    kern.yield %sum : f32
  }
  %b = kern.gemm %n, %w elements(%a : tensor<?x4xf32>) : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
  ^bb0(%sum: f32, %e: f32):
    kern.yield %sum : f32
  }
  return %b : tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @negative.prefill
// CHECK: kern.rowwise
// CHECK: kern.gemm
func.func private @negative.prefill(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) -> tensor<?x4xf32> {
  %n = kern.rowwise rms %x : tensor<?x8xf32> -> tensor<?x8xf32> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32):
    kern.yield %v : f32
  }
  %y = kern.gemm %n, %w : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
  ^bb0(%sum: f32):
    kern.yield %sum : f32
  }
  return %y : tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @negative_read_as_element.step
// CHECK: kern.rowwise
// CHECK: kern.gemm
func.func private @negative_read_as_element.step(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %n = kern.rowwise rms %x : tensor<?x8xf32> -> tensor<?x8xf32> value {
  ^bb0(%v: f32):
    kern.yield %v : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32):
    kern.yield %v : f32
  }
  %y = kern.gemm %n, %w elements(%n : tensor<?x8xf32>) : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32> {
  ^bb0(%sum: f32, %e: f32):
    kern.yield %sum : f32
  }
  return %y : tensor<?x8xf32>
}
