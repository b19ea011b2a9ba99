//===- Prompts.h - Prompts as tokens --------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"
#include "runtime/Tokenizer.h"
#include "tools/run/RunOptions.h"

#include <cstdint>
#include <vector>

namespace ssmrt {

/// Tokens of each prompt. `tokenizer` may be null if no prompt is text.
Expected<std::vector<std::vector<int32_t>>>
readPrompts(const std::vector<PromptOption> &prompts,
            const Tokenizer *tokenizer);

/// Whether a tokenizer is needed to read them.
bool needTokenizer(const std::vector<PromptOption> &prompts);

} // namespace ssmrt
