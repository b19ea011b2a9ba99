// RUN: ssm-opt %s --ssm-bind-recipes --ssm-fuse-projections --ssm-lower-to-kern --kern-assign-precision=policy=bf16 | FileCheck %s

// Rows that enter a product with a 16-bit weight are rounded to bf16; the sums, and
// what enters no product, stay f32.
// CHECK-LABEL: func.func private @half_weight
// CHECK: %[[N:.*]] = kern.rowwise rms {{.*}} -> tensor<?x8xbf16>
// CHECK: kern.gemm %[[N]], %{{.*}} : tensor<?x8xbf16>, tensor<8x8xbf16> -> tensor<?x8xf32>
func.func private @half_weight(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %g: tensor<8xf32>, %w: tensor<8x8xbf16>) -> tensor<?x8xf32> {
  %0 = ssm.norm <rms, eps = 1.0e-5> %x weight %g : tensor<8xf32> : tensor<?x8xf32>
  %1 = ssm.linear %0, %w : tensor<?x8xf32>, tensor<8x8xbf16> -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func private @negative_f32_weight
// CHECK-NOT: bf16
// CHECK: return
func.func private @negative_f32_weight(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %g: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %0 = ssm.norm <rms, eps = 1.0e-5> %x weight %g : tensor<8xf32> : tensor<?x8xf32>
  %1 = ssm.linear %0, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}
