//===- AddedTokens.h - Tokens cut out of the text -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ssmrt {

/// An entry of `added_tokens`: text that is one token wherever it occurs.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = false;
  /// Matches only between characters that are not part of a word.
  bool singleWord = false;
  /// Swallows the whitespace on its left, right.
  bool stripLeft = false;
  bool stripRight = false;
  /// Is looked for in the normalised text, not in the raw one.
  bool normalized = false;
};

/// A part of a text: an added token, or (id < 0) text between two of them.
struct TextSegment {
  std::string_view text;
  int32_t id = -1;
};

/// Finds added tokens: at the leftmost place, there the longest.
class AddedTokenFinder {
public:
  AddedTokenFinder() = default;
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);

  /// Appends the segments of `text`; none of them is empty text.
  void cut(std::string_view text, std::vector<TextSegment> &segments) const;

private:
  /// The longest token that is a prefix of `text`, or null.
  const AddedToken *longestAt(std::string_view text) const;

  std::vector<AddedToken> tokens;
  /// Indices into `tokens` by the first byte of the content, longest first.
  std::array<std::vector<size_t>, 256> byFirstByte;
};

} // namespace ssmrt
