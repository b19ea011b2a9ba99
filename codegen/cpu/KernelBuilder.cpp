//===- KernelBuilder.cpp - Builds the code of CPU kernels -----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ssm;

KernelBuilder::KernelBuilder(Location loc, const Target &target)
    : CodeBuilder(loc), target(target) {}

Kernel KernelBuilder::startKernel(ModuleOp module, StringRef name) {
  setInsertionPointToEnd(module.getBody());
  Type pointer = pointerType(), index = getI64Type();
  FunctionType type = getFunctionType({pointer, index, index, pointer}, {});
  Kernel kernel;
  kernel.function = func::FuncOp::create(*this, name, type);
  Block *body = kernel.function.addEntryBlock();
  setInsertionPointToStart(body);
  kernel.args = body->getArgument(0);
  kernel.begin = body->getArgument(1);
  kernel.end = body->getArgument(2);
  kernel.scratch = body->getArgument(3);
  return kernel;
}

void KernelBuilder::finishKernel() { func::ReturnOp::create(*this); }

Type KernelBuilder::pointerType() {
  return LLVM::LLVMPointerType::get(getContext());
}

Value KernelBuilder::broadcast(Value scalar) {
  return broadcast(scalar, lanes());
}

void KernelBuilder::forVectors(int64_t count,
                               function_ref<void(Value, Value)> body) {
  int64_t whole = count / lanes() * lanes();
  forLoop(whole, lanes(), [&](Value offset) { body(offset, {}); });
  if (whole < count)
    body(i64(whole), i64(count - whole));
}

void KernelBuilder::forTiles(int64_t count, int64_t width,
                             function_ref<void(Value, int64_t, Value)> body) {
  int64_t tile = width * lanes(), whole = count / tile * tile;
  forLoop(whole, tile, [&](Value offset) { body(offset, width, {}); });
  int64_t rest = count - whole;
  if (rest == 0)
    return;
  int64_t last = rest % lanes();
  body(i64(whole), llvm::divideCeil(rest, lanes()), last ? i64(last) : Value());
}
