// RUN: ssm-opt %s --split-input-file --verify-diagnostics --tile-check-device-code

llvm.func @library_function(%x: f32) -> f32 {
  // expected-error @below {{'llvm.intr.exp' op has no instruction on the device}}
  %0 = llvm.intr.exp(%x) : (f32) -> f32
  llvm.return %0 : f32
}

// -----

llvm.func @stack() {
  %0 = llvm.mlir.constant(1 : i64) : i64
  // expected-error @below {{'llvm.alloca' op has no instruction on the device}}
  %1 = llvm.alloca %0 x f32 : (i64) -> !llvm.ptr
  llvm.return
}

// -----

llvm.func @remainder(%x: f32) -> f32 {
  // expected-error @below {{'llvm.frem' op has no instruction on the device}}
  %0 = llvm.frem %x, %x : f32
  llvm.return %0 : f32
}

// -----

llvm.func @callee()
llvm.func @call() {
  // expected-error @below {{'llvm.call' op has no instruction on the device}}
  llvm.call @callee() : () -> ()
  llvm.return
}
