//===- TokenizerJson.cpp - Read tokenizer.json ----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/TokenizerJson.h"

#include "runtime/Unicode.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <initializer_list>
#include <unordered_map>
#include <utility>

using namespace ssmrt;
using Json = nlohmann::json;

namespace {

/// Ids are table indices: a file may not ask for a huge table.
constexpr uint64_t kMaxVocabSize = 1 << 21;
/// Sequences of sequences are legal but never that deep.
constexpr int kMaxNesting = 8;
/// Longest part of a value that a message repeats.
constexpr size_t kMaxQuotedBytes = 500;

/// `text` in quotes, on one line.
std::string quote(std::string_view text) {
  std::string result = "\"";
  for (char character : text.substr(0, kMaxQuotedBytes)) {
    uint8_t byte = character;
    if (byte < 0x20 || byte == 0x7F) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
      result += escaped;
      continue;
    }
    if (character == '"')
      result += '\\';
    result += character;
  }
  if (text.size() > kMaxQuotedBytes) {
    result.resize(result.size() - incompleteTail(result));
    result += "...";
  }
  return result + '"';
}

/// A value as messages show it.
std::string show(const Json &value) {
  if (value.is_string())
    return quote(value.get_ref<const std::string &>());
  if (value.is_object())
    return "an object";
  if (value.is_array())
    return "a list";
  return value.dump();
}

/// Fills a TokenizerDefinition. The first failure is kept and the rest of the
/// file is read as far as it goes, so callers need not check after each step;
/// every step is safe on any value.
class Reader {
public:
  explicit Reader(std::string fileName) {
    definition.fileName = std::move(fileName);
  }

  Expected<TokenizerDefinition> read(const Json &file);

private:
  void fail(const std::string &message) {
    if (status.ok())
      status = error(definition.fileName + ": " + message);
  }

  // Access to members of `object`, which `where` names in messages.
  bool isObject(const Json &value, const std::string &where);
  void checkKeys(const Json &object, const std::string &where,
                 std::initializer_list<const char *> known);
  const Json &member(const Json &object, const std::string &key);
  bool flag(const Json &object, const char *key, const std::string &where,
            bool defaultValue);
  const std::string &text(const Json &object, const char *key,
                          const std::string &where);
  int32_t id(const Json &value, const std::string &where);
  const Json &list(const Json &object, const char *key,
                   const std::string &where);
  /// The member "type" of a part of the tokenizer; empty if it has none.
  const std::string &typeOf(const Json &part, const std::string &where,
                            const char *supported);
  void refuseValue(const std::string &where, const char *key, const Json &value,
                   const char *supported);

  // The parts of the file.
  void readModel(const Json &model);
  void readVocabulary(const Json &vocabulary);
  void readMerges(const Json &merges, const Json &vocabulary);
  void readAddedTokens(const Json &tokens, const Json &vocabulary);
  void readNormalizer(const Json &normalizer, const std::string &where,
                      int depth);
  void readPreTokenizer(const Json &preTokenizer, const std::string &where,
                        int depth);
  void readSplit(const Json &split, const std::string &where);
  void readPostProcessor(const Json &processor, const std::string &where,
                         int depth);
  void readTemplate(const Json &processor, const std::string &where);
  void readDecoder(const Json &decoder);

  bool placePiece(int32_t id, std::string bytes, bool special,
                  const std::string &where);
  bool isNested(int depth, const std::string &where);

  TokenizerDefinition definition;
  std::vector<bool> isPlaced; // by id
  bool hasByteLevel = false;
  Status status;

  const Json null;
  const Json emptyList = Json::array();
  const std::string emptyText;
};

bool Reader::isObject(const Json &value, const std::string &where) {
  if (!value.is_object())
    fail(where + " must be an object, not " + show(value));
  return value.is_object();
}

void Reader::checkKeys(const Json &object, const std::string &where,
                       std::initializer_list<const char *> known) {
  for (const auto &item : object.items()) {
    bool isKnown = false;
    std::string names;
    for (const char *key : known) {
      isKnown |= item.key() == key;
      names += (names.empty() ? "" : ", ") + std::string(key);
    }
    if (!isKnown)
      return fail("unknown key " + quote(item.key()) + " in " + where +
                  " (supported: " + names + ")");
  }
}

/// The value of `key`, null if there is none.
const Json &Reader::member(const Json &object, const std::string &key) {
  auto found = object.find(key);
  return found == object.end() ? null : *found;
}

bool Reader::flag(const Json &object, const char *key, const std::string &where,
                  bool defaultValue) {
  const Json &value = member(object, key);
  if (value.is_null())
    return defaultValue;
  if (value.is_boolean())
    return value.get<bool>();
  fail(where + "." + key + " must be true or false, not " + show(value));
  return defaultValue;
}

const std::string &Reader::text(const Json &object, const char *key,
                                const std::string &where) {
  const Json &value = member(object, key);
  if (value.is_string())
    return value.get_ref<const std::string &>();
  fail(where + "." + key + " must be a string, not " + show(value));
  return emptyText;
}

int32_t Reader::id(const Json &value, const std::string &where) {
  if (value.is_number_unsigned() && value.get<uint64_t>() < kMaxVocabSize)
    return value.get<int32_t>();
  fail(where + " must be an id from 0 to " + std::to_string(kMaxVocabSize - 1) +
       ", not " + show(value));
  return 0;
}

const Json &Reader::list(const Json &object, const char *key,
                         const std::string &where) {
  const Json &value = member(object, key);
  if (value.is_array())
    return value;
  fail(where + "." + key + " must be a list, not " + show(value));
  return emptyList;
}

const std::string &Reader::typeOf(const Json &part, const std::string &where,
                                  const char *supported) {
  if (part.is_null()) {
    fail("unsupported " + where + " null (supported: " + supported + ")");
    return emptyText;
  }
  if (!isObject(part, where))
    return emptyText;
  return text(part, "type", where);
}

void Reader::refuseValue(const std::string &where, const char *key,
                         const Json &value, const char *supported) {
  fail("unsupported " + where + "." + key + " " + show(value) +
       " (supported: " + supported + ")");
}

bool Reader::isNested(int depth, const std::string &where) {
  if (depth < kMaxNesting)
    return false;
  fail(where + " is nested more than " + std::to_string(kMaxNesting) +
       " levels deep");
  return true;
}

Expected<TokenizerDefinition> Reader::read(const Json &file) {
  if (!isObject(file, "the file"))
    return status;
  // Truncation and padding are left to the caller.
  checkKeys(file, "the file",
            {"version", "truncation", "padding", "added_tokens", "normalizer",
             "pre_tokenizer", "post_processor", "decoder", "model"});
  const Json &version = member(file, "version");
  if (!version.is_null() && version != "1.0")
    fail("unsupported version " + show(version) + " (supported: \"1.0\")");
  const Json &model = member(file, "model");
  readModel(model);
  readNormalizer(member(file, "normalizer"), "normalizer", 0);
  readPreTokenizer(member(file, "pre_tokenizer"), "pre_tokenizer", 0);
  if (!hasByteLevel)
    fail("pre_tokenizer has no ByteLevel part (supported: byte-level "
         "tokenizers)");
  readDecoder(member(file, "decoder"));
  if (status.ok())
    readAddedTokens(member(file, "added_tokens"), member(model, "vocab"));
  readPostProcessor(member(file, "post_processor"), "post_processor", 0);
  if (!status)
    return status;
  return std::move(definition);
}

void Reader::readModel(const Json &model) {
  if (!isObject(model, "model"))
    return;
  // Old files have no type; merges tell BPE from the rest.
  const Json &type = member(model, "type");
  if (type != "BPE" && !(type.is_null() && model.contains("merges")))
    return refuseValue("model", "type", type, "BPE");
  checkKeys(model, "model",
            {"type", "dropout", "unk_token", "continuing_subword_prefix",
             "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges",
             "vocab", "merges"});
  const Json &dropout = member(model, "dropout");
  if (!dropout.is_null() && !(dropout.is_number() && dropout == 0))
    refuseValue("model", "dropout", dropout, "null, 0");
  for (const char *key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const Json &affix = member(model, key); !affix.is_null() && affix != "")
      refuseValue("model", key, affix, "null, \"\"");
  if (flag(model, "byte_fallback", "model", false))
    refuseValue("model", "byte_fallback", true, "false");
  // Bytes are never unknown, so unk_token and fuse_unk do not matter.
  definition.model.setIgnoreMerges(
      flag(model, "ignore_merges", "model", false));
  const Json &vocabulary = member(model, "vocab");
  if (!isObject(vocabulary, "model.vocab"))
    return;
  readVocabulary(vocabulary);
  readMerges(list(model, "merges", "model"), vocabulary);
}

/// Gives `id` its piece, unless it has one already.
bool Reader::placePiece(int32_t id, std::string bytes, bool special,
                        const std::string &where) {
  size_t index = id;
  if (index >= definition.pieces.size()) {
    definition.pieces.resize(index + 1);
    isPlaced.resize(index + 1);
  }
  if (isPlaced[index]) {
    fail(where + " has id " + std::to_string(id) + ", which is taken");
    return false;
  }
  definition.pieces[index] = {std::move(bytes), special};
  isPlaced[index] = true;
  return true;
}

void Reader::readVocabulary(const Json &vocabulary) {
  for (const auto &item : vocabulary.items()) {
    std::string where = "model.vocab " + quote(item.key());
    int32_t pieceId = id(item.value(), where);
    std::optional<std::string> bytes = decodeBytePiece(item.key());
    // A piece that is no byte-level text is printed as it is. No text leads to
    // it, except as an added token.
    if (!status ||
        !placePiece(pieceId, bytes ? *bytes : item.key(), false, where))
      return;
    if (bytes)
      definition.model.addPiece(std::move(*bytes), pieceId);
  }
}

void Reader::readMerges(const Json &merges, const Json &vocabulary) {
  if (!status)
    return;
  size_t index = 0;
  int32_t rank = 0;
  auto idOf = [&](const std::string &piece) {
    auto found = vocabulary.find(piece);
    if (found != vocabulary.end())
      return found->get<int32_t>();
    fail("model.merges[" + std::to_string(index) + "] needs piece " +
         quote(piece) + ", which model.vocab lacks");
    return 0;
  };
  for (const Json &merge : merges) {
    std::string left, right;
    if (merge.is_string()) { // "left right", as in old files
      const std::string &line = merge.get_ref<const std::string &>();
      if (line.rfind("#version", 0) == 0) {
        ++index;
        continue;
      }
      size_t space = line.find(' ');
      left = line.substr(0, space);
      if (space != std::string::npos)
        right = line.substr(space + 1);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    }
    if (left.empty() || right.empty())
      return fail("model.merges[" + std::to_string(index) +
                  "] must be a pair of pieces, not " + show(merge));
    definition.model.addMerge(idOf(left), idOf(right), rank,
                              idOf(left + right));
    if (!status)
      return;
    ++index;
    ++rank;
  }
}

void Reader::readAddedTokens(const Json &tokens, const Json &vocabulary) {
  if (tokens.is_null())
    return;
  if (!tokens.is_array())
    return fail("added_tokens must be a list, not " + show(tokens));
  std::unordered_map<std::string, int32_t> seen;
  for (size_t i = 0; i < tokens.size() && status; ++i) {
    const Json &entry = tokens[i];
    std::string where = "added_tokens[" + std::to_string(i) + "]";
    if (!isObject(entry, where))
      return;
    checkKeys(entry, where,
              {"id", "content", "single_word", "lstrip", "rstrip", "normalized",
               "special"});
    AddedToken token;
    token.content = text(entry, "content", where);
    token.id = id(member(entry, "id"), where + ".id");
    token.special = flag(entry, "special", where, false);
    token.singleWord = flag(entry, "single_word", where, false);
    token.stripLeft = flag(entry, "lstrip", where, false);
    token.stripRight = flag(entry, "rstrip", where, false);
    token.normalized = flag(entry, "normalized", where, !token.special);
    if (!status)
      return;
    if (token.content.empty())
      return fail(where + ".content is empty");
    if (!seen.emplace(token.content, token.id).second)
      return fail(where + " repeats " + quote(token.content));
    auto inVocabulary = vocabulary.find(token.content);
    if (inVocabulary == vocabulary.end()) {
      if (!placePiece(token.id, token.content, token.special, where))
        return;
    } else if (inVocabulary->get<int32_t>() != token.id) {
      return fail(where + " gives " + quote(token.content) + " id " +
                  std::to_string(token.id) + ", but model.vocab has " +
                  show(*inVocabulary));
    } else {
      definition.pieces[token.id] = {token.content, token.special};
    }
    definition.addedTokens.push_back(std::move(token));
  }
}

void Reader::readNormalizer(const Json &normalizer, const std::string &where,
                            int depth) {
  constexpr const char *kSupported = "null, NFC, Sequence";
  if (normalizer.is_null() || isNested(depth, where))
    return;
  const std::string &type = typeOf(normalizer, where, kSupported);
  if (!status)
    return;
  if (type == "NFC") {
    checkKeys(normalizer, where, {"type"});
    definition.normalizeNfc = true;
    return;
  }
  if (type != "Sequence")
    return fail("unsupported " + where + " " + quote(type) +
                " (supported: " + kSupported + ")");
  checkKeys(normalizer, where, {"type", "normalizers"});
  for (const Json &part : list(normalizer, "normalizers", where))
    readNormalizer(part, "normalizer", depth + 1);
}

void Reader::readPreTokenizer(const Json &preTokenizer,
                              const std::string &where, int depth) {
  constexpr const char *kSupported = "ByteLevel, Split, Sequence";
  if (isNested(depth, where))
    return;
  const std::string &type = typeOf(preTokenizer, where, kSupported);
  if (!status)
    return;
  if (type == "Sequence") {
    checkKeys(preTokenizer, where, {"type", "pretokenizers"});
    for (const Json &part : list(preTokenizer, "pretokenizers", where))
      readPreTokenizer(part, where, depth + 1);
    return;
  }
  // ByteLevel spells bytes as characters, so later parts would see those.
  if (hasByteLevel)
    return fail("unsupported " + where + " " + quote(type) +
                " after ByteLevel (supported: ByteLevel as the last part)");
  if (type == "Split")
    return readSplit(preTokenizer, where);
  if (type != "ByteLevel")
    return fail("unsupported " + where + " " + quote(type) +
                " (supported: " + kSupported + ")");
  checkKeys(preTokenizer, where,
            {"type", "add_prefix_space", "trim_offsets", "use_regex"});
  hasByteLevel = true;
  definition.addPrefixSpace =
      flag(preTokenizer, "add_prefix_space", where, true);
  if (flag(preTokenizer, "use_regex", where, true))
    definition.byteLevelSplit = SplitPattern::Gpt2;
}

void Reader::readSplit(const Json &split, const std::string &where) {
  checkKeys(split, where, {"type", "pattern", "behavior", "invert"});
  const std::string &behavior = text(split, "behavior", where);
  bool invert = flag(split, "invert", where, false);
  // The known expressions match everywhere, so to isolate the matches and to
  // remove what is between them come to the same.
  bool keepsMatches =
      behavior == "Isolated" || (behavior == "Removed" && invert);
  if (!keepsMatches)
    refuseValue(where, "behavior", behavior, "Isolated, inverted Removed");
  const Json &pattern = member(split, "pattern");
  if (!isObject(pattern, where + ".pattern"))
    return;
  checkKeys(pattern, where + ".pattern", {"Regex"});
  const std::string &regex = text(pattern, "Regex", where + ".pattern");
  if (std::optional<SplitPattern> known = findSplitPattern(regex))
    definition.splits.push_back(*known);
  else
    fail("unsupported " + where + ".pattern.Regex " + quote(regex) +
         " (supported: the expressions of " + knownSplitPatterns() + ")");
}

void Reader::readPostProcessor(const Json &processor, const std::string &where,
                               int depth) {
  constexpr const char *kSupported =
      "null, ByteLevel, TemplateProcessing, Sequence";
  if (processor.is_null() || isNested(depth, where))
    return;
  const std::string &type = typeOf(processor, where, kSupported);
  if (!status)
    return;
  if (type == "ByteLevel") // only trims offsets, which nobody sees
    return checkKeys(processor, where,
                     {"type", "add_prefix_space", "trim_offsets", "use_regex"});
  if (type == "TemplateProcessing")
    return readTemplate(processor, where);
  if (type != "Sequence")
    return fail("unsupported " + where + " " + quote(type) +
                " (supported: " + kSupported + ")");
  checkKeys(processor, where, {"type", "processors"});
  for (const Json &part : list(processor, "processors", where))
    readPostProcessor(part, where, depth + 1);
}

void Reader::readTemplate(const Json &processor, const std::string &where) {
  checkKeys(processor, where, {"type", "single", "pair", "special_tokens"});
  const Json &specialTokens = member(processor, "special_tokens");
  std::vector<int32_t> prefix, suffix;
  int textCount = 0;
  for (const Json &item : list(processor, "single", where)) {
    std::string itemWhere = where + ".single";
    if (!isObject(item, itemWhere + " item"))
      return;
    checkKeys(item, itemWhere, {"Sequence", "SpecialToken"});
    if (item.contains("Sequence")) {
      ++textCount;
      continue;
    }
    const Json &reference = member(item, "SpecialToken");
    if (!isObject(reference, itemWhere + ".SpecialToken"))
      return;
    const std::string &name =
        text(reference, "id", itemWhere + ".SpecialToken");
    const Json &token =
        specialTokens.is_object() ? member(specialTokens, name) : null;
    std::string tokenWhere = where + ".special_tokens " + quote(name);
    if (!isObject(token, tokenWhere))
      return;
    for (const Json &value : list(token, "ids", tokenWhere)) {
      int32_t tokenId = id(value, tokenWhere);
      if (static_cast<size_t>(tokenId) >= isPlaced.size() || !isPlaced[tokenId])
        fail(tokenWhere + " has id " + std::to_string(tokenId) +
             ", which no token has");
      (textCount ? suffix : prefix).push_back(tokenId);
    }
  }
  if (textCount != 1)
    fail(where + ".single must contain the sequence once, not " +
         std::to_string(textCount) + " times");
  // A later template wraps the result of an earlier one.
  definition.prefix.insert(definition.prefix.begin(), prefix.begin(),
                           prefix.end());
  definition.suffix.insert(definition.suffix.end(), suffix.begin(),
                           suffix.end());
}

void Reader::readDecoder(const Json &decoder) {
  const std::string &type = typeOf(decoder, "decoder", "ByteLevel");
  if (!status)
    return;
  if (type != "ByteLevel")
    return fail("unsupported decoder " + quote(type) +
                " (supported: ByteLevel)");
  checkKeys(decoder, "decoder",
            {"type", "add_prefix_space", "trim_offsets", "use_regex"});
}

} // namespace

Expected<TokenizerDefinition> ssmrt::readTokenizerJson(std::string_view text,
                                                       std::string fileName) {
  Json file;
  try {
    file = Json::parse(text);
  } catch (const Json::parse_error &failure) {
    return error(fileName + ": invalid JSON at byte " +
                 std::to_string(failure.byte));
  } catch (const Json::exception &) { // a number out of range
    return error(fileName + ": invalid JSON");
  }
  return Reader(std::move(fileName)).read(file);
}
