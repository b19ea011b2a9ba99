//===- Target.h - CPU targets and their numbers ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace ssm {

/// What a kernel emitter must know about a CPU. Everything that depends on a
/// machine comes from here; no emitter asks for a CPU by name.
struct Target {
  /// Name in the artifact, "x86-64-v3". `native` is resolved before it gets
  /// here.
  std::string name;
  /// What LLVM compiles for.
  std::string triple, cpu, features;
  /// f32 numbers of a vector register, and the number of vector registers.
  int64_t lanes = 8, registers = 16;
  /// Output columns that lie together in a packed weight matrix.
  int64_t panel = 32;
  /// `x86vector.avx512.dot` is one instruction.
  bool dotBf16 = false;
  /// A dot of pairs is two fused multiply-adds, first the even numbers, then
  /// the odd ones. Only tests want it: it runs the schedules of wider machines
  /// here.
  bool emulateDot = false;
  /// A vector `arith.truncf` from f32 to bf16 is one instruction.
  bool convertBf16 = false;
  /// Masked loads and stores of f32 vectors are few instructions.
  bool maskedMemory = true;
  /// Names of the CPU features that a machine must offer, as in /proc/cpuinfo.
  llvm::SmallVector<llvm::StringRef> requiredFeatures;

  bool isX86() const { return llvm::StringRef(triple).starts_with("x86_64"); }

  /// The target called `name`; `native` is the best one that this machine runs.
  static llvm::Expected<Target> lookup(llvm::StringRef name);
  /// Names that `lookup` takes.
  static llvm::ArrayRef<llvm::StringRef> names();
  /// Tests only: vectors of 16 lanes and the schedules of x86-64-v4 with bf16
  /// dots, in x86-64-v3 instructions.
  static Target wideForTests();
};

} // namespace ssm
