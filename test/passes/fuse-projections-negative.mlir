// RUN: ssm-opt %s --ssm-fuse-projections --remarks-filter="ssm" 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: ssm-opt %s --ssm-fuse-projections | FileCheck %s

// REMARK: [Missed] fuse-projections {{.*}}products read different rows
// CHECK-LABEL: func.func private @negative_different_rows
// CHECK-COUNT-3: ssm.linear
func.func private @negative_different_rows(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %q: tensor<4x4xf32>, %k: tensor<4x4xf32>, %v: tensor<4x4xf32>, %kc: tensor<?x2x?x2xf32>, %vc: tensor<?x2x?x2xf32>) -> (tensor<?x4xf32>, tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>) {
  %0 = ssm.scale %x by 2.0 : tensor<?x4xf32>
  %1 = ssm.linear %0, %q : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %2 = ssm.linear %x, %k : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %3 = ssm.linear %x, %v : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %4, %5, %6 = ssm.attention %1, %2, %3, %seqs cache %kc, %vc scale(0.5) : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x2x?x2xf32>
  return %4, %5, %6 : tensor<?x4xf32>, tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>
}

// REMARK: [Missed] fuse-projections {{.*}}only some products have a bias
// CHECK-LABEL: func.func private @negative_one_bias
// CHECK-COUNT-3: ssm.linear
func.func private @negative_one_bias(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %q: tensor<4x4xf32>, %b: tensor<4xf32>, %k: tensor<4x4xf32>, %v: tensor<4x4xf32>, %kc: tensor<?x2x?x2xf32>, %vc: tensor<?x2x?x2xf32>) -> (tensor<?x4xf32>, tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>) {
  %1 = ssm.linear %x, %q bias %b : tensor<4xf32> : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %2 = ssm.linear %x, %k : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %3 = ssm.linear %x, %v : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %4, %5, %6 = ssm.attention %1, %2, %3, %seqs cache %kc, %vc scale(0.5) : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x2x?x2xf32>
  return %4, %5, %6 : tensor<?x4xf32>, tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>
}

// REMARK: [Missed] fuse-projections {{.*}}an operand is no product of its own
// CHECK-LABEL: func.func private @negative_two_users
// CHECK-COUNT-2: ssm.linear
func.func private @negative_two_users(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %q: tensor<4x4xf32>, %k: tensor<4x4xf32>, %kc: tensor<?x2x?x2xf32>, %vc: tensor<?x2x?x2xf32>) -> (tensor<?x4xf32>, tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>) {
  %1 = ssm.linear %x, %q : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %2 = ssm.linear %x, %k : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %4, %5, %6 = ssm.attention %1, %2, %2, %seqs cache %kc, %vc scale(0.5) : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x2x?x2xf32>
  return %4, %5, %6 : tensor<?x4xf32>, tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>
}
