// RUN: ssm-opt %s --split-input-file --verify-diagnostics

tile.func @reg_c1_atoms block(32) {
^bb0:
  // expected-error @below {{expected whole atoms of 16 x 8 in layout acc, got 8 x 16}}
  %0 = tile.zero : !tile.reg<8, 16, f32, acc>
  tile.return
}

// -----

tile.func @shared_c1_line block(32) {
^bb0:
  // expected-error @below {{expected rows of a multiple of 128 bytes, got 96}}
  %0 = tile.alloc_tile : !tile.shared<8, 48, bf16, swizzle = 128>
  tile.return
}

// -----

tile.func @shared_swizzle block(32) {
^bb0:
  // expected-error @below {{expected a swizzle of 32, 64 or 128 bytes, got 16}}
  %0 = tile.alloc_tile : !tile.shared<8, 48, bf16, swizzle = 16>
  tile.return
}

// -----

// Layouts match the instruction.
tile.func @mma_layout block(32) {
^bb0:
  %a = tile.zero : !tile.reg<16, 16, bf16, a>
  %acc = tile.zero : !tile.reg<16, 16, f32, acc>
  // expected-error @below {{'tile.mma' op operand #1 must be register tile in the layout of B, but got '!tile.reg<16, 16, bf16, a>'}}
  %0 = "tile.mma"(%a, %a, %acc) : (!tile.reg<16, 16, bf16, a>, !tile.reg<16, 16, bf16, a>, !tile.reg<16, 16, f32, acc>) -> !tile.reg<16, 16, f32, acc>
  tile.return
}

// -----

tile.func @mma_depth block(32) {
^bb0:
  %a = tile.zero : !tile.reg<16, 16, bf16, a>
  %b = tile.zero : !tile.reg<16, 32, bf16, b>
  %acc = tile.zero : !tile.reg<16, 16, f32, acc>
  // expected-error @below {{'tile.mma' op failed to verify that dim 1 of 'a' to be dim 1 of 'b'}}
  %0 = tile.mma %a, %b, %acc : !tile.reg<16, 16, bf16, a>, !tile.reg<16, 32, bf16, b>, !tile.reg<16, 16, f32, acc>
  tile.return
}

// -----

// What a tensor instruction is still writing cannot be read.
tile.func @pending_is_no_tile block(128) {
^bb0:
  %zero = arith.constant 0 : i64
  %a = tile.alloc_tile : !tile.shared<64, 64, bf16, swizzle = 128>
  %p = tile.wgmma %a, %a : !tile.shared<64, 64, bf16, swizzle = 128>, !tile.shared<64, 64, bf16, swizzle = 128> -> !tile.pending<!tile.reg<64, 64, f32, wide_acc>>
  // expected-error @below {{'tile.write_tile' op operand #0 must be}}
  "tile.write_tile"(%p, %a, %zero, %zero) : (!tile.pending<!tile.reg<64, 64, f32, wide_acc>>, !tile.shared<64, 64, bf16, swizzle = 128>, i64, i64) -> ()
  tile.return
}

// -----

tile.func @wgmma_wait_tile block(128) {
^bb0:
  %a = tile.alloc_tile : !tile.shared<64, 64, bf16, swizzle = 128>
  %p = tile.wgmma %a, %a : !tile.shared<64, 64, bf16, swizzle = 128>, !tile.shared<64, 64, bf16, swizzle = 128> -> !tile.pending<!tile.reg<64, 64, f32, wide_acc>>
  // expected-error @below {{'tile.wgmma_wait' op failed to verify that 'result' to be the tile of 'value'}}
  %r = tile.wgmma_wait 0, %p : !tile.pending<!tile.reg<64, 64, f32, wide_acc>> -> !tile.reg<64, 8, f32, wide_acc>
  tile.return
}

// -----

tile.func @convert_layout_c1 block(32) {
^bb0:
  %a = tile.zero : !tile.reg<16, 16, bf16, a>
  // expected-error @below {{'tile.convert_layout' op expected acc to a, or wide_acc to wide_a, got a to acc}}
  %0 = tile.convert_layout %a : !tile.reg<16, 16, bf16, a> -> !tile.reg<16, 16, f32, acc>
  tile.return
}

// -----

tile.func @stage_tile_c1_number block(32) {
^bb0(%k: i64):
  %ring = tile.ring_init 1 : !tile.ring<2, !tile.shared<8, 64, bf16>>
  %stage = tile.ring_wait %ring[%k] : !tile.ring<2, !tile.shared<8, 64, bf16>> -> !tile.stage<!tile.ring<2, !tile.shared<8, 64, bf16>>>
  // expected-error @below {{'tile.stage_tile' op expected a tile of 1 in the ring, got number 1}}
  %0 = tile.stage_tile %stage[1] : !tile.stage<!tile.ring<2, !tile.shared<8, 64, bf16>>> -> !tile.shared<8, 64, bf16>
  tile.return
}

// -----

tile.func @ring_of_another block(32) {
^bb0(%k: i64):
  %ring = tile.ring_init 1 : !tile.ring<2, !tile.shared<8, 64, bf16>>
  // expected-error @below {{'tile.ring_wait' op failed to verify that 'result' to be a stage of 'ring'}}
  %stage = tile.ring_wait %ring[%k] : !tile.ring<2, !tile.shared<8, 64, bf16>> -> !tile.stage<!tile.ring<3, !tile.shared<8, 64, bf16>>>
  tile.return
}

// -----

// expected-error @below {{'tile.func' op expected at most 232448 bytes of shared memory, got 262144}}
tile.func @func_c3_ring block(32) {
^bb0:
  %ring = tile.ring_init 1 : !tile.ring<4, !tile.shared<256, 128, bf16, swizzle = 128>>
  tile.return
}

// -----

tile.func @func_c4_early_load block(32) {
^bb0(%x: !tile.ptr<f32, global>):
  %i = tile.thread_id
  %constant = tile.load %x[%i] cache(read_only) : !tile.ptr<f32, global> -> f32
  // expected-error @below {{'tile.load' op expected no access to global memory before 'tile.grid_wait'}}
  %early = tile.load %x[%i] : !tile.ptr<f32, global> -> f32
  // expected-note @below {{the wait is here}}
  tile.grid_wait
  tile.return
}

// -----

tile.func @func_c4_on_one_path block(32) {
^bb0(%x: !tile.ptr<f32, global>, %n: i64):
  %i = tile.thread_id
  %v = arith.constant 1.0 : f32
  %first = arith.cmpi slt, %i, %n : i64
  scf.if %first {
    // expected-error @below {{'tile.store' op expected no access to global memory before 'tile.grid_wait'}}
    tile.store %v, %x[%i] : f32, !tile.ptr<f32, global>
  }
  // expected-note @below {{the wait is here}}
  tile.grid_wait
  tile.return
}
