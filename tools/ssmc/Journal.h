//===- Journal.h - What a cut-off exploration has measured ----------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "tools/ssmc/Explore.h"

#include <map>

namespace ssm {

/// A file with the measurements of one space. It is written anew after each,
/// whole or not at all.
class Journal {
public:
  /// An empty journal, or with `resume` that of the file, which must be of the
  /// same space.
  static llvm::Expected<Journal>
  open(const std::string &path, const std::string &spaceHash, bool resume);

  const Measured *find(const std::string &label) const;
  llvm::Error add(const std::string &label, const Measured &measured);

private:
  std::string path, hash;
  std::map<std::string, Measured> entries;
};

} // namespace ssm
