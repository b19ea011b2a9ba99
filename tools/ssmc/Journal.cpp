//===- Journal.cpp - What a cut-off exploration has measured --------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Journal.h"

#include "runtime/TemporaryFile.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace ssm;

/// The fields of a measurement in the file.
static constexpr std::pair<const char *, double Measured::*> kFields[] = {
    {"prefill", &Measured::prefill},
    {"decode", &Measured::decode},
    {"median_prefill", &Measured::medianPrefill},
    {"median_decode", &Measured::medianDecode},
    {"predicted_prefill", &Measured::predictedPrefill},
    {"predicted_decode", &Measured::predictedDecode}};

static llvm::Error error(const std::string &message) {
  return llvm::createStringError(message);
}

llvm::Expected<Journal> Journal::open(const std::string &path,
                                      const std::string &spaceHash,
                                      bool resume) {
  Journal journal;
  journal.path = path;
  journal.hash = spaceHash;
  if (!resume)
    return journal;
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return error(path + ": " + buffer.getError().message());
  llvm::Expected<llvm::json::Value> json =
      llvm::json::parse((*buffer)->getBuffer());
  if (!json)
    return error(path + ": " + llvm::toString(json.takeError()));
  const llvm::json::Object *object = json->getAsObject();
  const llvm::json::Object *measured =
      object ? object->getObject("measured") : nullptr;
  if (!measured || !object->getString("space"))
    return error(path + ": expected a journal of ssmc explore");
  if (*object->getString("space") != spaceHash)
    return error(path + ": a journal of another model, space, device, context "
                        "or batch");
  for (const auto &[label, value] : *measured) {
    Measured entry;
    const llvm::json::Object *fields = value.getAsObject();
    for (auto [name, member] : kFields) {
      std::optional<double> number =
          fields ? fields->getNumber(name) : std::nullopt;
      if (!number)
        return error(path + ": \"" + label.str() +
                     "\": expected the number \"" + name + "\"");
      entry.*member = *number;
    }
    journal.entries[label.str()] = entry;
  }
  return journal;
}

const Measured *Journal::find(const std::string &label) const {
  auto entry = entries.find(label);
  return entry == entries.end() ? nullptr : &entry->second;
}

llvm::Error Journal::add(const std::string &label, const Measured &measured) {
  entries[label] = measured;
  llvm::json::Object list;
  for (const auto &[name, entry] : entries) {
    llvm::json::Object fields;
    for (auto [field, member] : kFields)
      fields[field] = entry.*member;
    list[name] = std::move(fields);
  }
  std::string text = llvm::formatv(
      "{0:2}\n", llvm::json::Value(llvm::json::Object{
                     {"space", hash}, {"measured", std::move(list)}}));
  auto file = ssmrt::TemporaryFile::create(path);
  if (!file)
    return error(file.status().message);
  if (ssmrt::Status status = file->write(text.data(), text.size()); !status)
    return error(status.message);
  if (ssmrt::Status status = file->commit(); !status)
    return error(status.message);
  return llvm::Error::success();
}
