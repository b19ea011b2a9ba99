//===- SafeTensors.cpp - Read safetensors files ---------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/SafeTensors.h"
#include "runtime/Checked.h"
#include "runtime/Guarded.h"
#include "runtime/Json.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

namespace ssmrt {

namespace {

constexpr size_t kLengthBytes = 8;
/// As in the reference implementation.
constexpr uint64_t kLongestHeader = 100'000'000;
constexpr size_t kMostDimensions = 16;

/// Reads one entry of the header; `dataBytes` follow it at `data`.
TensorView readTensor(const JsonReader &entry, const char *data,
                      int64_t dataBytes) {
  TensorView view;
  std::string typeName = entry.field("dtype").string();
  if (std::optional<DType> type = findDType(typeName))
    view.type = *type;
  else
    entry.fail("unknown dtype '" + typeName + "'");
  JsonReader shape = entry.field("shape");
  if (shape.size() > kMostDimensions)
    shape.fail("got " + std::to_string(shape.size()) +
               " dimensions, supported " + std::to_string(kMostDimensions));
  else
    view.shape = shape.integers(0, kLargestSize);
  JsonReader offsets = entry.field("data_offsets");
  if (offsets.size() != 2) {
    offsets.fail("expected two offsets");
    return view;
  }
  const int64_t begin = offsets.at(0).integer(0, dataBytes);
  const int64_t end = offsets.at(1).integer(begin, dataBytes);
  if (!entry.errorsOf().ok())
    return view;
  std::optional<int64_t> count = elementCount(view.shape);
  std::optional<int64_t> bytes =
      count ? checkedMultiply(*count, sizeOf(view.type)) : std::nullopt;
  if (!bytes || *bytes != end - begin)
    entry.fail("got " + std::to_string(end - begin) + " bytes, expected " +
               (bytes ? std::to_string(*bytes) : "more than fit") + " for " +
               typeName + " " + printShape(view.shape));
  view.data = data + begin;
  view.bytes = end - begin;
  return view;
}

/// Fails unless every byte of `data` belongs to one tensor, as the format
/// demands.
Status checkCoverage(const std::map<std::string, TensorView> &views,
                     const char *data, int64_t dataBytes,
                     const std::string &path) {
  std::vector<std::pair<const TensorView *, const std::string *>> sorted;
  for (const auto &[name, view] : views)
    if (view.bytes > 0)
      sorted.push_back({&view, &name});
  std::sort(sorted.begin(), sorted.end(), [](const auto &a, const auto &b) {
    return a.first->data < b.first->data;
  });
  int64_t covered = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const auto &[view, name] = sorted[i];
    const int64_t begin = view->data - data;
    if (begin < covered)
      return error(path + ": tensors '" + *sorted[i - 1].second + "' and '" +
                   *name + "' overlap");
    if (begin > covered)
      return error(path + ": tensor '" + *name + "' begins at byte " +
                   std::to_string(begin) + ", expected " +
                   std::to_string(covered));
    covered += view->bytes;
  }
  if (covered != dataBytes)
    return error(path + ": got " + std::to_string(dataBytes) +
                 " bytes of data, expected " + std::to_string(covered));
  return {};
}

} // namespace

std::optional<int64_t> elementCount(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t size : shape) {
    std::optional<int64_t> product = checkedMultiply(count, size);
    if (!product)
      return std::nullopt;
    count = *product;
  }
  return count;
}

std::string printShape(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Expected<SafeTensors> SafeTensors::open(const std::string &path) {
  Expected<std::shared_ptr<const MappedFile>> file = MappedFile::open(path);
  if (!file)
    return file.status();
  return parse(*std::move(file));
}

Expected<SafeTensors>
SafeTensors::parse(std::shared_ptr<const MappedFile> file) {
  return guarded([&]() -> Expected<SafeTensors> {
    const std::string &path = file->path();
    if (file->size() < kLengthBytes)
      return error(path + ": got " + std::to_string(file->size()) +
                   " bytes, expected a safetensors file");
    uint64_t length = 0;
    for (size_t i = 0; i < kLengthBytes; ++i)
      length |= uint64_t{static_cast<unsigned char>(file->data()[i])} << 8 * i;
    if (length > kLongestHeader)
      return error(path + ": header length, got " + std::to_string(length) +
                   ", supported " + std::to_string(kLongestHeader));
    if (length > file->size() - kLengthBytes)
      return error(path + ": header length, got " + std::to_string(length) +
                   " in a file of " + std::to_string(file->size()) + " bytes");
    SafeTensors result;
    result.source = file;
    result.headerText = {file->data() + kLengthBytes,
                         static_cast<size_t>(length)};
    Expected<Json> header = parseJson(result.headerText, path);
    if (!header)
      return header.status();
    if (!header->is_object())
      return error(path + ": header is not an object");

    JsonErrors errors;
    const char *data = file->data() + kLengthBytes + length;
    const int64_t dataBytes =
        static_cast<int64_t>(file->size() - kLengthBytes - length);
    for (const auto &[name, value] : header->items()) {
      JsonReader entry(value, errors, path + ": " + name);
      if (name == "__metadata__") {
        if (!value.is_object())
          entry.fail("expected an object");
        else
          for (const auto &[key, text] : value.items())
            result.texts[key] =
                JsonReader(text, errors, path + ": __metadata__." + key)
                    .string();
        continue;
      }
      TensorView view = readTensor(entry, data, dataBytes);
      view.offset = view.data ? view.data - file->data() : 0;
      result.views.emplace(name, std::move(view));
    }
    if (!errors.ok())
      return errors.status();
    if (Status status = checkCoverage(result.views, data, dataBytes, path);
        !status)
      return status;
    return result;
  });
}

const TensorView *SafeTensors::find(const std::string &name) const {
  auto found = views.find(name);
  return found == views.end() ? nullptr : &found->second;
}

const std::string *SafeTensors::findMetadata(const std::string &key) const {
  auto found = texts.find(key);
  return found == texts.end() ? nullptr : &found->second;
}

} // namespace ssmrt
