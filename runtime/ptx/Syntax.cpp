//===- Syntax.cpp - Parses PTX --------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Syntax.h"
#include "runtime/ptx/Lexer.h"

#include <algorithm>
#include <optional>

namespace ssmrt::ptx {

namespace {

/// Bytes of a type suffix such as "b32", or 0.
uint32_t bytesOfType(std::string_view type) {
  static constexpr std::pair<std::string_view, uint32_t> kTypes[] = {
      {"b8", 1},  {"u8", 1},  {"s8", 1},    {"b16", 2},    {"u16", 2},
      {"s16", 2}, {"f16", 2}, {"bf16", 2},  {"b32", 4},    {"u32", 4},
      {"s32", 4}, {"f32", 4}, {"f16x2", 4}, {"bf16x2", 4}, {"b64", 8},
      {"u64", 8}, {"s64", 8}, {"f64", 8},   {"b128", 16},
  };
  for (const auto &[name, bytes] : kTypes)
    if (type == name)
      return bytes;
  return 0;
}

std::optional<Space> findSpace(std::string_view directive) {
  if (directive == ".global")
    return Space::Global;
  if (directive == ".const")
    return Space::Const;
  if (directive == ".shared")
    return Space::Shared;
  if (directive == ".local")
    return Space::Local;
  if (directive == ".param")
    return Space::Param;
  return std::nullopt;
}

class Parser {
public:
  Parser(ModuleSyntax &module, std::vector<Token> tokens)
      : module(module), tokens(std::move(tokens)) {}

  Status run() {
    while (ok() && peek().kind != Token::End)
      topLevel();
    return std::move(failure);
  }

private:
  //===--------------------------------------------------------------------===//
  // Tokens
  //===--------------------------------------------------------------------===//

  bool ok() const { return failure.ok(); }
  const Token &peek(size_t ahead = 0) const {
    return tokens[std::min(at + ahead, tokens.size() - 1)];
  }
  const Token &take() {
    const Token &token = peek();
    at = std::min(at + 1, tokens.size() - 1);
    return token;
  }
  void fail(const std::string &message) {
    if (ok())
      failure = error("line " + std::to_string(peek().line) + ": " + message);
    at = tokens.size() - 1;
  }
  std::string got() const {
    return peek().kind == Token::End ? "the end"
                                     : "'" + std::string(peek().text) + "'";
  }
  bool accept(char punct) {
    if (!peek().is(punct))
      return false;
    take();
    return true;
  }
  bool accept(std::string_view name) {
    if (!peek().is(name))
      return false;
    take();
    return true;
  }
  void expect(char punct) {
    if (!accept(punct))
      fail(std::string("expected '") + punct + "', got " + got());
  }
  std::string_view name(const char *what) {
    if (peek().kind != Token::Name) {
      fail(std::string("expected ") + what + ", got " + got());
      return {};
    }
    return take().text;
  }
  uint64_t integer(const char *what) {
    const bool minus = accept('-');
    if (peek().kind != Token::Integer) {
      fail(std::string("expected ") + what + ", got " + got());
      return 0;
    }
    const uint64_t bits = take().bits;
    return minus ? -bits : bits;
  }

  //===--------------------------------------------------------------------===//
  // Module
  //===--------------------------------------------------------------------===//

  void topLevel() {
    if (accept(".version")) {
      // "8.0" is lexed as a decimal number.
      const Token &token = take();
      const size_t dot = token.text.find('.');
      if (dot == std::string_view::npos)
        return fail("expected a version such as 7.0");
      module.version = 10 * number(token.text.substr(0, dot)) +
                       number(token.text.substr(dot + 1));
      return;
    }
    if (accept(".target")) {
      module.target = name("a target");
      while (accept(','))
        name("a target option");
      return;
    }
    if (accept(".address_size")) {
      if (integer("an address size") != 64)
        fail("expected '.address_size 64'");
      return;
    }
    if (peek().is(".file") || peek().is(".pragma")) {
      skipLine();
      return;
    }
    if (peek().is(".section")) {
      while (peek().kind != Token::End && !peek().is('{'))
        take();
      skipBraces();
      return;
    }
    bool isExtern = false;
    for (;;) {
      if (accept(".extern"))
        isExtern = true;
      else if (!accept(".visible") && !accept(".weak") && !accept(".common"))
        break;
    }
    if (peek().is(".entry") || peek().is(".func"))
      return function();
    if (peek().kind == Token::Name && findSpace(peek().text)) {
      VariableSyntax variable = declaration();
      variable.isExtern = isExtern;
      module.variables.push_back(std::move(variable));
      while (accept(',')) {
        VariableSyntax next = module.variables.back();
        declarator(next);
        module.variables.push_back(std::move(next));
      }
      expect(';');
      return;
    }
    fail("expected a directive, got " + got());
  }

  static uint32_t number(std::string_view digits) {
    uint32_t value = 0;
    for (char c : digits)
      value = 10 * value + static_cast<uint32_t>(c - '0');
    return value;
  }

  void skipLine() {
    const uint32_t line = peek().line;
    while (peek().kind != Token::End && peek().line == line)
      take();
  }

  void skipBraces() {
    int depth = 0;
    do {
      depth += peek().is('{') ? 1 : peek().is('}') ? -1 : 0;
      if (peek().kind == Token::End)
        return fail("expected '}'");
      take();
    } while (depth > 0);
  }

  /// `.space .align A .type name[N] = {...}`, without the end.
  VariableSyntax declaration() {
    VariableSyntax variable;
    const std::string_view directive = name("a state space");
    if (std::optional<Space> space = findSpace(directive))
      variable.space = *space;
    else
      fail("expected a state space, got '" + std::string(directive) + "'");
    uint32_t alignment = 0;
    uint32_t vector = 1;
    for (;;) {
      if (accept(".align"))
        alignment = integer("an alignment");
      else if (accept(".ptr"))
        while (accept(".global") || accept(".shared") || accept(".const") ||
               accept(".local"))
          ;
      else if (accept(".v2"))
        vector = 2;
      else if (accept(".v4"))
        vector = 4;
      else if (peek().kind == Token::Name && peek().text.size() > 1 &&
               bytesOfType(peek().text.substr(1)))
        variable.elementBytes = bytesOfType(take().text.substr(1));
      else
        break;
      if (!ok())
        return variable;
    }
    variable.bytes = uint64_t(variable.elementBytes) * vector;
    const bool isParameter = variable.space == Space::Param;
    variable.alignment = isParameter && variable.elementBytes > 1
                             ? variable.elementBytes
                             : std::max(alignment, variable.elementBytes);
    if (alignment && isParameter && variable.elementBytes == 1)
      variable.alignment = alignment;
    if (variable.alignment & (variable.alignment - 1))
      fail("expected an alignment that is a power of two, got " +
           std::to_string(variable.alignment));
    declarator(variable);
    return variable;
  }

  void declarator(VariableSyntax &variable) {
    variable.line = peek().line;
    variable.name = name("a variable name");
    variable.values.clear();
    bool open = false;
    while (accept('[')) {
      if (accept(']')) {
        open = true;
        continue;
      }
      variable.bytes *= integer("an array size");
      expect(']');
    }
    if (accept('='))
      initialiser(variable);
    if (open)
      variable.bytes = variable.values.size() * variable.elementBytes;
    if (variable.values.size() * variable.elementBytes > variable.bytes)
      fail("'" + std::string(variable.name) +
           "' has more initial values than "
           "elements");
  }

  void initialiser(VariableSyntax &variable) {
    if (accept('{')) {
      while (ok() && !accept('}')) {
        initialiser(variable);
        if (!peek().is('}'))
          expect(',');
      }
      return;
    }
    InitialValue value;
    if (peek().kind == Token::Name) {
      value.symbol = name("a symbol");
      if (value.symbol == "generic" && accept('(')) {
        value.generic = true;
        value.symbol = name("a symbol");
        expect(')');
      }
      if (accept('+'))
        value.bits = integer("an offset");
    } else if (peek().kind == Token::Float32 || peek().kind == Token::Float64) {
      value.isFloat = peek().kind == Token::Float64;
      value.bits = take().bits;
    } else {
      value.bits = integer("an initial value");
    }
    variable.values.push_back(value);
  }

  //===--------------------------------------------------------------------===//
  // Functions
  //===--------------------------------------------------------------------===//

  std::vector<VariableSyntax> parameterList() {
    std::vector<VariableSyntax> list;
    expect('(');
    while (ok() && !accept(')')) {
      list.push_back(declaration());
      if (!peek().is(')'))
        expect(',');
    }
    return list;
  }

  void dimensions(uint32_t (&extents)[3]) {
    for (int i = 0; i < 3; ++i) {
      extents[i] = 1;
      if (i == 0 || accept(','))
        extents[i] = static_cast<uint32_t>(integer("an extent"));
    }
  }

  void function() {
    FunctionSyntax function;
    function.isKernel = take().text == ".entry";
    if (peek().is('('))
      function.results = parameterList();
    function.line = peek().line;
    function.name = name("a function name");
    if (peek().is('('))
      function.parameters = parameterList();
    for (;;) {
      uint32_t extents[3];
      if (accept(".reqntid")) {
        dimensions(function.requiredBlock);
      } else if (accept(".maxntid")) {
        dimensions(extents);
        function.maxThreads = extents[0] * extents[1] * extents[2];
      } else if (accept(".reqnctapercluster")) {
        dimensions(function.cluster);
      } else if (accept(".minnctapersm") || accept(".maxnreg") ||
                 accept(".maxclusterrank")) {
        integer("a number");
      } else if (!accept(".explicitcluster") && !accept(".noreturn") &&
                 !accept(".blocksareclusters")) {
        break;
      }
    }
    if (accept(';')) {
      function.isDeclaration = true;
    } else {
      expect('{');
      int depth = 1;
      while (ok() && depth > 0)
        statement(function, depth);
    }
    module.functions.push_back(std::move(function));
  }

  void statement(FunctionSyntax &function, int &depth) {
    Statement statement;
    statement.line = peek().line;
    if (accept('}')) {
      if (--depth > 0) {
        statement.kind = Statement::Close;
        function.body.push_back(std::move(statement));
      }
      return;
    }
    if (accept('{')) {
      ++depth;
      statement.kind = Statement::Open;
      function.body.push_back(std::move(statement));
      return;
    }
    if (accept(';'))
      return;
    if (peek().is(".loc") || peek().is(".file")) {
      skipLine();
      return;
    }
    if (accept(".pragma")) {
      take();
      expect(';');
      return;
    }
    if (peek().is(".reg"))
      return registers(function);
    if (peek().kind == Token::Name && findSpace(peek().text)) {
      statement.kind = Statement::Variable;
      statement.bits = function.variables.size();
      function.variables.push_back(declaration());
      expect(';');
      function.body.push_back(std::move(statement));
      return;
    }
    if (peek().kind == Token::Name && peek(1).is(':')) {
      statement.mnemonic = take().text;
      take();
      statement.kind = Statement::Label;
      if (accept(".branchtargets")) {
        statement.kind = Statement::BranchTargets;
        operands(statement);
      }
      function.body.push_back(std::move(statement));
      return;
    }
    if (accept('@')) {
      statement.guardNegated = accept('!');
      statement.guard = name("a predicate");
    }
    statement.mnemonic = name("an instruction");
    operands(statement);
    function.body.push_back(std::move(statement));
  }

  void registers(FunctionSyntax &function) {
    Statement statement;
    statement.kind = Statement::Registers;
    statement.line = peek().line;
    take();
    const std::string_view type = name("a register type");
    statement.bits = type == ".pred"
                         ? kPredicateBits
                         : 8 * uint64_t(bytesOfType(type.substr(1)));
    if (statement.bits == 0)
      return fail("unsupported register type '" + std::string(type) + "'");
    do {
      OperandSyntax operand;
      operand.name = name("a register");
      if (accept('<')) { // %r<5> declares %r0 to %r4
        operand.bits = integer("a number of registers");
        expect('>');
      }
      statement.operands.push_back(std::move(operand));
    } while (accept(','));
    expect(';');
    function.body.push_back(std::move(statement));
  }

  void operands(Statement &statement) {
    while (ok() && !accept(';')) {
      statement.operands.push_back(operand());
      if (!peek().is(';'))
        expect(',');
    }
  }

  OperandSyntax operand() {
    OperandSyntax result = simpleOperand();
    if (accept('|')) {
      OperandSyntax pair;
      pair.kind = OperandSyntax::Pair;
      pair.parts.push_back(std::move(result));
      pair.parts.push_back(simpleOperand());
      return pair;
    }
    return result;
  }

  void list(OperandSyntax &result, char end) {
    while (ok() && !accept(end)) {
      result.parts.push_back(operand());
      if (!peek().is(end))
        expect(',');
    }
  }

  OperandSyntax simpleOperand() {
    OperandSyntax result;
    if (accept('{')) {
      result.kind = OperandSyntax::Vector;
      list(result, '}');
      return result;
    }
    if (accept('(')) {
      result.kind = OperandSyntax::List;
      list(result, ')');
      return result;
    }
    if (accept('[')) {
      result.kind = OperandSyntax::Address;
      result.parts.push_back(operand());
      while (ok() && !accept(']')) {
        if (accept('+'))
          result.bits += integer("an offset");
        else if (accept(','))
          result.parts.push_back(operand());
        else
          expect(']');
      }
      return result;
    }
    if (accept('!')) {
      result = simpleOperand();
      result.negated = !result.negated;
      return result;
    }
    const bool minus = accept('-');
    const Token &token = peek();
    switch (token.kind) {
    case Token::Name:
      if (minus)
        break;
      result.name = take().text;
      if (accept('+'))
        result.bits = integer("an offset");
      return result;
    case Token::Integer:
      result.kind = OperandSyntax::Integer;
      result.bits = take().bits;
      if (minus)
        result.bits = -result.bits;
      return result;
    case Token::Float32:
      result.kind = OperandSyntax::Float32;
      result.bits = take().bits ^ (minus ? uint64_t(1) << 31 : 0);
      return result;
    case Token::Float64:
      result.kind = OperandSyntax::Float64;
      result.bits = take().bits ^ (minus ? uint64_t(1) << 63 : 0);
      return result;
    default:
      break;
    }
    fail("expected an operand, got " + got());
    return result;
  }

  ModuleSyntax &module;
  std::vector<Token> tokens;
  size_t at = 0;
  Status failure;
};

} // namespace

Status parseSyntax(ModuleSyntax &module) {
  Expected<std::vector<Token>> tokens = tokenize(module.text);
  if (!tokens)
    return tokens.status();
  return Parser(module, std::move(*tokens)).run();
}

} // namespace ssmrt::ptx
