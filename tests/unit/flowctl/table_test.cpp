// SPDX-License-Identifier: Apache-2.0
#include "flowctl/table.hpp"

#include "core/text.hpp"
#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

TEST(FormatTable, AlignsColumnsUnderTheirTitles) {
  EXPECT_EQ(format_table({{"NAME"}, {"REQ/S", Align::Right}, {"REASON"}},
                         {{"encode", "7", "serving"}, {"日本", "12345.6", ""}}, 0),
            "NAME      REQ/S  REASON\n"
            "encode        7  serving\n"
            "日本    12345.6\n");
}

TEST(FormatTable, CutsRowsAtTheTerminalsWidth) {
  const std::string text = format_table({{"NAME"}, {"REASON"}}, {{"encode", "日本日本日本"}}, 14);
  EXPECT_EQ(text,
            "NAME    REASON\n"
            "encode  日本…\n");
  for (std::size_t width = 1; width < 30; ++width) {
    const std::string narrow = format_table({{"NAME"}, {"REASON"}}, {{"encode", "serving"}}, width);
    std::string_view rest = narrow;
    while (!rest.empty()) {
      EXPECT_LE(core::terminal_columns(rest.substr(0, rest.find('\n'))), width);
      rest.remove_prefix(rest.find('\n') + 1);
    }
  }
}

TEST(FormatTable, EscapesWhatWouldMoveTheCursor) {
  EXPECT_EQ(format_table({{"A"}}, {{"x\n\x1b[2J"}}, 0), "A\nx\\n\\x1b[2J\n");
}

TEST(FormatTable, WithoutRowsIsTheTitles) {
  EXPECT_EQ(format_table({{"A"}, {"B"}}, {}, 0), "A  B\n");
}

}  // namespace
}  // namespace flow::ctl
