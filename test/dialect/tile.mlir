// RUN: ssm-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: tile.func @threads block(128) min_blocks(2)
tile.func @threads block(128) min_blocks(2) {
^bb0(%rows: !tile.ptr<f32, global>, %count: i64):
  // CHECK: tile.block_id
  %block = tile.block_id
  // CHECK: tile.thread_id
  %thread = tile.thread_id
  // CHECK: tile.lane
  %lane = tile.lane
  // CHECK: tile.warp
  %warp = tile.warp
  // CHECK: tile.barrier id(1) threads(64)
  tile.barrier id(1) threads(64)
  // CHECK: tile.barrier
  tile.barrier
  // CHECK: tile.warp_barrier
  tile.warp_barrier
  tile.return
}

// CHECK-LABEL: tile.func @memory
tile.func @memory block(32) {
^bb0(%rows: !tile.ptr<f32, global>, %table: !tile.ptr<!tile.ptr<i32, global>, global>, %count: i64):
  %i = tile.thread_id
  %mask = arith.cmpi slt, %i, %count : i64
  // CHECK: %[[SHARED:.*]] = tile.alloc_shared 128 : <f32, shared>
  %shared = tile.alloc_shared 128 : !tile.ptr<f32, shared>
  // CHECK: tile.load %{{.*}}[%{{.*}}] mask %{{.*}} cache(read_only) : <f32, global> -> vector<4xf32>
  %v = tile.load %rows[%i] mask %mask cache(read_only) : !tile.ptr<f32, global> -> vector<4xf32>
  // CHECK: tile.store %{{.*}}, %[[SHARED]][%{{.*}}] mask
  tile.store %v, %shared[%i] mask %mask : vector<4xf32>, !tile.ptr<f32, shared>
  // CHECK: tile.load {{.*}} -> !tile.ptr<i32, global>
  %list = tile.load %table[%i] : !tile.ptr<!tile.ptr<i32, global>, global> -> !tile.ptr<i32, global>
  // CHECK: tile.offset %{{.*}}[%{{.*}}] : <i32, global>
  %next = tile.offset %list[%i] : !tile.ptr<i32, global>
  // CHECK: tile.cast %{{.*}} : <i32, global> to <i64, global>
  %wide = tile.cast %next : !tile.ptr<i32, global> to !tile.ptr<i64, global>
  // CHECK: tile.cp_async %[[SHARED]][%{{.*}}], %{{.*}}[%{{.*}}] mask %{{.*}} bytes(16)
  tile.cp_async %shared[%i], %rows[%i] mask %mask bytes(16) : !tile.ptr<f32, shared>, !tile.ptr<f32, global>
  // CHECK: tile.cp_async_commit
  tile.cp_async_commit
  // CHECK: tile.cp_async_wait 1
  tile.cp_async_wait 1
  // CHECK: tile.table [1, -2] : <i64, global>
  %numbers = tile.table [1, -2] : !tile.ptr<i64, global>
  // CHECK: tile.atomic max %{{.*}}, %{{.*}}[%{{.*}}] : i64
  %old = tile.atomic max %count, %wide[%i] : i64, !tile.ptr<i64, global>
  // CHECK: tile.fence
  tile.fence
  tile.return
}

// CHECK-LABEL: tile.func @warps
tile.func @warps block(32) {
^bb0(%x: i64):
  %distance = arith.constant 4 : i32
  %value = arith.constant 2.0 : f32
  // CHECK: tile.shuffle xor %{{.*}} of %{{.*}} : f32
  %0 = tile.shuffle xor %distance of %value : f32
  // CHECK: tile.reduce_warp add %{{.*}} width(4) stride(8) : f32
  %1 = tile.reduce_warp add %0 width(4) stride(8) : f32
  // CHECK: tile.approx exp2 %{{.*}}
  %2 = tile.approx exp2 %1
  tile.return
}
