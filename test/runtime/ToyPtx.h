//===- ToyPtx.h - The small model with kernels in PTX ---------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The kernels of ToyModel.h for a GPU, with the same order of operations: their
// results must equal those of the CPU to the bit. A thread works on a channel.

#pragma once

#include "ToyModel.h"

namespace ssmrt {

inline const char *toyPtx() {
  return R"(.version 7.0
.target sm_80
.address_size 64

.visible .entry embed(.param .b64 tokens, .param .b64 table,
                      .param .b64 result, .param .b64 stride,
                      .param .b64 rows)
{
	.reg .pred %p<2>;
	.reg .b32 %r<8>;
	.reg .b64 %rd<16>;
	mov.u32 %r1, %tid.x;
	setp.ge.u32 %p1, %r1, 4;
	@%p1 bra $DONE;
	mov.u32 %r2, %ctaid.x;
	ld.param.b64 %rd1, [tokens];
	ld.param.b64 %rd2, [table];
	ld.param.b64 %rd3, [result];
	ld.param.b64 %rd4, [stride];
	mul.wide.u32 %rd5, %r2, 4;
	add.s64 %rd5, %rd1, %rd5;
	ld.global.b32 %r3, [%rd5];
	mul.wide.s32 %rd6, %r3, 16;
	mul.wide.u32 %rd7, %r1, 4;
	add.s64 %rd6, %rd6, %rd7;
	add.s64 %rd6, %rd2, %rd6;
	ld.global.b32 %r4, [%rd6];
	cvt.u64.u32 %rd8, %r2;
	mul.lo.s64 %rd8, %rd8, %rd4;
	shl.b64 %rd8, %rd8, 2;
	add.s64 %rd8, %rd8, %rd7;
	add.s64 %rd8, %rd3, %rd8;
	st.global.b32 [%rd8], %r4;
$DONE:
	ret;
}

.visible .entry gather(.param .b64 x, .param .b64 xstride,
                       .param .b64 result, .param .b64 stride,
                       .param .b64 seqs, .param .b64 rows)
{
	.reg .pred %p<2>;
	.reg .b32 %r<8>;
	.reg .b64 %rd<16>;
	mov.u32 %r1, %tid.x;
	setp.ge.u32 %p1, %r1, 4;
	@%p1 bra $DONE;
	mov.u32 %r2, %ctaid.x;
	ld.param.b64 %rd1, [x];
	ld.param.b64 %rd2, [xstride];
	ld.param.b64 %rd3, [result];
	ld.param.b64 %rd4, [stride];
	ld.param.b64 %rd5, [seqs];
	ld.global.b64 %rd6, [%rd5+104];
	mul.wide.u32 %rd7, %r2, 4;
	add.s64 %rd6, %rd6, %rd7;
	ld.global.b32 %r3, [%rd6];
	cvt.s64.s32 %rd8, %r3;
	mul.lo.s64 %rd8, %rd8, %rd2;
	shl.b64 %rd8, %rd8, 2;
	mul.wide.u32 %rd9, %r1, 4;
	add.s64 %rd8, %rd8, %rd9;
	add.s64 %rd8, %rd1, %rd8;
	ld.global.b32 %r4, [%rd8];
	cvt.u64.u32 %rd10, %r2;
	mul.lo.s64 %rd10, %rd10, %rd4;
	shl.b64 %rd10, %rd10, 2;
	add.s64 %rd10, %rd10, %rd9;
	add.s64 %rd10, %rd3, %rd10;
	st.global.b32 [%rd10], %r4;
$DONE:
	ret;
}

// A block is a token of the vocabulary, a thread a row.
.visible .entry head(.param .b64 x, .param .b64 xstride,
                     .param .b64 table, .param .b64 logits,
                     .param .b64 stride, .param .b64 rows)
{
	.reg .pred %p<2>;
	.reg .b32 %r<12>;
	.reg .b64 %rd<20>;
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %ctaid.x;
	ld.param.b64 %rd1, [x];
	ld.param.b64 %rd2, [xstride];
	ld.param.b64 %rd3, [table];
	ld.param.b64 %rd4, [logits];
	ld.param.b64 %rd5, [stride];
	ld.param.b64 %rd6, [rows];
	mul.wide.u32 %rd7, %r2, 16;
	add.s64 %rd7, %rd3, %rd7;
	mov.u32 %r9, %ntid.x;
	cvt.u64.u32 %rd16, %r9;
	cvt.u64.u32 %rd8, %r1;
$ROW:
	setp.ge.s64 %p1, %rd8, %rd6;
	@%p1 bra $DONE;
	mul.lo.s64 %rd9, %rd8, %rd2;
	shl.b64 %rd9, %rd9, 2;
	add.s64 %rd9, %rd1, %rd9;
	mov.b32 %r3, 0;
	mov.b64 %rd10, 0;
$CHANNEL:
	add.s64 %rd11, %rd7, %rd10;
	ld.global.b32 %r4, [%rd11];
	add.s64 %rd12, %rd9, %rd10;
	ld.global.b32 %r5, [%rd12];
	mul.rn.f32 %r6, %r4, %r5;
	add.rn.f32 %r3, %r3, %r6;
	add.s64 %rd10, %rd10, 4;
	setp.lt.s64 %p1, %rd10, 16;
	@%p1 bra $CHANNEL;
	mul.lo.s64 %rd13, %rd8, %rd5;
	shl.b64 %rd13, %rd13, 2;
	mul.wide.u32 %rd14, %r2, 4;
	add.s64 %rd13, %rd13, %rd14;
	add.s64 %rd13, %rd4, %rd13;
	st.global.b32 [%rd13], %r3;
	add.s64 %rd8, %rd8, %rd16;
	bra.uni $ROW;
$DONE:
	ret;
}

// A block is a sequence.
.visible .entry layer(.param .b64 x, .param .b64 stride, .param .b64 seqs,
                      .param .b64 conv, .param .b64 convstride,
                      .param .b64 scan, .param .b64 scanstride,
                      .param .b64 keys, .param .b64 keystride,
                      .param .b64 values, .param .b64 valuestride,
                      .param .b64 rows)
{
	.reg .pred %p<8>;
	.reg .b32 %r<64>;
	.reg .b64 %rd<64>;
	mov.u32 %r1, %tid.x;
	setp.ge.u32 %p1, %r1, 4;
	@%p1 bra $DONE;
	mov.u32 %r2, %ctaid.x;
	mul.wide.u32 %rd60, %r1, 4;
	ld.param.b64 %rd1, [x];
	ld.param.b64 %rd2, [stride];
	ld.param.b64 %rd3, [seqs];
	ld.param.b64 %rd4, [conv];
	ld.param.b64 %rd5, [convstride];
	ld.param.b64 %rd6, [scan];
	ld.param.b64 %rd7, [scanstride];
	ld.param.b64 %rd8, [keys];
	ld.param.b64 %rd9, [keystride];
	ld.param.b64 %rd10, [values];
	ld.param.b64 %rd11, [valuestride];
	// %rd14: first row, %rd15: rows, %rd17: position, %rd18: slot.
	ld.global.b64 %rd12, [%rd3+32];
	mul.wide.u32 %rd13, %r2, 4;
	add.s64 %rd12, %rd12, %rd13;
	ld.global.b32 %r3, [%rd12];
	ld.global.b32 %r4, [%rd12+4];
	cvt.s64.s32 %rd14, %r3;
	sub.s32 %r4, %r4, %r3;
	cvt.s64.s32 %rd15, %r4;
	ld.global.b64 %rd16, [%rd3+48];
	mul.wide.u32 %rd19, %r2, 8;
	add.s64 %rd16, %rd16, %rd19;
	ld.global.b64 %rd17, [%rd16];
	ld.global.b64 %rd20, [%rd3+40];
	add.s64 %rd20, %rd20, %rd13;
	ld.global.b32 %r5, [%rd20];
	cvt.s64.s32 %rd18, %r5;
	// %rd21: conv slot, %rd22: scan slot of this channel, %rd23: page table.
	mul.lo.s64 %rd21, %rd18, %rd5;
	add.s64 %rd21, %rd4, %rd21;
	add.s64 %rd21, %rd21, %rd60;
	mul.lo.s64 %rd22, %rd18, %rd7;
	add.s64 %rd22, %rd6, %rd22;
	add.s64 %rd22, %rd22, %rd60;
	ld.global.b64 %rd23, [%rd3+88];
	ld.global.b64 %rd24, [%rd3+96];
	cvt.u64.u32 %rd25, %r2;
	mul.lo.s64 %rd25, %rd25, %rd24;
	shl.b64 %rd25, %rd25, 2;
	add.s64 %rd23, %rd23, %rd25;
	// %r10, %r11: what the convolution remembers.
	and.b64 %rd26, %rd17, 1;
	shl.b64 %rd26, %rd26, 5;
	add.s64 %rd26, %rd21, %rd26;
	ld.global.b32 %r10, [%rd26];
	ld.global.b32 %r11, [%rd26+16];
	mov.b64 %rd27, 0;
$TOKEN:
	setp.ge.s64 %p2, %rd27, %rd15;
	@%p2 bra $SAVE;
	add.s64 %rd28, %rd14, %rd27;
	mul.lo.s64 %rd28, %rd28, %rd2;
	shl.b64 %rd28, %rd28, 2;
	add.s64 %rd28, %rd1, %rd28;
	add.s64 %rd28, %rd28, %rd60;
	ld.global.b32 %r12, [%rd28];
	// Key and value of this token.
	add.s64 %rd29, %rd17, %rd27;
	shr.u64 %rd30, %rd29, 6;
	shl.b64 %rd31, %rd30, 2;
	add.s64 %rd31, %rd23, %rd31;
	ld.global.b32 %r13, [%rd31];
	cvt.s64.s32 %rd32, %r13;
	mul.lo.s64 %rd33, %rd32, %rd9;
	add.s64 %rd33, %rd8, %rd33;
	mul.lo.s64 %rd34, %rd32, %rd11;
	add.s64 %rd34, %rd10, %rd34;
	and.b64 %rd35, %rd29, 63;
	shr.u64 %rd36, %rd35, 5;
	shl.b64 %rd36, %rd36, 2;
	cvt.u64.u32 %rd37, %r1;
	add.s64 %rd36, %rd36, %rd37;
	shl.b64 %rd36, %rd36, 7;
	and.b64 %rd38, %rd35, 31;
	shl.b64 %rd38, %rd38, 2;
	add.s64 %rd36, %rd36, %rd38;
	add.s64 %rd33, %rd33, %rd36;
	st.global.b32 [%rd33], %r12;
	shl.b64 %rd39, %rd35, 4;
	add.s64 %rd34, %rd34, %rd39;
	add.s64 %rd34, %rd34, %rd60;
	add.rn.f32 %r14, %r12, %r12;
	st.global.b32 [%rd34], %r14;
	// %r15: sum over what is cached.
	mov.b32 %r15, 0;
	mov.b64 %rd40, 0;
$CACHED:
	shr.u64 %rd30, %rd40, 6;
	shl.b64 %rd31, %rd30, 2;
	add.s64 %rd31, %rd23, %rd31;
	ld.global.b32 %r13, [%rd31];
	cvt.s64.s32 %rd32, %r13;
	mul.lo.s64 %rd33, %rd32, %rd9;
	add.s64 %rd33, %rd8, %rd33;
	mul.lo.s64 %rd34, %rd32, %rd11;
	add.s64 %rd34, %rd10, %rd34;
	and.b64 %rd35, %rd40, 63;
	shr.u64 %rd36, %rd35, 5;
	shl.b64 %rd36, %rd36, 2;
	add.s64 %rd36, %rd36, %rd37;
	shl.b64 %rd36, %rd36, 7;
	and.b64 %rd38, %rd35, 31;
	shl.b64 %rd38, %rd38, 2;
	add.s64 %rd36, %rd36, %rd38;
	add.s64 %rd33, %rd33, %rd36;
	ld.global.b32 %r16, [%rd33];
	shl.b64 %rd39, %rd35, 4;
	add.s64 %rd34, %rd34, %rd39;
	add.s64 %rd34, %rd34, %rd60;
	ld.global.b32 %r17, [%rd34];
	add.rn.f32 %r18, %r17, %r16;
	add.rn.f32 %r15, %r15, %r18;
	add.s64 %rd40, %rd40, 1;
	setp.le.s64 %p3, %rd40, %rd29;
	@%p3 bra $CACHED;
	// %r20: sum of the states.
	mov.b32 %r20, 0;
	mov.b64 %rd41, 0;
$STATE:
	shl.b64 %rd42, %rd41, 6;
	add.s64 %rd42, %rd22, %rd42;
	ld.global.b32 %r21, [%rd42];
	mul.rn.f32 %r22, %r21, 0f3F000000;
	add.s64 %rd41, %rd41, 1;
	cvt.rn.f32.s64 %r23, %rd41;
	div.rn.f32 %r24, %r12, %r23;
	add.rn.f32 %r21, %r22, %r24;
	st.global.b32 [%rd42], %r21;
	add.rn.f32 %r20, %r20, %r21;
	setp.lt.s64 %p4, %rd41, 3;
	@%p4 bra $STATE;
	mul.rn.f32 %r25, %r10, 0f3F000000;
	mul.rn.f32 %r26, %r11, 0f3E800000;
	add.rn.f32 %r27, %r25, %r26;
	add.rn.f32 %r27, %r27, %r12;
	add.rn.f32 %r28, %r27, %r20;
	add.s64 %rd43, %rd29, 1;
	cvt.rn.f32.s64 %r29, %rd43;
	div.rn.f32 %r30, %r15, %r29;
	add.rn.f32 %r31, %r28, %r30;
	mul.rn.f32 %r32, %r31, 0f3E800000;
	st.global.b32 [%rd28], %r32;
	mov.b32 %r10, %r11;
	mov.b32 %r11, %r12;
	add.s64 %rd27, %rd27, 1;
	bra.uni $TOKEN;
$SAVE:
	add.s64 %rd44, %rd17, %rd15;
	and.b64 %rd44, %rd44, 1;
	shl.b64 %rd44, %rd44, 5;
	add.s64 %rd44, %rd21, %rd44;
	st.global.b32 [%rd44], %r10;
	st.global.b32 [%rd44+16], %r11;
$DONE:
	ret;
}
)";
}

/// The same with a head that leaves a candidate for each token: its logit and
/// `token`, an operand, which should be the token's register %r2.
inline std::string toyPtxOfCandidates(const std::string &token) {
  std::string text = toyPtx();
  auto insert = [&](const std::string &place, const std::string &added) {
    text.insert(text.find(place, text.find(".entry head")), added);
  };
  insert(")\n{", ", .param .b64 scratch");
  insert("\tadd.s64 %rd8, %rd8, %rd16;", "\tmov.b32 %r11, " + token +
                                             R"(;
	ld.param.b64 %rd17, [scratch];
	mov.u32 %r10, %nctaid.x;
	cvt.u64.u32 %rd18, %r10;
	mul.lo.s64 %rd18, %rd18, %rd8;
	cvt.u64.u32 %rd19, %r2;
	add.s64 %rd18, %rd18, %rd19;
	shl.b64 %rd18, %rd18, 3;
	add.s64 %rd17, %rd17, %rd18;
	st.global.b32 [%rd17], %r3;
	st.global.b32 [%rd17+4], %r11;
)");
  return text;
}

/// The plan of the toy model for a GPU, which tests may break.
inline nlohmann::json toyGpuPlan(const char *arch = "sm_80") {
  nlohmann::json plan = toyPlan();
  plan["target"] = plan["arch"] = arch;
  plan["device"] = "cuda";
  for (nlohmann::json &kernel : plan["kernels"])
    kernel = {
        {"name", kernel["name"]}, {"block", 32}, {"shared", 0}, {"scratch", 0}};
  plan["program"]["after"]["prefill"][1]["kernels"][0]["grid"] = 0;
  return plan;
}

/// The plan for the code of toyPtxOfCandidates.
inline nlohmann::json toyPlanOfCandidates() {
  nlohmann::json plan = toyGpuPlan();
  plan["kernels"][3]["candidates"] = kToyVocab;
  plan["kernels"][3]["scratch"] = {"mul", 8 * kToyVocab, "rows"};
  return plan;
}

/// Images of an artifact of the toy model.
struct ToyImage {
  nlohmann::json plan;
  std::string code;
  std::string cubin;
};

inline ToyImage toyGpuImage() { return {toyGpuPlan(), toyPtx(), ""}; }
inline ToyImage toyCpuImage() { return {toyPlan(), std::string(16, '\0'), ""}; }

inline std::string toyArtifactBytes(const std::vector<ToyImage> &images) {
  SafeTensorsWriter writer;
  writer.setMetadata("format", "ssmc-artifact");
  writer.setMetadata("version", "1");
  writer.setMetadata("manifest",
                     R"({"model": "toy", "hash": "0123", "abi": 1})");
  for (size_t i = 0; i < images.size(); ++i) {
    const std::string number = std::to_string(i);
    auto add = [&](const std::string &name, const std::string &bytes) {
      writer.add(name + number, DType::U8, {static_cast<int64_t>(bytes.size())},
                 bytes.data(), 64);
    };
    writer.setMetadata("plan." + number,
                       stepsLikePrefill(images[i].plan).dump());
    add("image.", images[i].code);
    if (!images[i].cubin.empty())
      add("cubin.", images[i].cubin);
  }
  return writer.toBytes();
}

inline Expected<Artifact> toyArtifactOf(const std::vector<ToyImage> &images) {
  return Artifact::parse(
      MappedFile::fromBytes("toy.ssmx", toyArtifactBytes(images)));
}

} // namespace ssmrt
