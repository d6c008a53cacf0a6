// SPDX-License-Identifier: Apache-2.0
#include "flowctl/status/status_table.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "core/text.hpp"
#include "flowctl/table.hpp"
#include "fmt/format.h"

namespace flow::ctl {
namespace {

constexpr std::string_view kNothing = "-";

std::optional<int> digits(std::string_view text) {
  int number = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (bad != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

std::string count_text(const Json& number) {
  return number.is_number() ? fmt::format("{:.0f}", number.number()) : std::string(kNothing);
}

std::string rate_text(const Json& number) {
  return number.is_number() ? fmt::format("{:.1f}", number.number()) : std::string(kNothing);
}

std::string latency_text(const Json& milliseconds) {
  return milliseconds.is_number() ? fmt::format("{:.3g}ms", milliseconds.number())
                                  : std::string(kNothing);
}

std::string or_nothing(std::string_view text) {
  return std::string(text.empty() ? kNothing : text);
}

std::vector<std::string> row_of(const Json& executor, std::size_t index, const Json& replica,
                                std::optional<std::chrono::system_clock::time_point> now) {
  const auto since = parse_utc(replica["since"].text());
  return {or_nothing(executor["name"].text()),
          fmt::format("{}", index),
          or_nothing(replica["state"].text()),
          now && since ? age_text(*now - *since) : std::string(kNothing),
          count_text(replica["restarts"]),
          count_text(replica["in_flight"]),
          rate_text(replica["requests_per_second"]),
          latency_text(replica["p50_ms"]),
          latency_text(replica["p99_ms"]),
          or_nothing(replica["address"].text()),
          or_nothing(replica["reason"].text())};
}

}  // namespace

std::string age_text(std::chrono::nanoseconds age) {
  const auto seconds = std::max<std::int64_t>(age / std::chrono::seconds(1), 0);
  if (seconds < 120) return fmt::format("{}s", seconds);
  if (seconds < 120 * 60) return fmt::format("{}m", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

// "2026-11-22T08:15:30.123Z"
std::optional<std::chrono::system_clock::time_point> parse_utc(std::string_view text) {
  using namespace std::chrono;
  if (text.size() != 24 || text[10] != 'T' || text[23] != 'Z') return std::nullopt;
  const auto part = [text](std::size_t begin, std::size_t size) {
    return digits(text.substr(begin, size));
  };
  const auto year_part = part(0, 4);
  const auto month_part = part(5, 2);
  const auto day_part = part(8, 2);
  const auto hour = part(11, 2);
  const auto minute = part(14, 2);
  const auto second = part(17, 2);
  const auto millisecond = part(20, 3);
  if (!year_part || !month_part || !day_part || !hour || !minute || !second || !millisecond) {
    return std::nullopt;
  }
  const year_month_day date(year(*year_part), month(static_cast<unsigned>(*month_part)),
                            day(static_cast<unsigned>(*day_part)));
  if (!date.ok()) return std::nullopt;
  return sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second) +
         milliseconds(*millisecond);
}

std::string status_table(std::string_view url, const Json& report, std::size_t width) {
  const auto now = parse_utc(report["time"].text());
  std::vector<std::vector<std::string>> rows;
  for (const Json& executor : report["executors"].array()) {
    std::size_t index = 0;
    for (const Json& replica : executor["replicas"].array()) {
      rows.push_back(row_of(executor, index++, replica, now));
    }
  }
  const std::string head =
      report["ready"].boolean()
          ? fmt::format("{} is ready\n", url)
          : fmt::format("{} is not ready: {}\n", url, core::one_line(report["reason"].text()));
  return head + format_table({{"EXECUTOR"},
                              {"REPLICA", Align::Right},
                              {"STATE"},
                              {"SINCE", Align::Right},
                              {"RESTARTS", Align::Right},
                              {"IN FLIGHT", Align::Right},
                              {"REQ/S", Align::Right},
                              {"P50", Align::Right},
                              {"P99", Align::Right},
                              {"ADDRESS"},
                              {"REASON"}},
                             rows, width);
}

}  // namespace flow::ctl
