//===- StepProgram.cpp - The kernel that ends a step on a GPU -------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/StepProgram.h"

namespace ssmrt {

// Offsets into SeqTable (%rd4): sequences 8, slot 40, position 48, rowPosition
// 64, pages 88, maxPages 96.
constexpr std::string_view kText = R"(.version 7.0
.target sm_80
.address_size 64

.shared .align 4 .b8 values[1024];
.shared .align 4 .b8 indices[1024];

.visible .entry ssmrt_choose(
	.param .b64 ssmrt_choose_param_0,
	.param .b64 ssmrt_choose_param_1,
	.param .b64 ssmrt_choose_param_2,
	.param .b64 ssmrt_choose_param_3,
	.param .b64 ssmrt_choose_param_4,
	.param .b64 ssmrt_choose_param_5,
	.param .b64 ssmrt_choose_param_6,
	.param .b64 ssmrt_choose_param_7,
	.param .b64 ssmrt_choose_param_8,
	.param .b64 ssmrt_choose_param_9,
	.param .b64 ssmrt_choose_param_10,
	.param .b64 ssmrt_choose_param_11,
	.param .b64 ssmrt_choose_param_12
)
.reqntid 256, 1, 1
{
	.reg .pred %p<20>;
	.reg .b32 %r<24>;
	.reg .b64 %rd<48>;

	// %r3, %r4: the best value of this thread's share and its index; %r22: the
	// index of the value at hand, that of its place or the one beside it.
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %ctaid.x;
	ld.param.b64 %rd1, [ssmrt_choose_param_0];
	ld.param.b64 %rd2, [ssmrt_choose_param_1];
	ld.param.b64 %rd3, [ssmrt_choose_param_2];
	ld.param.b64 %rd45, [ssmrt_choose_param_3];
	setp.eq.s64 %p18, %rd45, 4;
	cvt.u64.u32 %rd13, %r2;
	mul.lo.s64 %rd14, %rd13, %rd2;
	shl.b64 %rd14, %rd14, 2;
	add.s64 %rd15, %rd1, %rd14;
	mov.b32 %r3, 0;
	mov.b32 %r4, -1;
	cvt.u64.u32 %rd16, %r1;
$SCAN:
	setp.ge.s64 %p1, %rd16, %rd3;
	@%p1 bra $SCANNED;
	mul.lo.s64 %rd17, %rd16, %rd45;
	add.s64 %rd18, %rd15, %rd17;
	ld.global.b32 %r5, [%rd18];
	setp.nan.f32 %p2, %r5, %r5;
	@%p2 bra $NEXT;
	cvt.u32.u64 %r22, %rd16;
	@%p18 bra $NUMBERED;
	ld.global.b32 %r22, [%rd18+4];
	setp.lt.s32 %p19, %r22, 0;
	@%p19 bra $NEXT;
$NUMBERED:
	setp.eq.s32 %p3, %r4, -1;
	@%p3 bra $TAKE;
	setp.gt.f32 %p4, %r5, %r3;
	@%p4 bra $TAKE;
	bra.uni $NEXT;
$TAKE:
	mov.b32 %r3, %r5;
	mov.b32 %r4, %r22;
$NEXT:
	add.s64 %rd16, %rd16, 256;
	bra.uni $SCAN;

	// The larger value wins, of equal ones the lower index.
$SCANNED:
	shl.b32 %r6, %r1, 2;
	cvt.u64.u32 %rd20, %r6;
	mov.b64 %rd21, values;
	add.s64 %rd21, %rd21, %rd20;
	mov.b64 %rd22, indices;
	add.s64 %rd22, %rd22, %rd20;
	st.shared.b32 [%rd21], %r3;
	st.shared.b32 [%rd22], %r4;
	mov.b32 %r8, 128;
$REDUCE:
	bar.sync 0;
	setp.ge.u32 %p5, %r1, %r8;
	@%p5 bra $REDUCED;
	mul.wide.u32 %rd23, %r8, 4;
	add.s64 %rd24, %rd22, %rd23;
	ld.shared.b32 %r9, [%rd24];
	setp.eq.s32 %p6, %r9, -1;
	@%p6 bra $REDUCED;
	add.s64 %rd25, %rd21, %rd23;
	ld.shared.b32 %r10, [%rd25];
	setp.eq.s32 %p7, %r4, -1;
	@%p7 bra $ACCEPT;
	setp.gt.f32 %p8, %r10, %r3;
	@%p8 bra $ACCEPT;
	setp.neu.f32 %p9, %r10, %r3;
	@%p9 bra $REDUCED;
	setp.ge.s32 %p10, %r9, %r4;
	@%p10 bra $REDUCED;
$ACCEPT:
	mov.b32 %r3, %r10;
	mov.b32 %r4, %r9;
	st.shared.b32 [%rd21], %r3;
	st.shared.b32 [%rd22], %r4;
$REDUCED:
	shr.u32 %r8, %r8, 1;
	setp.ne.s32 %p11, %r8, 0;
	@%p11 bra $REDUCE;

	// Thread 0 has the result. %rd27: progress, %rd31: place in the ring.
	setp.ne.s32 %p12, %r1, 0;
	@%p12 bra $DONE;
	ld.param.b64 %rd4, [ssmrt_choose_param_4];
	ld.param.b64 %rd5, [ssmrt_choose_param_5];
	ld.param.b64 %rd6, [ssmrt_choose_param_6];
	ld.param.b64 %rd7, [ssmrt_choose_param_7];
	ld.param.b64 %rd8, [ssmrt_choose_param_8];
	shl.b64 %rd34, %rd13, 3;
	add.s64 %rd27, %rd6, %rd34;
	ld.global.b32 %r11, [%rd27];
	ld.global.b32 %r12, [%rd27+4];
	cvt.u32.u64 %r13, %rd8;
	rem.u32 %r14, %r11, %r13;
	ld.global.b64 %rd28, [%rd4+8];
	cvt.u64.u32 %rd29, %r14;
	mul.lo.s64 %rd30, %rd29, %rd28;
	add.s64 %rd30, %rd30, %rd13;
	shl.b64 %rd30, %rd30, 2;
	add.s64 %rd31, %rd7, %rd30;
	add.s32 %r15, %r11, 1;
	st.global.b32 [%rd27], %r15;
	setp.eq.s32 %p13, %r12, 0;
	@%p13 bra $ACTIVE;
	mov.b32 %r16, -1;
	st.global.b32 [%rd31], %r16;
	bra.uni $DONE;
$ACTIVE:
	shl.b64 %rd32, %rd13, 2;
	setp.ge.s32 %p14, %r4, 0;
	@%p14 bra $CHOSEN;
	mov.b32 %r17, -2;
	st.global.b32 [%rd31], %r17;
	bra.uni $ENDED;
$CHOSEN:
	st.global.b32 [%rd31], %r4;
	add.s64 %rd33, %rd5, %rd32;
	st.global.b32 [%rd33], %r4;
	ld.global.b64 %rd35, [%rd4+48];
	add.s64 %rd35, %rd35, %rd34;
	ld.global.b64 %rd36, [%rd35];
	add.s64 %rd36, %rd36, 1;
	st.global.b64 [%rd35], %rd36;
	ld.global.b64 %rd37, [%rd4+64];
	add.s64 %rd37, %rd37, %rd34;
	st.global.b64 [%rd37], %rd36;
	ld.param.b64 %rd9, [ssmrt_choose_param_9];
	ld.param.b64 %rd10, [ssmrt_choose_param_10];
	mov.b64 %rd38, 0;
$COMPARE:
	setp.ge.s64 %p15, %rd38, %rd10;
	@%p15 bra $DONE;
	shl.b64 %rd39, %rd38, 2;
	add.s64 %rd39, %rd9, %rd39;
	ld.global.b32 %r18, [%rd39];
	setp.eq.s32 %p16, %r18, %r4;
	@%p16 bra $ENDED;
	add.s64 %rd38, %rd38, 1;
	bra.uni $COMPARE;

$ENDED:
	mov.b32 %r19, 1;
	st.global.b32 [%rd27+4], %r19;
	ld.param.b64 %rd11, [ssmrt_choose_param_11];
	ld.param.b64 %rd12, [ssmrt_choose_param_12];
	ld.global.b64 %rd40, [%rd4+40];
	add.s64 %rd40, %rd40, %rd32;
	cvt.u32.u64 %r20, %rd11;
	st.global.b32 [%rd40], %r20;
	ld.global.b64 %rd41, [%rd4+96];
	ld.global.b64 %rd42, [%rd4+88];
	mul.lo.s64 %rd43, %rd13, %rd41;
	shl.b64 %rd43, %rd43, 2;
	add.s64 %rd42, %rd42, %rd43;
	cvt.u32.u64 %r21, %rd12;
	mov.b64 %rd44, 0;
$PAGES:
	setp.ge.s64 %p17, %rd44, %rd41;
	@%p17 bra $DONE;
	st.global.b32 [%rd42], %r21;
	add.s64 %rd42, %rd42, 4;
	add.s64 %rd44, %rd44, 1;
	bra.uni $PAGES;
$DONE:
	ret;
}
)";

const std::string_view kStepProgram = kText;

PlanKernel chooserKernel() {
  constexpr int64_t kBlock = 256;
  PlanKernel kernel;
  kernel.name = "ssmrt_choose";
  kernel.block = kBlock;
  return kernel;
}

} // namespace ssmrt
