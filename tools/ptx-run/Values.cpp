//===- Values.cpp - Typed values of ptx-run -------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ptx-run/Values.h"
#include "runtime/DType.h"
#include "runtime/Philox.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace ptxrun {

namespace {

struct TypeRow {
  std::string_view name;
  size_t bytes;
};

constexpr TypeRow kTypes[] = {{"u8", 1},  {"s8", 1},   {"u16", 2}, {"s16", 2},
                              {"u32", 4}, {"s32", 4},  {"u64", 8}, {"s64", 8},
                              {"f16", 2}, {"bf16", 2}, {"f32", 4}, {"f64", 8}};

template <class T> T read(const std::byte *source) {
  T value;
  std::memcpy(&value, source, sizeof(T));
  return value;
}

template <class T> void write(T value, std::byte *target) {
  std::memcpy(target, &value, sizeof(T));
}

template <class T> std::string shortest(T value) {
  char text[64];
  auto [end, status] = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end);
}

Status readFile(const std::string &path, std::vector<std::byte> &bytes) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> content((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
  if (!file)
    return ssmrt::error("cannot read '" + path + "'");
  if (content.size() != bytes.size())
    return ssmrt::error("'" + path + "' has " + std::to_string(content.size()) +
                        " bytes, expected " + std::to_string(bytes.size()));
  std::memcpy(bytes.data(), content.data(), content.size());
  return {};
}

} // namespace

Expected<ElementType> findElementType(std::string_view name) {
  for (size_t i = 0; i < std::size(kTypes); ++i)
    if (kTypes[i].name == name)
      return static_cast<ElementType>(i);
  return ssmrt::error("unknown type '" + std::string(name) +
                      "', supported u8, s8, u16, s16, u32, s32, u64, s64, "
                      "f16, bf16, f32, f64");
}

size_t sizeOf(ElementType type) { return kTypes[size_t(type)].bytes; }

bool isFloat(ElementType type) { return type >= ElementType::F16; }

void storeInteger(ElementType type, uint64_t value, std::byte *target) {
  std::memcpy(target, &value, sizeOf(type));
}

void store(ElementType type, double value, std::byte *target) {
  switch (type) {
  case ElementType::F16:
    return write(ssmrt::floatToF16(static_cast<float>(value)), target);
  case ElementType::BF16:
    return write(ssmrt::floatToBf16(static_cast<float>(value)), target);
  case ElementType::F32:
    return write(static_cast<float>(value), target);
  case ElementType::F64:
    return write(value, target);
  default:
    return storeInteger(
        type, static_cast<uint64_t>(static_cast<int64_t>(value)), target);
  }
}

double load(ElementType type, const std::byte *source) {
  switch (type) {
  case ElementType::U8:
    return read<uint8_t>(source);
  case ElementType::S8:
    return read<int8_t>(source);
  case ElementType::U16:
    return read<uint16_t>(source);
  case ElementType::S16:
    return read<int16_t>(source);
  case ElementType::U32:
    return read<uint32_t>(source);
  case ElementType::S32:
    return read<int32_t>(source);
  case ElementType::U64:
    return static_cast<double>(read<uint64_t>(source));
  case ElementType::S64:
    return static_cast<double>(read<int64_t>(source));
  case ElementType::F16:
    return ssmrt::f16ToFloat(read<uint16_t>(source));
  case ElementType::BF16:
    return ssmrt::bf16ToFloat(read<uint16_t>(source));
  case ElementType::F32:
    return read<float>(source);
  case ElementType::F64:
    return read<double>(source);
  }
  return 0;
}

std::string print(ElementType type, const std::byte *source) {
  if (type == ElementType::F64)
    return shortest(read<double>(source));
  if (isFloat(type))
    return shortest(static_cast<float>(load(type, source)));
  if (type == ElementType::U64)
    return shortest(read<uint64_t>(source));
  if (type == ElementType::S64)
    return shortest(read<int64_t>(source));
  return shortest(static_cast<int64_t>(load(type, source)));
}

Status parseElement(ElementType type, std::string_view text,
                    std::byte *target) {
  const std::string digits(text);
  char *end = nullptr;
  if (!isFloat(type)) {
    const uint64_t value =
        digits[0] == '-'
            ? static_cast<uint64_t>(std::strtoll(digits.c_str(), &end, 0))
            : std::strtoull(digits.c_str(), &end, 0);
    storeInteger(type, value, target);
  } else {
    store(type, std::strtod(digits.c_str(), &end), target);
  }
  if (digits.empty() || *end)
    return ssmrt::error("'" + digits + "' is no number");
  return {};
}

Status fill(ElementType type, std::string_view expression,
            std::vector<std::byte> &bytes, bool &written) {
  const size_t size = sizeOf(type);
  const size_t count = bytes.size() / size;
  written = expression != "none";
  auto each = [&](auto value) {
    for (size_t i = 0; i < count; ++i)
      store(type, value(i), bytes.data() + i * size);
    return Status{};
  };
  auto after = [&](std::string_view prefix) {
    return std::string(expression.substr(prefix.size()));
  };
  auto startsWith = [&](std::string_view prefix) {
    return expression.substr(0, prefix.size()) == prefix;
  };
  if (expression == "none" || expression == "zeros")
    return each([](size_t) { return 0.0; });
  if (startsWith("iota")) {
    double step = 1;
    if (startsWith("iota*"))
      step = std::strtod(after("iota*").c_str(), nullptr);
    else if (expression != "iota")
      return ssmrt::error("expected iota or iota*STEP, got '" +
                          std::string(expression) + "'");
    return each([&](size_t i) { return step * static_cast<double>(i); });
  }
  if (startsWith("random")) {
    uint64_t seed = 0;
    if (startsWith("random:"))
      seed = std::strtoull(after("random:").c_str(), nullptr, 0);
    return each([&](size_t i) {
      const double value = 2 * ssmrt::philoxUniform(seed, 0, i) - 1;
      return isFloat(type) ? value : std::floor(100 * value);
    });
  }
  if (startsWith("const:")) {
    std::byte value[8];
    if (Status status = parseElement(type, after("const:"), value); !status)
      return status;
    for (size_t i = 0; i < count; ++i)
      std::memcpy(bytes.data() + i * size, value, size);
    return {};
  }
  if (startsWith("file:"))
    return readFile(after("file:"), bytes);
  if (startsWith("list:")) {
    std::string rest = after("list:");
    for (size_t i = 0; i < count; ++i) {
      const size_t comma = rest.find(',');
      if (Status status = parseElement(type, rest.substr(0, comma),
                                       bytes.data() + i * size);
          !status)
        return status;
      const bool isLast = comma == std::string::npos;
      if (isLast != (i + 1 == count))
        return ssmrt::error("expected a list of " + std::to_string(count) +
                            " numbers");
      rest = isLast ? "" : rest.substr(comma + 1);
    }
    return {};
  }
  return ssmrt::error(
      "unknown content '" + std::string(expression) +
      "', supported none, zeros, iota, iota*STEP, random, random:SEED, "
      "const:V, list:A,B,..., file:PATH");
}

} // namespace ptxrun
