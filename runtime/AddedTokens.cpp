//===- AddedTokens.cpp - Tokens cut out of the text -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/AddedTokens.h"

#include "runtime/Unicode.h"

#include <algorithm>
#include <utility>

using namespace ssmrt;

namespace {

CharClass classAt(std::string_view text, size_t position) {
  return classify(decodeCharacter(text, position).code);
}

/// Whether [start, end) touches no word character outside of it.
bool isSeparateWord(std::string_view text, size_t start, size_t end) {
  if (start > 0 &&
      isWordCharacter(classAt(text, previousCharacter(text, start))))
    return false;
  return end == text.size() || !isWordCharacter(classAt(text, end));
}

/// Start of the whitespace that ends at `end`.
size_t skipSpacesLeft(std::string_view text, size_t end) {
  while (end > 0) {
    size_t previous = previousCharacter(text, end);
    if (classAt(text, previous) != CharClass::Space)
      break;
    end = previous;
  }
  return end;
}

/// End of the whitespace that starts at `start`.
size_t skipSpacesRight(std::string_view text, size_t start) {
  while (start < text.size() && classAt(text, start) == CharClass::Space)
    start += decodeCharacter(text, start).length;
  return start;
}

} // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> addedTokens)
    : tokens(std::move(addedTokens)) {
  for (size_t i = 0; i < tokens.size(); ++i)
    if (!tokens[i].content.empty())
      byFirstByte[static_cast<uint8_t>(tokens[i].content[0])].push_back(i);
  for (std::vector<size_t> &indices : byFirstByte)
    std::sort(indices.begin(), indices.end(), [&](size_t a, size_t b) {
      size_t sizeA = tokens[a].content.size(), sizeB = tokens[b].content.size();
      return sizeA != sizeB ? sizeA > sizeB : a < b;
    });
}

const AddedToken *AddedTokenFinder::longestAt(std::string_view text) const {
  for (size_t index : byFirstByte[static_cast<uint8_t>(text[0])]) {
    const AddedToken &token = tokens[index];
    if (text.substr(0, token.content.size()) == token.content)
      return &token;
  }
  return nullptr;
}

void AddedTokenFinder::cut(std::string_view text,
                           std::vector<TextSegment> &segments) const {
  size_t done = 0;
  auto addText = [&](size_t end) {
    if (done < end)
      segments.push_back({text.substr(done, end - done)});
  };
  for (size_t position = 0; position < text.size();) {
    const AddedToken *token = longestAt(text.substr(position));
    if (!token) {
      ++position;
      continue;
    }
    size_t start = position;
    size_t end = start + token->content.size();
    position = end;
    if (token->singleWord && !isSeparateWord(text, start, end))
      continue;
    if (token->stripLeft)
      start = std::max(skipSpacesLeft(text, start), done);
    if (token->stripRight)
      end = skipSpacesRight(text, end);
    addText(start);
    segments.push_back({text.substr(start, end - start), token->id});
    done = end;
  }
  addText(text.size());
}
