//===- Target.cpp - Table of CPU targets ----------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Target.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace ssm;

static constexpr llvm::StringLiteral kX86Triple = "x86_64-unknown-linux-gnu";

/// Features in the spelling of the kernel beside that of LLVM, where they
/// differ.
struct FeatureName {
  llvm::StringLiteral kernel, backend;
};
static constexpr FeatureName kFeatureNames[] = {
    {"avx512_bf16", "avx512bf16"},
    {"avx512_vnni", "avx512vnni"},
    {"asimd", "neon"},
    {"asimdhp", "fullfp16"},
};

static Target x86V3() {
  Target target;
  target.name = "x86-64-v3";
  target.triple = kX86Triple.str();
  target.cpu = "x86-64-v3";
  target.requiredFeatures = {"avx2", "fma", "f16c", "bmi2"};
  return target;
}

static Target x86V4() {
  Target target = x86V3();
  target.name = target.cpu = "x86-64-v4";
  target.lanes = 16;
  target.registers = 32;
  for (llvm::StringRef feature :
       {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})
    target.requiredFeatures.push_back(feature);
  return target;
}

static Target x86V4Bf16() {
  Target target = x86V4();
  target.name = "x86-64-v4-bf16";
  target.features = "+avx512bf16,+avx512vnni";
  target.dotBf16 = target.convertBf16 = true;
  target.requiredFeatures.append({"avx512_bf16", "avx512_vnni"});
  return target;
}

static Target aarch64() {
  Target target;
  target.name = "aarch64";
  target.triple = "aarch64-unknown-linux-gnu";
  target.cpu = "generic";
  target.features = "+v8.2a,+fullfp16";
  target.lanes = 4;
  target.registers = 32;
  target.panel = 16;
  target.maskedMemory = false;
  target.requiredFeatures = {"asimd", "asimdhp"};
  return target;
}

/// From the plainest to the best of each machine.
static llvm::ArrayRef<Target> table() {
  static const Target targets[] = {x86V3(), x86V4(), x86V4Bf16(), aarch64()};
  return targets;
}

static bool hostOffers(const llvm::StringMap<bool> &host,
                       llvm::StringRef name) {
  for (const FeatureName &feature : kFeatureNames)
    if (name == feature.kernel)
      name = feature.backend;
  return host.lookup(name);
}

/// The last entry of the table for this machine whose features it has.
static llvm::Expected<Target> native() {
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  llvm::Triple triple(llvm::sys::getProcessTriple());
  const Target *best = nullptr;
  for (const Target &target : table()) {
    if (triple.getArch() != llvm::Triple(target.triple).getArch())
      continue;
    if (llvm::all_of(target.requiredFeatures, [&](llvm::StringRef feature) {
          return hostOffers(host, feature);
        }))
      best = &target;
  }
  if (!best)
    return llvm::createStringError(
        "this machine offers too little for any target (plainest: x86-64-v3)");
  return *best;
}

llvm::ArrayRef<llvm::StringRef> Target::names() {
  static const llvm::SmallVector<llvm::StringRef> all = [] {
    llvm::SmallVector<llvm::StringRef> list = {"native"};
    for (const Target &target : table())
      list.push_back(target.name);
    return list;
  }();
  return all;
}

llvm::Expected<Target> Target::lookup(llvm::StringRef name) {
  if (name == "native")
    return native();
  for (const Target &target : table())
    if (name == target.name)
      return target;
  return llvm::createStringError("unknown target '" + name + "' (supported: " +
                                 llvm::join(names(), ", ") + ")");
}

Target Target::wideForTests() {
  Target target = x86V4();
  Target narrow = x86V3();
  target.name = "x86-64-v3-wide";
  target.cpu = narrow.cpu;
  target.requiredFeatures = narrow.requiredFeatures;
  target.emulateDot = true;
  return target;
}
