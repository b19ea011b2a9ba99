//===- Json.h - JSON as model files write it ------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>

namespace ssm {

using Json = nlohmann::json;

/// Parses `text`; errors begin with `place`. The bare words Infinity, -Infinity
/// and NaN of older transformers are read as the `{"__float__": ...}` of newer
/// ones. Duplicate keys and nesting deeper than 64 are errors.
llvm::Expected<Json> parseJson(llvm::StringRef text, const std::string &place);

/// Parses the file at `path`; errors begin with the path.
llvm::Expected<Json> parseJsonFile(llvm::StringRef path);

/// The number in `value`, a JSON number or a `{"__float__": ...}`.
std::optional<double> numberOf(const Json &value);

/// `value` as a person would write it, shortened to about 60 characters.
std::string printJson(const Json &value);

} // namespace ssm
