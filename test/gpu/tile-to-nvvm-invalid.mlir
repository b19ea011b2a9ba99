// RUN: ssm-opt %s --split-input-file --verify-diagnostics --tile-to-nvvm

tile.func @tensor_instruction block(32) {
^bb0:
  // expected-error @below {{failed to legalize operation 'tile.alloc_tile'}}
  %a = tile.alloc_tile : !tile.shared<64, 64, bf16, swizzle = 128>
  %p = tile.wgmma %a, %a : !tile.shared<64, 64, bf16, swizzle = 128>, !tile.shared<64, 64, bf16, swizzle = 128> -> !tile.pending<!tile.reg<64, 64, f32, wide_acc>>
  tile.return
}

// -----

tile.func @mask block(32) {
^bb0(%x: !tile.ptr<f32, global>, %n: i64):
  %i = tile.thread_id
  %first = arith.cmpi slt, %i, %n : i64
  // expected-error @below {{failed to legalize operation 'tile.load'}}
  %v = tile.load %x[%i] mask %first : !tile.ptr<f32, global> -> f32
  tile.store %v, %x[%i] : f32, !tile.ptr<f32, global>
  tile.return
}
