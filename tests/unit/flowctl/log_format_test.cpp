// SPDX-License-Identifier: Apache-2.0
// How messages look on a terminal and in a pipe.
#include "flowctl/log_format.hpp"

#include <cstdlib>

#include "core/text.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

using core::LogColour;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// 2022-09-08 12:58:13 UTC
constexpr std::chrono::system_clock::time_point kTime{seconds(1662641893)};
constexpr Paper kPipe{};
constexpr Paper kTerminal{60, LogColour::Off};

class LogFormatTest : public testing::Test {
 protected:
  void SetUp() override { ::setenv("TZ", "UTC", 1); }

  LogFormat format_{"flowctl", 92877};
};

TEST_F(LogFormatTest, AMessageInAPipeIsOneLineWithItsTime) {
  EXPECT_EQ(format_.lines({.text = "ping"}, kTime, kPipe),
            "INFO   flowctl@92877 ping  [09/08/22 12:58:13]\n");
  EXPECT_EQ(format_.lines({.text = "ping"}, kTime, kPipe),
            "INFO   flowctl@92877 ping  [09/08/22 12:58:13]\n");
}

TEST_F(LogFormatTest, DetailsInAPipeStayOnTheLine) {
  EXPECT_EQ(format_.lines({"error", "no answer:", {"a = 1", "b = \"x\ny\""}}, kTime, kPipe),
            "ERROR  flowctl@92877 no answer: a = 1; b = \"x\\ny\"  [09/08/22 12:58:13]\n");
}

TEST_F(LogFormatTest, TheTimeEndsAtTheTerminalsLastColumn) {
  const std::string line = format_.lines({.text = "ping"}, kTime, kTerminal);
  EXPECT_EQ(line, "INFO   flowctl@92877 ping                [09/08/22 12:58:13]\n");
  EXPECT_EQ(core::terminal_columns(line), 60U);
}

TEST_F(LogFormatTest, TheTimeIsShownOnlyWhenItChanges) {
  EXPECT_THAT(format_.lines({.text = "a"}, kTime, kTerminal), HasSubstr("12:58:13]"));
  EXPECT_EQ(format_.lines({.text = "b"}, kTime, kTerminal), "INFO   flowctl@92877 b\n");
  EXPECT_THAT(format_.lines({.text = "c"}, kTime + seconds(1), kTerminal), HasSubstr("12:58:14]"));
}

TEST_F(LogFormatTest, WithoutTheTimeTheTextHasItsColumns) {
  format_.lines({.text = "a"}, kTime, kTerminal);
  const std::string text(60 - 7 - std::string("flowctl@92877 ").size(), 'x');
  EXPECT_EQ(format_.lines({.text = text}, kTime, kTerminal), "INFO   flowctl@92877 " + text + '\n');
  EXPECT_EQ(format_.lines({.text = text + " y"}, kTime, kTerminal),
            "INFO   flowctl@92877 " + text + "\n       y\n");
}

TEST_F(LogFormatTest, TheLevelHasColourOnATerminalThatWantsIt) {
  EXPECT_EQ(format_.lines({.level = "warning", .text = "x"}, kTime, {60, LogColour::On}),
            "\x1b[33mWARNI\u2026\x1b[0m flowctl@92877 x                   [09/08/22 12:58:13]\n");
  EXPECT_THAT(format_.lines({.level = "error", .text = "x"}, kTime, {60, LogColour::On}),
              HasSubstr("\x1b[31mERROR \x1b[0m "));
}

TEST_F(LogFormatTest, LongMessagesGoOnBelowTheText) {
  EXPECT_EQ(format_.lines({.text = "one two three four five six seven"}, kTime, kTerminal),
            "INFO   flowctl@92877 one two three four  [09/08/22 12:58:13]\n"
            "       five six seven\n");
}

TEST_F(LogFormatTest, DetailsAreIndentedAndTheirRestIsNot) {
  EXPECT_EQ(
      format_.lines({"error", "failed:", {"status = UNAVAILABLE because of it"}}, kTime, kTerminal),
      "ERROR  flowctl@92877 failed:             [09/08/22 12:58:13]\n"
      "               status = UNAVAILABLE\n"
      "       because of it\n");
}

TEST_F(LogFormatTest, WhatWouldMoveTheCursorIsEscaped) {
  for (const Paper paper : {kPipe, kTerminal}) {
    const std::string line = format_.lines({.text = "a\x1b[2Jb\rc\xff"}, kTime, paper);
    EXPECT_THAT(line, HasSubstr("a\\x1b[2Jb\\x0dc\\xff"));
  }
}

TEST_F(LogFormatTest, NarrowTerminalsStillShowEverything) {
  for (std::size_t width = 1; width < 50; ++width) {
    LogFormat format("flowctl", 1);
    std::string line = format.lines({.text = "ping grpc://localhost"}, kTime, {width, {}});
    EXPECT_THAT(line, HasSubstr("grpc://localhost")) << width;
    EXPECT_THAT(line, HasSubstr("12:58:13]")) << width;
  }
}

TEST(Wrap, BreaksBetweenWords) {
  EXPECT_THAT(wrap("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(wrap("one two three", 8), ElementsAre("one two", "three"));
  EXPECT_THAT(wrap("one two three", 13), ElementsAre("one two three"));
  EXPECT_THAT(wrap("", 5), ElementsAre(""));
}

TEST(Wrap, BreaksAWordThatIsTooLong) {
  EXPECT_THAT(wrap("abcdefgh ij", 3), ElementsAre("abc", "def", "gh", "ij"));
  EXPECT_THAT(wrap("        abcdefgh", 10), ElementsAre("        ab", "cdefgh"));
}

TEST(Wrap, CountsColumnsAndNotBytes) {
  EXPECT_THAT(wrap("日本 日本", 4), ElementsAre("日本", "日本"));
  EXPECT_THAT(wrap("ééééé", 5), ElementsAre("ééééé"));
  EXPECT_THAT(wrap("日本", 1), ElementsAre("日", "本"));
}

TEST(Wrap, NoLineIsWiderThanAskedFor) {
  const std::string text = "a bb ccc dddd eeeee ffffff ggggggg 日本日本日本 x\ty z";
  for (std::size_t columns = 2; columns < 60; ++columns) {
    std::string joined;
    for (const std::string& line : wrap(text, columns)) {
      EXPECT_LE(core::terminal_columns(line), columns);
      joined += line;
    }
    std::erase(joined, ' ');
    std::string expected = core::one_line(text);
    std::erase(expected, ' ');
    EXPECT_EQ(joined, expected) << columns;
  }
}

}  // namespace
}  // namespace flow::ctl
