// SPDX-License-Identifier: Apache-2.0
#include "wire/json_time.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "fmt/format.h"

namespace flow::wire {
namespace {

using namespace std::chrono;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr sys_seconds kFirst = sys_days(year(1) / 1 / 1);
constexpr sys_seconds kEnd = sys_days(year(10000) / 1 / 1);

bool in_range(sys_seconds time) { return time >= kFirst && time < kEnd; }

// Takes the pieces of a text from its front; after a mismatch `ok` is false.
struct Pieces {
  std::string_view rest;
  bool ok = true;

  int digits(std::size_t count) {
    int value = 0;
    const std::string_view text = rest.substr(0, std::min(count, rest.size()));
    const bool unsigned_digits =
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
    ok = ok && text.size() == count && unsigned_digits && error == std::errc();
    rest.remove_prefix(text.size());
    return value;
  }

  char one_of(std::string_view characters) {
    const char c = rest.empty() ? '\0' : rest.front();
    ok = ok && !rest.empty() && characters.find(c) != std::string_view::npos;
    if (ok) rest.remove_prefix(1);
    return c;
  }
};

}  // namespace

std::optional<std::string> format_time(Timestamp time, Zone zone) {
  const sys_seconds whole{seconds(time.seconds)};
  if (!in_range(whole) || time.nanos < 0 || time.nanos >= kNanosPerSecond) return std::nullopt;
  const auto day = floor<days>(whole);
  const year_month_day date(day);
  const hh_mm_ss clock(whole - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}{}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     time.nanos / 1000, zone == Zone::Z ? "Z" : "+00:00");
}

std::optional<Timestamp> parse_time(std::string_view text) {
  Pieces pieces{text};
  const int y = pieces.digits(4);
  pieces.one_of("-");
  const int m = pieces.digits(2);
  pieces.one_of("-");
  const int d = pieces.digits(2);
  pieces.one_of("Tt ");
  const int hour = pieces.digits(2);
  pieces.one_of(":");
  const int minute = pieces.digits(2);
  pieces.one_of(":");
  const int second = pieces.digits(2);
  if (!pieces.ok) return std::nullopt;

  Timestamp time;
  if (pieces.rest.starts_with('.')) {
    pieces.rest.remove_prefix(1);
    const std::size_t count =
        std::min(pieces.rest.find_first_not_of("0123456789"), pieces.rest.size());
    if (count == 0 || count > 9) return std::nullopt;
    time.nanos = pieces.digits(count);
    for (std::size_t i = count; i < 9; ++i) time.nanos *= 10;
  }
  const char sign = pieces.one_of("Zz+-");
  minutes offset(0);
  if (sign == '+' || sign == '-') {
    offset = hours(pieces.digits(2));
    pieces.one_of(":");
    offset += minutes(pieces.digits(2));
    if (sign == '-') offset = -offset;
  }
  const year_month_day date =
      year(y) / month(static_cast<unsigned>(m)) / day(static_cast<unsigned>(d));
  const bool valid =
      pieces.ok && pieces.rest.empty() && date.ok() && hour < 24 && minute < 60 && second < 60;
  if (!valid) return std::nullopt;
  const sys_seconds whole =
      sys_days(date) + hours(hour) + minutes(minute) + seconds(second) - offset;
  if (!in_range(whole)) return std::nullopt;
  time.seconds = whole.time_since_epoch().count();
  return time;
}

}  // namespace flow::wire
