//===- CpuFeatures.cpp - What this CPU can do -----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/CpuFeatures.h"

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace ssmrt {

#if defined(__x86_64__)
namespace {

enum Register { Eax, Ebx, Ecx, Edx };

/// Which registers the system must save for the feature to be usable.
enum class Saved { None, Avx, Avx512, Amx };

struct FeatureRow {
  std::string_view name;
  uint32_t leaf;
  uint32_t subleaf;
  Register output;
  int bit;
  Saved saved = Saved::None;
};

constexpr FeatureRow kFeatures[] = {
    {"pni", 1, 0, Ecx, 0},
    {"pclmul", 1, 0, Ecx, 1},
    {"ssse3", 1, 0, Ecx, 9},
    {"fma", 1, 0, Ecx, 12, Saved::Avx},
    {"cx16", 1, 0, Ecx, 13},
    {"sse4_1", 1, 0, Ecx, 19},
    {"sse4_2", 1, 0, Ecx, 20},
    {"movbe", 1, 0, Ecx, 22},
    {"popcnt", 1, 0, Ecx, 23},
    {"aes", 1, 0, Ecx, 25},
    {"xsave", 1, 0, Ecx, 26},
    {"avx", 1, 0, Ecx, 28, Saved::Avx},
    {"f16c", 1, 0, Ecx, 29, Saved::Avx},
    {"sse", 1, 0, Edx, 25},
    {"sse2", 1, 0, Edx, 26},
    {"bmi1", 7, 0, Ebx, 3},
    {"avx2", 7, 0, Ebx, 5, Saved::Avx},
    {"bmi2", 7, 0, Ebx, 8},
    {"avx512f", 7, 0, Ebx, 16, Saved::Avx512},
    {"avx512dq", 7, 0, Ebx, 17, Saved::Avx512},
    {"avx512ifma", 7, 0, Ebx, 21, Saved::Avx512},
    {"avx512cd", 7, 0, Ebx, 28, Saved::Avx512},
    {"avx512bw", 7, 0, Ebx, 30, Saved::Avx512},
    {"avx512vl", 7, 0, Ebx, 31, Saved::Avx512},
    {"avx512vbmi", 7, 0, Ecx, 1, Saved::Avx512},
    {"avx512_vbmi2", 7, 0, Ecx, 6, Saved::Avx512},
    {"gfni", 7, 0, Ecx, 8},
    {"vaes", 7, 0, Ecx, 9, Saved::Avx},
    {"vpclmulqdq", 7, 0, Ecx, 10, Saved::Avx},
    {"avx512_vnni", 7, 0, Ecx, 11, Saved::Avx512},
    {"avx512_bitalg", 7, 0, Ecx, 12, Saved::Avx512},
    {"avx512_vpopcntdq", 7, 0, Ecx, 14, Saved::Avx512},
    {"avx512_vp2intersect", 7, 0, Edx, 8, Saved::Avx512},
    {"amx_bf16", 7, 0, Edx, 22, Saved::Amx},
    {"avx512_fp16", 7, 0, Edx, 23, Saved::Avx512},
    {"amx_tile", 7, 0, Edx, 24, Saved::Amx},
    {"amx_int8", 7, 0, Edx, 25, Saved::Amx},
    {"avx_vnni", 7, 1, Eax, 4, Saved::Avx},
    {"avx512_bf16", 7, 1, Eax, 5, Saved::Avx512},
    {"abm", 0x80000001, 0, Ecx, 5},
};

uint64_t savedRegisters() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

bool isSaved(Saved saved) {
  if (saved == Saved::None)
    return true;
  uint32_t registers[4];
  constexpr uint32_t kOsUsesXsave = 1u << 27;
  if (!__get_cpuid(1, &registers[0], &registers[1], &registers[2],
                   &registers[3]) ||
      !(registers[2] & kOsUsesXsave))
    return false;
  const uint64_t needed = saved == Saved::Avx      ? 0x6
                          : saved == Saved::Avx512 ? 0xE6
                                                   : 0x60000;
  return (savedRegisters() & needed) == needed;
}

} // namespace

std::string_view cpuArchitecture() { return "x86-64"; }

bool hasCpuFeature(std::string_view feature) {
  for (const FeatureRow &row : kFeatures) {
    if (row.name != feature)
      continue;
    uint32_t registers[4];
    return __get_cpuid_count(row.leaf, row.subleaf, &registers[0],
                             &registers[1], &registers[2], &registers[3]) &&
           (registers[row.output] >> row.bit & 1) && isSaved(row.saved);
  }
  return false;
}
#elif defined(__aarch64__)
namespace {

struct FeatureRow {
  std::string_view name;
  int word; ///< AT_HWCAP or AT_HWCAP2
  uint64_t bit;
};

constexpr FeatureRow kFeatures[] = {
    {"asimd", AT_HWCAP, HWCAP_ASIMD},     {"asimdhp", AT_HWCAP, HWCAP_ASIMDHP},
    {"asimddp", AT_HWCAP, HWCAP_ASIMDDP}, {"sve", AT_HWCAP, HWCAP_SVE},
    {"sve2", AT_HWCAP2, HWCAP2_SVE2},     {"i8mm", AT_HWCAP2, HWCAP2_I8MM},
    {"bf16", AT_HWCAP2, HWCAP2_BF16},
};

} // namespace

std::string_view cpuArchitecture() { return "aarch64"; }

bool hasCpuFeature(std::string_view feature) {
  for (const FeatureRow &row : kFeatures)
    if (row.name == feature)
      return (getauxval(row.word) & row.bit) != 0;
  return false;
}
#else
std::string_view cpuArchitecture() { return "unknown"; }

bool hasCpuFeature(std::string_view) { return false; }
#endif

std::string firstMissingFeature(const std::vector<std::string> &features) {
  for (const std::string &feature : features)
    if (!hasCpuFeature(feature))
      return feature;
  return {};
}

} // namespace ssmrt
