//===- StepProgram.h - The kernel that ends a step on a GPU ---------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Greedy decoding needs nothing of the host: after the launches of a step, the
// last of which leaves candidates where the head streams its weights, this
// kernel chooses each sequence's most probable token, makes it the input of the
// next step, moves the position on and keeps the token for the host in a ring.
// A sequence that has chosen an end token is done: what further steps do with
// it goes to a spare slot and a spare page, so its state stays as it was.
//
// Other ways to sample take the logits to the host, which uploads the tokens of
// the next step: a draw by temperature, top-k or top-p costs one copy of
// [sequences, vocab] f32 and one wait for each step.

#pragma once

#include "runtime/Plan.h"

#include <cstdint>
#include <string_view>

namespace ssmrt {

/// PTX of kernel "ssmrt_choose", for every chip from sm_80 on. A block works on
/// one sequence: it looks at all logits, or at candidates, the largest of parts
/// of them. Its arguments:
///   0 logits, f32, or candidates: pairs of a logit and its token, i32; a token
///     below 0 is none
///   1 their row stride, in f32 numbers            2 their number in a row
///   3 bytes of one: 4, or 8 of a pair
///   4 SeqTable         5 tokens, i32              6
///   SequenceProgress[sequences] 7 ring, i32 [entries][sequences] 8 entries 9
///   end tokens, i32 10 their number            11 spare slot  12 spare page
extern const std::string_view kStepProgram;

/// The kernel as the plan would describe it.
PlanKernel chooserKernel();

/// What the kernel knows of a sequence.
struct SequenceProgress {
  int32_t steps = 0;
  int32_t isDone = 0;
};

/// What stands in the ring in place of a token.
constexpr int32_t kAlreadyDone = -1;
constexpr int32_t kNoNumber = -2; ///< all logits were NaN

} // namespace ssmrt
