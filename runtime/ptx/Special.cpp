//===- Special.cpp - Special registers ------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Machine.h"

namespace ssmrt::ptx {

namespace {

/// Multiprocessors that %nsmid reports.
constexpr uint32_t kMultiprocessors = 132;

uint32_t at(const Dim3 &extent, unsigned axis) {
  return axis == 0 ? extent.x : axis == 1 ? extent.y : extent.z;
}

uint32_t valueOf(SpecialRegister which, const Warp &warp, uint32_t lane) {
  using S = SpecialRegister;
  const Block &block = *warp.block;
  const Grid &grid = *block.worker->grid;
  const uint32_t thread = warp.index * kLanes + lane;
  const uint32_t bit = uint32_t(1) << lane;
  auto axisFrom = [&](S first) { return unsigned(which) - unsigned(first); };
  const Dim3 &cluster = grid.cluster;
  const Dim3 inCluster = {block.index.x % cluster.x, block.index.y % cluster.y,
                          block.index.z % cluster.z};
  switch (which) {
  case S::TidX:
    return thread % grid.block.x;
  case S::TidY:
    return thread / grid.block.x % grid.block.y;
  case S::TidZ:
    return thread / grid.block.x / grid.block.y;
  case S::NtidX:
  case S::NtidY:
  case S::NtidZ:
    return at(grid.block, axisFrom(S::NtidX));
  case S::CtaidX:
  case S::CtaidY:
  case S::CtaidZ:
    return at(block.index, axisFrom(S::CtaidX));
  case S::NctaidX:
  case S::NctaidY:
  case S::NctaidZ:
    return at(grid.grid, axisFrom(S::NctaidX));
  case S::LaneId:
    return lane;
  case S::WarpId:
    return warp.index;
  case S::NumberOfWarps:
    return grid.warpsPerBlock;
  case S::LaneMaskEq:
    return bit;
  case S::LaneMaskLe:
    return bit | (bit - 1);
  case S::LaneMaskLt:
    return bit - 1;
  case S::LaneMaskGe:
    return ~(bit - 1);
  case S::LaneMaskGt:
    return ~(bit | (bit - 1));
  case S::SmId:
    return static_cast<uint32_t>(block.number % kMultiprocessors);
  case S::NumberOfSms:
    return kMultiprocessors;
  case S::GridId:
    return 0;
  case S::ClusterIdX:
  case S::ClusterIdY:
  case S::ClusterIdZ: {
    const unsigned axis = axisFrom(S::ClusterIdX);
    return at(block.index, axis) / at(cluster, axis);
  }
  case S::NumberOfClustersX:
  case S::NumberOfClustersY:
  case S::NumberOfClustersZ: {
    const unsigned axis = axisFrom(S::NumberOfClustersX);
    return at(grid.grid, axis) / at(cluster, axis);
  }
  case S::ClusterCtaidX:
  case S::ClusterCtaidY:
  case S::ClusterCtaidZ:
    return at(inCluster, axisFrom(S::ClusterCtaidX));
  case S::ClusterNctaidX:
  case S::ClusterNctaidY:
  case S::ClusterNctaidZ:
    return at(cluster, axisFrom(S::ClusterNctaidX));
  case S::ClusterCtarank:
    return inCluster.x + cluster.x * (inCluster.y + cluster.y * inCluster.z);
  case S::ClusterNctarank:
    return static_cast<uint32_t>(cluster.count());
  case S::DynamicSharedBytes:
    return grid.dynamicShared;
  case S::TotalSharedBytes:
    return grid.code->dynamicSharedOffset + grid.dynamicShared;
  }
  return 0;
}

} // namespace

void fillSpecials(Warp &warp) {
  for (const SpecialSlot &special : warp.block->worker->grid->code->specials)
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      warp.lanes<uint32_t>(special.slot)[lane] =
          valueOf(special.which, warp, lane);
}

} // namespace ssmrt::ptx
