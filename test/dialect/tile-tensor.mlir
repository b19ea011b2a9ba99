// RUN: ssm-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: tile.func @warp_product
tile.func @warp_product block(32) {
^bb0(%x: !tile.ptr<bf16, global>):
  %zero = arith.constant 0 : i64
  // CHECK: %[[TILE:.*]] = tile.alloc_tile : <64, 64, bf16, swizzle = 128>
  %tile = tile.alloc_tile : !tile.shared<64, 64, bf16, swizzle = 128>
  // CHECK: %[[A:.*]] = tile.read_tile %[[TILE]][%{{.*}}, %{{.*}}] : <64, 64, bf16, swizzle = 128> -> <16, 32, bf16, a>
  %a = tile.read_tile %tile[%zero, %zero] : !tile.shared<64, 64, bf16, swizzle = 128> -> !tile.reg<16, 32, bf16, a>
  %b = tile.read_tile %tile[%zero, %zero] : !tile.shared<64, 64, bf16, swizzle = 128> -> !tile.reg<16, 32, bf16, b>
  // CHECK: %[[ZERO:.*]] = tile.zero : <16, 16, f32, acc>
  %acc = tile.zero : !tile.reg<16, 16, f32, acc>
  // CHECK: %[[SUM:.*]] = tile.mma %[[A]], %{{.*}}, %[[ZERO]] : <16, 32, bf16, a>, <16, 32, bf16, b>, <16, 16, f32, acc>
  %sum = tile.mma %a, %b, %acc : !tile.reg<16, 32, bf16, a>, !tile.reg<16, 32, bf16, b>, !tile.reg<16, 16, f32, acc>
  // CHECK: tile.convert_layout %[[SUM]] : <16, 16, f32, acc> -> <16, 16, bf16, a>
  %next = tile.convert_layout %sum : !tile.reg<16, 16, f32, acc> -> !tile.reg<16, 16, bf16, a>
  // CHECK: tile.write_tile %{{.*}}, %[[TILE]][%{{.*}}, %{{.*}}]
  tile.write_tile %next, %tile[%zero, %zero] : !tile.reg<16, 16, bf16, a>, !tile.shared<64, 64, bf16, swizzle = 128>
  tile.return
}

// CHECK-LABEL: tile.func @ring
tile.func @ring block(256) {
^bb0(%x: !tile.ptr<bf16, global>, %k: i64):
  // CHECK: tile.ring_init 2 : <4, <64, 64, bf16, swizzle = 128>, <128, 64, bf16, swizzle = 128>>
  %ring = tile.ring_init 2 : !tile.ring<4, !tile.shared<64, 64, bf16, swizzle = 128>, !tile.shared<128, 64, bf16, swizzle = 128>>
  // CHECK: tile.grid_wait
  tile.grid_wait
  // CHECK: %[[STAGE:.*]] = tile.ring_wait %{{.*}}[%{{.*}}]
  %stage = tile.ring_wait %ring[%k] : !tile.ring<4, !tile.shared<64, 64, bf16, swizzle = 128>, !tile.shared<128, 64, bf16, swizzle = 128>> -> !tile.stage<!tile.ring<4, !tile.shared<64, 64, bf16, swizzle = 128>, !tile.shared<128, 64, bf16, swizzle = 128>>>
  // CHECK: tile.stage_tile %[[STAGE]][0]
  %a = tile.stage_tile %stage[0] : !tile.stage<!tile.ring<4, !tile.shared<64, 64, bf16, swizzle = 128>, !tile.shared<128, 64, bf16, swizzle = 128>>> -> !tile.shared<64, 64, bf16, swizzle = 128>
  %b = tile.stage_tile %stage[1] : !tile.stage<!tile.ring<4, !tile.shared<64, 64, bf16, swizzle = 128>, !tile.shared<128, 64, bf16, swizzle = 128>>> -> !tile.shared<128, 64, bf16, swizzle = 128>
  // CHECK: %[[FIRST:.*]] = tile.wgmma
  %p = tile.wgmma %a, %b : !tile.shared<64, 64, bf16, swizzle = 128>, !tile.shared<128, 64, bf16, swizzle = 128> -> !tile.pending<!tile.reg<64, 128, f32, wide_acc>>
  // CHECK: %[[SECOND:.*]] = tile.wgmma %{{.*}}, %{{.*}}, %[[FIRST]] :
  %q = tile.wgmma %a, %b, %p : !tile.pending<!tile.reg<64, 128, f32, wide_acc>> : !tile.shared<64, 64, bf16, swizzle = 128>, !tile.shared<128, 64, bf16, swizzle = 128> -> !tile.pending<!tile.reg<64, 128, f32, wide_acc>>
  // CHECK: tile.wgmma_wait 0, %[[SECOND]]
  %r = tile.wgmma_wait 0, %q : !tile.pending<!tile.reg<64, 128, f32, wide_acc>> -> !tile.reg<64, 128, f32, wide_acc>
  // CHECK: tile.ring_release %[[STAGE]]
  tile.ring_release %stage : !tile.stage<!tile.ring<4, !tile.shared<64, 64, bf16, swizzle = 128>, !tile.shared<128, 64, bf16, swizzle = 128>>>
  // CHECK: tile.grid_launch_next
  tile.grid_launch_next
  tile.return
}
