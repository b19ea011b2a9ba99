//===- FuzzArtifact.cpp - Fuzz the artifact and plan readers --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The first byte chooses: the input is a whole file, or the JSON of a plan,
// which random bytes would hardly reach through the header.

#include "runtime/Artifact.h"
#include "runtime/Plan.h"

#include <cstdint>

using namespace ssmrt;

static void usePlan(const Plan &plan) {
  const SymbolValues symbols{100, 3, 5, 7};
  for (const PlanKernel &kernel : plan.kernels)
    kernel.scratch.evaluate(symbols);
  for (const PlanBody &body : plan.bodies)
    for (const PlanLaunch &launch : body.launches.prefill)
      launch.rowsOf(symbols);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  std::string text(reinterpret_cast<const char *>(data) + 1, size - 1);
  if (data[0] % 2) {
    if (Expected<Plan> plan = Plan::parse(text, "fuzz"))
      usePlan(*plan);
    return 0;
  }
  Expected<Artifact> artifact =
      Artifact::parse(MappedFile::fromBytes("fuzz", std::move(text)));
  if (!artifact)
    return 0;
  for (const ArtifactImage &image : artifact->images())
    if (Expected<Plan> plan = artifact->plan(image))
      usePlan(*plan);
  return 0;
}
