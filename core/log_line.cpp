// SPDX-License-Identifier: Apache-2.0
#include "core/log_line.hpp"

#include <algorithm>
#include <ctime>

#include "core/text.hpp"
#include "core/time_text.hpp"
#include "fmt/format.h"

namespace flow::core {
namespace {

constexpr std::string_view kPlain = "\x1b[0m";

std::string_view colour_of(std::string_view level) {
  if (level == "error") return "\x1b[31m";
  if (level == "warning") return "\x1b[33m";
  if (level == "info") return "\x1b[32m";
  return "\x1b[36m";
}

}  // namespace

std::string level_column(std::string_view level, LogColour colour) {
  std::string text(level);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(c - 'a' + 'A'); });
  text.resize(6, ' ');
  if (level == "warning") text = "WARNI\u2026";
  if (colour == LogColour::Off) return text + ' ';
  return fmt::format("{}{}{} ", colour_of(level), text, kPlain);
}

std::string local_time_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("[{:02}/{:02}/{:02} {:02}:{:02}:{:02}]", local.tm_mon + 1, local.tm_mday,
                     local.tm_year % 100, local.tm_hour, local.tm_min, local.tm_sec);
}

std::string text_line(const LogRecord& record, std::size_t width, LogColour colour) {
  const std::string text =
      one_line(fmt::format("{}@{} {}", record.name, record.pid, record.message));
  const std::string time = local_time_text(record.time);

  std::size_t blanks = 2;
  const std::size_t used = kLevelColumns + terminal_columns(text) + time.size();
  if (used + blanks <= width) blanks = width - used;

  return fmt::format("{}{}{:{}}{}\n", level_column(record.level, colour), text, "", blanks, time);
}

std::string json_line(const LogRecord& record) {
  return fmt::format(
      "{{\"time\":\"{}\",\"level\":\"{}\",\"name\":\"{}\",\"pid\":{},\"message\":\"{}\"}}\n",
      utc_text(record.time), record.level, escape_json(record.name), record.pid,
      escape_json(record.message));
}

}  // namespace flow::core
