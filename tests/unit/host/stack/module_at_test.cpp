// SPDX-License-Identifier: Apache-2.0
#include "host/stack/module_at.hpp"

#include <elf.h>
#include <stdlib.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

namespace flow::host {
namespace {

using Bytes = std::vector<std::byte>;

void append(Bytes& to, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  to.insert(to.end(), bytes, bytes + size);
  to.resize((to.size() + 3) & ~std::size_t{3});
}

Bytes note(std::string_view owner, std::uint32_t type, std::string_view content) {
  const Elf64_Nhdr header{static_cast<std::uint32_t>(owner.size() + 1),
                          static_cast<std::uint32_t>(content.size()), type};
  Bytes bytes;
  append(bytes, &header, sizeof header);
  append(bytes, std::string(owner).c_str(), owner.size() + 1);
  append(bytes, content.data(), content.size());
  return bytes;
}

Bytes operator+(Bytes first, const Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

TEST(BuildIdIn, IsTheContentOfTheFirstNoteOfItsKind) {
  const Bytes notes = note("GNU", NT_GNU_ABI_TAG, "abcdefg") + note("Flow", NT_GNU_BUILD_ID, "no") +
                      note("GNU", NT_GNU_BUILD_ID, "\x3f\xa2\x01") +
                      note("GNU", NT_GNU_BUILD_ID, "later");
  EXPECT_EQ(hexadecimal(build_id_in(notes)), "3fa201");
}

TEST(BuildIdIn, IsEmptyWithoutSuchANote) {
  EXPECT_TRUE(build_id_in({}).empty());
  EXPECT_TRUE(build_id_in(note("GNU", NT_GNU_ABI_TAG, "abcd")).empty());
}

TEST(BuildIdIn, IsEmptyWhereverTheNotesAreCutOff) {
  const Bytes notes = note("GNU", NT_GNU_ABI_TAG, "abcd") + note("GNU", NT_GNU_BUILD_ID, "abcd");
  for (std::size_t size = 0; size < notes.size(); ++size) {
    EXPECT_TRUE(build_id_in(std::span(notes).first(size)).empty()) << size;
  }
}

TEST(BuildIdIn, IsEmptyIfSizesAreNonsense) {
  Elf64_Nhdr header{0xffffffff, 0xffffffff, NT_GNU_BUILD_ID};
  Bytes bytes;
  append(bytes, &header, sizeof header);
  EXPECT_TRUE(build_id_in(bytes).empty());
  header.n_namesz = 4;
  std::memcpy(bytes.data(), &header, sizeof header);
  EXPECT_TRUE(build_id_in(bytes).empty());
}

TEST(ModuleAt, KnowsNoModuleOfAddressesThatAreInNone) {
  Module module;
  int on_the_stack = 0;
  EXPECT_FALSE(module_at(0, module));
  EXPECT_FALSE(module_at(1, module));
  EXPECT_FALSE(module_at(~std::uintptr_t{0}, module));
  EXPECT_FALSE(module_at(reinterpret_cast<std::uintptr_t>(&on_the_stack), module));
}

TEST(ModuleAt, NamesTheLibraryOfAFunction) {
  Module module;
  ASSERT_TRUE(module_at(reinterpret_cast<std::uintptr_t>(&::qsort), module));
  EXPECT_NE(std::string(module.path).find("libc"), std::string::npos) << module.path;
  EXPECT_FALSE(module.build_id.empty());
  EXPECT_LT(module.begin, module.end);
}

TEST(ModuleAt, NamesTheProgramItself) {
  remember_program_path();
  Module module;
  ASSERT_TRUE(module_at(reinterpret_cast<std::uintptr_t>(&note), module));
  EXPECT_TRUE(std::string_view(module.path).ends_with("/unit_stack")) << module.path;
  EXPECT_FALSE(module.build_id.empty());
}

}  // namespace
}  // namespace flow::host
