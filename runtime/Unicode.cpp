//===- Unicode.cpp - UTF-8, character classes, NF -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Unicode.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

using namespace ssmrt;

namespace {

/// Canonical decomposition of `code` into one (second == 0) or two characters,
/// and whether NFC puts the two together again.
struct Decomposition {
  uint32_t code;
  uint32_t first;
  uint32_t second;
  bool composes;
};

#include "runtime/UnicodeTables.inc"

// Hangul syllables are composed by arithmetic (Unicode, section 3.12).
constexpr uint32_t kHangulSyllable = 0xAC00;
constexpr uint32_t kHangulLeading = 0x1100;
constexpr uint32_t kHangulVowel = 0x1161;
constexpr uint32_t kHangulTrailing = 0x11A7;
constexpr uint32_t kHangulLeadingCount = 19;
constexpr uint32_t kHangulVowelCount = 21;
constexpr uint32_t kHangulTrailingCount = 28;
constexpr uint32_t kHangulCount =
    kHangulLeadingCount * kHangulVowelCount * kHangulTrailingCount;

/// Below this every text is in normalisation form C.
constexpr uint32_t kFirstCombining = 0x300;
constexpr uint8_t kFirstCombiningLead = 0xCC; // its first byte in UTF-8

/// The value in the low `valueBits` of the run that `code` falls into.
template <size_t N>
uint32_t lookUpRun(const uint32_t (&runs)[N], uint32_t code, int valueBits) {
  uint32_t mask = (1u << valueBits) - 1;
  const uint32_t *after = std::upper_bound(std::begin(runs), std::end(runs),
                                           code << valueBits | mask);
  return *(after - 1) & mask; // the first run starts at 0
}

uint32_t combiningClass(uint32_t code) {
  if (code < kFirstCombining || code >= kInvalidByte)
    return 0;
  return lookUpRun(kCombiningRuns, code, 8);
}

void appendDecomposed(uint32_t code, std::vector<uint32_t> &out) {
  uint32_t hangul = code - kHangulSyllable;
  if (code >= kHangulSyllable && hangul < kHangulCount) {
    uint32_t pair = hangul / kHangulTrailingCount;
    out.push_back(kHangulLeading + pair / kHangulVowelCount);
    out.push_back(kHangulVowel + pair % kHangulVowelCount);
    if (uint32_t trailing = hangul % kHangulTrailingCount)
      out.push_back(kHangulTrailing + trailing);
    return;
  }
  const Decomposition *found = std::lower_bound(
      std::begin(kDecompositions), std::end(kDecompositions), code,
      [](const Decomposition &row, uint32_t code) { return row.code < code; });
  if (found == std::end(kDecompositions) || found->code != code) {
    out.push_back(code);
    return;
  }
  appendDecomposed(found->first, out); // at most four levels
  if (found->second)
    out.push_back(found->second);
}

/// Sorts each run of non-starters by combining class, keeping the order of
/// equals. (std::stable_sort uses a deprecated function in libstdc++ 12.)
void orderMarks(std::vector<uint32_t> &codes) {
  struct Mark {
    uint32_t combiningClass;
    size_t position;
    uint32_t code;
  };
  std::vector<Mark> marks;
  for (size_t begin = 0; begin < codes.size(); ++begin) {
    marks.clear();
    for (size_t i = begin; i < codes.size(); ++i) {
      uint32_t combining = combiningClass(codes[i]);
      if (combining == 0)
        break;
      marks.push_back({combining, i, codes[i]});
    }
    std::sort(marks.begin(), marks.end(), [](const Mark &a, const Mark &b) {
      return std::pair(a.combiningClass, a.position) <
             std::pair(b.combiningClass, b.position);
    });
    for (const Mark &mark : marks)
      codes[begin++] = mark.code;
  }
}

/// The rows of kDecompositions that compose, sorted by the pair.
const std::vector<Decomposition> &compositionsByPair() {
  static const std::vector<Decomposition> rows = [] {
    std::vector<Decomposition> rows;
    std::copy_if(std::begin(kDecompositions), std::end(kDecompositions),
                 std::back_inserter(rows),
                 [](const Decomposition &row) { return row.composes; });
    std::sort(rows.begin(), rows.end(),
              [](const Decomposition &a, const Decomposition &b) {
                return std::pair(a.first, a.second) <
                       std::pair(b.first, b.second);
              });
    return rows;
  }();
  return rows;
}

/// The character that `first` and `second` compose to.
std::optional<uint32_t> composePair(uint32_t first, uint32_t second) {
  uint32_t leading = first - kHangulLeading;
  uint32_t vowel = second - kHangulVowel;
  if (leading < kHangulLeadingCount && vowel < kHangulVowelCount)
    return kHangulSyllable +
           (leading * kHangulVowelCount + vowel) * kHangulTrailingCount;
  uint32_t syllable = first - kHangulSyllable;
  uint32_t trailing = second - kHangulTrailing;
  if (syllable < kHangulCount && syllable % kHangulTrailingCount == 0 &&
      trailing > 0 && trailing < kHangulTrailingCount)
    return first + trailing;
  const std::vector<Decomposition> &rows = compositionsByPair();
  std::pair pair(first, second);
  auto found = std::lower_bound(
      rows.begin(), rows.end(), pair,
      [](const Decomposition &row, const std::pair<uint32_t, uint32_t> &pair) {
        return std::pair(row.first, row.second) < pair;
      });
  if (found == rows.end() || std::pair(found->first, found->second) != pair)
    return std::nullopt;
  return found->code;
}

/// Composes in place: each character with the last starter before it, unless
/// one between them blocks it (Unicode, definition D115).
void composeAll(std::vector<uint32_t> &codes) {
  size_t size = 0;
  std::optional<size_t> starter;
  uint32_t lastClass = 0;
  for (uint32_t code : codes) {
    uint32_t thisClass = combiningClass(code);
    bool adjacent = starter && *starter + 1 == size;
    if (starter && (adjacent || lastClass < thisClass)) {
      if (std::optional<uint32_t> composed =
              composePair(codes[*starter], code)) {
        codes[*starter] = *composed;
        continue;
      }
    }
    if (thisClass == 0)
      starter = size;
    lastClass = thisClass;
    codes[size++] = code;
  }
  codes.resize(size);
}

/// Whether `byte` may follow the lead byte `lead` as its first continuation
/// (Unicode, table 3-7); excludes overlong forms, surrogates, > U+10FFFF.
bool isSecondByte(uint8_t lead, uint8_t byte) {
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  return byte >= low && byte <= high;
}

/// Length that the lead byte announces; 0 if it cannot lead.
uint32_t announcedLength(uint8_t lead) {
  if (lead < 0x80)
    return 1;
  if (lead < 0xC2 || lead > 0xF4)
    return 0;
  return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/// Length of the longest start of a valid character at `position`, at least 1,
/// and whether it is a whole character.
struct Sequence {
  uint32_t length;
  bool complete;
};

Sequence scanSequence(std::string_view text, size_t position) {
  uint8_t lead = text[position];
  uint32_t announced = announcedLength(lead);
  if (announced <= 1)
    return {1, announced == 1};
  uint32_t length = 1;
  while (length < announced && position + length < text.size()) {
    uint8_t byte = text[position + length];
    bool follows =
        length == 1 ? isSecondByte(lead, byte) : (byte & 0xC0) == 0x80;
    if (!follows)
      break;
    ++length;
  }
  return {length, length == announced};
}

} // namespace

Character ssmrt::decodeCharacter(std::string_view text, size_t position) {
  uint8_t lead = text[position];
  Sequence sequence = scanSequence(text, position);
  if (!sequence.complete)
    return {kInvalidByte + lead, 1};
  if (sequence.length == 1)
    return {lead, 1};
  uint32_t code = lead & (0x7Fu >> sequence.length);
  for (uint32_t i = 1; i < sequence.length; ++i)
    code = code << 6 | (static_cast<uint8_t>(text[position + i]) & 0x3F);
  return {code, sequence.length};
}

size_t ssmrt::previousCharacter(std::string_view text, size_t end) {
  for (size_t length = std::min<size_t>(4, end); length > 1; --length)
    if (decodeCharacter(text.substr(0, end), end - length).length == length)
      return end - length;
  return end - 1;
}

void ssmrt::appendCharacter(uint32_t code, std::string &out) {
  auto append = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  auto appendRest = [&](int shift) { append(0x80 | (code >> shift & 0x3F)); };
  if (code >= kInvalidByte)
    return append(code - kInvalidByte);
  if (code < 0x80)
    return append(code);
  if (code < 0x800) {
    append(0xC0 | code >> 6);
    return appendRest(0);
  }
  if (code < 0x10000) {
    append(0xE0 | code >> 12);
    appendRest(6);
    return appendRest(0);
  }
  append(0xF0 | code >> 18);
  appendRest(12);
  appendRest(6);
  appendRest(0);
}

CharClass ssmrt::classify(uint32_t code) {
  if (code >= kInvalidByte)
    return CharClass::Other;
  return static_cast<CharClass>(lookUpRun(kClassRuns, code, 4));
}

bool ssmrt::isLetter(CharClass charClass) {
  return charClass >= CharClass::Upper && charClass <= CharClass::OtherLetter;
}

bool ssmrt::isNumber(CharClass charClass) {
  return charClass >= CharClass::Decimal && charClass <= CharClass::OtherNumber;
}

bool ssmrt::isWordCharacter(CharClass charClass) {
  return charClass != CharClass::Other && charClass != CharClass::Space &&
         charClass != CharClass::OtherNumber;
}

std::string ssmrt::normalizeNfc(std::string_view text) {
  bool mayChange = std::any_of(text.begin(), text.end(), [](char byte) {
    return static_cast<uint8_t>(byte) >= kFirstCombiningLead;
  });
  if (!mayChange)
    return std::string(text);
  std::vector<uint32_t> codes;
  for (size_t position = 0; position < text.size();) {
    Character character = decodeCharacter(text, position);
    appendDecomposed(character.code, codes);
    position += character.length;
  }
  orderMarks(codes);
  composeAll(codes);
  std::string result;
  result.reserve(text.size());
  for (uint32_t code : codes)
    appendCharacter(code, result);
  return result;
}

size_t ssmrt::incompleteTail(std::string_view bytes) {
  // From the longest tail on: "E2 82" is one start, "82" alone is none.
  for (size_t length = std::min<size_t>(3, bytes.size()); length > 0;
       --length) {
    size_t position = bytes.size() - length;
    if (announcedLength(bytes[position]) <= 1)
      continue;
    Sequence sequence = scanSequence(bytes, position);
    if (!sequence.complete && sequence.length == length)
      return length;
  }
  return 0;
}

void ssmrt::appendLossyUtf8(std::string_view bytes, std::string &out) {
  for (size_t position = 0; position < bytes.size();) {
    Sequence sequence = scanSequence(bytes, position);
    if (sequence.complete)
      out.append(bytes.substr(position, sequence.length));
    else
      out.append("\xEF\xBF\xBD");
    position += sequence.length;
  }
}
