//===- Lower.cpp - Lowers the text of a kernel to code --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Decoder.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

namespace ssmrt::ptx {

namespace {

constexpr unsigned kDeepestCall = 32;
constexpr uint32_t kLargestFile = 1 << 26;

std::string quote(std::string_view text) {
  return "'" + std::string(text) + "'";
}

std::optional<SpecialRegister> findSpecial(std::string_view name) {
  using S = SpecialRegister;
  static const std::unordered_map<std::string_view, S> kTable = {
      {"%tid.x", S::TidX},
      {"%tid.y", S::TidY},
      {"%tid.z", S::TidZ},
      {"%ntid.x", S::NtidX},
      {"%ntid.y", S::NtidY},
      {"%ntid.z", S::NtidZ},
      {"%ctaid.x", S::CtaidX},
      {"%ctaid.y", S::CtaidY},
      {"%ctaid.z", S::CtaidZ},
      {"%nctaid.x", S::NctaidX},
      {"%nctaid.y", S::NctaidY},
      {"%nctaid.z", S::NctaidZ},
      {"%laneid", S::LaneId},
      {"%warpid", S::WarpId},
      {"%nwarpid", S::NumberOfWarps},
      {"%lanemask_eq", S::LaneMaskEq},
      {"%lanemask_le", S::LaneMaskLe},
      {"%lanemask_lt", S::LaneMaskLt},
      {"%lanemask_ge", S::LaneMaskGe},
      {"%lanemask_gt", S::LaneMaskGt},
      {"%smid", S::SmId},
      {"%nsmid", S::NumberOfSms},
      {"%gridid", S::GridId},
      {"%clusterid.x", S::ClusterIdX},
      {"%clusterid.y", S::ClusterIdY},
      {"%clusterid.z", S::ClusterIdZ},
      {"%nclusterid.x", S::NumberOfClustersX},
      {"%nclusterid.y", S::NumberOfClustersY},
      {"%nclusterid.z", S::NumberOfClustersZ},
      {"%cluster_ctaid.x", S::ClusterCtaidX},
      {"%cluster_ctaid.y", S::ClusterCtaidY},
      {"%cluster_ctaid.z", S::ClusterCtaidZ},
      {"%cluster_nctaid.x", S::ClusterNctaidX},
      {"%cluster_nctaid.y", S::ClusterNctaidY},
      {"%cluster_nctaid.z", S::ClusterNctaidZ},
      {"%cluster_ctarank", S::ClusterCtarank},
      {"%cluster_nctarank", S::ClusterNctarank},
      {"%dynamic_smem_size", S::DynamicSharedBytes},
      {"%total_smem_size", S::TotalSharedBytes},
  };
  auto found = kTable.find(name);
  return found == kTable.end() ? std::nullopt : std::optional(found->second);
}

/// A jump whose label is not known yet.
struct Jump {
  bool isList = false; ///< KernelCode::lists[index], else code[index].target
  uint32_t index = 0;
  uint32_t line = 0;
  std::string_view label;
};

/// Names of one pair of braces, and the jumps written there. A label is known
/// within its braces only, so inline assembly may repeat labels.
struct Frame {
  std::unordered_map<std::string_view, Symbol> names;
  std::unordered_map<std::string_view, uint32_t> labels;
  std::vector<Jump> jumps;
};

/// A function body in the making: the kernel, or a function inlined into it.
struct Activation {
  const FunctionSyntax *function = nullptr;
  std::vector<Frame> frames;
};

/// The label behind the body of an inlined function; no PTX can name it.
constexpr std::string_view kReturnLabel = "<return>";

class Lowering : public Scope {
public:
  Lowering(const Program &program, const FunctionSyntax &kernel,
           KernelCode &code)
      : program(program), kernel(kernel), code(code) {}

  Status run();

  // Scope
  const Symbol *find(std::string_view name) override;
  uint32_t constant(unsigned bits, uint64_t value) override;
  uint32_t address(const Symbol &symbol, uint64_t addend,
                   unsigned bits) override;
  std::optional<uint32_t> special(std::string_view name) override;
  uint32_t scratch(unsigned bits) override { return allocate(bits); }
  void needLabel(std::string_view label, uint32_t line) override {
    active->frames.back().jumps.push_back(
        {false, static_cast<uint32_t>(code.code.size()), line, label});
  }

private:
  uint32_t allocate(unsigned bits);
  uint64_t placeLocal(const VariableSyntax &variable);
  uint64_t placeShared(const VariableSyntax &variable);
  void layoutParameters();
  void declareRegisters(const Statement &statement);
  Status declareVariable(const Statement &statement);
  Status body();
  Status closeFrame();
  Status instruction(const Statement &statement);
  Status call(const Statement &statement);
  Status leave(const Statement &statement);
  void emit(Instruction instruction, std::string_view mnemonic);
  const Symbol *moduleSymbol(std::string_view name);
  Status error(const Statement &statement, const std::string &message) {
    return ssmrt::error("line " + std::to_string(statement.line) + ": " +
                        message);
  }

  const Program &program;
  const FunctionSyntax &kernel;
  KernelCode &code;
  Activation *active = nullptr;
  unsigned depth = 0;
  uint64_t nextLocal = 0;
  uint64_t sharedEnd = kSharedBase;
  uint64_t dynamicAlignment = 1;
  struct DynamicSlot {
    uint32_t slot = 0;
    uint8_t bytes = 0;
    uint64_t addend = 0;
  };
  std::vector<DynamicSlot> dynamicSlots;
  std::unordered_map<std::string_view, Symbol> moduleSymbols;
  std::map<std::pair<unsigned, uint64_t>, uint32_t> constantSlots;
  std::map<SpecialRegister, uint32_t> specialSlots;
  std::deque<std::string> ownedNames;
};

uint32_t Lowering::allocate(unsigned bits) {
  const uint32_t slot = code.fileBytes;
  const uint32_t bytes = bits == kPredicateBits ? 4 : bits / 8 * kLanes;
  code.fileBytes += (bytes + kSlotBytes - 1) / kSlotBytes * kSlotBytes;
  return slot;
}

uint32_t Lowering::constant(unsigned bits, uint64_t value) {
  if (bits > kPredicateBits && bits < 64)
    value &= (uint64_t(1) << bits) - 1;
  auto [found, isNew] = constantSlots.try_emplace({bits, value}, 0);
  if (isNew) {
    found->second = allocate(bits);
    const uint8_t bytes = bits == kPredicateBits ? 0 : bits / 8;
    code.constants.push_back({found->second, bytes, value});
  }
  return found->second;
}

uint32_t Lowering::address(const Symbol &symbol, uint64_t addend,
                           unsigned bits) {
  if (symbol.isDynamic) {
    const uint32_t slot = allocate(bits);
    dynamicSlots.push_back({slot, static_cast<uint8_t>(bits / 8), addend});
    return slot;
  }
  if (symbol.space != Space::Global && symbol.space != Space::Const)
    return constant(bits, symbol.address + addend);
  const uint32_t slot = allocate(bits);
  code.addresses.push_back({slot, static_cast<uint8_t>(bits / 8),
                            static_cast<uint32_t>(symbol.address), addend});
  return slot;
}

std::optional<uint32_t> Lowering::special(std::string_view name) {
  std::optional<SpecialRegister> which = findSpecial(name);
  if (!which)
    return std::nullopt;
  auto [found, isNew] = specialSlots.try_emplace(*which, 0);
  if (isNew) {
    found->second = allocate(32);
    code.specials.push_back({found->second, *which});
  }
  return found->second;
}

const Symbol *Lowering::find(std::string_view name) {
  for (auto frame = active->frames.rbegin(); frame != active->frames.rend();
       ++frame) {
    auto found = frame->names.find(name);
    if (found != frame->names.end())
      return &found->second;
  }
  return moduleSymbol(name);
}

const Symbol *Lowering::moduleSymbol(std::string_view name) {
  auto known = moduleSymbols.find(name);
  if (known != moduleSymbols.end())
    return &known->second;
  uint32_t global = 0;
  for (const VariableSyntax &variable : program.syntax.variables) {
    const bool isGlobal =
        variable.space == Space::Global || variable.space == Space::Const;
    if (variable.name != name) {
      global += isGlobal && !variable.isExtern;
      continue;
    }
    Symbol symbol;
    symbol.kind = Symbol::Variable;
    symbol.space = variable.space;
    if (variable.space == Space::Shared &&
        (variable.isExtern || variable.bytes == 0)) {
      symbol.isDynamic = true;
      dynamicAlignment =
          std::max<uint64_t>(dynamicAlignment, variable.alignment);
    } else if (variable.space == Space::Shared) {
      symbol.address = placeShared(variable);
    } else if (isGlobal && !variable.isExtern) {
      symbol.address = global;
    } else {
      return nullptr;
    }
    return &moduleSymbols.emplace(name, symbol).first->second;
  }
  return nullptr;
}

uint64_t Lowering::placeShared(const VariableSyntax &variable) {
  sharedEnd = (sharedEnd + variable.alignment - 1) / variable.alignment *
              variable.alignment;
  const uint64_t address = sharedEnd;
  sharedEnd += variable.bytes;
  return address;
}

uint64_t Lowering::placeLocal(const VariableSyntax &variable) {
  nextLocal = (nextLocal + variable.alignment - 1) / variable.alignment *
              variable.alignment;
  const uint64_t address = nextLocal;
  nextLocal += std::max<uint64_t>(variable.bytes, 1);
  return address;
}

void Lowering::layoutParameters() {
  uint64_t offset = 0;
  for (const VariableSyntax &parameter : kernel.parameters) {
    offset = (offset + parameter.alignment - 1) / parameter.alignment *
             parameter.alignment;
    Symbol symbol;
    symbol.kind = Symbol::Variable;
    symbol.space = Space::Param;
    symbol.address = offset;
    active->frames[0].names[parameter.name] = symbol;
    code.info.parameters.push_back({std::string(parameter.name),
                                    static_cast<uint32_t>(offset),
                                    static_cast<uint32_t>(parameter.bytes)});
    offset += parameter.bytes;
  }
  code.info.parameterBytes = static_cast<uint32_t>(offset);
}

void Lowering::emit(Instruction instruction, std::string_view mnemonic) {
  code.code.push_back(instruction);
  code.mnemonics.push_back(mnemonic);
}

/// Resolves the jumps of the innermost braces; those to labels outside move
/// outwards.
Status Lowering::closeFrame() {
  Frame frame = std::move(active->frames.back());
  active->frames.pop_back();
  for (const Jump &jump : frame.jumps) {
    auto found = frame.labels.find(jump.label);
    if (found == frame.labels.end()) {
      if (active->frames.empty())
        return ssmrt::error("line " + std::to_string(jump.line) +
                            ": unknown label " + quote(jump.label));
      active->frames.back().jumps.push_back(jump);
    } else if (jump.isList) {
      code.lists[jump.index] = found->second;
    } else {
      code.code[jump.index].target = found->second;
    }
  }
  return {};
}

void Lowering::declareRegisters(const Statement &statement) {
  for (const OperandSyntax &operand : statement.operands) {
    Symbol symbol;
    symbol.bits = static_cast<uint8_t>(statement.bits);
    auto &names = active->frames.back().names;
    if (operand.bits == 0) { // one register
      symbol.slot = allocate(symbol.bits);
      names[operand.name] = symbol;
    }
    for (uint64_t i = 0; i < operand.bits && code.fileBytes <= kLargestFile;
         ++i) {
      ownedNames.push_back(std::string(operand.name) + std::to_string(i));
      symbol.slot = allocate(symbol.bits);
      names[ownedNames.back()] = symbol;
    }
  }
}

Status Lowering::declareVariable(const Statement &statement) {
  const VariableSyntax &variable = active->function->variables[statement.bits];
  Symbol symbol;
  symbol.kind = Symbol::Variable;
  symbol.space = variable.space;
  if (variable.space == Space::Shared) {
    symbol.address = placeShared(variable);
  } else if (variable.space == Space::Local || variable.space == Space::Param) {
    symbol.isParameter = variable.space == Space::Param;
    symbol.space = Space::Local;
    symbol.address = placeLocal(variable);
  } else {
    return error(statement, "unsupported space of a variable in a function");
  }
  active->frames.back().names[variable.name] = symbol;
  return {};
}

Status Lowering::body() {
  for (const Statement &statement : active->function->body) {
    Status status;
    Frame &frame = active->frames.back();
    switch (statement.kind) {
    case Statement::Open:
      active->frames.emplace_back();
      break;
    case Statement::Close:
      status = closeFrame();
      break;
    case Statement::Registers:
      declareRegisters(statement);
      if (code.fileBytes > kLargestFile)
        status = error(statement, "too many registers");
      break;
    case Statement::Variable:
      status = declareVariable(statement);
      break;
    case Statement::Label:
      frame.labels[statement.mnemonic] =
          static_cast<uint32_t>(code.code.size());
      break;
    case Statement::BranchTargets: {
      Symbol symbol;
      symbol.kind = Symbol::Targets;
      for (const OperandSyntax &operand : statement.operands) {
        const uint32_t entry = static_cast<uint32_t>(code.lists.size());
        code.lists.push_back(kNoPc);
        symbol.targets.push_back(entry);
        frame.jumps.push_back({true, entry, statement.line, operand.name});
      }
      frame.names[statement.mnemonic] = symbol;
      break;
    }
    case Statement::Instruction:
      status = instruction(statement);
      break;
    }
    if (!status)
      return status;
  }
  active->frames.back().labels[kReturnLabel] =
      static_cast<uint32_t>(code.code.size());
  return closeFrame();
}

Status Lowering::instruction(const Statement &statement) {
  if (statement.mnemonic.substr(0, 4) == "call")
    return call(statement);
  if (depth > 0 &&
      (statement.mnemonic == "ret" || statement.mnemonic == "ret.uni"))
    return leave(statement);
  Decoder decoder(statement, code, *this);
  const bool known =
      decodeInteger(decoder) || decodeBits(decoder) || decodeFloat(decoder) ||
      decodeHalf(decoder) || decodeCompare(decoder) || decodeConvert(decoder) ||
      decodeMove(decoder) || decodeMemory(decoder) || decodeAtomic(decoder) ||
      decodeWarp(decoder) || decodeCluster(decoder) || decodeBarrier(decoder) ||
      decodeControl(decoder) || decodeMBarrier(decoder) ||
      decodeBulk(decoder) || decodeAsyncCopy(decoder) ||
      decodeMatrix(decoder) || decodeWarpgroup(decoder);
  if (!known)
    return error(statement,
                 "unsupported instruction " + quote(statement.mnemonic));
  if (Status status = decoder.finish(); !status)
    return status;
  emit(decoder.instruction, statement.mnemonic);
  return {};
}

/// An inlined function returns by a jump behind its last instruction.
Status Lowering::leave(const Statement &statement) {
  Statement jump = statement;
  jump.mnemonic = "bra";
  OperandSyntax label;
  label.name = kReturnLabel;
  jump.operands = {label};
  Decoder decoder(jump, code, *this);
  decodeControl(decoder);
  if (Status status = decoder.finish(); !status)
    return status;
  emit(decoder.instruction, statement.mnemonic);
  return {};
}

/// call (result), function, (parameters): the body is inlined, with the
/// caller's variables in the place of the parameters.
Status Lowering::call(const Statement &statement) {
  if (!statement.guard.empty())
    return error(statement, "unsupported guarded call");
  size_t at = 0;
  std::vector<OperandSyntax> results;
  if (at < statement.operands.size() &&
      statement.operands[at].kind == OperandSyntax::List)
    results = statement.operands[at++].parts;
  std::string_view name;
  if (at < statement.operands.size())
    name = statement.operands[at++].name;
  std::vector<OperandSyntax> arguments;
  if (at < statement.operands.size() &&
      statement.operands[at].kind == OperandSyntax::List)
    arguments = statement.operands[at++].parts;
  const FunctionSyntax *callee = nullptr;
  for (const FunctionSyntax &function : program.syntax.functions)
    if (function.name == name && !function.isKernel && !function.isDeclaration)
      callee = &function;
  if (!callee)
    return error(statement, "call of " + quote(name) +
                                ", which this module does not define");
  if (at != statement.operands.size() || depth == kDeepestCall)
    return error(statement, depth == kDeepestCall
                                ? "unsupported recursive call of " + quote(name)
                                : std::string("unsupported indirect call"));
  if (results.size() != callee->results.size() ||
      arguments.size() != callee->parameters.size())
    return error(statement, "call of " + quote(name) +
                                " with the wrong number of arguments");
  Activation inner;
  inner.function = callee;
  inner.frames.emplace_back();
  auto bind = [&](const std::vector<OperandSyntax> &actual,
                  const std::vector<VariableSyntax> &formal) {
    for (size_t i = 0; i < actual.size(); ++i) {
      const Symbol *symbol = find(actual[i].name);
      if (!symbol || symbol->kind != Symbol::Variable)
        return false;
      inner.frames[0].names[formal[i].name] = *symbol;
    }
    return true;
  };
  if (!bind(results, callee->results) || !bind(arguments, callee->parameters))
    return error(statement, "expected variables as arguments of a call");
  Activation *caller = active;
  active = &inner;
  ++depth;
  Status status = body();
  --depth;
  active = caller;
  return status;
}

Status Lowering::run() {
  Activation activation;
  activation.function = &kernel;
  activation.frames.emplace_back();
  active = &activation;
  code.info.name = kernel.name;
  code.info.requiredBlock = {kernel.requiredBlock[0], kernel.requiredBlock[1],
                             kernel.requiredBlock[2]};
  code.info.maxThreads = kernel.maxThreads;
  code.info.cluster = {kernel.cluster[0], kernel.cluster[1], kernel.cluster[2]};
  layoutParameters();
  if (Status status = body(); !status)
    return status;
  Statement end; // falling off the end of a kernel ends the thread
  end.line = code.code.empty() ? kernel.line : code.code.back().line;
  end.mnemonic = "exit";
  active->frames.emplace_back();
  if (Status status = instruction(end); !status)
    return status;
  const uint64_t dynamicStart =
      (sharedEnd + dynamicAlignment - 1) / dynamicAlignment * dynamicAlignment;
  for (const DynamicSlot &slot : dynamicSlots)
    code.constants.push_back(
        {slot.slot, slot.bytes, dynamicStart + slot.addend});
  code.dynamicSharedOffset = static_cast<uint32_t>(dynamicStart - kSharedBase);
  code.info.sharedBytes = static_cast<uint32_t>(sharedEnd - kSharedBase);
  code.info.localBytes = static_cast<uint32_t>((nextLocal + 15) / 16 * 16);
  findReconvergence(code);
  return {};
}

} // namespace

Status lowerKernel(const Program &program, const FunctionSyntax &function,
                   KernelCode &code) {
  return Lowering(program, function, code).run();
}

} // namespace ssmrt::ptx
