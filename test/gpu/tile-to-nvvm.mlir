// RUN: ssm-opt %s --tile-expand --convert-scf-to-cf --tile-to-nvvm --tile-check-device-code | FileCheck %s

// CHECK: llvm.mlir.global internal @kernel_shared0() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<512 x i8>
// CHECK-LABEL: llvm.func @kernel(
// CHECK-SAME: !llvm.ptr<1>, %{{.*}}: i64)
// CHECK-SAME: nvvm.kernel, nvvm.minctasm = 2 : i32, nvvm.reqntid = array<i32: 64>
tile.func @kernel block(64) min_blocks(2) {
^bb0(%x: !tile.ptr<f32, global>, %count: i64):
  // CHECK: llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"
  %i = tile.thread_id
  // CHECK: llvm.mlir.addressof @kernel_shared0 : !llvm.ptr<3>
  %shared = tile.alloc_shared 128 : !tile.ptr<f32, shared>
  // CHECK: llvm.load %{{.*}} invariant {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %v = tile.load %x[%i] cache(read_only) : !tile.ptr<f32, global> -> vector<4xf32>
  // CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
  tile.store %v, %shared[%i] : vector<4xf32>, !tile.ptr<f32, shared>
  // CHECK: llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.aligned.all"
  tile.barrier
  %mask = arith.cmpi slt, %i, %count : i64
  // CHECK: llvm.call_intrinsic "llvm.nvvm.cp.async.cg.shared.global.16.s"
  tile.cp_async %shared[%i], %x[%i] mask %mask bytes(16) : !tile.ptr<f32, shared>, !tile.ptr<f32, global>
  // CHECK: llvm.call_intrinsic "llvm.nvvm.cp.async.ca.shared.global.4"
  tile.cp_async %shared[%i], %x[%i] bytes(4) : !tile.ptr<f32, shared>, !tile.ptr<f32, global>
  // CHECK: llvm.call_intrinsic "llvm.nvvm.cp.async.commit.group"
  tile.cp_async_commit
  // CHECK: llvm.call_intrinsic "llvm.nvvm.cp.async.wait.group"
  tile.cp_async_wait 0
  // CHECK: llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly.f32"
  %f = tile.load %shared[%i] : !tile.ptr<f32, shared> -> f32
  %s = tile.reduce_warp add %f width(2) : f32
  // CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.f32"
  %e = tile.approx exp2 %s
  // CHECK: llvm.intr.fma
  %p = math.fma %e, %e, %s : f32
  tile.store %p, %x[%i] mask %mask : f32, !tile.ptr<f32, global>
  // CHECK: llvm.return
  tile.return
}

// CHECK: llvm.mlir.global internal constant @numbers_table0(dense<[1, -2]> : tensor<2xi64>) {addr_space = 1 : i32, alignment = 16 : i64} : !llvm.array<2 x i64>
// CHECK-LABEL: llvm.func @numbers
tile.func @numbers block(32) {
^bb0(%x: !tile.ptr<i64, global>):
  // CHECK: llvm.mlir.addressof @numbers_table0 : !llvm.ptr<1>
  %table = tile.table [1, -2] : !tile.ptr<i64, global>
  %i = tile.thread_id
  %v = tile.load %table[%i] cache(read_only) : !tile.ptr<i64, global> -> i64
  tile.store %v, %x[%i] : i64, !tile.ptr<i64, global>
  tile.return
}

// More than PTX may declare: one piece that the launch gives.
// CHECK: llvm.mlir.global external @big_shared() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<0 x i8>
// CHECK-LABEL: llvm.func @big
tile.func @big block(32) {
^bb0(%x: !tile.ptr<f32, global>):
  %a = tile.alloc_shared 10000 : !tile.ptr<f32, shared>
  // CHECK: llvm.getelementptr %{{.*}}[40000]
  %b = tile.alloc_shared 10000 : !tile.ptr<f32, shared>
  %i = tile.thread_id
  %v = tile.load %x[%i] : !tile.ptr<f32, global> -> f32
  tile.store %v, %a[%i] : f32, !tile.ptr<f32, shared>
  tile.store %v, %b[%i] : f32, !tile.ptr<f32, shared>
  tile.return
}

// CHECK-LABEL: llvm.func @tell
tile.func @tell block(32) {
^bb0(%x: !tile.ptr<i32, global>, %first: i64):
  %one = arith.constant 1 : i32
  // CHECK: llvm.call_intrinsic "llvm.nvvm.membar.gl"
  tile.fence
  // CHECK: llvm.atomicrmw add
  %old = tile.atomic add %one, %x[%first] : i32, !tile.ptr<i32, global>
  tile.return
}
