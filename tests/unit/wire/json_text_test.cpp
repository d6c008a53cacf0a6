// SPDX-License-Identifier: Apache-2.0
#include "wire/json_text.hpp"

#include <limits>

#include "gtest/gtest.h"
#include "wire/json_time.hpp"

namespace flow::wire {
namespace {

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

template <typename Float>
std::string json_float(Float value) {
  std::string out;
  append_json_float(out, value);
  return out;
}

TEST(JsonString, EscapesWhatMustBeEscaped) {
  EXPECT_EQ(json_string(""), R"("")");
  EXPECT_EQ(json_string("a \"b\" \\c\\"), R"("a \"b\" \\c\\")");
  EXPECT_EQ(json_string("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(json_string(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
  EXPECT_EQ(json_string("line 1\u2028\U0001f600/"), "\"line 1\u2028\U0001f600/\"");
}

TEST(JsonString, FindsWhatMustBeEscapedAtEveryPosition) {
  for (std::size_t at = 0; at < 24; ++at) {
    for (const char special : {'"', '\\', '\n'}) {
      std::string text(24, 'x');
      text[at] = special;
      EXPECT_EQ(plain_text(text).length, at);
    }
    std::string text(24, 'x');
    text[at] = '\x80';
    EXPECT_EQ(plain_text(text).length, text.size());
    EXPECT_FALSE(plain_text(text).ascii);
  }
}

TEST(JsonString, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(json_string("a\xff\"\xc3\xa9\xc3"), "\"a\uFFFD\\\"\xc3\xa9\uFFFD\"");
}

TEST(JsonFloat, IsTheShortestThatReadsBackAndNeverAnInteger) {
  EXPECT_EQ(json_float(1.0), "1.0");
  EXPECT_EQ(json_float(-0.0), "-0.0");
  EXPECT_EQ(json_float(0.1), "0.1");
  EXPECT_EQ(json_float(0.1f), "0.1");
  EXPECT_EQ(json_float(1e300), "1e+300");
  EXPECT_EQ(json_float(123456789.0), "123456789.0");
  EXPECT_EQ(json_float(5e-324), "5e-324");
  EXPECT_EQ(json_float(-1.1754944e-38f), "-1.1754944e-38");
}

TEST(JsonFloat, IsNullWhereJsonHasNoWord) {
  EXPECT_EQ(json_float(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(json_float(-std::numeric_limits<float>::infinity()), "null");
}

TEST(JsonTime, HasMicrosecondsAndAZone) {
  EXPECT_EQ(format_time({1795330756, 307488000}, Zone::Offset), "2026-11-22T06:59:16.307488+00:00");
  EXPECT_EQ(format_time({0, 0}, Zone::Z), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_time({-1, 999999999}, Zone::Z), "1969-12-31T23:59:59.999999Z");
}

TEST(JsonTime, OutsideOfItsCalendarHasNoText) {
  EXPECT_EQ(format_time({253402300799, 999999999}, Zone::Z), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_time({-62135596800, 0}, Zone::Z), "0001-01-01T00:00:00.000000Z");
  for (const Timestamp time :
       {Timestamp{253402300800, 0}, Timestamp{-62135596801, 0}, Timestamp{INT64_MAX, 0},
        Timestamp{INT64_MIN, 0}, Timestamp{0, -1}, Timestamp{0, 1'000'000'000}}) {
    EXPECT_EQ(format_time(time, Zone::Z), std::nullopt) << time.seconds;
  }
}

TEST(JsonTime, IsReadInAnyZone) {
  for (const char* text :
       {"2026-11-22T06:59:16.307488+00:00", "2026-11-22T06:59:16.307488Z",
        "2026-11-22T07:59:16.307488+01:00", "2026-11-21 23:29:16.307488000-07:30"}) {
    const auto time = parse_time(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(time->seconds, 1795330756) << text;
    EXPECT_EQ(time->nanos, 307488000) << text;
  }
  EXPECT_EQ(parse_time("1969-12-31T23:59:59.5Z")->seconds, -1);
}

TEST(JsonTime, ThatIsNoneIsRefused) {
  for (const char* text : {"",
                           "2026",
                           "2026-11-22",
                           "2026-11-22T06:59:16",
                           "2026-11-22T06:59:16.Z",
                           "2026-11-22T06:59:16.1234567890Z",
                           "2026-13-22T06:59:16Z",
                           "2026-02-30T06:59:16Z",
                           "2026-11-22T24:00:00Z",
                           "2026-11-22T06:60:00Z",
                           "2026-11-22T06:59:60Z",
                           "2026-11-22T06:59:16+1:00",
                           "2026-11-22T06:59:16Zx",
                           "2026-11-22T06:59:16+01:00x",
                           "+026-11-22T06:59:16Z",
                           "-026-11-22T06:59:16Z",
                           "0000-01-01T00:00:00Z",
                           "9999-12-31T23:59:59-01:00",
                           "0001-01-01T00:00:00+01:00",
                           "2026/11/22T06:59:16Z"}) {
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace flow::wire
