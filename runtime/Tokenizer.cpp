//===- Tokenizer.cpp - Text to tokens and back ----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Tokenizer.h"

#include "runtime/TokenizerJson.h"
#include "runtime/Unicode.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

using namespace ssmrt;

Expected<Tokenizer> Tokenizer::fromFile(const std::string &path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(
      std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file)
    return error(path + ": cannot open: " + std::strerror(errno));
  std::string content;
  char buffer[1 << 16];
  while (size_t size = std::fread(buffer, 1, sizeof(buffer), file.get()))
    content.append(buffer, size);
  if (std::ferror(file.get()))
    return error(path + ": cannot read: " + std::strerror(errno));
  return fromJson(content, path);
}

Expected<Tokenizer> Tokenizer::fromJson(std::string_view text,
                                        std::string fileName) {
  Expected<TokenizerDefinition> definition =
      readTokenizerJson(text, std::move(fileName));
  if (!definition)
    return definition.status();
  return Tokenizer(std::move(*definition));
}

Tokenizer::Tokenizer(TokenizerDefinition theDefinition)
    : definition(std::move(theDefinition)) {
  std::vector<AddedToken> raw, normalized;
  for (AddedToken token : definition.addedTokens) {
    addedTokenIds.emplace(token.content, token.id);
    if (token.normalized && definition.normalizeNfc)
      token.content = normalizeNfc(token.content);
    (token.normalized ? normalized : raw).push_back(std::move(token));
  }
  rawTokens = AddedTokenFinder(std::move(raw));
  normalizedTokens = AddedTokenFinder(std::move(normalized));
}

Expected<std::vector<int32_t>> Tokenizer::encode(std::string_view text,
                                                 bool addSpecial) const {
  std::vector<int32_t> ids;
  if (addSpecial)
    ids = definition.prefix;
  std::vector<TextSegment> rawSegments;
  rawTokens.cut(text, rawSegments);
  for (const TextSegment &rawSegment : rawSegments) {
    if (rawSegment.id >= 0) {
      ids.push_back(rawSegment.id);
      continue;
    }
    std::string normalized;
    std::string_view segmentText = rawSegment.text;
    if (definition.normalizeNfc) {
      normalized = normalizeNfc(segmentText);
      segmentText = normalized;
    }
    std::vector<TextSegment> segments;
    normalizedTokens.cut(segmentText, segments);
    for (const TextSegment &segment : segments) {
      if (segment.id >= 0)
        ids.push_back(segment.id);
      else if (Status status = encodeSegment(segment.text, ids); !status)
        return status;
    }
  }
  if (addSpecial)
    ids.insert(ids.end(), definition.suffix.begin(), definition.suffix.end());
  return ids;
}

Status Tokenizer::encodeSegment(std::string_view text,
                                std::vector<int32_t> &ids) const {
  std::vector<std::string_view> words = {text};
  for (SplitPattern pattern : definition.splits) {
    std::vector<std::string_view> finer;
    for (std::string_view word : words)
      splitWords(pattern, word, finer);
    words = std::move(finer);
  }
  for (std::string_view word : words)
    if (Status status = encodeWord(word, ids); !status)
      return status;
  return {};
}

Status Tokenizer::encodeWord(std::string_view word,
                             std::vector<int32_t> &ids) const {
  std::string prefixed;
  if (definition.addPrefixSpace && word.substr(0, 1) != " ") {
    prefixed = " ";
    prefixed += word;
    word = prefixed;
  }
  std::vector<std::string_view> pieces;
  if (definition.byteLevelSplit)
    splitWords(*definition.byteLevelSplit, word, pieces);
  else
    pieces.push_back(word);
  for (std::string_view piece : pieces)
    if (Status status = definition.model.encodeWord(piece, ids); !status)
      return error(definition.fileName + ": " + status.message);
  return {};
}

std::string Tokenizer::decode(const std::vector<int32_t> &tokens,
                              bool skipSpecial) const {
  std::string bytes;
  for (int32_t id : tokens)
    appendBytes(id, skipSpecial, bytes);
  std::string text;
  appendLossyUtf8(bytes, text);
  return text;
}

void Tokenizer::appendBytes(int32_t id, bool skipSpecial,
                            std::string &out) const {
  if (id < 0 || id >= vocabSize())
    return;
  const TokenizerDefinition::Piece &piece = definition.pieces[id];
  if (!piece.special || !skipSpecial)
    out += piece.bytes;
}

std::optional<int32_t>
Tokenizer::findAddedToken(std::string_view content) const {
  auto found = addedTokenIds.find(std::string(content));
  if (found == addedTokenIds.end())
    return std::nullopt;
  return found->second;
}
