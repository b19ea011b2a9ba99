//===- ModelTokenizer.h - The tokenizer that belongs to a model -----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Artifact.h"
#include "runtime/Tokenizer.h"

#include <string>

namespace ssmrt {

/// Reads the tokenizer that is embedded in the artifact, else tokenizer.json of
/// the folder `weights`.
Expected<Tokenizer> openTokenizer(const Artifact &artifact,
                                  const std::string &weights);

} // namespace ssmrt
