//===- Arguments.cpp - Kernel arguments of ptx-run ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ptx-run/Arguments.h"
#include "runtime/ptx/TensorMap.h"

#include <cstdlib>
#include <cstring>

namespace ptxrun {

namespace {

using ssmrt::ptx::DeviceMemory;

constexpr std::string_view kReadOnly = ":readonly";

class Maker {
public:
  explicit Maker(DeviceMemory &memory) : memory(memory) {}

  Status add(std::string_view text, const ssmrt::ptx::Parameter &parameter);
  /// The address of the new buffer NAME=TYPE[N]:CONTENT.
  Expected<uint64_t> addBuffer(std::string_view text);
  Arguments arguments;

private:
  /// The address that &NAME or &NAME+BYTES stands for.
  Expected<uint64_t> findAddress(std::string_view text) const;
  /// `content` with addresses in the place of its pointers.
  Expected<std::string> resolvePointers(std::string_view content) const;
  Status addPointer(uint64_t address, const ssmrt::ptx::Parameter &parameter);
  Status addHex(std::string_view digits,
                const ssmrt::ptx::Parameter &parameter);
  Status addMap(std::string_view text, const ssmrt::ptx::Parameter &parameter);
  std::byte *at(const ssmrt::ptx::Parameter &parameter) {
    return arguments.bytes.data() + parameter.offset;
  }

  DeviceMemory &memory;
};

Status wrongSize(const ssmrt::ptx::Parameter &parameter, size_t bytes) {
  return ssmrt::error("parameter '" + parameter.name + "' has " +
                      std::to_string(parameter.bytes) + " bytes, got " +
                      std::to_string(bytes));
}

Status Maker::addPointer(uint64_t address,
                         const ssmrt::ptx::Parameter &parameter) {
  if (parameter.bytes != sizeof(address))
    return wrongSize(parameter, sizeof(address));
  std::memcpy(at(parameter), &address, sizeof(address));
  return {};
}

Expected<uint64_t> Maker::findAddress(std::string_view text) const {
  const size_t plus = text.find('+');
  const std::string_view name = text.substr(1, plus - 1);
  const Buffer *buffer = arguments.find(name);
  if (!buffer)
    return ssmrt::error("no buffer '" + std::string(name) + "' before '" +
                        std::string(text) + "'");
  const uint64_t offset =
      plus == std::string_view::npos
          ? 0
          : std::strtoull(std::string(text.substr(plus + 1)).c_str(), nullptr,
                          0);
  return buffer->address + offset;
}

Expected<std::string> Maker::resolvePointers(std::string_view content) const {
  std::string resolved(content);
  for (size_t at = 0; (at = resolved.find('&', at)) != std::string::npos;) {
    const size_t length = resolved.find(',', at) - at;
    Expected<uint64_t> address =
        findAddress(std::string_view(resolved).substr(at, length));
    if (!address)
      return address.status();
    resolved.replace(at, length, std::to_string(*address));
  }
  return resolved;
}

Expected<uint64_t> Maker::addBuffer(std::string_view text) {
  const size_t equals = text.find('=');
  const size_t open = text.find('[', equals);
  const size_t close = text.find("]:", equals);
  if (open == std::string_view::npos || close == std::string_view::npos ||
      close < open)
    return ssmrt::error("expected NAME=TYPE[N]:CONTENT, got '" +
                        std::string(text) + "'");
  Buffer buffer;
  buffer.name = text.substr(0, equals);
  Expected<ElementType> type =
      findElementType(text.substr(equals + 1, open - equals - 1));
  if (!type)
    return type.status();
  buffer.type = *type;
  buffer.count = std::strtoull(
      std::string(text.substr(open + 1, close - open - 1)).c_str(), nullptr, 0);
  if (buffer.count == 0 || arguments.find(buffer.name))
    return ssmrt::error("buffer '" + buffer.name +
                        "' is empty or defined twice");
  std::string_view content = text.substr(close + 2);
  const bool readOnly =
      content.size() > kReadOnly.size() &&
      content.substr(content.size() - kReadOnly.size()) == kReadOnly;
  if (readOnly)
    content.remove_suffix(kReadOnly.size());
  Expected<std::string> resolved = content.substr(0, 5) == "list:"
                                       ? resolvePointers(content)
                                       : std::string(content);
  if (!resolved)
    return resolved.status();
  std::vector<std::byte> bytes(buffer.count * sizeOf(buffer.type));
  bool written = true;
  if (Status status = fill(buffer.type, *resolved, bytes, written); !status)
    return status;
  Expected<uint64_t> address = memory.allocate(bytes.size());
  if (!address)
    return address.status();
  buffer.address = *address;
  if (written)
    if (Status status = memory.write(*address, bytes.data(), bytes.size());
        !status)
      return status;
  if (readOnly)
    if (Status status = memory.protect(*address); !status)
      return status;
  arguments.buffers.push_back(buffer);
  return buffer.address;
}

Status Maker::addHex(std::string_view digits,
                     const ssmrt::ptx::Parameter &parameter) {
  if (digits.size() != 2 * parameter.bytes)
    return wrongSize(parameter, digits.size() / 2);
  for (size_t i = 0; i < parameter.bytes; ++i) {
    const std::string pair(digits.substr(2 * i, 2));
    char *end = nullptr;
    at(parameter)[i] =
        static_cast<std::byte>(std::strtoul(pair.c_str(), &end, 16));
    if (*end)
      return ssmrt::error("'" + pair + "' is no pair of hexadecimal digits");
  }
  return {};
}

/// Numbers with `x` between them.
std::vector<uint64_t> parseExtents(std::string_view text) {
  std::vector<uint64_t> numbers;
  for (;;) {
    const size_t end = text.find('x');
    numbers.push_back(
        std::strtoull(std::string(text.substr(0, end)).c_str(), nullptr, 0));
    if (end == std::string_view::npos)
      return numbers;
    text.remove_prefix(end + 1);
  }
}

Status Maker::addMap(std::string_view text,
                     const ssmrt::ptx::Parameter &parameter) {
  std::vector<std::string_view> fields;
  for (std::string_view rest = text;;) {
    const size_t end = rest.find(':');
    fields.push_back(rest.substr(0, end));
    if (end == std::string_view::npos)
      break;
    rest.remove_prefix(end + 1);
  }
  if (fields.size() < 4 || fields.size() > 5)
    return ssmrt::error("expected map:NAME:TYPE:N0xN1:B0xB1, got 'map:" +
                        std::string(text) + "'");
  const Buffer *buffer = arguments.find(fields[0]);
  if (!buffer)
    return ssmrt::error("no buffer '" + std::string(fields[0]) +
                        "' before 'map:" + std::string(text) + "'");
  Expected<ElementType> type = findElementType(fields[1]);
  if (!type)
    return type.status();
  const size_t slash = fields[2].find('/');
  const std::vector<uint64_t> extents =
      parseExtents(fields[2].substr(0, slash));
  const std::vector<uint64_t> box = parseExtents(fields[3]);
  std::vector<uint64_t> strides;
  if (slash != std::string_view::npos)
    strides = parseExtents(fields[2].substr(slash + 1));
  ssmrt::ptx::TensorShape shape;
  if (extents.size() > shape.extents.size() || box.size() != extents.size() ||
      (!strides.empty() && strides.size() + 1 != extents.size()))
    return ssmrt::error("extents, strides and box of 'map:" +
                        std::string(text) + "' differ in rank");
  shape.elementBytes = static_cast<uint32_t>(sizeOf(*type));
  shape.rank = static_cast<uint32_t>(extents.size());
  shape.address = buffer->address;
  uint64_t dense = shape.elementBytes;
  for (size_t i = 0; i < extents.size(); ++i) {
    shape.extents[i] = extents[i];
    shape.box[i] = static_cast<uint32_t>(box[i]);
    if (i > 0)
      shape.strides[i - 1] = strides.empty() ? dense : strides[i - 1];
    dense *= extents[i];
  }
  if (fields.size() == 5)
    shape.swizzle = static_cast<uint32_t>(
        std::strtoul(std::string(fields[4]).c_str(), nullptr, 0));
  Expected<ssmrt::ptx::TensorMap> map = ssmrt::ptx::encodeTensorMap(shape);
  if (!map)
    return map.status();
  if (parameter.bytes != sizeof(map->words))
    return wrongSize(parameter, sizeof(map->words));
  std::memcpy(at(parameter), map->words.data(), sizeof(map->words));
  return {};
}

Status Maker::add(std::string_view text,
                  const ssmrt::ptx::Parameter &parameter) {
  if (text.substr(0, 4) == "hex:")
    return addHex(text.substr(4), parameter);
  if (text.substr(0, 4) == "map:")
    return addMap(text.substr(4), parameter);
  if (text.substr(0, 1) == "&") {
    Expected<uint64_t> address = findAddress(text);
    return address ? addPointer(*address, parameter) : address.status();
  }
  if (text.find('=') != std::string_view::npos) {
    Expected<uint64_t> address = addBuffer(text);
    return address ? addPointer(*address, parameter) : address.status();
  }
  const size_t colon = text.find(':');
  Expected<ElementType> type = findElementType(text.substr(0, colon));
  if (!type)
    return type.status();
  if (sizeOf(*type) != parameter.bytes)
    return wrongSize(parameter, sizeOf(*type));
  return parseElement(
      *type, colon == std::string_view::npos ? "" : text.substr(colon + 1),
      at(parameter));
}

} // namespace

const Buffer *Arguments::find(std::string_view name) const {
  for (const Buffer &buffer : buffers)
    if (buffer.name == name)
      return &buffer;
  return nullptr;
}

Expected<Arguments> makeArguments(const ssmrt::ptx::Kernel &kernel,
                                  const std::vector<std::string> &buffers,
                                  const std::vector<std::string> &texts,
                                  DeviceMemory &memory) {
  if (texts.size() != kernel.parameters.size())
    return ssmrt::error("kernel '" + kernel.name + "' has " +
                        std::to_string(kernel.parameters.size()) +
                        " parameters, got " + std::to_string(texts.size()) +
                        " arguments");
  Maker maker(memory);
  maker.arguments.bytes.resize(kernel.parameterBytes);
  for (const std::string &buffer : buffers)
    if (Expected<uint64_t> address = maker.addBuffer(buffer); !address)
      return address.status();
  for (size_t i = 0; i < texts.size(); ++i)
    if (Status status = maker.add(texts[i], kernel.parameters[i]); !status)
      return status;
  return std::move(maker.arguments);
}

Expected<std::vector<std::byte>> read(const Buffer &buffer,
                                      const DeviceMemory &memory) {
  std::vector<std::byte> bytes(buffer.count * sizeOf(buffer.type));
  if (Status status = memory.read(buffer.address, bytes.data(), bytes.size());
      !status)
    return status;
  return bytes;
}

} // namespace ptxrun
