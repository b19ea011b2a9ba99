//===- Mutate.cpp - Faults planted into PTX -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ptx-run/Mutate.h"
#include "runtime/ptx/Random.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdlib>
#include <iterator>

namespace ptxrun {

namespace {

using ssmrt::ptx::Random;

std::vector<std::string> splitLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
  }
  return lines;
}

std::string joinLines(const std::vector<std::string> &lines) {
  std::string text;
  for (const std::string &line : lines)
    text += line + "\n";
  return text;
}

/// A line without its comment, one space for each gap.
std::string trim(const std::string &line) {
  std::string text;
  for (char letter : line.substr(0, line.find("//"))) {
    const bool isGap = letter == ' ' || letter == '\t';
    if (!isGap)
      text += letter;
    else if (!text.empty() && text.back() != ' ')
      text += ' ';
  }
  if (!text.empty() && text.back() == ' ')
    text.pop_back();
  return text;
}

/// The mnemonic of an instruction line, behind its guard.
std::string mnemonicOf(const std::string &line) {
  std::string text = trim(line);
  if (!text.empty() && text[0] == '@') {
    const size_t space = text.find_first_of(" \t");
    const size_t begin = text.find_first_not_of(" \t", space);
    text = begin == std::string::npos ? "" : text.substr(begin);
  }
  return text.substr(0, text.find_first_of(" \t;"));
}

bool startsWith(const std::string &text, std::string_view prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

/// Instructions that order things and compute nothing.
bool isOrdering(const std::string &mnemonic) {
  static constexpr std::string_view kPrefixes[] = {"bar.sync",
                                                   "bar.arrive",
                                                   "barrier.",
                                                   "bar.warp.sync",
                                                   "membar",
                                                   "fence",
                                                   "cp.async.wait",
                                                   "cp.async.commit",
                                                   "cp.async.bulk.commit",
                                                   "cp.async.bulk.wait",
                                                   "mbarrier.arrive",
                                                   "mbarrier.expect",
                                                   "mbarrier.init",
                                                   "wgmma.fence",
                                                   "wgmma.commit",
                                                   "wgmma.wait",
                                                   "griddepcontrol.wait"};
  for (std::string_view prefix : kPrefixes)
    if (startsWith(mnemonic, prefix))
      return true;
  return false;
}

bool accessesMemory(const std::string &mnemonic) {
  static constexpr std::string_view kPrefixes[] = {
      "ld.",      "st.",      "atom",       "red.",  "ldmatrix",
      "stmatrix", "mbarrier", "cp.async.c", "wgmma", "cp.async.bulk"};
  for (std::string_view prefix : kPrefixes)
    if (startsWith(mnemonic, prefix))
      return mnemonic.find(".param") == std::string::npos;
  return false;
}

/// Whether what `mnemonic` orders may be seen at `other`: waits for copies and
/// their groups at other instructions that order, and at copies; barriers at
/// accesses to memory that somebody writes as well.
bool isOrderedBy(const std::string &mnemonic, const std::string &other) {
  if (isOrdering(other))
    return true;
  if (startsWith(mnemonic, "cp.async"))
    return startsWith(other, "cp.async");
  return accessesMemory(other) && !startsWith(other, "ld.global") &&
         !startsWith(other, "ld.const");
}

/// A line with one instruction that control passes straight through.
bool isPlain(const std::string &line) {
  const std::string text = trim(line);
  const std::string mnemonic = mnemonicOf(line);
  return !text.empty() && text.back() == ';' && text[0] != '.' &&
         std::count(text.begin(), text.end(), ';') == 1 &&
         text.find('{') != 0 && !startsWith(mnemonic, "bra") &&
         !startsWith(mnemonic, "brx") && !startsWith(mnemonic, "ret") &&
         !startsWith(mnemonic, "exit") && !startsWith(mnemonic, "call");
}

class Lister {
public:
  explicit Lister(std::string_view text) : lines(splitLines(text)) {}

  void add(uint32_t number) {
    if (number == 0 || number > lines.size())
      return;
    const std::string &line = lines[number - 1];
    const std::string mnemonic = mnemonicOf(line);
    if (isOrdering(mnemonic)) {
      drop(number);
      move(number);
    }
    flip(number, mnemonic);
    shift(number, mnemonic);
    count(number, mnemonic);
    if (mnemonic.find(".parity") != std::string::npos)
      parity(number);
  }

  std::vector<Mutation> found;

private:
  void replace(Mutation::Kind kind, uint32_t number, const std::string &line) {
    found.push_back({kind, number, trim(lines[number - 1]), trim(line)});
  }

  void drop(uint32_t number) { replace(Mutation::Drop, number, ""); }

  void move(uint32_t number) {
    if (!isPlain(lines[number - 1]))
      return;
    const std::string mnemonic = mnemonicOf(lines[number - 1]);
    // Past the next instruction that it orders: what lies between does not
    // notice.
    for (int step : {-1, 1}) {
      size_t other = number - 1;
      do
        other += static_cast<size_t>(step);
      while (other < lines.size() && isPlain(lines[other]) &&
             !isOrderedBy(mnemonic, mnemonicOf(lines[other])));
      if (other >= lines.size() || !isPlain(lines[other]) ||
          mnemonicOf(lines[other]) == mnemonic)
        continue;
      found.push_back(
          {Mutation::Move, number, trim(lines[number - 1]),
           (step < 0 ? "before '" : "behind '") + trim(lines[other]) + "'",
           other});
    }
  }

  void flip(uint32_t number, const std::string &mnemonic) {
    std::string line = lines[number - 1];
    const size_t at = line.find('@');
    if (at != std::string::npos) {
      if (line[at + 1] == '!')
        line.erase(at + 1, 1);
      else
        line.insert(at + 1, "!");
      replace(Mutation::Flip, number, line);
    }
    if (!startsWith(mnemonic, "setp."))
      return;
    static constexpr std::pair<std::string_view, std::string_view> kOpposite[] =
        {{".lt.", ".ge."}, {".ge.", ".lt."}, {".gt.", ".le."},
         {".le.", ".gt."}, {".eq.", ".ne."}, {".ne.", ".eq."}};
    line = lines[number - 1];
    for (const auto &[from, to] : kOpposite) {
      const size_t place = line.find(from);
      if (place == std::string::npos)
        continue;
      line.replace(place, from.size(), to);
      return replace(Mutation::Flip, number, line);
    }
  }

  void shift(uint32_t number, const std::string &mnemonic) {
    const std::string &line = lines[number - 1];
    const bool accesses =
        startsWith(mnemonic, "ld.") || startsWith(mnemonic, "st.") ||
        startsWith(mnemonic, "cp.async.c") || startsWith(mnemonic, "atom") ||
        startsWith(mnemonic, "red.") || startsWith(mnemonic, "ldmatrix") ||
        startsWith(mnemonic, "stmatrix");
    const size_t close = line.find(']');
    if (!accesses || close == std::string::npos ||
        mnemonic.find(".param") != std::string::npos)
      return;
    // One access further, so that alignment does not give it away.
    int64_t bytes = 4;
    if (mnemonic.find("b64") != std::string::npos)
      bytes = 8;
    else if (mnemonic.find("16") != std::string::npos)
      bytes = 2;
    if (mnemonic.find(".v2") != std::string::npos)
      bytes *= 2;
    if (mnemonic.find(".v4") != std::string::npos)
      bytes *= 4;
    if (startsWith(mnemonic, "cp.async") ||
        mnemonic.find("matrix") != std::string::npos)
      bytes = 16;
    std::string shifted = line;
    const size_t plus = line.find('+', line.find('['));
    if (plus < close) {
      const int64_t old = std::strtoll(line.c_str() + plus + 1, nullptr, 0);
      shifted.replace(plus + 1, close - plus - 1, std::to_string(old + bytes));
    } else {
      shifted.insert(close, "+" + std::to_string(bytes));
    }
    replace(Mutation::Shift, number, shifted);
  }

  /// Last operand of an integer comparison, addition or mask.
  void count(uint32_t number, const std::string &mnemonic) {
    const std::string &line = lines[number - 1];
    const bool integer = mnemonic.find(".f") == std::string::npos &&
                         mnemonic.find(".bf") == std::string::npos;
    if (!integer ||
        (!startsWith(mnemonic, "setp.") && !startsWith(mnemonic, "add.") &&
         !startsWith(mnemonic, "and.b32") && !startsWith(mnemonic, "shl.")))
      return;
    const size_t comma = line.rfind(',');
    const size_t end = line.find(';', comma);
    if (comma == std::string::npos || end == std::string::npos)
      return;
    char *rest = nullptr;
    const int64_t value = std::strtoll(line.c_str() + comma + 1, &rest, 0);
    if (rest != line.c_str() + end)
      return bound(number, mnemonic);
    std::string changed = line;
    changed.replace(comma + 1, end - comma - 1,
                    " " + std::to_string(value - 1));
    replace(Mutation::Count, number, changed);
  }

  /// A comparison with a register takes in its bound, or leaves it out.
  void bound(uint32_t number, const std::string &mnemonic) {
    static constexpr std::pair<std::string_view, std::string_view> kNext[] = {
        {".lt.", ".le."}, {".le.", ".lt."}, {".gt.", ".ge."}, {".ge.", ".gt."}};
    std::string line = lines[number - 1];
    for (const auto &[from, to] : kNext) {
      const size_t place = line.find(from);
      if (!startsWith(mnemonic, "setp.") || place == std::string::npos)
        continue;
      line.replace(place, from.size(), to);
      return replace(Mutation::Count, number, line);
    }
  }

  void parity(uint32_t number) {
    // The last operand before the end of the instruction.
    const std::string &line = lines[number - 1];
    const size_t end = line.find(';');
    const size_t comma = line.rfind(',', end);
    if (comma == std::string::npos || end == std::string::npos)
      return;
    const std::string operand = trim(line.substr(comma + 1, end - comma - 1));
    std::string changed = line;
    if (operand == "0" || operand == "1") {
      changed.replace(comma + 1, end - comma - 1, operand == "0" ? " 1" : " 0");
    } else {
      // The register is turned around and back.
      const std::string flip = "xor.b32 " + operand + ", " + operand + ", 1; ";
      changed = flip + line + " " + flip;
    }
    replace(Mutation::Parity, number, changed);
  }

  std::vector<std::string> lines;
};

} // namespace

std::string Mutation::describe() const {
  const std::string start = "line " + std::to_string(line) + ": ";
  switch (kind) {
  case Drop:
    return start + "drop '" + before + "'";
  case Move:
    return start + "move '" + before + "' " + after;
  default:
    return start + "'" + before + "' -> '" + after + "'";
  }
}

std::string Mutation::apply(std::string_view text) const {
  std::vector<std::string> lines = splitLines(text);
  const auto at = lines.begin() + (line - 1);
  if (kind == Move) {
    const std::string moved = *at;
    lines.erase(at);
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(target), moved);
  } else {
    *at = after;
  }
  return joinLines(lines);
}

std::vector<Mutation> listMutations(std::string_view text,
                                    const std::vector<uint32_t> &lines) {
  Lister lister(text);
  for (uint32_t line : lines)
    lister.add(line);
  return std::move(lister.found);
}

std::vector<Mutation> chooseMutations(std::vector<Mutation> all, size_t count,
                                      uint64_t seed) {
  Random random(seed);
  for (size_t i = all.size(); i > 1; --i)
    std::swap(all[i - 1], all[random.below(static_cast<uint32_t>(i))]);
  // Round-robin over the kinds.
  constexpr size_t kKinds = Mutation::Parity + 1;
  std::vector<Mutation> chosen;
  std::vector<Mutation> byKind[kKinds];
  for (Mutation &mutation : all)
    byKind[mutation.kind].push_back(std::move(mutation));
  for (bool any = true; any && chosen.size() < count;) {
    any = false;
    for (std::vector<Mutation> &kind : byKind)
      if (!kind.empty() && chosen.size() < count) {
        chosen.push_back(std::move(kind.back()));
        kind.pop_back();
        any = true;
      }
  }
  return chosen;
}

ssmrt::Expected<Mutation> findMutation(const std::vector<Mutation> &all,
                                       std::string_view selection) {
  static constexpr std::string_view kNames[] = {"drop",  "move",  "flip",
                                                "shift", "count", "parity"};
  static_assert(std::size(kNames) == Mutation::Parity + 1);
  const size_t colon = selection.find(':');
  const auto *name = std::find(std::begin(kNames), std::end(kNames),
                               selection.substr(0, colon));
  if (colon == std::string_view::npos || name == std::end(kNames))
    return ssmrt::error("expected KIND:TEXT#N with drop, move, flip, shift, "
                        "count or parity, got '" +
                        std::string(selection) + "'");
  const size_t hash = selection.find('#', colon);
  const std::string text(selection.substr(colon + 1, hash - colon - 1));
  size_t number = 1;
  if (hash != std::string_view::npos)
    number = std::strtoull(std::string(selection.substr(hash + 1)).c_str(),
                           nullptr, 10);
  size_t found = 0;
  for (const Mutation &mutation : all)
    if (mutation.kind == name - kNames &&
        mutation.describe().find(text) != std::string::npos &&
        ++found == number)
      return mutation;
  return ssmrt::error("no mutant '" + std::string(selection) + "', " +
                      std::to_string(found) + " match");
}

} // namespace ptxrun
