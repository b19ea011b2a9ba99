//===- Image.cpp - Lays out objects as a flat image -----------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Image.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

using namespace ssm;
using namespace llvm;
using namespace llvm::object;

static constexpr uint8_t kPadding = 0xcc; // int3 on x86

namespace {
/// Where the sections of one object lie in the image.
struct PlacedObject {
  std::unique_ptr<ObjectFile> file;
  DenseMap<uint64_t, uint64_t> sections; // section index -> offset
};
} // namespace

const Image::Kernel *Image::find(StringRef name) const {
  for (const Kernel &kernel : kernels)
    if (kernel.name == name)
      return &kernel;
  return nullptr;
}

/// Appends the allocated sections of `object` that are code, or are not.
static Error placeSections(PlacedObject &object, bool code, Image &image) {
  for (const SectionRef &section : object.file->sections()) {
    ELFSectionRef elf(section);
    if (!(elf.getFlags() & ELF::SHF_ALLOC) || section.getSize() == 0 ||
        bool(elf.getFlags() & ELF::SHF_EXECINSTR) != code)
      continue;
    Expected<StringRef> name = section.getName();
    if (!name)
      return name.takeError();
    if (elf.getFlags() & ELF::SHF_WRITE)
      return createStringError("kernels need writable section '" + *name + "'");
    if (elf.getType() != ELF::SHT_PROGBITS || name->starts_with(".eh_frame"))
      continue; // unwind tables and notes: nobody unwinds through a kernel
    Expected<StringRef> contents = section.getContents();
    if (!contents)
      return contents.takeError();
    size_t offset =
        alignTo(image.bytes.size(),
                std::max<uint64_t>(1, section.getAlignment().value()));
    image.bytes.resize(offset, kPadding);
    image.bytes.insert(image.bytes.end(), contents->bytes_begin(),
                       contents->bytes_end());
    object.sections[section.getIndex()] = offset;
  }
  return Error::success();
}

/// Offset in the image of the symbol that a relocation names.
static Expected<uint64_t> symbolOffset(const PlacedObject &object,
                                       const RelocationRef &relocation) {
  symbol_iterator symbol = relocation.getSymbol();
  if (symbol == object.file->symbol_end())
    return createStringError("relocation without a symbol");
  Expected<StringRef> name = symbol->getName();
  if (!name)
    return name.takeError();
  Expected<section_iterator> section = symbol->getSection();
  if (!section)
    return section.takeError();
  if (*section == object.file->section_end())
    return createStringError("kernels refer to undefined symbol '" + *name +
                             "'");
  auto placed = object.sections.find((*section)->getIndex());
  if (placed == object.sections.end())
    return createStringError("kernels refer to '" + *name +
                             "' in a section without contents");
  Expected<uint64_t> value = symbol->getValue();
  if (!value)
    return value.takeError();
  return placed->second + *value;
}

/// Number of low address bits that a 12-bit load or store offset drops, or -1
/// if `type` is none of these relocations.
static int pageOffsetShift(uint64_t type) {
  switch (type) {
  case ELF::R_AARCH64_ADD_ABS_LO12_NC:
  case ELF::R_AARCH64_LDST8_ABS_LO12_NC:
    return 0;
  case ELF::R_AARCH64_LDST16_ABS_LO12_NC:
    return 1;
  case ELF::R_AARCH64_LDST32_ABS_LO12_NC:
    return 2;
  case ELF::R_AARCH64_LDST64_ABS_LO12_NC:
    return 3;
  case ELF::R_AARCH64_LDST128_ABS_LO12_NC:
    return 4;
  default:
    return -1;
  }
}

/// The AArch64 instruction `word` at `place` with `address` put in, if `type`
/// is known. Pages are relative, so the image must be mapped at a page border.
static std::optional<uint32_t> relocateAArch64(uint64_t type, uint32_t word,
                                               uint64_t place,
                                               uint64_t address) {
  int64_t distance = int64_t(address - place);
  int64_t pages = int64_t(address >> 12) - int64_t(place >> 12);
  switch (type) {
  case ELF::R_AARCH64_PREL32:
    return uint32_t(distance);
  case ELF::R_AARCH64_CALL26:
  case ELF::R_AARCH64_JUMP26:
    return (word & 0xfc000000) | ((distance >> 2) & 0x3ffffff);
  case ELF::R_AARCH64_ADR_PREL_PG_HI21:
    return (word & 0x9f00001f) | ((pages & 3) << 29) |
           (((pages >> 2) & 0x7ffff) << 5);
  default:
    break;
  }
  int shift = pageOffsetShift(type);
  if (shift < 0)
    return std::nullopt;
  return (word & ~(0xfffu << 10)) | (((address & 0xfff) >> shift) << 10);
}

static Error applyRelocation(const PlacedObject &object, uint64_t base,
                             const RelocationRef &relocation, Image &image) {
  Expected<uint64_t> symbol = symbolOffset(object, relocation);
  if (!symbol)
    return symbol.takeError();
  Expected<int64_t> addend = ELFRelocationRef(relocation).getAddend();
  if (!addend)
    return addend.takeError();
  uint64_t place = base + relocation.getOffset(), address = *symbol + *addend;
  uint64_t type = relocation.getType();
  uint8_t *bytes = image.bytes.data() + place;
  std::optional<uint32_t> word;
  if (object.file->getArch() == Triple::aarch64)
    word =
        relocateAArch64(type, support::endian::read32le(bytes), place, address);
  else if (type == ELF::R_X86_64_PC32 || type == ELF::R_X86_64_PLT32)
    word = uint32_t(address - place);
  if (!word) {
    SmallString<32> name;
    relocation.getTypeName(name);
    return createStringError("kernels need relocation " + Twine(name) +
                             ", which a flat image cannot hold");
  }
  support::endian::write32le(bytes, *word);
  return Error::success();
}

static Error applyRelocations(const PlacedObject &object, Image &image) {
  for (const SectionRef &section : object.file->sections()) {
    Expected<section_iterator> target = section.getRelocatedSection();
    if (!target)
      return target.takeError();
    if (*target == object.file->section_end())
      continue;
    auto placed = object.sections.find((*target)->getIndex());
    if (placed == object.sections.end())
      continue;
    for (const RelocationRef &relocation : section.relocations())
      if (Error error =
              applyRelocation(object, placed->second, relocation, image))
        return error;
  }
  return Error::success();
}

static Error collectKernels(const PlacedObject &object, Image &image) {
  for (const SymbolRef &symbol : object.file->symbols()) {
    ELFSymbolRef elf(symbol);
    if (elf.getELFType() != ELF::STT_FUNC ||
        elf.getBinding() != ELF::STB_GLOBAL)
      continue;
    Expected<StringRef> name = symbol.getName();
    Expected<section_iterator> section = symbol.getSection();
    Expected<uint64_t> value = symbol.getValue();
    if (!name || !section || !value)
      return joinErrors(name.takeError(),
                        joinErrors(section.takeError(), value.takeError()));
    image.kernels.push_back(
        {name->str(), object.sections.lookup((*section)->getIndex()) + *value,
         elf.getSize()});
  }
  return Error::success();
}

Expected<Image> ssm::makeImage(ArrayRef<MemoryBufferRef> buffers) {
  Image image;
  std::vector<PlacedObject> objects(buffers.size());
  for (auto [object, buffer] : zip(objects, buffers)) {
    Expected<std::unique_ptr<ObjectFile>> file =
        ObjectFile::createELFObjectFile(buffer);
    if (!file)
      return file.takeError();
    object.file = std::move(*file);
  }
  for (bool code : {true, false})
    for (PlacedObject &object : objects)
      if (Error error = placeSections(object, code, image))
        return std::move(error);
  for (const PlacedObject &object : objects) {
    if (Error error = applyRelocations(object, image))
      return std::move(error);
    if (Error error = collectKernels(object, image))
      return std::move(error);
  }
  return image;
}
