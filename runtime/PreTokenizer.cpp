//===- PreTokenizer.cpp - Cut a text into words ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/PreTokenizer.h"

#include "runtime/Unicode.h"

#include <cstdint>

using namespace ssmrt;

namespace {

struct PatternRow {
  SplitPattern pattern;
  const char *name;
  const char *regex;
};

/// Every known spelling. Some patterns are written in several ways.
constexpr PatternRow kPatterns[] = {
    {SplitPattern::Gpt2, "GPT-2",
     R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|)"
     R"(\s+(?!\S)|\s+)"},
    {SplitPattern::Gpt2, nullptr,
     R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|)"
     R"(\s+(?!\S)|\s+)"},
    {SplitPattern::Llama3, "Llama-3",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
     R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {SplitPattern::Qwen2, "Qwen2",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
     R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {SplitPattern::Tekken, "Tekken",
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*)"
     R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+)"
     R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|)"
     R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

bool isNewline(uint32_t code) { return code == '\r' || code == '\n'; }

/// [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
bool isTekkenUpper(CharClass charClass) {
  return charClass == CharClass::Upper || charClass == CharClass::OtherLetter ||
         charClass == CharClass::Mark;
}

/// [\p{Ll}\p{Lm}\p{Lo}\p{M}]
bool isTekkenLower(CharClass charClass) {
  return charClass == CharClass::Lower || charClass == CharClass::OtherLetter ||
         charClass == CharClass::Mark;
}

/// Matches at one place of a text. Each match function takes the position where
/// its part of the expression starts and returns where it ends; no match is
/// kNone or, for parts that may be empty, the start.
class Matcher {
public:
  Matcher(SplitPattern pattern, std::string_view text)
      : pattern(pattern), text(text) {}

  /// End of the word that starts at `start`; above `start`.
  size_t matchWord(size_t start) const {
    switch (pattern) {
    case SplitPattern::Gpt2:
      return matchGpt2(start);
    case SplitPattern::Llama3:
      return matchLlama3(start, /*maxDigits=*/3);
    case SplitPattern::Qwen2:
      return matchLlama3(start, /*maxDigits=*/1);
    case SplitPattern::Tekken:
      return matchTekken(start);
    }
    return text.size();
  }

private:
  static constexpr size_t kNone = std::string_view::npos;

  /// A character and its class; at the end of the text, length is 0.
  struct Classified {
    uint32_t code;
    uint32_t length;
    CharClass charClass;
  };

  Classified at(size_t position) const {
    if (position >= text.size())
      return {kInvalidByte, 0, CharClass::Other};
    Character character = decodeCharacter(text, position);
    return {character.code, character.length, classify(character.code)};
  }

  /// End of the longest run of characters that satisfy `predicate`.
  template <class Predicate>
  size_t skipWhile(size_t position, Predicate predicate,
                   size_t maxCount = kNone) const {
    for (size_t count = 0; count < maxCount; ++count) {
      Classified next = at(position);
      if (next.length == 0 || !predicate(next))
        break;
      position += next.length;
    }
    return position;
  }

  static bool isOther(const Classified &character) {
    return character.charClass != CharClass::Space &&
           !isLetter(character.charClass) && !isNumber(character.charClass);
  }
  static bool isSpace(const Classified &character) {
    return character.charClass == CharClass::Space;
  }

  size_t skipSpaceCharacter(size_t position) const {
    return position < text.size() && text[position] == ' ' ? position + 1
                                                           : position;
  }

  /// 's|'t|'re|'ve|'m|'ll|'d
  size_t matchContraction(size_t start, bool ignoreCase) const {
    if (text[start] != '\'')
      return kNone;
    auto letterAt = [&](size_t position) -> uint32_t {
      Classified character = at(position);
      if (!ignoreCase)
        return character.code;
      if (character.code >= 'A' && character.code <= 'Z')
        return character.code - 'A' + 'a';
      constexpr uint32_t kLongS = 0x17F; // folds to s
      return character.code == kLongS ? 's' : character.code;
    };
    size_t second = start + 1;
    uint32_t letter = letterAt(second);
    if (letter == 's' || letter == 't' || letter == 'm' || letter == 'd')
      return second + at(second).length;
    uint32_t next = letter == 'l'                    ? 'l'
                    : letter == 'r' || letter == 'v' ? 'e'
                                                     : 0;
    if (next && letterAt(second + 1) == next)
      return second + 2;
    return kNone;
  }

  /// \s+(?!\S)|\s+
  size_t matchSpaces(size_t start) const {
    size_t end = skipWhile(start, isSpace);
    if (end == text.size() || end == start)
      return end;
    size_t last = previousCharacter(text, end);
    return last > start ? last : end;
  }

  /// \s*[\r\n]+
  size_t matchNewlines(size_t start) const {
    size_t end = kNone;
    for (size_t position = start;;) {
      Classified next = at(position);
      if (next.length == 0 || !isSpace(next))
        return end;
      position += next.length;
      if (isNewline(next.code))
        end = position;
    }
  }

  size_t matchGpt2(size_t start) const {
    size_t contraction = matchContraction(start, /*ignoreCase=*/false);
    if (contraction != kNone)
      return contraction;
    size_t body = skipSpaceCharacter(start);
    Classified first = at(body);
    if (isLetter(first.charClass))
      return skipWhile(
          body, [](const Classified &c) { return isLetter(c.charClass); });
    if (isNumber(first.charClass))
      return skipWhile(
          body, [](const Classified &c) { return isNumber(c.charClass); });
    if (first.length && isOther(first))
      return skipWhile(body, isOther);
    return matchSpaces(start);
  }

  /// Where the letters of a word may start: after the one character of
  /// [^\r\n\p{L}\p{N}] that it may take along.
  size_t skipWordPrefix(size_t start) const {
    Classified first = at(start);
    bool isPrefix = !isNewline(first.code) && !isLetter(first.charClass) &&
                    !isNumber(first.charClass);
    return isPrefix ? start + first.length : start;
  }

  size_t matchLlama3(size_t start, size_t maxDigits) const {
    size_t contraction = matchContraction(start, /*ignoreCase=*/true);
    if (contraction != kNone)
      return contraction;
    size_t letters = skipWordPrefix(start);
    size_t end = skipWhile(
        letters, [](const Classified &c) { return isLetter(c.charClass); });
    if (end > letters)
      return end;
    return matchNonLetters(start, maxDigits, /*trailing=*/"\r\n");
  }

  /// \p{N}{1,maxDigits}| ?[^\s\p{L}\p{N}]+[trailing]*|
  /// \s*[\r\n]+|\s+(?!\S)|\s+
  size_t matchNonLetters(size_t start, size_t maxDigits,
                         std::string_view trailing) const {
    size_t digits = skipWhile(
        start, [](const Classified &c) { return isNumber(c.charClass); },
        maxDigits);
    if (digits > start)
      return digits;
    size_t body = skipSpaceCharacter(start);
    size_t end = skipWhile(body, isOther);
    if (end > body) {
      end = text.find_first_not_of(trailing, end);
      return end == kNone ? text.size() : end;
    }
    size_t newlines = matchNewlines(start);
    return newlines != kNone ? newlines : matchSpaces(start);
  }

  /// upper* lower+, as a backtracking matcher finds it.
  size_t matchUpperThenLower(size_t start) const {
    size_t lastLowerEnd = kNone; // end of the last upper that is lower too
    size_t position = start;
    for (Classified next = at(position);
         next.length && isTekkenUpper(next.charClass); next = at(position)) {
      position += next.length;
      if (isTekkenLower(next.charClass))
        lastLowerEnd = position;
    }
    size_t end = skipWhile(position, [](const Classified &c) {
      return isTekkenLower(c.charClass);
    });
    return end > position ? end : lastLowerEnd;
  }

  /// upper+ lower*
  size_t matchUppers(size_t start) const {
    size_t end = skipWhile(
        start, [](const Classified &c) { return isTekkenUpper(c.charClass); });
    if (end == start)
      return kNone;
    return skipWhile(
        end, [](const Classified &c) { return isTekkenLower(c.charClass); });
  }

  size_t matchTekken(size_t start) const {
    size_t letters = skipWordPrefix(start);
    for (size_t begin : {letters, start})
      if (size_t end = matchUpperThenLower(begin); end != kNone)
        return end;
    for (size_t begin : {letters, start})
      if (size_t end = matchUppers(begin); end != kNone)
        return end;
    return matchNonLetters(start, /*maxDigits=*/1, /*trailing=*/"\r\n/");
  }

  SplitPattern pattern;
  std::string_view text;
};

} // namespace

std::optional<SplitPattern> ssmrt::findSplitPattern(std::string_view regex) {
  for (const PatternRow &row : kPatterns)
    if (regex == row.regex)
      return row.pattern;
  return std::nullopt;
}

std::string ssmrt::knownSplitPatterns() {
  std::string names;
  for (const PatternRow &row : kPatterns) {
    if (!row.name)
      continue;
    if (!names.empty())
      names += ", ";
    names += row.name;
  }
  return names;
}

void ssmrt::splitWords(SplitPattern pattern, std::string_view text,
                       std::vector<std::string_view> &words) {
  Matcher matcher(pattern, text);
  for (size_t start = 0; start < text.size();) {
    size_t end = matcher.matchWord(start);
    words.push_back(text.substr(start, end - start));
    start = end;
  }
}
