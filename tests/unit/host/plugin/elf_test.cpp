// SPDX-License-Identifier: Apache-2.0
//
// A plugin's file is read before anything is known of it: nothing in it may crash the host. The one
// file that is read here is the specimen.
#include "host/plugin/elf.hpp"

#include <elf.h>
#include <gmock/gmock.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

namespace flow::host {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

using Bytes = std::vector<std::byte>;

const Bytes& specimen() {
  static const Bytes bytes = [] {
    std::ifstream file(FLOW_ECHO_PLUGIN, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto* first = reinterpret_cast<const std::byte*>(text.data());
    return Bytes(first, first + text.size());
  }();
  return bytes;
}

template <typename T>
T get(const Bytes& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}
template <typename T>
void put(Bytes& bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

std::string error_of(const Bytes& bytes) {
  const auto facts = read_elf(bytes);
  return facts.ok() ? "" : std::string(facts.status().message());
}

TEST(Elf, ReadsWhatTheHostWantsToKnowOfAPlugin) {
  const auto facts = read_elf(specimen());

  ASSERT_TRUE(facts.ok()) << facts.status();
  ASSERT_TRUE(facts->note.has_value());
  EXPECT_THAT(*facts->note, HasSubstr("\"id\": \"echo\""));
  EXPECT_THAT(facts->build_id, MatchesRegex("[0-9a-f]{40}"));
  EXPECT_THAT(facts->exported, ElementsAre("flow_plugin_v1"));
  EXPECT_EQ(facts->exported_count, 1U);
  EXPECT_THAT(facts->needed, Not(Contains(StartsWith("libprotobuf"))));
}

TEST(Elf, FindsTheNoteByItsSegmentIfItsSectionHasAnotherName) {
  Bytes bytes = specimen();
  const auto text = std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto at = text.rfind(".note.flow.plugin");
  ASSERT_NE(at, text.npos);
  bytes[at + 1] = std::byte{'X'};

  const auto facts = read_elf(bytes);

  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_TRUE(facts->note.has_value());
}

TEST(Elf, SaysThatThereIsNoNote) {
  Bytes bytes = specimen();
  const auto text = std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto at = text.find(std::string_view("FLOW\0", 5));
  ASSERT_NE(at, text.npos);
  bytes[at] = std::byte{'M'};

  const auto facts = read_elf(bytes);

  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_FALSE(facts->note.has_value());
}

TEST(Elf, RefusesWhatIsNoSharedObjectForAKnownMachine) {
  EXPECT_THAT(error_of({}), HasSubstr("not an ELF file"));
  EXPECT_THAT(error_of(Bytes(100, std::byte{'x'})), HasSubstr("not an ELF file"));

  Bytes bits32 = specimen(), big_endian = specimen(), program = specimen(), arm32 = specimen();
  bits32[EI_CLASS] = std::byte{ELFCLASS32};
  big_endian[EI_DATA] = std::byte{ELFDATA2MSB};
  put<std::uint16_t>(program, offsetof(Elf64_Ehdr, e_type), ET_EXEC);
  put<std::uint16_t>(arm32, offsetof(Elf64_Ehdr, e_machine), EM_ARM);

  EXPECT_THAT(error_of(bits32), HasSubstr("not a 64-bit object at offset 0x4"));
  EXPECT_THAT(error_of(big_endian), HasSubstr("not a little-endian object"));
  EXPECT_THAT(error_of(program), HasSubstr("not a shared object (ELF type 2)"));
  EXPECT_THAT(error_of(arm32), HasSubstr("built for machine 40"));
}

TEST(Elf, NamesTheOffsetOfATableThatLiesOutsideTheFile) {
  Bytes bytes = specimen();
  put<std::uint64_t>(bytes, offsetof(Elf64_Ehdr, e_shoff), UINT64_MAX - 8);

  EXPECT_THAT(error_of(bytes), HasSubstr("section table of"));
  EXPECT_THAT(error_of(bytes), HasSubstr("at offset 0xfffffffffffffff7"));
}

TEST(Elf, RefusesASectionTableThatIsTooLong) {
  Bytes bytes = specimen();
  put<std::uint16_t>(bytes, offsetof(Elf64_Ehdr, e_shnum), 65000);

  EXPECT_THAT(error_of(bytes), HasSubstr("section table with 65000 entries"));
}

TEST(Elf, RefusesAFileWithoutDynamicSymbols) {
  Bytes bytes = specimen();
  put<std::uint16_t>(bytes, offsetof(Elf64_Ehdr, e_shnum), 0);

  EXPECT_THAT(error_of(bytes), HasSubstr("no dynamic symbol table"));
}

TEST(Elf, SurvivesEveryTruncation) {
  for (std::size_t size = 0; size < specimen().size(); size += size < 4096 ? 1 : 37) {
    const Bytes bytes(specimen().begin(), specimen().begin() + static_cast<std::ptrdiff_t>(size));
    const auto facts = read_elf(bytes);
    EXPECT_FALSE(facts.ok()) << size;
  }
}

// Mutates where it hurts: the header, the two tables, and anywhere.
TEST(Elf, SurvivesThousandsOfSeededMutations) {
  std::mt19937_64 random(20220908);
  const auto sections = get<std::uint64_t>(specimen(), offsetof(Elf64_Ehdr, e_shoff));
  std::size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes = specimen();
    const auto places = 1 + random() % 8;
    for (std::size_t i = 0; i < places; ++i) {
      const std::size_t where = random() % 4;
      const std::size_t base = where < 2 ? 0 : where == 2 ? sections : 0;
      const std::size_t span = where == 0   ? 64
                               : where == 1 ? 1024
                               : where == 2 ? bytes.size() - sections
                                            : bytes.size();
      const std::size_t at = base + random() % span;
      const std::uint64_t value = random() % 3 == 0 ? UINT64_MAX >> (random() % 64) : random();
      const std::size_t width =
          std::min<std::size_t>(std::size_t{1} << (random() % 4), bytes.size() - at);
      std::memcpy(bytes.data() + at, &value, width);
    }
    const auto facts = read_elf(bytes);
    if (!facts.ok()) {
      ++refused;
      EXPECT_FALSE(facts.status().message().empty());
    } else {
      EXPECT_LE(facts->exported.size(), 8U);
    }
  }
  EXPECT_GT(refused, 1000U);
}

}  // namespace
}  // namespace flow::host
