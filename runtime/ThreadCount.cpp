//===- ThreadCount.cpp - Threads that this process may use ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ThreadPool.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sched.h>
#include <sstream>
#include <string>
#include <thread>

namespace ssmrt {

namespace {

/// CPUs of the quota in one cgroup folder, version 2 ("max 100000" or "200000
/// 100000") or version 1 (two files).
std::optional<double> quotaIn(const std::string &folder) {
  double quota = 0;
  double period = 0;
  std::ifstream unified(folder + "/cpu.max");
  if (unified >> quota >> period && quota > 0 && period > 0)
    return quota / period;
  std::ifstream quotaFile(folder + "/cpu.cfs_quota_us");
  std::ifstream periodFile(folder + "/cpu.cfs_period_us");
  if (quotaFile >> quota && periodFile >> period && quota > 0 && period > 0)
    return quota / period;
  return std::nullopt;
}

/// The smallest quota of `path` and the groups around it.
std::optional<double> quotaOf(const std::string &mount, std::string path) {
  std::optional<double> smallest;
  while (true) {
    if (std::optional<double> quota = quotaIn(mount + path))
      smallest = smallest ? std::min(*smallest, *quota) : *quota;
    const size_t slash = path.rfind('/');
    if (path.empty() || slash == std::string::npos)
      return smallest;
    path.resize(slash);
  }
}

std::optional<double> cgroupQuota() {
  std::optional<double> smallest;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // hierarchy:controllers:path, with no controllers in version 2.
    std::istringstream fields(line);
    std::string hierarchy, controllers, path;
    std::getline(fields, hierarchy, ':');
    std::getline(fields, controllers, ':');
    std::getline(fields, path);
    std::optional<double> quota;
    if (controllers.empty())
      quota = quotaOf("/sys/fs/cgroup", path);
    else if (("," + controllers + ",").find(",cpu,") != std::string::npos)
      quota = quotaOf("/sys/fs/cgroup/" + controllers, path);
    if (quota)
      smallest = smallest ? std::min(*smallest, *quota) : *quota;
  }
  return smallest;
}

} // namespace

int defaultThreadCount() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) == 0)
    count = CPU_COUNT(&mask);
  if (std::optional<double> quota = cgroupQuota())
    count = std::min(count, static_cast<int>(*quota));
  return std::max(count, 1);
}

} // namespace ssmrt
