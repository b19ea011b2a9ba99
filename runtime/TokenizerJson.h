//===- TokenizerJson.h - Read tokenizer.json ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"
#include "runtime/Tokenizer.h"

#include <string>
#include <string_view>

namespace ssmrt {

/// Reads the text of a tokenizer.json file. Whatever would make the tokens
/// differ from those of the Hugging Face library is refused by name.
Expected<TokenizerDefinition> readTokenizerJson(std::string_view text,
                                                std::string fileName);

} // namespace ssmrt
