//===- TileToNvvm.cpp - Lower kernels to the LLVM dialect -----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One pattern per operation. What is an instruction of its own is called as an
// intrinsic:
//
//   tile.load %p[%i]  -> llvm.getelementptr, llvm.load
//   tile.barrier      -> llvm.call_intrinsic "llvm.nvvm.barrier.cta..."
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/TilePasses.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"

namespace ssm::gpu {
#define GEN_PASS_DEF_TILETONVVMPASS
#include "codegen/gpu/TilePasses.h.inc"
} // namespace ssm::gpu

using namespace mlir;
using tile::Combine;
using tile::Function;
using tile::Shuffle;

/// Address space of shared memory.
static constexpr unsigned kSharedSpace = 3;
/// All lanes of a warp.
static constexpr int64_t kAllLanes = -1;

//===----------------------------------------------------------------------===//
// Short forms
//===----------------------------------------------------------------------===//

static Value constant(OpBuilder &builder, Location loc, unsigned bits,
                      int64_t value) {
  return LLVM::ConstantOp::create(
      builder, loc,
      builder.getIntegerAttr(builder.getIntegerType(bits), value));
}

static LLVM::CallIntrinsicOp callIntrinsic(OpBuilder &builder, Location loc,
                                           StringRef name, Type result,
                                           ValueRange operands) {
  StringAttr intrinsic = builder.getStringAttr(name);
  return result
             ? LLVM::CallIntrinsicOp::create(builder, loc, result, intrinsic,
                                             operands)
             : LLVM::CallIntrinsicOp::create(builder, loc, intrinsic, operands);
}

/// Address of element `index` behind `pointer`; `type` says of what.
static Value address(OpBuilder &builder, Location loc,
                     const TypeConverter &types, tile::PtrType type,
                     Value pointer, Value index) {
  if (matchPattern(index, m_Zero()))
    return pointer;
  Type element = types.convertType(type.getElement());
  return LLVM::GEPOp::create(builder, loc, pointer.getType(), element, pointer,
                             ArrayRef<LLVM::GEPArg>{index},
                             LLVM::GEPNoWrapFlags::inbounds);
}

static int64_t bytesOf(Type value, tile::PtrType pointer) {
  auto vector = dyn_cast<VectorType>(value);
  return pointer.getElementBytes() * (vector ? vector.getNumElements() : 1);
}

//===----------------------------------------------------------------------===//
// Kernels and threads
//===----------------------------------------------------------------------===//

namespace {
struct FuncLowering : ConvertOpToLLVMPattern<tile::FuncOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(tile::FuncOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    SmallVector<Type> arguments;
    if (failed(getTypeConverter()->convertTypes(op.getBody().getArgumentTypes(),
                                                arguments)))
      return failure();
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(getContext()), arguments);
    auto function =
        LLVM::LLVMFuncOp::create(rewriter, op.getLoc(), op.getSymName(), type);
    function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                      rewriter.getUnitAttr());
    function->setAttr(
        NVVM::NVVMDialect::getReqntidAttrName(),
        rewriter.getDenseI32ArrayAttr({static_cast<int32_t>(op.getBlock())}));
    function->setAttr(
        NVVM::NVVMDialect::getMinctasmAttrName(),
        rewriter.getI32IntegerAttr(static_cast<int32_t>(op.getMinBlocks())));
    rewriter.inlineRegionBefore(op.getBody(), function.getBody(),
                                function.end());
    if (failed(rewriter.convertRegionTypes(&function.getBody(),
                                           *getTypeConverter())))
      return failure();
    rewriter.eraseOp(op);
    return success();
  }
};

struct ReturnLowering : ConvertOpToLLVMPattern<tile::ReturnOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(tile::ReturnOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<LLVM::ReturnOp>(op, ValueRange());
    return success();
  }
};

/// An index out of a special register; `warp` is the thread's over 32.
template <typename OpTy>
struct RegisterLowering : ConvertOpToLLVMPattern<OpTy> {
  RegisterLowering(const LLVMTypeConverter &types, StringRef name,
                   int64_t shift = 0)
      : ConvertOpToLLVMPattern<OpTy>(types), name(name), shift(shift) {}

  LogicalResult
  matchAndRewrite(OpTy op, typename OpTy::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value number = callIntrinsic(rewriter, loc, name, rewriter.getI32Type(), {})
                       .getResult(0);
    if (shift)
      number = LLVM::LShrOp::create(rewriter, loc, number,
                                    constant(rewriter, loc, 32, shift));
    rewriter.replaceOpWithNewOp<LLVM::ZExtOp>(op, rewriter.getI64Type(),
                                              number);
    return success();
  }

  StringRef name;
  int64_t shift;
};

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

struct AllocSharedLowering : ConvertOpToLLVMPattern<tile::AllocSharedOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  /// A variable at the level of the module, in front of the function.
  static LLVM::GlobalOp makeGlobal(OpBuilder &builder,
                                   LLVM::LLVMFuncOp function, StringRef name,
                                   int64_t bytes, LLVM::Linkage linkage) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(function);
    Type type = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes);
    return LLVM::GlobalOp::create(builder, function.getLoc(), type,
                                  /*isConstant=*/false, linkage, name,
                                  Attribute(), /*alignment=*/16, kSharedSpace);
  }

  LogicalResult
  matchAndRewrite(tile::AllocSharedOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto function = op->getParentOfType<LLVM::LLVMFuncOp>();
    if (!function)
      return rewriter.notifyMatchFailure(op, "its function comes first");
    auto module = function->getParentOfType<ModuleOp>();
    auto offset = op->getAttrOfType<IntegerAttr>("offset");
    std::string prefix = (function.getSymName() + "_shared").str();
    LLVM::GlobalOp global;
    if (offset) {
      global = module.lookupSymbol<LLVM::GlobalOp>(prefix);
      if (!global)
        global =
            makeGlobal(rewriter, function, prefix, 0, LLVM::Linkage::External);
    } else {
      int64_t number = 0;
      auto name = [&] { return prefix + std::to_string(number); };
      while (module.lookupSymbol(name()))
        ++number;
      global =
          makeGlobal(rewriter, function, name(),
                     llvm::alignTo(op.getBytes(), 16), LLVM::Linkage::Internal);
    }
    Location loc = op.getLoc();
    Value base = LLVM::AddressOfOp::create(rewriter, loc, global);
    if (offset)
      base = LLVM::GEPOp::create(
          rewriter, loc, base.getType(), rewriter.getI8Type(), base,
          ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset.getInt())});
    rewriter.replaceOp(op, base);
    return success();
  }
};

struct TableLowering : ConvertOpToLLVMPattern<tile::TableOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(tile::TableOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto function = op->getParentOfType<LLVM::LLVMFuncOp>();
    if (!function)
      return rewriter.notifyMatchFailure(op, "its function comes first");
    auto module = function->getParentOfType<ModuleOp>();
    std::string prefix = (function.getSymName() + "_table").str();
    int64_t number = 0;
    auto name = [&] { return prefix + std::to_string(number); };
    while (module.lookupSymbol(name()))
      ++number;
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPoint(function);
    ArrayRef<int64_t> numbers = op.getNumbers();
    auto type = LLVM::LLVMArrayType::get(rewriter.getI64Type(), numbers.size());
    auto global = LLVM::GlobalOp::create(
        rewriter, op.getLoc(), type, /*isConstant=*/true,
        LLVM::Linkage::Internal, name(), rewriter.getI64TensorAttr(numbers),
        /*alignment=*/16, static_cast<unsigned>(tile::Space::Global));
    rewriter.setInsertionPoint(op);
    rewriter.replaceOpWithNewOp<LLVM::AddressOfOp>(op, global);
    return success();
  }
};

struct OffsetLowering : ConvertOpToLLVMPattern<tile::OffsetOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(tile::OffsetOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, address(rewriter, op.getLoc(), *getTypeConverter(),
                                   op.getType(), adaptor.getPointer(),
                                   adaptor.getIndex()));
    return success();
  }
};

struct CastLowering : ConvertOpToLLVMPattern<tile::CastOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(tile::CastOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, adaptor.getPointer());
    return success();
  }
};

struct LoadLowering : ConvertOpToLLVMPattern<tile::LoadOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(tile::LoadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getMask())
      return rewriter.notifyMatchFailure(op, "masks are expanded before");
    auto pointer = cast<tile::PtrType>(op.getPointer().getType());
    Value place = address(rewriter, op.getLoc(), *getTypeConverter(), pointer,
                          adaptor.getPointer(), adaptor.getIndex());
    Type type = getTypeConverter()->convertType(op.getType());
    auto load = LLVM::LoadOp::create(
        rewriter, op.getLoc(), type, place,
        static_cast<unsigned>(bytesOf(op.getType(), pointer)));
    load.setInvariant(op.getCache() == tile::Cache::ReadOnly);
    rewriter.replaceOp(op, load);
    return success();
  }
};

struct StoreLowering : ConvertOpToLLVMPattern<tile::StoreOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(tile::StoreOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getMask())
      return rewriter.notifyMatchFailure(op, "masks are expanded before");
    auto pointer = cast<tile::PtrType>(op.getPointer().getType());
    Value place = address(rewriter, op.getLoc(), *getTypeConverter(), pointer,
                          adaptor.getPointer(), adaptor.getIndex());
    rewriter.replaceOpWithNewOp<LLVM::StoreOp>(
        op, adaptor.getValue(), place,
        static_cast<unsigned>(bytesOf(op.getValue().getType(), pointer)));
    return success();
  }
};

struct CpAsyncLowering : ConvertOpToLLVMPattern<tile::CpAsyncOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(tile::CpAsyncOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    int64_t bytes = op.getBytes();
    // Only 16 bytes may pass by the first cache.
    std::string name =
        ("llvm.nvvm.cp.async." + Twine(bytes == 16 ? "cg" : "ca") +
         ".shared.global." + Twine(bytes))
            .str();
    SmallVector<Value> operands = {
        address(rewriter, loc, *getTypeConverter(),
                cast<tile::PtrType>(op.getTarget().getType()),
                adaptor.getTarget(), adaptor.getTargetIndex()),
        address(rewriter, loc, *getTypeConverter(),
                cast<tile::PtrType>(op.getSource().getType()),
                adaptor.getSource(), adaptor.getSourceIndex())};
    if (adaptor.getMask()) {
      name += ".s";
      operands.push_back(LLVM::SelectOp::create(
          rewriter, loc, adaptor.getMask(), constant(rewriter, loc, 32, bytes),
          constant(rewriter, loc, 32, 0)));
    }
    callIntrinsic(rewriter, loc, name, Type(), operands);
    rewriter.eraseOp(op);
    return success();
  }
};

struct AtomicLowering : ConvertOpToLLVMPattern<tile::AtomicOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  static LLVM::AtomicBinOp operationOf(tile::AtomicOp op) {
    switch (op.getCombine()) {
    case Combine::Add:
      return op.getType().isF32() ? LLVM::AtomicBinOp::fadd
                                  : LLVM::AtomicBinOp::add;
    case Combine::Max:
      return LLVM::AtomicBinOp::umax;
    case Combine::Min:
      return LLVM::AtomicBinOp::umin;
    }
    llvm_unreachable("unknown combination");
  }

  LogicalResult
  matchAndRewrite(tile::AtomicOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto pointer = cast<tile::PtrType>(op.getPointer().getType());
    Value place = address(rewriter, op.getLoc(), *getTypeConverter(), pointer,
                          adaptor.getPointer(), adaptor.getIndex());
    rewriter.replaceOpWithNewOp<LLVM::AtomicRMWOp>(
        op, operationOf(op), place, adaptor.getValue(),
        LLVM::AtomicOrdering::monotonic);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Meeting other threads
//===----------------------------------------------------------------------===//

/// An operation without results that is an intrinsic with constant operands.
template <typename OpTy> struct CallLowering : ConvertOpToLLVMPattern<OpTy> {
  using Name = std::pair<StringRef, SmallVector<int64_t>>;
  CallLowering(const LLVMTypeConverter &types, Name (*describe)(OpTy))
      : ConvertOpToLLVMPattern<OpTy>(types), describe(describe) {}

  LogicalResult
  matchAndRewrite(OpTy op, typename OpTy::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto [name, numbers] = describe(op);
    SmallVector<Value> operands;
    for (int64_t number : numbers)
      operands.push_back(constant(rewriter, op.getLoc(), 32, number));
    callIntrinsic(rewriter, op.getLoc(), name, Type(), operands);
    rewriter.eraseOp(op);
    return success();
  }

  Name (*describe)(OpTy);
};

struct ShuffleLowering : ConvertOpToLLVMPattern<tile::ShuffleOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  static StringRef nameOf(Shuffle from) {
    switch (from) {
    case Shuffle::Xor:
      return "bfly";
    case Shuffle::Up:
      return "up";
    case Shuffle::Down:
      return "down";
    case Shuffle::Index:
      return "idx";
    }
    llvm_unreachable("unknown shuffle");
  }

  LogicalResult
  matchAndRewrite(tile::ShuffleOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getType().isInteger(64))
      return rewriter.notifyMatchFailure(op, "i64 is split before");
    Location loc = op.getLoc();
    std::string name = ("llvm.nvvm.shfl.sync." + nameOf(op.getFrom()) +
                        (op.getType().isF32() ? ".f32" : ".i32"))
                           .str();
    // The last source lane: the first for `up`.
    int64_t clamp = op.getFrom() == Shuffle::Up ? 0 : tile::kWarpLanes - 1;
    auto call = callIntrinsic(rewriter, loc, name, op.getType(),
                              {constant(rewriter, loc, 32, kAllLanes),
                               adaptor.getValue(), adaptor.getLane(),
                               constant(rewriter, loc, 32, clamp)});
    rewriter.replaceOp(op, call);
    return success();
  }
};

struct ApproxLowering : ConvertOpToLLVMPattern<tile::ApproxOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(tile::ApproxOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    if (op.getFunction() == Function::Tanh) {
      // The backend has no intrinsic but selects this.
      auto tanh =
          LLVM::TanhOp::create(rewriter, loc, op.getType(), adaptor.getValue());
      tanh.setFastmathFlags(LLVM::FastmathFlags::afn);
      rewriter.replaceOp(op, tanh);
      return success();
    }
    StringRef name;
    switch (op.getFunction()) {
    case Function::Exp2:
      name = "llvm.nvvm.ex2.approx.f32";
      break;
    case Function::Reciprocal:
      name = "llvm.nvvm.rcp.approx.ftz.f";
      break;
    case Function::Rsqrt:
      name = "llvm.nvvm.rsqrt.approx.f";
      break;
    default:
      name = "llvm.nvvm.lg2.approx.f";
      break;
    }
    rewriter.replaceOp(op, callIntrinsic(rewriter, loc, name, op.getType(),
                                         adaptor.getValue()));
    return success();
  }
};
} // namespace

static CallLowering<tile::BarrierOp>::Name describeBarrier(tile::BarrierOp op) {
  int64_t id = op.getId();
  if (std::optional<int64_t> threads = op.getThreads())
    return {"llvm.nvvm.barrier.cta.sync.aligned.count", {id, *threads}};
  return {"llvm.nvvm.barrier.cta.sync.aligned.all", {id}};
}

static CallLowering<tile::WarpBarrierOp>::Name
describeWarpBarrier(tile::WarpBarrierOp) {
  return {"llvm.nvvm.bar.warp.sync", {kAllLanes}};
}

static CallLowering<tile::FenceOp>::Name describeFence(tile::FenceOp) {
  return {"llvm.nvvm.membar.gl", {}};
}

static CallLowering<tile::CpAsyncCommitOp>::Name
describeCommit(tile::CpAsyncCommitOp) {
  return {"llvm.nvvm.cp.async.commit.group", {}};
}

static CallLowering<tile::CpAsyncWaitOp>::Name
describeWait(tile::CpAsyncWaitOp op) {
  return {"llvm.nvvm.cp.async.wait.group", {int64_t(op.getPending())}};
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

int64_t ssm::gpu::dynamicSharedBytes(tile::FuncOp function) {
  int64_t bytes = function.getSharedBytes();
  return bytes > kStaticSharedBytes ? bytes : 0;
}

/// Gives the shared memory of functions that need more than PTX may declare
/// places in one piece.
static void placeDynamicShared(ModuleOp module) {
  Builder builder(module.getContext());
  for (auto function : module.getOps<tile::FuncOp>()) {
    if (!ssm::gpu::dynamicSharedBytes(function))
      continue;
    int64_t offset = 0;
    function.getBody().walk([&](tile::AllocSharedOp alloc) {
      alloc->setAttr("offset", builder.getI64IntegerAttr(offset));
      offset += llvm::alignTo(alloc.getBytes(), 16);
    });
  }
}

static void addTypes(LLVMTypeConverter &types) {
  types.addConversion([](tile::PtrType type) -> Type {
    return LLVM::LLVMPointerType::get(type.getContext(),
                                      unsigned(type.getSpace()));
  });
}

static void addPatterns(RewritePatternSet &patterns, LLVMTypeConverter &types) {
  patterns
      .add<FuncLowering, ReturnLowering, AllocSharedLowering, TableLowering,
           OffsetLowering, CastLowering, LoadLowering, StoreLowering,
           CpAsyncLowering, AtomicLowering, ShuffleLowering, ApproxLowering>(
          types);
  StringRef thread = "llvm.nvvm.read.ptx.sreg.tid.x";
  constexpr int64_t kWarpShift = 5;
  patterns.add<RegisterLowering<tile::BlockIdOp>>(
      types, "llvm.nvvm.read.ptx.sreg.ctaid.x");
  patterns.add<RegisterLowering<tile::ThreadIdOp>>(types, thread);
  patterns.add<RegisterLowering<tile::LaneOp>>(
      types, "llvm.nvvm.read.ptx.sreg.laneid");
  patterns.add<RegisterLowering<tile::WarpOp>>(types, thread, kWarpShift);
  patterns.add<CallLowering<tile::BarrierOp>>(types, describeBarrier);
  patterns.add<CallLowering<tile::WarpBarrierOp>>(types, describeWarpBarrier);
  patterns.add<CallLowering<tile::FenceOp>>(types, describeFence);
  patterns.add<CallLowering<tile::CpAsyncCommitOp>>(types, describeCommit);
  patterns.add<CallLowering<tile::CpAsyncWaitOp>>(types, describeWait);
  arith::populateArithToLLVMConversionPatterns(types, patterns);
  cf::populateControlFlowToLLVMConversionPatterns(types, patterns);
  populateMathToLLVMConversionPatterns(types, patterns);
  populateVectorToLLVMConversionPatterns(types, patterns);
}

namespace {
struct TileToNvvmPass : ssm::gpu::impl::TileToNvvmPassBase<TileToNvvmPass> {
  using Base::Base;

  void runOnOperation() override {
    placeDynamicShared(getOperation());
    LLVMTypeConverter types(&getContext());
    addTypes(types);
    RewritePatternSet patterns(&getContext());
    addPatterns(patterns, types);
    LLVMConversionTarget target(getContext());
    target.addLegalOp<ModuleOp>();
    target.addIllegalDialect<tile::TileDialect, arith::ArithDialect,
                             math::MathDialect, vector::VectorDialect>();
    if (failed(
            applyFullConversion(getOperation(), target, std::move(patterns))))
      return signalPassFailure();
  }
};
} // namespace
