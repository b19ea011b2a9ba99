//===- TemporaryFolder.h - A folder for one test --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>

namespace ssmrt {

/// A fresh folder that disappears with the object.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern = ::testing::TempDir() + "/ssmrt-XXXXXX";
    folder = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(folder); }

  std::string path(const std::string &name) const {
    return folder + "/" + name;
  }
  const std::string &path() const { return folder; }

  void write(const std::string &name, const std::string &bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }

  size_t fileCount() const {
    size_t count = 0;
    for (const auto &entry :
         std::filesystem::recursive_directory_iterator(folder))
      count += entry.is_regular_file();
    return count;
  }

private:
  std::string folder;
};

} // namespace ssmrt
