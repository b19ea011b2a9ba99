//===- Device.cpp - Descriptions of devices -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/placement/Device.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

using namespace ssm;

template <typename... Args>
static llvm::Error error(const char *format, Args &&...args) {
  return llvm::createStringError(
      llvm::formatv(format, std::forward<Args>(args)...).str());
}

namespace {
/// Reads the keys of one object and finds those that nobody asked for.
class Reader {
public:
  Reader(const llvm::json::Object &object, std::string place)
      : object(object), place(std::move(place)) {}

  std::string text(llvm::StringRef key) {
    known.push_back(key.str());
    if (auto value = object.getString(key))
      return value->str();
    fail(key, "text");
    return "";
  }

  /// A number above `least`, or `fallback` if it may be missing.
  double number(llvm::StringRef key, double least,
                std::optional<double> fallback = std::nullopt) {
    known.push_back(key.str());
    if (!object.get(key) && fallback)
      return *fallback;
    auto value = object.getNumber(key);
    if (value && std::isfinite(*value) && *value >= least && *value > 0)
      return *value;
    if (value && *value == 0 && least == 0)
      return 0;
    fail(key, "a positive number");
    return 1;
  }

  /// The object of a key that may be missing.
  const llvm::json::Object *child(llvm::StringRef key) {
    known.push_back(key.str());
    if (object.get(key) && !object.getObject(key))
      fail(key, "an object");
    return object.getObject(key);
  }

  void fail(llvm::StringRef key, llvm::StringRef expected) {
    if (message.empty())
      message =
          llvm::formatv("{0}: \"{1}\": expected {2}", place, key, expected);
  }

  /// The first failure, an unknown key being one.
  std::string finish() {
    for (const auto &[key, value] : object)
      if (message.empty() && !llvm::is_contained(known, key.str()))
        message = llvm::formatv("{0}: unknown key \"{1}\" (supported: {2})",
                                place, key.str(), llvm::join(known, ", "));
    return message;
  }

private:
  const llvm::json::Object &object;
  std::string place;
  std::vector<std::string> known;
  std::string message;
};
} // namespace

/// Reads {"product": {"flops": 0.8, "bytes": 0.9}, ...}; missing shares are 1.
static std::string readShares(const llvm::json::Object &object,
                              const std::string &place,
                              std::array<Device::Shares, kPartKinds> &shares) {
  Reader reader(object, place);
  for (size_t kind = 0; kind < kPartKinds; ++kind)
    if (const llvm::json::Object *child = reader.child(kPartNames[kind])) {
      Reader share(*child, place + "." + kPartNames[kind]);
      shares[kind].flops = share.number("flops", 1e-6, 1.0);
      shares[kind].bytes = share.number("bytes", 1e-6, 1.0);
      if (std::string message = share.finish(); !message.empty())
        return message;
    }
  return reader.finish();
}

llvm::Expected<Device> ssm::parseDevice(llvm::StringRef text,
                                        llvm::StringRef place) {
  llvm::Expected<llvm::json::Value> json = llvm::json::parse(text);
  if (!json)
    return error("{0}: {1}", place, llvm::toString(json.takeError()));
  const llvm::json::Object *object = json->getAsObject();
  if (!object)
    return error("{0}: expected an object", place);
  Reader reader(*object, place.str());
  Device device;
  device.key = reader.text("key");
  device.name = reader.text("name");
  reader.text("source");
  device.memoryBytes = reader.number("memory_bytes", 1);
  device.bandwidth = reader.number("bytes_per_second", 1);
  device.f32Flops = reader.number("f32_flops_per_second", 1);
  device.bf16Flops = reader.number("bf16_flops_per_second", 1);
  device.launchSeconds = reader.number("launch_seconds", 0);
  device.convStateBytes = int64_t(reader.number("conv_state_bytes", 1, 0.0));
  std::pair<const char *, std::array<Device::Shares, kPartKinds> *> calls[] = {
      {"prefill_shares", &device.prefill}, {"decode_shares", &device.decode}};
  for (auto [key, shares] : calls)
    if (const llvm::json::Object *child = reader.child(key))
      if (std::string message =
              readShares(*child, (place + ": " + key).str(), *shares);
          !message.empty())
        return llvm::createStringError(message);
  if (std::string message = reader.finish(); !message.empty())
    return llvm::createStringError(message);
  return device;
}

static llvm::json::Object
sharesJson(const std::array<Device::Shares, kPartKinds> &shares) {
  llvm::json::Object object;
  for (size_t kind = 0; kind < kPartKinds; ++kind)
    object[kPartNames[kind]] = llvm::json::Object{
        {"flops", shares[kind].flops}, {"bytes", shares[kind].bytes}};
  return object;
}

llvm::json::Object ssm::toJson(const Device &device) {
  llvm::json::Object object{{"key", device.key},
                            {"name", device.name},
                            {"source", "ssmc bench --describe-device"},
                            {"memory_bytes", device.memoryBytes},
                            {"bytes_per_second", device.bandwidth},
                            {"f32_flops_per_second", device.f32Flops},
                            {"bf16_flops_per_second", device.bf16Flops},
                            {"launch_seconds", device.launchSeconds},
                            {"prefill_shares", sharesJson(device.prefill)},
                            {"decode_shares", sharesJson(device.decode)}};
  if (device.convStateBytes)
    object["conv_state_bytes"] = device.convStateBytes;
  return object;
}

static constexpr llvm::StringLiteral kBuiltin[] = {
#include "passes/placement/BuiltinDevices.inc"
};

const std::vector<Device> &ssm::builtinDevices() {
  static const std::vector<Device> devices = [] {
    std::vector<Device> list;
    for (llvm::StringRef text : kBuiltin)
      list.push_back(llvm::cantFail(parseDevice(text, "built-in device")));
    return list;
  }();
  return devices;
}

llvm::Expected<Device> ssm::findDevice(llvm::StringRef keyOrPath) {
  std::vector<std::string> keys;
  for (const Device &device : builtinDevices()) {
    if (device.key == keyOrPath)
      return device;
    keys.push_back(device.key);
  }
  if (!keyOrPath.ends_with(".json"))
    return error("unknown device '{0}' (supported: {1}, or a description "
                 "FILE.json)",
                 keyOrPath, llvm::join(keys, ", "));
  auto buffer = llvm::MemoryBuffer::getFile(keyOrPath);
  if (!buffer)
    return error("{0}: {1}", keyOrPath, buffer.getError().message());
  return parseDevice((*buffer)->getBuffer(), keyOrPath);
}
