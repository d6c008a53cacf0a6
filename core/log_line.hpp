// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

// What the lines of a log look like; core/log.cpp writes them.
namespace flow::core {

// The names in files and in the environment, from the most talkative to none.
inline constexpr std::array<std::string_view, 6> kLogLevels = {"trace",   "debug", "info",
                                                               "warning", "error", "off"};

enum class LogColour { Off, On };

struct LogRecord {
  std::string_view level;  // one of kLogLevels
  std::string_view name;
  pid_t pid = 0;
  std::string_view message;
  std::chrono::system_clock::time_point time;
};

// A line's first kLevelColumns columns: the level in capitals, cut as in Jina's log, and a blank.
std::string level_column(std::string_view level, LogColour colour);
inline constexpr std::size_t kLevelColumns = 7;

// "[09/08/22 12:58:13]", in local time.
std::string local_time_text(std::chrono::system_clock::time_point time);

// With its line break, and with what would break a line or move a terminal's cursor escaped. The
// local time ends at column `width`; 0, or a message too long for it: after two blanks.
std::string text_line(const LogRecord& record, std::size_t width, LogColour colour);

// One JSON object with its line break.
std::string json_line(const LogRecord& record);

}  // namespace flow::core
