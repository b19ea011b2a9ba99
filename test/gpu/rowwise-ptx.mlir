// RUN: kern-compile %s --target=sm_80 --emit=ptx -o - | FileCheck %s

// Every slot of the kernel ABI is a parameter of 64 bits, in its order: input,
// elements, columns, result, sequence table, rows.
// CHECK: .version 7.0
// CHECK: .target sm_80
// CHECK: .visible .entry kernel_0(
// CHECK-NEXT: .param .u64 .ptr .global .align 1 kernel_0_param_0,
// CHECK-NEXT: .param .u64 kernel_0_param_1,
// CHECK-NEXT: .param .u64 .ptr .global .align 1 kernel_0_param_2,
// CHECK-NEXT: .param .u64 kernel_0_param_3,
// CHECK-NEXT: .param .u64 .ptr .global .align 1 kernel_0_param_4,
// CHECK-NEXT: .param .u64 .ptr .global .align 1 kernel_0_param_5,
// CHECK-NEXT: .param .u64 kernel_0_param_6,
// CHECK-NEXT: .param .u64 .ptr .global .align 1 kernel_0_param_7,
// CHECK-NEXT: .param .u64 kernel_0_param_8
// CHECK-NEXT: )
// CHECK-NEXT: .reqntid 96
// CHECK: bar.sync
// CHECK: sqrt.rn.f32
// CHECK: cvt.rn.bf16.f32
// CHECK-NOT: call
func.func @f(%x: tensor<?x300xf32>, %e: tensor<?x300xf32>, %g: tensor<300xf32>) -> tensor<?x300xbf16> {
  %y = kern.rowwise rms %x elements(%e : tensor<?x300xf32>) columns(%g : tensor<300xf32>) eps(1.0e-5) : tensor<?x300xf32> -> tensor<?x300xbf16> value {
  ^bb0(%v: f32, %z: f32):
    %0 = math.exp %z : f32
    %1 = arith.mulf %v, %0 : f32
    kern.yield %1 : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32, %z: f32, %gain: f32):
    %0 = arith.mulf %v, %rstd : f32
    %1 = arith.mulf %0, %gain : f32
    kern.yield %1 : f32
  }
  return %y : tensor<?x300xbf16>
}
