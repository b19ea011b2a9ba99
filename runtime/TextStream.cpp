//===- TextStream.cpp - Text that grows token by token --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/TextStream.h"

#include "runtime/Tokenizer.h"
#include "runtime/Unicode.h"

#include <algorithm>
#include <string_view>
#include <utility>

using namespace ssmrt;

TextStream::TextStream(const Tokenizer &tokenizer,
                       std::vector<std::string> stopTexts, bool skipSpecial)
    : tokenizer(&tokenizer), stopTexts(std::move(stopTexts)),
      skipSpecial(skipSpecial) {}

std::string TextStream::push(int32_t id) {
  if (isFinished || hasStopped)
    return "";
  size_t oldSize = pending.size();
  tokenizer->appendBytes(id, skipSpecial, pending);
  for (size_t end = oldSize + 1; end <= pending.size(); ++end) {
    size_t stopLength = stopLengthAt(end);
    if (stopLength == 0)
      continue;
    hasStopped = true;
    std::string shown = take(end - stopLength);
    pending.clear();
    return shown;
  }
  std::string_view showable = pending;
  showable.remove_suffix(possibleStopLength());
  showable.remove_suffix(incompleteTail(showable));
  return take(showable.size());
}

std::string TextStream::finish() {
  isFinished = true;
  return take(pending.size());
}

std::string TextStream::take(size_t size) {
  std::string text;
  appendLossyUtf8(std::string_view(pending).substr(0, size), text);
  pending.erase(0, size);
  return text;
}

size_t TextStream::stopLengthAt(size_t end) const {
  std::string_view text = std::string_view(pending).substr(0, end);
  size_t longest = 0;
  for (const std::string &stop : stopTexts)
    if (stop.size() <= end && text.substr(end - stop.size()) == stop)
      longest = std::max(longest, stop.size());
  return longest;
}

size_t TextStream::possibleStopLength() const {
  std::string_view text = pending;
  size_t longest = 0;
  for (const std::string &stop : stopTexts) {
    size_t limit = stop.empty() ? 0 : std::min(stop.size() - 1, text.size());
    for (size_t length = limit; length > longest; --length) {
      if (text.substr(text.size() - length) !=
          std::string_view(stop).substr(0, length))
        continue;
      longest = length;
      break;
    }
  }
  return longest;
}
