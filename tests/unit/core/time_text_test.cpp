// SPDX-License-Identifier: Apache-2.0
#include "core/time_text.hpp"

#include "gtest/gtest.h"

namespace flow::core {
namespace {

using namespace std::chrono_literals;
using Time = std::chrono::system_clock::time_point;

TEST(UtcText, NamesTheMillisecond) {
  EXPECT_EQ(utc_text(Time(1795335330s + 123ms)), "2026-11-22T08:15:30.123Z");
}

TEST(UtcText, PadsEveryField) { EXPECT_EQ(utc_text(Time(0s + 7ms)), "1970-01-01T00:00:00.007Z"); }

TEST(UtcText, CutsWhatIsSmallerThanAMillisecond) {
  EXPECT_EQ(utc_text(Time(999'999us)), "1970-01-01T00:00:00.999Z");
}

TEST(UtcText, KnowsLeapDays) { EXPECT_EQ(utc_text(Time(951782400s)), "2000-02-29T00:00:00.000Z"); }

TEST(UtcText, CountsBackwardsBefore1970) {
  EXPECT_EQ(utc_text(Time(-1ms)), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace flow::core
