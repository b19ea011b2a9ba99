//===- StateFile.h - Saved states -----------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A state file is a safetensors file: state.<sequence>.<layer>.conv [C, K-1],
// .ssm [I, N] or [H, P, N], .k and .v [Hkv, T, d], in f32, whatever the device
// keeps in memory. Its metadata holds format, version, the hash of the model
// and for each sequence tokens_seen.<sequence> and, if there is one,
// next_token.<sequence>.

#pragma once

#include "runtime/StateStore.h"
#include "runtime/Status.h"

#include <string>
#include <vector>

namespace ssmrt {

/// What a state file holds, without its tensors.
struct StateSummary {
  int64_t sequences = 0;
  /// The largest number of tokens that a sequence has seen.
  int64_t tokensSeen = 0;
};

Expected<StateSummary> readStateSummary(const std::string &path);

/// `nextTokens` has an entry for each sequence; -1: none.
Status writeStateFile(const std::string &path, const std::string &modelHash,
                      const StateStore &store,
                      const std::vector<Sequence> &sequences,
                      const std::vector<int32_t> &nextTokens);

/// Replaces all sequences. After a failure their states are undefined until
/// they are started anew.
Status readStateFile(const std::string &path, const std::string &modelHash,
                     StateStore &store, std::vector<Sequence> &sequences,
                     std::vector<int32_t> &nextTokens);

} // namespace ssmrt
