//===- Lexer.cpp - Tokens of PTX ------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Lexer.h"

#include <cctype>
#include <cstdlib>
#include <cstring>

namespace ssmrt::ptx {

namespace {

bool isNameStart(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$' ||
         c == '%' || c == '.';
}

/// Mnemonics contain '.' and "::"; symbols may contain '$'.
bool isNameChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' ||
         c == '.';
}

class Lexer {
public:
  explicit Lexer(std::string_view text) : text(text) {}

  Expected<std::vector<Token>> run() {
    std::vector<Token> tokens;
    for (;;) {
      if (!skipBlanks())
        return fail("comment without end");
      Token token;
      token.line = line;
      const size_t begin = at;
      if (at < text.size()) {
        if (!next(token))
          return fail("unexpected character");
        token.text = text.substr(begin, at - begin);
      }
      tokens.push_back(token);
      if (token.kind == Token::End)
        return tokens;
    }
  }

private:
  Status fail(const char *what) {
    return error("line " + std::to_string(line) + ": " + what);
  }

  char peek(size_t ahead = 0) const {
    return at + ahead < text.size() ? text[at + ahead] : '\0';
  }

  bool skipBlanks() {
    while (at < text.size()) {
      if (peek() == '/' && peek(1) == '/') {
        while (at < text.size() && peek() != '\n')
          ++at;
      } else if (peek() == '/' && peek(1) == '*') {
        const size_t end = text.find("*/", at + 2);
        if (end == std::string_view::npos)
          return false;
        for (; at < end + 2; ++at)
          line += text[at] == '\n';
      } else if (std::isspace(static_cast<unsigned char>(peek()))) {
        line += text[at++] == '\n';
      } else {
        break;
      }
    }
    return true;
  }

  bool next(Token &token) {
    if (std::isdigit(static_cast<unsigned char>(peek())))
      return number(token);
    if (isNameStart(peek())) {
      token.kind = Token::Name;
      do
        at += peek() == ':' ? 2 : 1;
      while (isNameChar(peek()) ||
             (peek() == ':' && peek(1) == ':' && isNameChar(peek(2))));
      return true;
    }
    if (peek() == '"') {
      token.kind = Token::String;
      const size_t end = text.find('"', at + 1);
      if (end == std::string_view::npos)
        return false;
      at = end + 1;
      return true;
    }
    if (!std::strchr("(){}[]<>,;:@!=+-|*", peek()))
      return false;
    token.kind = Token::Punct;
    ++at;
    return true;
  }

  bool hexDigits(int count, uint64_t &bits) {
    bits = 0;
    int digits = 0;
    for (; std::isxdigit(static_cast<unsigned char>(peek())); ++at, ++digits) {
      const char c = peek() | 0x20;
      bits =
          bits << 4 | static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return digits > 0 && (count == 0 ? digits <= 16 : digits == count);
  }

  bool number(Token &token) {
    token.kind = Token::Integer;
    const char mark = peek(1);
    if (peek() == '0' && (mark == 'f' || mark == 'F')) {
      at += 2;
      token.kind = Token::Float32;
      return hexDigits(8, token.bits);
    }
    if (peek() == '0' && (mark == 'd' || mark == 'D')) {
      at += 2;
      token.kind = Token::Float64;
      return hexDigits(16, token.bits);
    }
    if (peek() == '0' && (mark == 'x' || mark == 'X')) {
      at += 2;
      if (!hexDigits(0, token.bits))
        return false;
    } else {
      const size_t begin = at;
      while (std::isdigit(static_cast<unsigned char>(peek())))
        ++at;
      if (peek() == '.' && std::isdigit(static_cast<unsigned char>(peek(1))))
        return decimal(token, begin);
      token.bits = 0;
      for (size_t i = begin; i < at; ++i)
        token.bits = token.bits * 10 + static_cast<uint64_t>(text[i] - '0');
    }
    if (peek() == 'U')
      ++at;
    return !isNameChar(peek()) || peek() == '.';
  }

  bool decimal(Token &token, size_t begin) {
    ++at;
    while (std::isalnum(static_cast<unsigned char>(peek())))
      ++at;
    const std::string digits(text.substr(begin, at - begin));
    char *end = nullptr;
    const double value = std::strtod(digits.c_str(), &end);
    std::memcpy(&token.bits, &value, sizeof(value));
    token.kind = Token::Float64;
    return *end == '\0';
  }

  std::string_view text;
  size_t at = 0;
  uint32_t line = 1;
};

} // namespace

Expected<std::vector<Token>> tokenize(std::string_view text) {
  return Lexer(text).run();
}

} // namespace ssmrt::ptx
