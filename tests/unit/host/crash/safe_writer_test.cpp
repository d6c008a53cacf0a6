// SPDX-License-Identifier: Apache-2.0
#include "host/crash/safe_writer.hpp"

#include "core/time_text.hpp"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

std::string utc(std::int64_t ns, UtcForm form) {
  std::array<char, kUtcTextMax> to;
  return std::string(utc_into(ns, form, to));
}

TEST(UtcInto, WritesWhatEverybodyElseWrites) {
  for (const std::int64_t ms :
       {0LL, 1LL, 951'782'400'000LL, 1'795'335'330'123LL, 4'107'542'399'999LL}) {
    const std::chrono::system_clock::time_point time{std::chrono::milliseconds(ms)};
    EXPECT_EQ(utc(ms * 1'000'000 + 999, UtcForm::Readable), core::utc_text(time));
  }
}

TEST(UtcInto, HasAFormForNamesOfFiles) {
  EXPECT_EQ(utc(1'795'335'330'123'000'000, UtcForm::Compact), "20261122T081530.123");
}

}  // namespace
}  // namespace flow::host
