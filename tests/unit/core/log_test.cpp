// SPDX-License-Identifier: Apache-2.0
// Protects what people and log collectors read: one line per message, whatever is in it.
#include "core/log.hpp"

#include <ctime>

#include "core/log_line.hpp"
#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::core {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class LogLine : public ::testing::Test {
 protected:
  LogLine() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }

  static LogRecord record(std::string_view level, std::string_view message) {
    return {.level = level,
            .name = "executor0/rep-0",
            .pid = 19059,
            .message = message,
            .time = std::chrono::system_clock::time_point(1654020616s + 123ms)};
  }
  static std::string text(std::string_view level, std::string_view message) {
    return text_line(record(level, message), 0, LogColour::Off);
  }
};

TEST_F(LogLine, HasTheColumnsOfTheReference) {
  EXPECT_EQ(text("debug", "start listening on 0.0.0.0:12346"),
            "DEBUG  executor0/rep-0@19059 start listening on 0.0.0.0:12346  [05/31/22 18:10:16]\n");
  EXPECT_EQ(text("trace", "x"), "TRACE  executor0/rep-0@19059 x  [05/31/22 18:10:16]\n");
  EXPECT_EQ(text("info", "x"), "INFO   executor0/rep-0@19059 x  [05/31/22 18:10:16]\n");
  EXPECT_EQ(text("warning", "x"), "WARNI\u2026 executor0/rep-0@19059 x  [05/31/22 18:10:16]\n");
  EXPECT_EQ(text("error", "x"), "ERROR  executor0/rep-0@19059 x  [05/31/22 18:10:16]\n");
}

TEST_F(LogLine, EndsAtTheTerminalsWidth) {
  const std::string line = text_line(record("info", "ready"), 80, LogColour::Off);

  EXPECT_EQ(line.size(), 81u);
  EXPECT_THAT(line, ::testing::StartsWith("INFO   executor0/rep-0@19059 ready   "));
  EXPECT_THAT(line, ::testing::EndsWith(" [05/31/22 18:10:16]\n"));
}

TEST_F(LogLine, CountsColumnsNotBytes) {
  const auto spaces = [](const std::string& message) {
    const std::string line = text_line(record("info", message), 80, LogColour::Off);
    return std::count(line.begin(), line.end(), ' ');
  };
  EXPECT_EQ(spaces("xx"), spaces("\u00e9\u00e9"));  // two bytes, one column each
  EXPECT_EQ(spaces("xx"), spaces("\u6f22"));        // three bytes, two columns
  EXPECT_EQ(spaces("xx"), spaces("xe\u0301"));      // a combining accent has no column
  EXPECT_EQ(spaces("xxxx"), spaces("\xff"));        // escaped
}

TEST_F(LogLine, PutsTheTimeBehindAMessageThatFillsTheTerminal) {
  EXPECT_EQ(text_line(record("info", std::string(100, 'x')), 80, LogColour::Off),
            "INFO   executor0/rep-0@19059 " + std::string(100, 'x') + "  [05/31/22 18:10:16]\n");
}

TEST_F(LogLine, ColoursOnlyTheLevel) {
  EXPECT_EQ(text_line(record("error", "x"), 0, LogColour::On),
            "\x1b[31mERROR \x1b[0m executor0/rep-0@19059 x  [05/31/22 18:10:16]\n");
}

TEST_F(LogLine, EscapesWhatWouldBreakTheLineOrTheTerminal) {
  const std::pair<std::string, std::string> cases[] = {
      {"a\nb\tc", "a\\nb\\tc"},
      {"a\rb", "a\\x0db"},
      {"\x1b[2J", "\\x1b[2J"},
      {std::string("a\0b", 3), "a\\x00b"},
      {"\x7f", "\\x7f"},
      {"\u009b2J", "\\u009b2J"},  // the one-byte form of ESC [
      {"a\xff\xc3", "a\\xff\\xc3"},
      {"C:\\path \u20ac", "C:\\path \u20ac"},
  };
  for (const auto& [message, shown] : cases) {
    EXPECT_EQ(text("info", message),
              "INFO   executor0/rep-0@19059 " + shown + "  [05/31/22 18:10:16]\n");
  }
}

TEST_F(LogLine, IsOneJsonObject) {
  EXPECT_EQ(json_line(record("warning", "say \"hi\"\n\xff")),
            R"({"time":"2022-05-31T18:10:16.123Z","level":"warning","name":"executor0/rep-0",)"
            R"("pid":19059,"message":"say \"hi\"\n)"
            "\uFFFD\"}\n");
}

using Variables = std::map<std::string, std::string>;

Environment environment_of(Variables variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

TEST(EffectiveLogConfig, TakesTheLevelFromTheEnvironmentFirst) {
  const LogConfig file{.level = "warning", .format = LogFormat::Json};
  const std::pair<Variables, std::string> cases[] = {
      {Variables{}, "warning"},
      {{{"FLOW_LOG_LEVEL", "debug"}}, "debug"},
      {{{"JINA_LOG_LEVEL", "DEBUG"}}, "debug"},
      {{{"FLOW_LOG_LEVEL", "trace"}, {"JINA_LOG_LEVEL", "error"}}, "trace"},
      {{{"FLOW_LOG_LEVEL", ""}, {"JINA_LOG_LEVEL", "error"}}, "error"},
      {{{"FLOW_LOG_LEVEL", "off"}}, "off"},
  };
  for (const auto& [variables, level] : cases) {
    const auto effective = effective_log_config(file, environment_of(variables));

    ASSERT_TRUE(effective.ok()) << effective.status();
    EXPECT_EQ(effective->level, level);
    EXPECT_EQ(effective->format, LogFormat::Json);
  }
}

TEST(EffectiveLogConfig, NamesTheVariableOfAnUnknownLevel) {
  const auto effective = effective_log_config({}, environment_of({{"JINA_LOG_LEVEL", "DEBGU"}}));

  ASSERT_FALSE(effective.ok());
  EXPECT_EQ(message(effective.status()),
            "the environment's JINA_LOG_LEVEL is \"DEBGU\", expected one of trace, debug, info, "
            "warning, error, off (did you mean \"debug\"?)");
}

TEST(EffectiveLogConfig, ShowsTheFirstVariableEvenIfTheSecondIsFine) {
  const auto effective = effective_log_config(
      {}, environment_of({{"FLOW_LOG_LEVEL", "loud"}, {"JINA_LOG_LEVEL", "info"}}));

  ASSERT_FALSE(effective.ok());
  EXPECT_THAT(std::string(message(effective.status())), HasSubstr("FLOW_LOG_LEVEL is \"loud\""));
}

}  // namespace
}  // namespace flow::core
