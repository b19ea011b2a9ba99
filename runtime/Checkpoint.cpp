//===- Checkpoint.cpp - Weights of a model by name ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint.h"
#include "runtime/Guarded.h"
#include "runtime/Hash.h"
#include "runtime/Json.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <sys/stat.h>

namespace ssmrt {

namespace {

constexpr std::string_view kRandomPrefix = "random:";

bool exists(const std::string &path) {
  struct stat attributes;
  return stat(path.c_str(), &attributes) == 0;
}

std::optional<uint64_t> parseSeed(std::string_view digits) {
  if (digits.empty() || digits.size() > 19)
    return std::nullopt;
  uint64_t seed = 0;
  for (char digit : digits) {
    if (digit < '0' || digit > '9')
      return std::nullopt;
    seed = seed * 10 + static_cast<uint64_t>(digit - '0');
  }
  return seed;
}

/// A shard must lie in the folder of its index.
bool isPlainFileName(const std::string &name) {
  return !name.empty() && name.find('/') == std::string::npos && name != "." &&
         name != ".." && name.find('\0') == std::string::npos;
}

} // namespace

Expected<Checkpoint> Checkpoint::open(const std::string &folderOrRandom) {
  return guarded([&]() -> Expected<Checkpoint> {
    Checkpoint checkpoint;
    checkpoint.source = folderOrRandom;
    if (folderOrRandom.rfind(kRandomPrefix, 0) == 0) {
      checkpoint.seed = parseSeed(
          std::string_view(folderOrRandom).substr(kRandomPrefix.size()));
      if (!checkpoint.seed)
        return error(folderOrRandom +
                     ": seed, got no decimal number of at most 19 digits");
      return checkpoint;
    }
    const std::string single = folderOrRandom + "/model.safetensors";
    const std::string index = single + ".index.json";
    Status status;
    if (exists(index))
      status = checkpoint.openSharded(index);
    else if (exists(single))
      status = checkpoint.addFile(single);
    else
      status = error(folderOrRandom + ": no weights, expected a folder with "
                                      "model.safetensors or "
                                      "model.safetensors.index.json");
    if (!status)
      return status;
    return checkpoint;
  });
}

Status Checkpoint::addFile(const std::string &path) {
  Expected<SafeTensors> file = SafeTensors::open(path);
  if (!file)
    return file.status();
  files.push_back(std::make_unique<SafeTensors>(*std::move(file)));
  for (const auto &[name, view] : files.back()->tensors())
    if (!locations.emplace(name, Location{files.size() - 1, &view}).second)
      return error(path + ": tensor '" + name + "' is in another file too");
  return {};
}

Status Checkpoint::openSharded(const std::string &indexPath) {
  Expected<std::shared_ptr<const MappedFile>> text =
      MappedFile::open(indexPath);
  if (!text)
    return text.status();
  Expected<Json> index = parseJson((*text)->bytes(), indexPath);
  if (!index)
    return index.status();
  JsonErrors errors;
  JsonReader map = JsonReader(*index, errors, indexPath).field("weight_map");
  if (errors.ok() && !map.json().is_object())
    map.fail("expected an object");
  if (!errors.ok())
    return errors.status();
  std::map<std::string, std::string> fileByTensor;
  std::set<std::string> names;
  for (const auto &[tensor, file] : map.json().items()) {
    if (!file.is_string() || !isPlainFileName(file.get<std::string>()))
      return error(indexPath + ": weight_map." + tensor +
                   ": expected the name of a file in the same folder");
    fileByTensor[tensor] = file.get<std::string>();
    names.insert(file.get<std::string>());
  }
  const std::string folder = source + "/";
  for (const std::string &name : names)
    if (Status status = addFile(folder + name); !status)
      return status;
  for (const auto &[tensor, file] : fileByTensor) {
    auto found = locations.find(tensor);
    if (found == locations.end() ||
        files[found->second.file]->file().path() != folder + file)
      return error(indexPath + ": tensor '" + tensor + "' is not in " + file);
  }
  return {};
}

const TensorView *Checkpoint::find(const std::string &tensor) const {
  auto found = locations.find(tensor);
  return found == locations.end() ? nullptr : found->second.view;
}

std::vector<std::string> Checkpoint::tensorNames() const {
  std::vector<std::string> names;
  for (const auto &[name, location] : locations)
    names.push_back(name);
  return names;
}

std::vector<std::string> Checkpoint::filePaths() const {
  std::vector<std::string> paths;
  for (const std::unique_ptr<SafeTensors> &file : files)
    paths.push_back(file->file().path());
  return paths;
}

Status Checkpoint::check(const std::string &tensor,
                         const std::vector<int64_t> &shape) const {
  if (seed)
    return {};
  const TensorView *view = find(tensor);
  if (!view)
    return error(source + ": missing tensor '" + tensor + "'");
  if (view->shape != shape)
    return error(source + ": shape of tensor '" + tensor + "', got " +
                 printShape(view->shape) + ", expected " + printShape(shape));
  if (!isWeightType(view->type))
    return error(source + ": type of tensor '" + tensor + "', got " +
                 std::string(nameOf(view->type)) +
                 ", supported F32, BF16, F16");
  return {};
}

void Checkpoint::read(const std::string &tensor,
                      const std::vector<int64_t> &shape, int64_t first,
                      int64_t count, float *target) const {
  if (seed)
    return randomTensor(*seed, tensor, shape, first, count, target);
  const TensorView *view = find(tensor);
  widen(view->type, view->data + first * sizeOf(view->type), count, target);
}

void Checkpoint::release(const std::string &tensor, int64_t first,
                         int64_t count) const {
  auto found = locations.find(tensor);
  if (found == locations.end())
    return;
  const TensorView &view = *found->second.view;
  const char *begin = view.data + first * sizeOf(view.type);
  files[found->second.file]->file().release(begin,
                                            begin + count * sizeOf(view.type));
}

uint64_t Checkpoint::fingerprint() const {
  uint64_t hash = mixBits(seed.value_or(0));
  for (const std::unique_ptr<SafeTensors> &tensors : files) {
    const MappedFile &file = tensors->file();
    hash = mixBits(hash ^ mixBits(file.size()));
    hash = mixBits(hash ^ static_cast<uint64_t>(file.modified()));
    hash = mixBits(hash ^ hashBytes(tensors->header()));
  }
  return hash;
}

} // namespace ssmrt
