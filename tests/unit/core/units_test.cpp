// SPDX-License-Identifier: Apache-2.0
#include "core/units.hpp"

#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::core {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

TEST(Duration, HasEveryUnit) {
  const std::pair<std::string, std::chrono::nanoseconds> cases[] = {
      {"0s", 0s}, {"1ns", 1ns}, {"20us", 20us},   {"250ms", 250ms},
      {"5s", 5s}, {"2m", 2min}, {"8760h", 8760h}, {"007s", 7s},
  };
  for (const auto& [text, duration] : cases) {
    const auto parsed = parse_duration(text);

    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, duration) << text;
  }
}

TEST(Duration, RefusesEverythingElse) {
  for (const char* text : {"", "s", "5", "5 s", " 5s", "5s ", "-5s", "+5s", "1.5s", "5S", "5sec",
                           "1m30s", "0x5s", "5\u00b5s", "infinite"}) {
    const auto parsed = parse_duration(text);

    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(std::string(message(parsed.status())),
                HasSubstr("expected a whole number and a unit (ns, us, ms, s, m, h), as in "
                          "\"250ms\""));
  }
}

TEST(Duration, EndsAtAYearSoThatNoClockOverflows) {
  for (const char* text :
       {"8761h", "31536001s", "9223372036854775808ns", "99999999999999999999s"}) {
    const auto parsed = parse_duration(text);

    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(std::string(message(parsed.status())), HasSubstr("larger than a year"));
  }
}

TEST(Size, HasEveryUnit) {
  const std::pair<std::string, std::uint64_t> cases[] = {
      {"0B", 0},
      {"12B", 12},
      {"10kB", 10'000},
      {"3MB", 3'000'000},
      {"2GB", 2'000'000'000},
      {"1KiB", 1024},
      {"64MiB", 64 << 20},
      {"4GiB", std::uint64_t{4} << 30},
      {"18446744073709551615B", UINT64_MAX},
  };
  for (const auto& [text, size] : cases) {
    const auto parsed = parse_size(text);

    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, size) << text;
  }
}

TEST(Size, IsSaidInTheLargestUnitThatFits) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1 KiB");
  EXPECT_EQ(size_text(1536), "1536 B");
  EXPECT_EQ(size_text(std::uint64_t{64} << 20), "64 MiB");
  EXPECT_EQ(size_text(std::uint64_t{3} << 40), "3072 GiB");
}

TEST(Size, RefusesEverythingElse) {
  for (const char* text : {"", "64", "MiB", "64 MiB", "-1B", "1.5GiB", "64mib", "64M", "64Mib"}) {
    const auto parsed = parse_size(text);

    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(std::string(message(parsed.status())), HasSubstr("as in \"64MiB\"")) << text;
  }
}

TEST(Size, RefusesWhatDoesNotFit) {
  for (const char* text : {"18446744073709551616B", "17179869184GiB"}) {
    const auto parsed = parse_size(text);

    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(std::string(message(parsed.status())), HasSubstr("larger than 2^64 bytes"));
  }
}

}  // namespace
}  // namespace flow::core
