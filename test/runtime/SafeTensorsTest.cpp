//===- SafeTensorsTest.cpp - Tests of safetensors files -------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/SafeTensors.h"
#include "TemporaryFolder.h"
#include "runtime/TemporaryFile.h"

#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace ssmrt;

namespace {

std::string fileOf(const std::string &header, const std::string &data) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(header.size() >> 8 * i & 255);
  return bytes + header + data;
}

std::string messageOf(const std::string &bytes) {
  return SafeTensors::parse(MappedFile::fromBytes("f", bytes)).status().message;
}

std::string messageOfEntry(const std::string &entry) {
  return messageOf(fileOf("{\"a\":" + entry + "}", std::string(16, 'x')));
}

} // namespace

TEST(SafeTensors, roundTrips) {
  TemporaryFolder folder;
  const float values[6] = {1, 2, 3, 4, 5, 6};
  const char byte = 7;
  SafeTensorsWriter writer;
  writer.setMetadata("key", "text \"quoted\"");
  writer.add("byte", DType::U8, {1}, &byte);
  writer.add("page", DType::F32, {2, 3}, values, 4096);
  writer.add("empty", DType::F32, {0, 3}, nullptr);
  ASSERT_TRUE(writer.write(folder.path("a")).ok());
  EXPECT_EQ(folder.fileCount(), 1u);

  Expected<SafeTensors> file = SafeTensors::open(folder.path("a"));
  ASSERT_TRUE(file.ok()) << file.status().message;
  EXPECT_EQ(*file->findMetadata("key"), "text \"quoted\"");
  const TensorView *page = file->find("page");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->offset % 4096, 0);
  EXPECT_EQ(page->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(std::memcmp(page->data, values, sizeof(values)), 0);
  EXPECT_EQ(*file->find("byte")->data, 7);
  EXPECT_EQ(file->find("empty")->bytes, 0);
  EXPECT_EQ(file->find("absent"), nullptr);
  EXPECT_EQ(std::string(file->file().bytes()), writer.toBytes());
}

TEST(SafeTensors, negative_truncated) {
  EXPECT_NE(messageOf("").find("got 0 bytes"), std::string::npos);
  EXPECT_NE(messageOf("\x01\x02").find("got 2 bytes"), std::string::npos);
  EXPECT_NE(messageOf(fileOf("{}", "").substr(0, 9)).find("header length"),
            std::string::npos);
  EXPECT_NE(messageOf(std::string(8, '\xff')).find("supported 100000000"),
            std::string::npos);
}

TEST(SafeTensors, negative_header) {
  EXPECT_EQ(messageOf(fileOf("{", "")), "f: not valid JSON");
  EXPECT_EQ(messageOf(fileOf("[]", "")), "f: header is not an object");
  EXPECT_EQ(messageOf(fileOf("{\"a\":1,\"a\":2}", "")),
            "f: duplicate key \"a\"");
  EXPECT_EQ(messageOf(fileOf(std::string(100, '['), "")),
            "f: nested deeper than 64");
  EXPECT_EQ(messageOf(fileOf("{\"__metadata__\":{\"k\":1}}", "")),
            "f: __metadata__.k: got 1, expected a string");
}

TEST(SafeTensors, negative_entries) {
  auto entry = [](const char *type, const char *shape, const char *offsets) {
    return std::string("{\"dtype\":\"") + type + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}";
  };
  EXPECT_EQ(messageOfEntry(entry("F32", "[4]", "[0,16]")), "");
  EXPECT_EQ(messageOfEntry(entry("F31", "[4]", "[0,16]")),
            "f: a: unknown dtype 'F31'");
  EXPECT_EQ(messageOfEntry(entry("F32", "[5]", "[0,20]")),
            "f: a.data_offsets[1]: got 20, expected an integer from 0 to 16");
  EXPECT_EQ(messageOfEntry(entry("F32", "[4]", "[8,4]")),
            "f: a.data_offsets[1]: got 4, expected an integer from 8 to 16");
  EXPECT_EQ(messageOfEntry(entry("F32", "[3]", "[0,16]")),
            "f: a: got 16 bytes, expected 12 for F32 [3]");
  EXPECT_EQ(messageOfEntry(entry("F32", "[-1]", "[0,16]")),
            "f: a.shape[0]: got -1, expected an integer from 0 to " +
                std::to_string(int64_t{1} << 52));
  EXPECT_NE(messageOfEntry(entry("F32", "[4294967296,4294967296,4]", "[0,16]"))
                .find("more than fit"),
            std::string::npos);
  EXPECT_EQ(messageOfEntry("{\"shape\":[4],\"data_offsets\":[0,16]}"),
            "f: a: missing key 'dtype'");
  EXPECT_EQ(messageOfEntry("3"), "f: a: got 3, expected an object");
}

TEST(SafeTensors, negative_overlap) {
  const std::string header =
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
      "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}";
  EXPECT_EQ(messageOf(fileOf(header, "12345678")),
            "f: tensors 'a' and 'b' overlap");
}

TEST(SafeTensors, negative_holes) {
  const std::string header =
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
      "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[5,7]}}";
  EXPECT_EQ(messageOf(fileOf(header, "1234567")),
            "f: tensor 'b' begins at byte 5, expected 4");
}

TEST(SafeTensors, negative_trailing_bytes) {
  const std::string header =
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}";
  EXPECT_EQ(messageOf(fileOf(header, "12345")),
            "f: got 5 bytes of data, expected 4");
}

TEST(TemporaryFile, disappears_without_commit) {
  TemporaryFolder folder;
  {
    Expected<TemporaryFile> file = TemporaryFile::create(folder.path("a"));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write("x", 1).ok());
    EXPECT_EQ(folder.fileCount(), 1u);
  }
  EXPECT_EQ(folder.fileCount(), 0u);
}

TEST(TemporaryFile, disappears_on_a_signal) {
  TemporaryFolder folder;
  Expected<TemporaryFile> file = TemporaryFile::create(folder.path("a"));
  ASSERT_TRUE(file.ok());
  removeTemporaryFiles();
  EXPECT_EQ(folder.fileCount(), 0u);
}

TEST(TemporaryFile, writes_a_pipe_as_it_is) {
  TemporaryFolder folder;
  const std::string pipe = folder.path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  Expected<TemporaryFile> file = TemporaryFile::create(pipe);
  ASSERT_TRUE(file.ok()) << file.status().message;
  ASSERT_TRUE(file->write("xy", 2).ok());
  ASSERT_TRUE(file->commit().ok());
  char bytes[4];
  EXPECT_EQ(read(reader, bytes, sizeof(bytes)), 2);
  close(reader);
  EXPECT_EQ(std::filesystem::status(pipe).type(),
            std::filesystem::file_type::fifo);
}

TEST(TemporaryFile, keeps_a_link) {
  TemporaryFolder folder;
  folder.write("file", "old");
  const std::string link = folder.path("link");
  std::filesystem::create_symlink("file", link);
  Expected<TemporaryFile> file = TemporaryFile::create(link);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->write("new", 3).ok());
  ASSERT_TRUE(file->commit().ok());
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  std::string text;
  std::ifstream(folder.path("file")) >> text;
  EXPECT_EQ(text, "new");
}

TEST(TemporaryFile, negative_folder) {
  TemporaryFolder folder;
  Expected<TemporaryFile> file = TemporaryFile::create(folder.path());
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().message,
            folder.path() + ": cannot create: Is a directory");
}

TEST(SafeTensors, negative_unwritable) {
  SafeTensorsWriter writer;
  const Status status = writer.write("/nonexistent/file");
  EXPECT_EQ(status.message,
            "/nonexistent/file: cannot create: No such file or directory");
}
