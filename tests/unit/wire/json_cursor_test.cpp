// SPDX-License-Identifier: Apache-2.0
// The texts that are JSON and the ones that are not, in the words of Python's json module.
#include "wire/json_cursor.hpp"

#include <cmath>
#include <limits>

#include "core/limits.hpp"
#include "gtest/gtest.h"

namespace flow::wire {
namespace {

std::string repeated(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

// Empty if the text is JSON, else what is wrong and where.
std::string verdict(std::string_view json) {
  JsonCursor cursor(json);
  cursor.skip();
  if (cursor.finish()) return "";
  const JsonProblem problem = cursor.problem();
  return problem.message + "@" + std::to_string(problem.offset);
}

TEST(JsonCursor, AcceptsWhatIsJson) {
  for (const char* json : {"0",
                           "-0",
                           "-0.0",
                           "1.5e+3",
                           "1E5",
                           "123456789012345678901234567890",
                           "\"\"",
                           "null",
                           "true",
                           "false",
                           "[]",
                           "{}",
                           " [ 1 , 2 ] ",
                           "\t{\r\n\"a\" : { \"b\" : [ ] } }\n",
                           R"("\"\\\/\b\f\n\r\tA\ud83d\ude00")",
                           "\"\xc3\xa9\xf0\x9f\x98\x80\"",
                           "\"\x7f\"",
                           R"({"a":1,"a":2})",
                           "1e-400",
                           "[[[[[[[[[[]]]]]]]]]]"}) {
    EXPECT_EQ(verdict(json), "") << json;
  }
}

TEST(JsonCursor, SaysWhatIsNotJsonInTheWordsOfPython) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "Expecting value@0"},
      {"  ", "Expecting value@2"},
      {"{", "Expecting property name enclosed in double quotes@1"},
      {"{\"a\"", "Expecting ':' delimiter@4"},
      {"{\"a\":", "Expecting value@5"},
      {"{\"a\":1", "Expecting ',' delimiter@6"},
      {"{\"a\":1,", "Expecting property name enclosed in double quotes@7"},
      {"{\"a\":1,}", "Expecting property name enclosed in double quotes@7"},
      {"{a:1}", "Expecting property name enclosed in double quotes@1"},
      {"{'a':1}", "Expecting property name enclosed in double quotes@1"},
      {"{1:1}", "Expecting property name enclosed in double quotes@1"},
      {"[", "Expecting value@1"},
      {"[1", "Expecting ',' delimiter@2"},
      {"[1 2]", "Expecting ',' delimiter@3"},
      {"[1,]", "Expecting value@3"},
      {"[,1]", "Expecting value@1"},
      {"]", "Expecting value@0"},
      {"{}}", "Extra data@2"},
      {"{} {}", "Extra data@3"},
      {"1 2", "Extra data@2"},
      {"01", "Extra data@1"},
      {"1.", "Extra data@1"},
      {"1.e5", "Extra data@1"},
      {"1e", "Extra data@1"},
      {"1e+", "Extra data@1"},
      {".5", "Expecting value@0"},
      {"+1", "Expecting value@0"},
      {"-", "Expecting value@0"},
      {"--1", "Expecting value@0"},
      {"0x10", "Extra data@1"},
      {"nul", "Expecting value@0"},
      {"nulll", "Extra data@4"},
      {"tru", "Expecting value@0"},
      {"True", "Expecting value@0"},
      {"fals", "Expecting value@0"},
      // Python takes these three; JSON does not have them.
      {"NaN", "Expecting value@0"},
      {"Infinity", "Expecting value@0"},
      {"-Infinity", "Expecting value@0"},
      {"\"", "Unterminated string starting at@0"},
      {"[\"abc", "Unterminated string starting at@1"},
      {"\"a\nb\"", "Invalid control character at@2"},
      {R"("\x")", "Invalid \\escape@1"},
      {R"("\)", "Unterminated string starting at@0"},
      {R"("\u12")", "Invalid \\uXXXX escape@2"},
      {R"("\u12g4")", "Invalid \\uXXXX escape@2"},
      {R"("\u-123")", "Invalid \\uXXXX escape@2"},
      {R"("\u)", "Invalid \\uXXXX escape@2"},
      {R"("a\ud800")", "Lone surrogate in \\u escape@2"},
      {R"("a\udc00")", "Lone surrogate in \\u escape@2"},
      {R"("\ud800\ud800")", "Lone surrogate in \\u escape@1"},
      {R"("\ud800A")", "Lone surrogate in \\u escape@1"},
      {R"("\ud800\n")", "Lone surrogate in \\u escape@1"},
      {"// comment", "Expecting value@0"},
      {"\xef\xbb\xbf{}", "Expecting value@0"},
  };
  for (const auto& [json, expected] : kCases) EXPECT_EQ(verdict(json), expected) << json;
}

TEST(JsonCursor, RefusesAByteThatIsZero) {
  EXPECT_EQ(verdict(std::string_view("\0", 1)), "Expecting value@0");
  EXPECT_EQ(verdict(std::string_view("1\0", 2)), "Extra data@1");
  EXPECT_EQ(verdict(std::string_view("\"\0\"", 3)), "Invalid control character at@1");
}

TEST(JsonCursor, RefusesStringsThatAreNotUtf8) {
  for (const char* bytes :
       {"\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff"}) {
    const std::string json = std::string("[\"longer than eight \xc3\xa9") + bytes + "\"]";
    EXPECT_EQ(verdict(json), "Invalid UTF-8 in string at@21") << json;
    EXPECT_EQ(verdict(std::string("{\"") + bytes + "\":1}"), "Invalid UTF-8 in string at@2");
  }
}

TEST(JsonCursor, CountsPositionsInCharactersLinesAndColumns) {
  JsonCursor cursor("{\"\xc3\xa9\":1,\n \"b\" 2}");
  cursor.skip();

  const JsonProblem problem = cursor.problem();
  EXPECT_EQ(problem.offset, 13u);
  EXPECT_EQ(problem.line, 2u);
  EXPECT_EQ(problem.column, 6u);
}

TEST(JsonCursor, BoundsHowDeepValuesNestThatNobodyReads) {
  constexpr std::size_t kMax = core::limits::kJsonDepthMax;

  EXPECT_EQ(verdict(repeated("[", kMax) + repeated("]", kMax)), "");
  EXPECT_EQ(verdict(repeated("[", kMax + 1)),
            "lists and objects may nest 128 deep, not deeper@" + std::to_string(kMax));
  EXPECT_NE(verdict(repeated("[", 1'000'000)), "");
  EXPECT_NE(verdict(repeated("{\"a\":", 1'000'000)), "");
}

TEST(JsonCursor, DecodesEscapes) {
  JsonCursor cursor(R"(["plain","a\"\\\/\b\f\n\r\tz","\u0041\u00e9\u20ac\ud83d\ude00","\u0000"])");
  cursor.enter_list();

  EXPECT_TRUE(cursor.next_element());
  EXPECT_EQ(cursor.string(), "plain");
  EXPECT_TRUE(cursor.next_element());
  EXPECT_EQ(cursor.string(), "a\"\\/\b\f\n\r\tz");
  EXPECT_TRUE(cursor.next_element());
  EXPECT_EQ(cursor.string(), "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_TRUE(cursor.next_element());
  EXPECT_EQ(cursor.string(), std::string_view("\0", 1));
  EXPECT_FALSE(cursor.next_element());
  EXPECT_TRUE(cursor.finish());
}

TEST(JsonCursor, ReadsNumbersToTheLastBit) {
  const std::pair<const char*, double> kCases[] = {
      {"0.1", 0.1},
      {"-2.5", -2.5},
      {"1e22", 1e22},
      {"1e23", 1e23},
      {"123456789012345.678", 123456789012345.678},
      {"9007199254740993", 9007199254740992.0},
      {"9007199254740993.0000000000000000000000001", 9007199254740994.0},
      {"1.7976931348623157e308", std::numeric_limits<double>::max()},
      {"2.2250738585072014e-308", std::numeric_limits<double>::min()},
      {"4.9406564584124654e-324", std::numeric_limits<double>::denorm_min()},
      {"2.4703282292062327e-324", 0},
      {"1e-400", 0},
      {"0e999999999999999999999", 0},
      {"0.00000000000000000000000000000000001e35", 1.0},
      {"100000000000000000000000000000000000e-35", 1.0},
  };
  for (const auto& [json, expected] : kCases) {
    JsonCursor cursor(json);
    EXPECT_EQ(cursor.number().value, expected) << json;
    EXPECT_TRUE(cursor.finish()) << json;
  }
  EXPECT_TRUE(std::signbit(JsonCursor("-0.0").number().value));
  EXPECT_TRUE(std::signbit(JsonCursor("-1e-400").number().value));
}

TEST(JsonCursor, TellsIntegersFromOtherNumbers) {
  EXPECT_EQ(JsonCursor("-0").number().integer, 0);
  EXPECT_EQ(JsonCursor("9223372036854775807").number().integer, INT64_MAX);
  EXPECT_EQ(JsonCursor("-9223372036854775808").number().integer, INT64_MIN);
  EXPECT_EQ(JsonCursor("999999999999999999").number().integer, 999999999999999999);

  EXPECT_EQ(JsonCursor("9223372036854775808").number().integer, std::nullopt);
  EXPECT_EQ(JsonCursor("1.0").number().integer, std::nullopt);
  EXPECT_EQ(JsonCursor("1e2").number().integer, std::nullopt);
}

TEST(JsonCursor, RefusesNumbersThatNoFloatHolds) {
  for (const std::string& json :
       {std::string("1e309"), std::string("-1e309"), std::string("1.8e308"),
        std::string("1e99999999999999999999"), repeated("9", 400), repeated("9", 400) + ".5"}) {
    EXPECT_EQ(verdict(json), "number is out of the range of a 64-bit float@0") << json;
  }
}

TEST(JsonCursor, SaysWhatWasFoundInsteadOfWhatAndWhere) {
  JsonCursor cursor(R"({"a":[null,{"b":true}]})");
  std::string_view key;
  cursor.enter_object();
  cursor.next_member(key);
  cursor.enter_list();
  cursor.next_element();
  EXPECT_TRUE(cursor.take_null());
  cursor.next_element();
  cursor.enter_object();
  cursor.next_member(key);

  EXPECT_EQ(cursor.string(), "");

  const JsonProblem problem = cursor.problem();
  EXPECT_EQ(problem.message, "expected a string, found a boolean");
  EXPECT_EQ(problem.type, "type_error.str");
  EXPECT_EQ(describe(problem), "a[1].b: expected a string, found a boolean (line 1, column 17)");
  EXPECT_EQ(
      problem_body(problem, ""),
      R"({"detail":[{"loc":["body","a",1,"b"],"msg":"expected a string, found a boolean","type":"type_error.str"}]})");
}

TEST(JsonCursor, KeepsTheFirstFailureAndAnswersNothingMore) {
  JsonCursor cursor("[1, x, y]");
  cursor.enter_list();
  cursor.next_element();
  cursor.number();
  cursor.next_element();
  EXPECT_EQ(cursor.kind(), JsonCursor::Kind::None);
  cursor.fail(0, "later");

  EXPECT_FALSE(cursor.next_element());
  EXPECT_EQ(cursor.string(), "");
  EXPECT_FALSE(cursor.take_null());
  EXPECT_FALSE(cursor.finish());
  EXPECT_EQ(cursor.problem().message, "Expecting value");
}

TEST(JsonProblem, OfALongTextDoesNotRepeatIt) {
  const std::string json = "[\"" + repeated("x", 1000);
  JsonCursor cursor(json);
  cursor.skip();

  EXPECT_EQ(
      problem_body(cursor.problem(), json),
      R"json({"detail":[{"loc":["body",1],"msg":"Unterminated string starting at: line 1 column 2 (char 1)","type":"value_error.jsondecode","ctx":{"msg":"Unterminated string starting at","pos":1,"lineno":1,"colno":2}}]})json");
}

TEST(JsonProblem, OfATextThatIsNotUtf8IsItselfJson) {
  const std::string json = "\"\xff";
  JsonCursor cursor(json);
  cursor.skip();
  const std::string body = problem_body(cursor.problem(), json);

  EXPECT_EQ(verdict(body), "") << body;
}

}  // namespace
}  // namespace flow::wire
