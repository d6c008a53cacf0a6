// SPDX-License-Identifier: Apache-2.0
#include "core/text.hpp"

#include "gtest/gtest.h"

namespace flow::core {
namespace {

TEST(DidYouMean, FindsTheClosestWord) {
  const std::vector<std::string> words = {"encoder", "indexer", "port", "replicas", "host"};
  const std::pair<std::string, std::string> cases[] = {
      {"encodr", "encoder"},   {"enocder", "encoder"}, {"Encoder", "encoder"}, {"prot", "port"},
      {"replica", "replicas"}, {"hosts", "host"},      {"indxer", "indexer"},
  };
  for (const auto& [word, meant] : cases) {
    EXPECT_EQ(did_you_mean(word, words), meant) << word;
  }
}

TEST(DidYouMean, KeepsQuietWhenNothingIsClose) {
  const std::vector<std::string> words = {"encoder", "port", "x"};
  for (const char* word : {"", "y", "ports-of-call", "ranker", "sport-encoders"}) {
    EXPECT_EQ(did_you_mean(word, words), std::nullopt) << word;
  }
  EXPECT_EQ(did_you_mean("port", {}), std::nullopt);
}

TEST(DidYouMean, GivesUpOnEndlessWords) {
  const std::string endless(1'000'000, 'x');
  EXPECT_EQ(did_you_mean(endless, {endless}), std::nullopt);
}

TEST(Suggestion, IsTheTailOfAMessage) {
  EXPECT_EQ(suggestion("prot", {"port"}), " (did you mean \"port\"?)");
  EXPECT_EQ(suggestion("encoder", {"port"}), "");
}

TEST(InQuotes, KeepsForeignWordsOnOneShortLine) {
  EXPECT_EQ(in_quotes("encoder"), "\"encoder\"");
  EXPECT_EQ(in_quotes("a\n\"b\""), "\"a\\n\\\"b\\\"\"");
  EXPECT_EQ(in_quotes(std::string(100, 'x')), "\"" + std::string(100, 'x') + "\"");
  EXPECT_EQ(in_quotes(std::string(101, 'x')), "\"" + std::string(100, 'x') + "\u2026\"");
  EXPECT_EQ(in_quotes(std::string(99, 'x') + "\u20ac\u20ac"),
            "\"" + std::string(99, 'x') + "\u2026\"");
  EXPECT_EQ(in_quotes(std::string(200, '\x80')).size(), 5u) << "cut before any of it";
}

TEST(OneLine, EscapesControlCharactersOnly) {
  EXPECT_EQ(one_line("a \\ \"b\" \u20ac"), "a \\ \"b\" \u20ac");
  EXPECT_EQ(one_line("a\nb\tc\x1b[0m\u0085\xff"), "a\\nb\\tc\\x1b[0m\\u0085\\xff");
}

TEST(ErrorLines, EachLineSaysThatItIsAnError) {
  EXPECT_EQ(error_lines("one\ntwo"), "error: one\nerror: two\n");
  EXPECT_EQ(error_lines("one\n"), "error: one\n");
  EXPECT_EQ(error_lines(""), "");
}

TEST(TerminalColumns, CountsWhatATerminalShows) {
  EXPECT_EQ(terminal_columns(""), 0u);
  EXPECT_EQ(terminal_columns("abc"), 3u);
  EXPECT_EQ(terminal_columns("\u00e9"), 1u);
  EXPECT_EQ(terminal_columns("e\u0301"), 1u) << "a combining accent";
  EXPECT_EQ(terminal_columns("\u6f22\u5b57"), 4u);
}

TEST(LowerCase, TouchesAsciiOnly) {
  EXPECT_EQ(lower_case("DEBUG @[`{ \u00c9"), "debug @[`{ \u00c9");
}

TEST(Utf8, AcceptsEveryLengthOfCodePoint) {
  for (const char* text : {"", "a", "plain text of more than eight bytes", "\u00e9", "\u20ac",
                           "\U0001f389", "\U0010ffff", "eight ch\u00e9\u20ac\U0001f389 and on"}) {
    EXPECT_TRUE(is_valid_utf8(text)) << text;
  }
  EXPECT_TRUE(is_valid_utf8(std::string_view("\0", 1)));
}

TEST(Utf8, RefusesWhatNoEncoderWrites) {
  const std::pair<const char*, const char*> cases[] = {
      {"\x80", "a continuation byte alone"},  {"\xc3", "a cut sequence"},
      {"\xe2\x82", "a cut sequence"},         {"\xf0\x9f\x8e", "a cut sequence"},
      {"\xc0\xaf", "an overlong slash"},      {"\xe0\x80\xaf", "an overlong slash"},
      {"\xed\xa0\x80", "a surrogate"},        {"\xf4\x90\x80\x80", "beyond U+10FFFF"},
      {"\xff", "no UTF-8 byte at all"},       {"eight bytes and \xff then", "in the middle"},
      {"\xc3(", "a sequence cut by another"},
  };
  for (const auto& [text, what] : cases) EXPECT_FALSE(is_valid_utf8(text)) << what;
}

TEST(Utf8, NamesTheLengthOfTheFirstCodePoint) {
  EXPECT_EQ(utf8_length("a\u20ac"), 1u);
  EXPECT_EQ(utf8_length("\u20aca"), 3u);
  EXPECT_EQ(utf8_length("\U0001f389"), 4u);
  EXPECT_EQ(utf8_length(""), 0u);
  EXPECT_EQ(utf8_length("\xe2\x82"), 0u);
}

TEST(EscapeJson, EscapesWhatJsonForbids) {
  EXPECT_EQ(escape_json("say \"hi\" C:\\"), R"(say \"hi\" C:\\)");
  EXPECT_EQ(escape_json("a\nb\tc\rd"), R"(a\nb\tc\rd)");
  EXPECT_EQ(escape_json(std::string_view("\0\x1b\x1f\x7f", 4)), R"(\u0000\u001b\u001f\u007f)");
}

TEST(EscapeJson, KeepsUtf8AndReplacesTheRest) {
  EXPECT_EQ(escape_json("caf\u00e9 \u20ac \U0001f389"), "caf\u00e9 \u20ac \U0001f389");
  EXPECT_EQ(escape_json("a\xff"
                        "b\xe2\x82"),
            "a\uFFFDb\uFFFD\uFFFD");
  EXPECT_EQ(escape_json("a\xc3\"b"), "a\uFFFD\\\"b");
}

}  // namespace
}  // namespace flow::core
