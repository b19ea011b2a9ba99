//===- Mutate.h - Faults planted into PTX --------------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ptxrun {

/// One edit of a PTX text that still parses.
struct Mutation {
  enum Kind : uint8_t {
    Drop,   ///< a barrier, wait or fence is gone
    Move,   ///< it stands one instruction earlier or later
    Flip,   ///< a guard or a comparison is turned around
    Shift,  ///< an address moves by one access
    Count,  ///< a bound, step or mask of an integer is off by one
    Parity, ///< a wait has the wrong parity
  };
  Kind kind = Drop;
  uint32_t line = 0;
  std::string before; ///< the line without indentation
  std::string after;  ///< what stands there now, or how it moved
  /// Moves: where the line stands then, from 0, when it has been taken out.
  size_t target = 0;

  /// "line 7: drop 'bar.sync 0;'".
  std::string describe() const;
  /// `text`, whose mutation this is, with the edit.
  std::string apply(std::string_view text) const;
};

/// Every edit of the lines in `lines` (sorted), in the order of the text.
std::vector<Mutation> listMutations(std::string_view text,
                                    const std::vector<uint32_t> &lines);

/// `count` different ones chosen by `seed`; all if there are fewer. Kinds are
/// drawn evenly as long as they last.
std::vector<Mutation> chooseMutations(std::vector<Mutation> all, size_t count,
                                      uint64_t seed);

/// The edit "KIND:TEXT#N": of those of a kind ("drop", "move", ...) whose
/// description has TEXT in it, the N-th, from 1; without #N the first.
ssmrt::Expected<Mutation> findMutation(const std::vector<Mutation> &all,
                                       std::string_view selection);

} // namespace ptxrun
