//===- Device.h - Descriptions of devices ---------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "passes/placement/Price.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <vector>

namespace ssm {

/// Reads the description of a device (`tools/devices/README.md`); `place` names
/// it in errors.
llvm::Expected<Device> parseDevice(llvm::StringRef text, llvm::StringRef place);

/// The description of `device`, which parseDevice reads back.
llvm::json::Object toJson(const Device &device);

/// The devices that are built in.
const std::vector<Device> &builtinDevices();

/// A built-in device by its key, or a description by its path.
llvm::Expected<Device> findDevice(llvm::StringRef keyOrPath);

} // namespace ssm
