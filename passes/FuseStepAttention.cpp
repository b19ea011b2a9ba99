//===- FuseStepAttention.cpp - Keys and values appended by attention ------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// %q, %k1, %v1 = kern.kv_append %x cache %k, %v
// %y = kern.attention decode %q cache %k1, %v1
//     -> %y, %k1, %v1 = kern.attention_step %x cache %k, %v
//
// Only in what is called *.step, and only where a block has all query heads of
// a key: other blocks would not see what it appends.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"

namespace ssm {
#define GEN_PASS_DEF_FUSESTEPATTENTIONPASS
#include "passes/Passes.h.inc"
} // namespace ssm

using namespace mlir;
using namespace ssm;

/// Query heads of a key, and dimensions, that a block holds in any case.
static constexpr int64_t kMostHeads = 8, kMostDimensions = 256;

static remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("fuse-step-attention").category("kern");
}

/// What `attention` reads was appended by this kernel, or null.
static kern::KvAppendOp appendOf(kern::AttentionOp attention) {
  auto append = attention.getQuery().getDefiningOp<kern::KvAppendOp>();
  if (!append || !append.getResult().hasOneUse() ||
      attention.getForm() != kern::AttentionForm::Decode ||
      attention.getKeyCache() != append.getNewKeyCache() ||
      attention.getValueCache() != append.getNewValueCache())
    return {};
  return append;
}

static void fuse(kern::AttentionOp attention) {
  kern::KvAppendOp append = appendOf(attention);
  int64_t group = attention.getHeads() / attention.getKvHeads();
  if (!append || group > kMostHeads ||
      attention.getHeadDim() > kMostDimensions) {
    remark::missed(attention.getLoc(), remarkOptions())
        << "a block cannot append for all that read";
    return;
  }
  OpBuilder builder(attention);
  Type rounded = append.getResult().getType().getElementType();
  Type cache = append.getKeyCache().getType();
  auto fused = kern::AttentionStepOp::create(
      builder, attention.getLoc(), attention.getResult().getType(), cache,
      cache, append.getInput(), append.getSeqs(), append.getKeyCache(),
      append.getValueCache(), append.getQueryScaleAttr(), append.getRopeAttr(),
      TypeAttr::get(rounded), attention.getWindowAttr());
  attention.getResult().replaceAllUsesWith(fused.getResult());
  append.getNewKeyCache().replaceAllUsesWith(fused.getNewKeyCache());
  append.getNewValueCache().replaceAllUsesWith(fused.getNewValueCache());
  attention.erase();
  append.erase();
  remark::passed(fused.getLoc(), remarkOptions())
      << "attention appends keys and values itself";
}

namespace {
struct FuseStepAttentionPass
    : ssm::impl::FuseStepAttentionPassBase<FuseStepAttentionPass> {
  using Base::Base;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.getSymName().ends_with(".step"))
        function.walk(fuse);
  }
};
} // namespace
