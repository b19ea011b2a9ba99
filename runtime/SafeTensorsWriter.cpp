//===- SafeTensorsWriter.cpp - Write safetensors files --------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checked.h"
#include "runtime/Guarded.h"
#include "runtime/Json.h"
#include "runtime/SafeTensors.h"
#include "runtime/TemporaryFile.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ssmrt {

namespace {

constexpr size_t kLengthBytes = 8;

} // namespace

void SafeTensorsWriter::setMetadata(std::string key, std::string text) {
  texts[std::move(key)] = std::move(text);
}

void SafeTensorsWriter::add(std::string name, DType type,
                            std::vector<int64_t> shape, const void *data,
                            int64_t alignment) {
  Entry entry;
  entry.bytes = elementCount(shape).value_or(0) * sizeOf(type);
  entry.name = std::move(name);
  entry.type = type;
  entry.shape = std::move(shape);
  entry.data = data;
  entry.offset = roundUp(end, alignment);
  largestAlignment = std::max(largestAlignment, alignment);
  end = entry.offset + entry.bytes;
  entries.push_back(std::move(entry));
}

std::string SafeTensorsWriter::header() const {
  Json json = Json::object();
  if (!texts.empty())
    json["__metadata__"] = texts;
  int64_t position = 0;
  auto addPadding = [&](int64_t to, size_t number) {
    if (position < to)
      json["padding." + std::to_string(number)] = {
          {"dtype", "U8"},
          {"shape", {to - position}},
          {"data_offsets", {position, to}}};
  };
  for (size_t i = 0; i < entries.size(); ++i) {
    const Entry &entry = entries[i];
    addPadding(entry.offset, i);
    json[entry.name] = {
        {"dtype", nameOf(entry.type)},
        {"shape", entry.shape},
        {"data_offsets", {entry.offset, entry.offset + entry.bytes}}};
    position = entry.offset + entry.bytes;
  }
  std::string text = printJson(json);
  const int64_t size = static_cast<int64_t>(kLengthBytes + text.size());
  text.resize(roundUp(size, largestAlignment) - kLengthBytes, ' ');
  std::string result(kLengthBytes, '\0');
  for (size_t i = 0; i < kLengthBytes; ++i)
    result[i] = static_cast<char>(text.size() >> 8 * i & 255);
  return result + text;
}

Status SafeTensorsWriter::write(const std::string &path) const {
  return guarded([&]() -> Status {
    Expected<TemporaryFile> file = TemporaryFile::create(path);
    if (!file)
      return file.status();
    const std::string head = header();
    if (Status status = file->write(head.data(), head.size()); !status)
      return status;
    int64_t position = 0;
    for (const Entry &entry : entries) {
      const std::string gap(entry.offset - position, '\0');
      if (Status status = file->write(gap.data(), gap.size()); !status)
        return status;
      if (Status status = file->write(entry.data, entry.bytes); !status)
        return status;
      position = entry.offset + entry.bytes;
    }
    return file->commit();
  });
}

std::string SafeTensorsWriter::toBytes() const {
  std::string bytes = header();
  const size_t start = bytes.size();
  for (const Entry &entry : entries) {
    bytes.resize(start + entry.offset, '\0');
    bytes.append(static_cast<const char *>(entry.data), entry.bytes);
  }
  return bytes;
}

} // namespace ssmrt
