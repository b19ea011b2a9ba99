//===- Gpu.h - One GPU and its context ------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "runtime/cuda/Driver.h"

#include <memory>
#include <string>

namespace ssmrt::cuda {

/// The first GPU that the driver shows (CUDA_VISIBLE_DEVICES orders them), with
/// a stream in which everything happens.
class Gpu {
public:
  static Expected<std::shared_ptr<Gpu>> open();
  ~Gpu();
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;

  const Driver &driver() const { return *library; }
  Stream stream() const { return queue; }
  /// 80 for sm_80.
  int chip() const { return capability; }
  const std::string &name() const { return label; }

  /// Makes the context that of this thread, as every call needs it.
  Status enter() const { return library->setContext(context); }

private:
  explicit Gpu(std::shared_ptr<const Driver> driver)
      : library(std::move(driver)) {}

  Status start();

  std::shared_ptr<const Driver> library;
  int device = 0;
  Context context = nullptr;
  Stream queue = nullptr;
  int capability = 0;
  std::string label;
};

} // namespace ssmrt::cuda
