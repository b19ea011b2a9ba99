// RUN: ssm-opt %s --tile-expand | FileCheck %s

// A mask becomes a condition; a reduction a tree of shuffles.
// CHECK-LABEL: tile.func @masked_load
tile.func @masked_load block(32) {
^bb0(%x: !tile.ptr<f32, global>, %count: i64):
  %i = tile.thread_id
  %mask = arith.cmpi slt, %i, %count : i64
  // CHECK: %[[VALUE:.*]] = scf.if %[[MASK:.*]] -> (f32)
  // CHECK-NEXT: tile.load %{{.*}}[%{{.*}}] cache(read_only) : <f32, global> -> f32
  // CHECK: } else {
  // CHECK-NEXT: scf.yield %cst
  %v = tile.load %x[%i] mask %mask cache(read_only) : !tile.ptr<f32, global> -> f32
  // CHECK: scf.if %[[MASK]] {
  // CHECK-NEXT: tile.store %[[VALUE]]
  tile.store %v, %x[%i] mask %mask : f32, !tile.ptr<f32, global>
  tile.return
}

// CHECK-LABEL: tile.func @reduction
tile.func @reduction block(32) {
^bb0(%x: !tile.ptr<f32, global>):
  %i = tile.thread_id
  %v = tile.load %x[%i] : !tile.ptr<f32, global> -> f32
  // CHECK-DAG: %[[C8:.*]] = arith.constant 8 : i32
  // CHECK-DAG: %[[C16:.*]] = arith.constant 16 : i32
  // CHECK: %[[A:.*]] = tile.shuffle xor %[[C8]] of %[[V:.*]] : f32
  // CHECK: %[[B:.*]] = arith.addf %[[V]], %[[A]]
  // CHECK: %[[C:.*]] = tile.shuffle xor %[[C16]] of %[[B]]
  // CHECK: arith.addf %[[B]], %[[C]]
  // CHECK-NOT: tile.shuffle
  %s = tile.reduce_warp add %v width(4) stride(8) : f32
  tile.store %s, %x[%i] : f32, !tile.ptr<f32, global>
  tile.return
}

// CHECK-LABEL: tile.func @long_shuffle
tile.func @long_shuffle block(32) {
^bb0(%x: !tile.ptr<i64, global>):
  %i = tile.thread_id
  %one = arith.constant 1 : i32
  // CHECK-COUNT-2: tile.shuffle down %{{.*}} of %{{.*}} : i32
  // CHECK-NOT: tile.shuffle
  %s = tile.shuffle down %one of %i : i64
  tile.store %s, %x[%i] : i64, !tile.ptr<i64, global>
  tile.return
}
