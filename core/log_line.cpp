// SPDX-License-Identifier: Apache-2.0
#include "core/log_line.hpp"

#include <algorithm>
#include <ctime>

#include "core/text.hpp"
#include "core/time_text.hpp"
#include "fmt/format.h"

namespace flow::core {
namespace {

// Six columns: a longer name is cut as in Jina's log.
std::string level_column(std::string_view level) {
  if (level == "warning") return "WARNI\u2026";
  std::string result(level);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return static_cast<char>(c - 'a' + 'A'); });
  result.resize(6, ' ');
  return result;
}

std::string_view colour_of(std::string_view level) {
  if (level == "error") return "\x1b[31m";
  if (level == "warning") return "\x1b[33m";
  if (level == "info") return "\x1b[32m";
  return "\x1b[36m";
}
constexpr std::string_view kPlain = "\x1b[0m";

std::string local_time_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("[{:02}/{:02}/{:02} {:02}:{:02}:{:02}]", local.tm_mon + 1, local.tm_mday,
                     local.tm_year % 100, local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace

std::string text_line(const LogRecord& record, std::size_t width, LogColour colour) {
  constexpr std::size_t kLevelColumns = 7;
  const std::string text =
      one_line(fmt::format("{}@{} {}", record.name, record.pid, record.message));
  const std::string time = local_time_text(record.time);

  std::size_t blanks = 2;
  const std::size_t used = kLevelColumns + terminal_columns(text) + time.size();
  if (used + blanks <= width) blanks = width - used;

  const bool coloured = colour == LogColour::On;
  return fmt::format("{}{}{} {}{:{}}{}\n", coloured ? colour_of(record.level) : "",
                     level_column(record.level), coloured ? kPlain : "", text, "", blanks, time);
}

std::string json_line(const LogRecord& record) {
  return fmt::format(
      "{{\"time\":\"{}\",\"level\":\"{}\",\"name\":\"{}\",\"pid\":{},\"message\":\"{}\"}}\n",
      utc_text(record.time), record.level, escape_json(record.name), record.pid,
      escape_json(record.message));
}

}  // namespace flow::core
