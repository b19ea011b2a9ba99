//===- WeightStore.cpp - Packed weights in memory -------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/WeightStore.h"
#include "runtime/Checked.h"
#include "runtime/Guarded.h"
#include "runtime/Hash.h"
#include "runtime/TemporaryFile.h"
#include "runtime/ThreadPool.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ssmrt {

namespace {

constexpr int64_t kWeightAlignment = 64;
constexpr int64_t kPageAlignment = 4096;
/// Part of the key: a change of what packing computes must change it.
constexpr uint64_t kPackingVersion = 1;
constexpr const char *kFormat = "ssmc-weights";

uint64_t hashOf(const Recipe &recipe, uint64_t hash) {
  for (const RecipeStep &step : recipe.steps) {
    hash = mixBits(hash ^ static_cast<uint64_t>(step.verb));
    hash = mixBits(hash ^ static_cast<uint64_t>(step.type));
    hash = mixBits(hash ^ hashBytes(step.name));
    uint64_t value;
    std::memcpy(&value, &step.value, sizeof(value));
    hash = mixBits(hash ^ value);
    hash = mixBits(hash ^ step.numbers.size());
    for (int64_t number : step.numbers)
      hash = mixBits(hash ^ static_cast<uint64_t>(number));
  }
  return hash;
}

std::string keyOf(const Plan &plan, const Checkpoint &checkpoint) {
  uint64_t hash = mixBits(kPackingVersion);
  for (const PlanWeight &weight : plan.weights)
    hash = hashOf(weight.recipe, hash);
  return toHex(checkpoint.fingerprint()) + toHex(hash);
}

std::string nameOfWeight(size_t index) {
  return "weights." + std::to_string(index);
}

/// The file that holds all packed weights.
SafeTensorsWriter layOut(const Plan &plan, const std::string &key) {
  SafeTensorsWriter writer;
  writer.setMetadata("format", kFormat);
  writer.setMetadata("key", key);
  for (size_t i = 0; i < plan.weights.size(); ++i)
    writer.add(nameOfWeight(i), DType::U8, {plan.weights[i].layout.bytes()},
               nullptr, i == 0 ? kPageAlignment : kWeightAlignment);
  return writer;
}

/// Packs every weight to `data` + its offset.
Status packAll(const Plan &plan, const Checkpoint &checkpoint, ThreadPool &pool,
               const SafeTensorsWriter &layout, char *data,
               const Progress &progress) {
  int64_t done = 0;
  for (size_t i = 0; i < plan.weights.size(); ++i) {
    const PlanWeight &weight = plan.weights[i];
    if (Status status = packRecipe(weight.recipe, checkpoint, pool,
                                   data + layout.offsetOf(i));
        !status)
      return status;
    done += weight.layout.bytes();
    if (progress)
      progress(done, layout.dataBytes());
  }
  return {};
}

bool makeFolder(const std::string &path) {
  return mkdir(path.c_str(), 0777) == 0 || errno == EEXIST;
}

/// A writable mapping of a file that has the space it needs, or null.
std::shared_ptr<void> mapForWriting(const TemporaryFile &file, int64_t bytes) {
  if (posix_fallocate(file.descriptor(), 0, bytes) != 0)
    return nullptr;
  void *address =
      mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
           MAP_SHARED, file.descriptor(), 0);
  if (address == MAP_FAILED)
    return nullptr;
  return std::shared_ptr<void>(address, [bytes](void *begin) {
    munmap(begin, static_cast<size_t>(bytes));
  });
}

} // namespace

std::string cacheFolder() {
  std::string folder;
  const char *cache = std::getenv("XDG_CACHE_HOME");
  const char *home = std::getenv("HOME");
  if (cache && *cache)
    folder = cache;
  else if (home && *home)
    folder = std::string(home) + "/.cache";
  else
    return {};
  if (!makeFolder(folder) || !makeFolder(folder + "/ssmc"))
    return {};
  return folder + "/ssmc";
}

Expected<WeightStore> WeightStore::fromArtifact(const Artifact &artifact,
                                                const ArtifactImage &image,
                                                const Plan &plan) {
  WeightStore store;
  store.file = artifact.container().sharedFile();
  for (size_t i = 0; i < plan.weights.size(); ++i) {
    const TensorView *view =
        artifact.packedWeight(image, static_cast<int64_t>(i));
    const int64_t bytes = plan.weights[i].layout.bytes();
    if (!view || view->bytes != bytes)
      return error(artifact.path() + ": embedded weight " + std::to_string(i) +
                   ", got " + std::to_string(view ? view->bytes : 0) +
                   " bytes, expected " + std::to_string(bytes));
    if (reinterpret_cast<uintptr_t>(view->data) % kWeightAlignment != 0)
      return error(artifact.path() + ": embedded weight " + std::to_string(i) +
                   " is not aligned to " + std::to_string(kWeightAlignment) +
                   " bytes");
    store.addresses.push_back(view->data);
    store.totalBytes += bytes;
  }
  return store;
}

Expected<WeightStore> WeightStore::pack(const Plan &plan,
                                        const Checkpoint &checkpoint,
                                        ThreadPool &pool, bool useCache,
                                        const Progress &progress) {
  return guarded([&]() -> Expected<WeightStore> {
    WeightStore store;
    const std::string key = keyOf(plan, checkpoint);
    const SafeTensorsWriter layout = layOut(plan, key);
    const std::string header = layout.header();
    const int64_t headerBytes = static_cast<int64_t>(header.size());
    const int64_t fileBytes = headerBytes + layout.dataBytes();
    store.totalBytes = layout.dataBytes();
    auto locate = [&](const char *data) {
      for (size_t i = 0; i < plan.weights.size(); ++i)
        store.addresses.push_back(data + layout.offsetOf(i));
    };

    const std::string folder =
        useCache && !checkpoint.isRandom() ? cacheFolder() : std::string();
    const std::string path = folder + "/" + key + ".weights";
    if (!folder.empty()) {
      Expected<std::shared_ptr<const MappedFile>> file = MappedFile::open(path);
      if (file && static_cast<int64_t>((*file)->size()) == fileBytes &&
          (*file)->bytes().substr(0, header.size()) == header) {
        locate((*file)->data() + headerBytes);
        store.file = *std::move(file);
        return store;
      }
      Expected<TemporaryFile> created = TemporaryFile::create(path);
      if (created)
        store.mapping = mapForWriting(*created, fileBytes);
      if (store.mapping) {
        char *begin = static_cast<char *>(store.mapping.get());
        if (Status status = packAll(plan, checkpoint, pool, layout,
                                    begin + headerBytes, progress);
            !status)
          return status;
        // The header goes last: a crash of the machine leaves no whole file.
        std::memcpy(begin, header.data(), header.size());
        if (Status status = created->commit(); !status)
          return status;
        locate(begin + headerBytes);
        return store;
      }
    }
    Expected<Memory> memory = Memory::allocate(
        std::max<int64_t>(layout.dataBytes(), 1), "packed weights");
    if (!memory)
      return memory.status();
    store.memory = *std::move(memory);
    store.memory.adviseHugePages();
    if (Status status = packAll(plan, checkpoint, pool, layout,
                                store.memory.data(), progress);
        !status)
      return status;
    locate(store.memory.data());
    return store;
  });
}

} // namespace ssmrt
