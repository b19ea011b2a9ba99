//===- Program.h - Decoded kernels ---------------------------- -*- C++ -*-===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/ptx/Interpreter.h"
#include "runtime/ptx/Syntax.h"

namespace ssmrt::ptx {

struct Instruction;
struct Warp;

/// What the scheduler does after an instruction.
enum class Flow : uint8_t {
  Next, ///< go on with Warp::current
  Wait, ///< Warp::current waits or has ended
  Fail, ///< Grid::failure is set
};

/// Executes an instruction for the lanes in `mask`, which is not empty.
using Handler = Flow (*)(Warp &warp, const Instruction &instruction,
                         uint32_t mask);

constexpr uint32_t kLanes = 32;
constexpr uint32_t kAllLanes = ~uint32_t(0);
constexpr uint32_t kNoSlot = ~uint32_t(0);
constexpr uint32_t kNoPc = ~uint32_t(0);

/// Registers live in the register file of their warp, 32 lanes side by side. A
/// slot is the byte offset of a register there, a multiple of kSlotBytes.
/// Immediates have slots as well. A predicate is one 32-bit mask.
constexpr uint32_t kSlotBytes = 64;

/// Instruction::kind2 of instructions that end a basic block without a target.
constexpr uint8_t kIndexedBranch = 254; ///< lists[list, list + elements)
constexpr uint8_t kExit = 255;

struct Instruction {
  Handler execute = nullptr;
  uint32_t line = 0;
  uint32_t guard = kNoSlot;
  bool guardNegated = false;
  /// Copies undefined registers instead of reporting them.
  bool movesUndefined = false;
  Class group = Class::Integer;

  Space space = Space::Generic;
  uint16_t elements = 1;    ///< of a vector access
  uint8_t elementBytes = 0; ///< of a memory access
  bool wideAddress = true;  ///< the address register has 64 bits
  uint8_t kind = 0;         ///< meaning chosen by the handler
  uint8_t kind2 = 0;
  bool nonCoherent = false; ///< ld.global.nc
  bool strong = false;      ///< volatile, relaxed, acquire or release
  bool acquire = false;     ///< memory order
  bool release = false;
  bool wideScope = false; ///< gpu or sys

  uint32_t destination = kNoSlot;
  uint32_t destination2 = kNoSlot;
  uint32_t source[4] = {kNoSlot, kNoSlot, kNoSlot, kNoSlot};
  /// Further slots: KernelCode::lists from here on.
  uint32_t list = 0;
  uint32_t target = kNoPc;
  /// Where lanes that part at this branch meet again, or kNoPc.
  uint32_t reconverge = kNoPc;
  int64_t immediate = 0;

  /// Slots read and written, for the check of undefined registers:
  /// KernelCode::lists[uses, uses + reads + writes).
  uint32_t uses = 0;
  uint16_t reads = 0;
  uint16_t writes = 0;
};

/// A register whose lanes all hold `bits`.
struct ConstantSlot {
  uint32_t slot = 0;
  uint8_t bytes = 0;
  uint64_t bits = 0;
};

/// A register that holds the device address of a module variable.
struct AddressSlot {
  uint32_t slot = 0;
  uint8_t bytes = 8;
  uint32_t variable = 0;
  uint64_t addend = 0;
};

enum class SpecialRegister : uint8_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  LaneId,
  WarpId,
  NumberOfWarps,
  LaneMaskEq,
  LaneMaskLe,
  LaneMaskLt,
  LaneMaskGe,
  LaneMaskGt,
  SmId,
  NumberOfSms,
  GridId,
  ClusterIdX,
  ClusterIdY,
  ClusterIdZ,
  NumberOfClustersX,
  NumberOfClustersY,
  NumberOfClustersZ,
  ClusterCtaidX,
  ClusterCtaidY,
  ClusterCtaidZ,
  ClusterNctaidX,
  ClusterNctaidY,
  ClusterNctaidZ,
  ClusterCtarank,
  ClusterNctarank,
  DynamicSharedBytes,
  TotalSharedBytes,
};

struct SpecialSlot {
  uint32_t slot = 0;
  SpecialRegister which = SpecialRegister::TidX;
};

struct KernelCode {
  Kernel info;
  std::vector<Instruction> code;
  /// As written, by pc; views into Program::syntax.
  std::vector<std::string_view> mnemonics;
  std::vector<uint32_t> lists;
  std::vector<ConstantSlot> constants;
  std::vector<AddressSlot> addresses;
  std::vector<SpecialSlot> specials;
  /// Bytes of a warp's register file.
  uint32_t fileBytes = 0;
  /// Where dynamic shared memory starts behind the static variables.
  uint32_t dynamicSharedOffset = 0;
  bool usesWarpgroups = false; ///< wgmma
};

/// A module variable in global or constant memory.
struct ModuleVariable {
  std::string name;
  uint64_t bytes = 0;
  uint32_t line = 0;
  std::vector<uint8_t> image;
  bool isInitialised = false;
  bool isConstant = false;
  /// Parts of the image that hold addresses of other variables.
  struct Relocation {
    uint64_t offset = 0;
    uint32_t variable = 0;
    uint64_t addend = 0;
  };
  std::vector<Relocation> relocations;
};

struct Program {
  std::string name;
  uint64_t key = 0; ///< tells loaded modules apart
  ModuleSyntax syntax;
  std::vector<ModuleVariable> variables;
  std::vector<Kernel> kernels;
  std::vector<KernelCode> codes; ///< parallel to kernels
};

/// Windows of the generic address space. Global memory lies below all of them.
constexpr uint64_t kSharedWindow = uint64_t(1) << 44;
constexpr uint64_t kLocalWindow = uint64_t(2) << 44;
constexpr uint64_t kParamWindow = uint64_t(3) << 44;
constexpr unsigned kWindowShift = 44;
/// Shared memory starts here, so that 0 is never valid.
constexpr uint32_t kSharedBase = 1024;
/// Shared memory of the block with rank r of a cluster is seen by its peers at
/// (r + 1) << kClusterShift.
constexpr unsigned kClusterShift = 24;

/// Fills `code` from the kernel `function` of `program`, whose variables are
/// laid out already.
Status lowerKernel(const Program &program, const FunctionSyntax &function,
                   KernelCode &code);

/// Sets Instruction::reconverge of every branch to the immediate
/// post-dominator of its block.
void findReconvergence(KernelCode &code);

} // namespace ssmrt::ptx
