// RUN: ssm-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @scale_by_one
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @scale_by_one(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.scale %x by 1.0 : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @negative_scale_by_two
// CHECK: ssm.scale
func.func @negative_scale_by_two(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.scale %x by 2.0 : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @all_columns
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @all_columns(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = kern.columns %x from 0 : tensor<?x8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @columns_of_columns
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-NEXT: kern.columns %[[X]] from 5
// CHECK-NOT: kern.columns
func.func @columns_of_columns(%x: tensor<?x8xf32>) -> tensor<?x2xf32> {
  %0 = kern.columns %x from 4 : tensor<?x8xf32> -> tensor<?x4xf32>
  %1 = kern.columns %0 from 1 : tensor<?x4xf32> -> tensor<?x2xf32>
  return %1 : tensor<?x2xf32>
}

// CHECK-LABEL: func.func @constants_stay_in_regions
// CHECK: kern.gemm
// CHECK-NEXT: ^bb0
// CHECK-NEXT: arith.constant
func.func @constants_stay_in_regions(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) -> tensor<?x4xf32> {
  %0 = kern.gemm %x, %w : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32> {
  ^bb0(%sum: f32):
    %two = arith.constant 2.0 : f32
    %scaled = arith.mulf %sum, %two : f32
    kern.yield %scaled : f32
  }
  return %0 : tensor<?x4xf32>
}
