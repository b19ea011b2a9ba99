//===- TextStream.h - Text that grows token by token ----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ssmrt {

class Tokenizer;

/// Turns generated tokens into text that can be shown at once. The pieces of
/// text together are what Tokenizer::decode returns for all tokens, up to the
/// first stop text; how the tokens cut the text makes no difference.
class TextStream {
public:
  /// `tokenizer` must outlive the stream. Empty stop texts are ignored.
  explicit TextStream(const Tokenizer &tokenizer,
                      std::vector<std::string> stopTexts = {},
                      bool skipSpecial = true);

  /// Text that may be shown after `id`. Held back are at most three bytes of an
  /// incomplete character, and what may become a stop text.
  std::string push(int32_t id);

  /// The text still held back. Further tokens have no effect.
  std::string finish();

  /// Whether a stop text occurred: the one that ended first, of those the
  /// longest. The text ends before it.
  bool stopped() const { return hasStopped; }

private:
  /// Takes `size` bytes from `pending` and makes them valid UTF-8.
  std::string take(size_t size);
  /// Length of the longest stop text that `pending` up to `end` ends with.
  size_t stopLengthAt(size_t end) const;
  /// Number of bytes at the end of `pending` that may begin a stop text.
  size_t possibleStopLength() const;

  const Tokenizer *tokenizer;
  std::vector<std::string> stopTexts;
  bool skipSpecial;
  bool hasStopped = false;
  bool isFinished = false;
  std::string pending;
};

} // namespace ssmrt
