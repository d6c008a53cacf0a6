// SPDX-License-Identifier: Apache-2.0
#include "core/time_text.hpp"

#include "fmt/format.h"

namespace flow::core {

std::string utc_text(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<milliseconds>(time - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string duration_text(std::chrono::nanoseconds duration) {
  using Seconds = std::chrono::duration<double>;
  using Milliseconds = std::chrono::duration<double, std::milli>;
  if (duration >= std::chrono::seconds(1)) return fmt::format("{:g} s", Seconds(duration).count());
  return fmt::format("{:g} ms", Milliseconds(duration).count());
}

}  // namespace flow::core
