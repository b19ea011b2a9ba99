// RUN: ssm-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{'tile.func' op expected a multiple of 32 up to 1024 threads, got 48}}
tile.func @func_c1_threads block(48) {
^bb0:
  tile.return
}

// -----

// expected-error @below {{'tile.func' op expected arguments of i64 or pointers to global memory, got 'f32'}}
tile.func @func_c2_argument block(32) {
^bb0(%x: f32):
  tile.return
}

// -----

// expected-error @below {{'tile.func' op expected arguments of i64 or pointers to global memory, got '!tile.ptr<f32, shared>'}}
tile.func @func_c2_shared block(32) {
^bb0(%x: !tile.ptr<f32, shared>):
  tile.return
}

// -----

// expected-error @below {{'tile.func' op expected at most 232448 bytes of shared memory, got 240000}}
tile.func @func_c3_shared block(32) {
^bb0:
  %0 = tile.alloc_shared 40000 : !tile.ptr<f32, shared>
  %1 = tile.alloc_shared 20000 : !tile.ptr<f32, shared>
  tile.return
}

// -----

tile.func @alloc_global block(32) {
^bb0:
  // expected-error @below {{'tile.alloc_shared' op result #0 must be pointer to shared memory, but got '!tile.ptr<f32, global>'}}
  %0 = tile.alloc_shared 4 : !tile.ptr<f32, global>
  tile.return
}

// -----

tile.func @ptr_element block(32) {
// expected-error @below {{expected elements of 8 to 64 bits, got 'i1'}}
^bb0(%x: !tile.ptr<i1, global>):
  tile.return
}

// -----

tile.func @load_element block(32) {
^bb0(%x: !tile.ptr<f32, global>, %i: i64):
  // expected-error @below {{'tile.load' op failed to verify that 'result' to be an element of 'pointer' or a vector of at most 16 bytes of them}}
  %0 = tile.load %x[%i] : !tile.ptr<f32, global> -> bf16
  tile.return
}

// -----

tile.func @load_width block(32) {
^bb0(%x: !tile.ptr<f32, global>, %i: i64):
  // expected-error @below {{'tile.load' op failed to verify that 'result' to be an element of 'pointer' or a vector of at most 16 bytes of them}}
  %0 = tile.load %x[%i] : !tile.ptr<f32, global> -> vector<8xf32>
  tile.return
}

// -----

tile.func @cp_async_c1_bytes block(32) {
^bb0(%x: !tile.ptr<f32, global>, %i: i64):
  %0 = tile.alloc_shared 4 : !tile.ptr<f32, shared>
  // expected-error @below {{'tile.cp_async' op expected 4, 8 or 16 bytes, got 12}}
  tile.cp_async %0[%i], %x[%i] bytes(12) : !tile.ptr<f32, shared>, !tile.ptr<f32, global>
  tile.return
}

// -----

tile.func @atomic_float_max block(32) {
^bb0(%x: !tile.ptr<f32, global>, %i: i64):
  %v = arith.constant 1.0 : f32
  // expected-error @below {{'tile.atomic' op expected add for f32, got max}}
  %0 = tile.atomic max %v, %x[%i] : f32, !tile.ptr<f32, global>
  tile.return
}

// -----

tile.func @barrier_c1_id block(32) {
^bb0:
  // expected-error @below {{'tile.barrier' op expected an id of 0 to 15, got 16}}
  tile.barrier id(16)
  tile.return
}

// -----

tile.func @barrier_c2_threads block(64) {
^bb0:
  // expected-error @below {{'tile.barrier' op expected a multiple of 32 threads, got 40}}
  tile.barrier id(1) threads(40)
  tile.return
}

// -----

tile.func @reduce_warp_c1_width block(32) {
^bb0:
  %v = arith.constant 1.0 : f32
  // expected-error @below {{'tile.reduce_warp' op expected powers of two with a product of at most 32, got 8 and 8}}
  %0 = tile.reduce_warp add %v width(8) stride(8) : f32
  tile.return
}

// -----

tile.func @cast_space block(32) {
^bb0(%x: !tile.ptr<f32, global>):
  // expected-error @below {{'tile.cast' op failed to verify that 'pointer' and 'result' to be in one space}}
  %0 = tile.cast %x : !tile.ptr<f32, global> to !tile.ptr<f32, shared>
  tile.return
}
