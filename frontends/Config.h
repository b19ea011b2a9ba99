//===- Config.h - Typed reading of configuration keys ---------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "frontends/Frontend.h"
#include "frontends/Json.h"
#include "llvm/ADT/StringSet.h"

namespace ssm {

/// Optional hyper-parameters that are absent.
inline constexpr std::optional<Real> kNoNumber;
inline constexpr std::optional<int64_t> kNoSize;

/// The spellings of one key. Those present must agree.
struct Keys {
  Keys(const char *name) : names{name} {}
  Keys(std::initializer_list<llvm::StringRef> names) : names(names) {}
  llvm::SmallVector<llvm::StringRef, 4> names;
};

/// Reads the keys of a JSON object and remembers which were read.
///
/// Errors are emitted as "<file>: unsupported "<key>": <value> (supported:
/// ...)" and stick: reading goes on with the fallback, so that a reader checks
/// failed() once, at its end. A key that is null counts as absent.
class Config {
public:
  Config(std::string file, const Json &object, mlir::MLIRContext &context,
         ImportReport &report);

  bool failed() const { return *failedFlag; }
  mlir::MLIRContext &getContext() const { return context; }
  ImportReport &getReport() const { return report; }
  void note(const llvm::Twine &sentence);

  /// True if one of `keys` is present and not null. Reads nothing.
  bool has(const Keys &keys) const;
  /// True if `key` is present, even as null. Reads nothing.
  bool mentions(llvm::StringRef key) const;

  /// A size from 1 to 2^20 (vocabularies 2^24); an error if absent and without
  /// fallback.
  int64_t size(const Keys &keys, std::optional<int64_t> fallback = {});
  int64_t vocabulary(const Keys &keys, std::optional<int64_t> fallback = {});
  /// A number of layers or experts, from 1 to 1024.
  int64_t count(const Keys &keys, std::optional<int64_t> fallback = {});
  /// An integer from `low` to `high`.
  int64_t integer(const Keys &keys, int64_t low, int64_t high,
                  std::optional<int64_t> fallback);
  std::optional<int64_t> optionalSize(const Keys &keys);
  /// A size, or `automatic` where the value is "auto" or absent.
  int64_t sizeOrAuto(const Keys &keys, int64_t automatic);
  /// `factor` * `width` as a size; `key` gave the factor.
  int64_t scaledSize(llvm::StringRef key, double factor, int64_t width);
  /// A finite number.
  double number(const Keys &keys, std::optional<double> fallback = {});
  std::optional<Real> optionalNumber(const Keys &keys);
  bool flag(const Keys &keys, bool fallback);
  std::string word(const Keys &keys, llvm::StringRef fallback);
  /// A list of `length` numbers, finite or infinite.
  std::vector<double> numbers(const Keys &keys, size_t length,
                              std::vector<double> fallback);
  /// A list of integers, or one integer if `scalar`.
  std::vector<int64_t> integers(const Keys &keys, bool scalar = false);
  std::vector<std::string> words(const Keys &keys);
  /// An activation by any of its names.
  Activation activation(const Keys &keys, Activation fallback);
  /// The object of one of `keys`; an empty one if absent.
  Config object(const Keys &keys);

  /// Errors unless the value, if present, is the one given.
  void requireFlag(const Keys &keys, bool value);
  void requireNumber(const Keys &keys, double value);
  void requireWord(const Keys &keys, llvm::ArrayRef<llvm::StringRef> values);
  /// Errors unless absent, null, 0, false or empty.
  void requireNothing(const Keys &keys, llvm::StringRef reason);
  /// Errors unless `actual` (a value derived from other keys) is the key's.
  void requireEqual(const Keys &keys, int64_t actual, llvm::StringRef origin);

  /// Marks keys as read that mean nothing here; those present are reported.
  void ignore(llvm::ArrayRef<llvm::StringRef> keys);
  void ignorePrefix(llvm::StringRef prefix);

  /// Emits an error that begins with the file.
  mlir::InFlightDiagnostic error();
  /// Emits: unsupported "<key>": <value> (supported: <supported>).
  void unsupported(llvm::StringRef key, const llvm::Twine &supported);
  /// Takes a result of the pattern functions, made from `key`.
  std::string take(llvm::StringRef key, llvm::Expected<std::string> letters);

  /// Makes an attribute; its verifier's errors begin with the file. Null after
  /// an earlier error, whose fallbacks need not fit each other. Arguments must
  /// have the exact types of the parameters, or the wrong overload of
  /// getChecked is chosen.
  template <typename AttrTy, typename... Args> AttrTy make(Args &&...args) {
    if (failed())
      return {};
    return AttrTy::getChecked([&] { return error(); }, &context,
                              std::forward<Args>(args)...);
  }

  /// Errors on each key that was neither read nor is harmless everywhere.
  void finish();

private:
  struct Found {
    llvm::StringRef key;
    const Json *value = nullptr;
    explicit operator bool() const { return value; }
  };
  Found find(const Keys &keys);
  void missing(const Keys &keys, const llvm::Twine &expected);
  void refuse(const Found &found, const llvm::Twine &supported);

  std::string file;
  const Json *json;
  mlir::MLIRContext &context;
  ImportReport &report;
  std::string path; ///< Keys of the enclosing objects, with dots.
  llvm::StringSet<> readKeys;
  std::shared_ptr<bool> failedFlag = std::make_shared<bool>(false);
};

} // namespace ssm
