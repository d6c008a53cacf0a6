// SPDX-License-Identifier: Apache-2.0
//
// Names of functions out of files that are right, wrong and broken.
#include "host/stack/symbol_file.hpp"

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "core/file.hpp"
#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "host/stack/module_at.hpp"
#include "host/stack/stack.hpp"

namespace flow::host {

[[gnu::noinline]] int symbolise_anchor(int number) {
  asm volatile("" ::: "memory");
  return number + 1;
}

namespace {

using testing::HasSubstr;

constexpr std::size_t kFileBytesMax = 64 << 20;

class SymbolFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "symbols-XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    folder_ = path;
    remember_program_path();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file_of(std::string_view bytes) const {
    const std::string path = folder_ + "/file";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  static std::string message_of(const std::string& path, std::string_view build_id = {}) {
    const auto file = SymbolFile::open(path, build_id);
    return file.ok() ? "ok" : std::string(core::message(file.status()));
  }
  static std::string own_bytes() {
    auto bytes = core::read_file("/proc/self/exe", kFileBytesMax);
    return bytes.ok() ? *std::move(bytes) : std::string();
  }

  std::string folder_;
};

TEST_F(SymbolFileTest, NamesTheFunctionAroundAnOffset) {
  Module self;
  const auto address = reinterpret_cast<std::uintptr_t>(&symbolise_anchor);
  ASSERT_TRUE(module_at(address, self));
  const auto file = SymbolFile::open(self.path, hexadecimal(self.build_id));
  ASSERT_TRUE(file.ok()) << file.status();
  const auto function = file->function_at(address - self.base);
  ASSERT_TRUE(function);
  EXPECT_THAT(std::string(function->name), HasSubstr("symbolise_anchor"));
  EXPECT_EQ(function->begin, address - self.base);
  EXPECT_FALSE(file->function_at(0));
  EXPECT_FALSE(file->function_at(~std::uint64_t{0}));
}

TEST_F(SymbolFileTest, RefusesAnotherBuild) {
  EXPECT_THAT(message_of("/proc/self/exe", "0123"), HasSubstr("another file has taken its place"));
}

TEST_F(SymbolFileTest, RefusesWhatIsNoElfFile) {
  EXPECT_THAT(message_of(file_of("")), HasSubstr("are not within"));
  EXPECT_THAT(message_of(file_of(std::string(1000, 'x'))), HasSubstr("not a 64-bit"));
  EXPECT_THAT(message_of(folder_ + "/none"), HasSubstr("No such file"));
  EXPECT_THAT(message_of(folder_), HasSubstr("not a regular file"));
  EXPECT_THAT(message_of("/dev/zero"), HasSubstr("not a regular file"));
}

TEST_F(SymbolFileTest, SurvivesEveryKindOfTruncation) {
  const std::string whole = own_bytes();
  ASSERT_GT(whole.size(), 10'000U);
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    const std::size_t size =
        round < 100 ? static_cast<std::size_t>(round) * 4 : random() % whole.size();
    EXPECT_NE(message_of(file_of(whole.substr(0, size))), "ok") << size;
  }
}

TEST_F(SymbolFileTest, SurvivesBrokenHeadersAndTables) {
  const std::string whole = own_bytes();
  ASSERT_GT(whole.size(), 10'000U);
  std::mt19937 random(2);
  const std::string path = file_of(whole);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  for (int round = 0; round < 500; ++round) {
    // The header, the segments, or the table of sections at the end.
    const std::size_t at = round % 2 == 0 ? random() % 800 : whole.size() - 1 - random() % 3000;
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(random()));
    file.flush();
    if (const auto broken = SymbolFile::open(path, {}); broken.ok()) {
      broken->function_at(random());
    }
    file.seekp(static_cast<std::streamoff>(at));
    file.put(whole[at]);
  }
}

}  // namespace
}  // namespace flow::host
