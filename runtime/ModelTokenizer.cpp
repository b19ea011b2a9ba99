//===- ModelTokenizer.cpp - The tokenizer that belongs to a model ---------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ModelTokenizer.h"
#include "runtime/Guarded.h"

namespace ssmrt {

Expected<Tokenizer> openTokenizer(const Artifact &artifact,
                                  const std::string &weights) {
  return guarded([&]() -> Expected<Tokenizer> {
    if (const TensorView *embedded = artifact.tokenizer())
      return Tokenizer::fromJson(
          {embedded->data, static_cast<size_t>(embedded->bytes)},
          artifact.path());
    if (weights.empty() || weights.rfind("random:", 0) == 0)
      return error(artifact.path() + ": no tokenizer, expected an embedded one "
                                     "or tokenizer.json beside the weights");
    return Tokenizer::fromFile(weights + "/tokenizer.json");
  });
}

} // namespace ssmrt
