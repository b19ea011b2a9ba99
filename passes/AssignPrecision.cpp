//===- AssignPrecision.cpp - Element types of rows and caches -------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Under the bf16 policy, rows that enter a product with a 16-bit weight are
// bf16:
//
//   %x = kern.rowwise ... -> tensor<?x8xf32>
//   kern.gemm %x, %w : tensor<?x8xf32>, tensor<4x8xbf16>
//     -> %x = kern.rowwise ... -> tensor<?x8xbf16>
//
// The kernel that makes them rounds, once, where all its readers are such
// products; rows that others read too are rounded by a kernel of their own.
// Caches become bf16. Residual stream, states, logits and what convolutions and
// recurrences read stay f32. Under the f32 policy nothing changes.
//
//===----------------------------------------------------------------------===//

#include "passes/LowerToKern.h"
#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"

namespace ssm {
#define GEN_PASS_DEF_ASSIGNPRECISIONPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// `type` with bf16 elements.
static RankedTensorType narrow(RankedTensorType type) {
  return type.clone(BFloat16Type::get(type.getContext()));
}

/// True if `use` is the input of a product with a 16-bit weight.
static bool wantsNarrow(OpOperand &use) {
  auto gemm = dyn_cast<kern::GemmOp>(use.getOwner());
  return gemm && use.get() == gemm.getInput() &&
         !llvm::is_contained(gemm.getElements(), use.get()) &&
         typeOf(gemm.getWeight()).getElementTypeBitWidth() == 16;
}

/// True if a kernel may narrow `rows`: it makes them itself and every reader
/// wants it.
static bool canNarrow(Value rows) {
  Operation *op = rows.getDefiningOp();
  return isa_and_nonnull<kern::RowwiseOp, kern::GemmOp, kern::AttentionOp,
                         kern::ScanOp>(op) &&
         rows == op->getResult(0) && llvm::all_of(rows.getUses(), wantsNarrow);
}

/// A kernel that rounds `rows`, after what makes them.
static Value rounded(Value rows) {
  OpBuilder builder(rows.getContext());
  builder.setInsertionPointAfterValue(rows);
  auto first = [](OpBuilder &, Location, ValueRange values) {
    return values[0];
  };
  return createRowwise(builder, rows.getLoc(), narrow(typeOf(rows)), rows, {},
                       {}, {}, nullptr, first);
}

/// Narrows the inputs of products with 16-bit weights.
static void narrowInputs(ModuleOp module) {
  auto options = remark::RemarkOpts::name("assign-precision").category("kern");
  llvm::DenseMap<Value, Value> roundedRows;
  module.walk([&](kern::GemmOp gemm) {
    OpOperand &input = gemm.getInputMutable();
    Value rows = input.get();
    if (!wantsNarrow(input) || !typeOf(rows).getElementType().isF32())
      return;
    if (canNarrow(rows)) {
      rows.setType(narrow(typeOf(rows)));
      return;
    }
    Value &copy = roundedRows[rows];
    if (!copy) {
      copy = rounded(rows);
      remark::missed(gemm.getLoc(), options)
          << "rows are read in f32 too: a kernel rounds them";
    }
    input.set(copy);
  });
}

/// Makes the caches of `function` bf16.
static void narrowCaches(func::FuncOp function) {
  function.walk([](kern::KvAppendOp append) {
    for (Value cache : {append.getKeyCache(), append.getValueCache(),
                        append.getNewKeyCache(), append.getNewValueCache()})
      cache.setType(narrow(typeOf(cache)));
  });
  Operation *end = function.front().getTerminator();
  function.setType(FunctionType::get(function.getContext(),
                                     function.front().getArgumentTypes(),
                                     end->getOperandTypes()));
}

namespace {
struct AssignPrecisionPass
    : ssm::impl::AssignPrecisionPassBase<AssignPrecisionPass> {
  using Base::Base;

  void runOnOperation() override {
    if (policy == PrecisionPolicy::F32)
      return;
    narrowInputs(getOperation());
    for (func::FuncOp function : getOperation().getOps<func::FuncOp>())
      narrowCaches(function);
  }
};
} // namespace
